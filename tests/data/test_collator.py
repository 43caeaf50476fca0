"""Rows to batches."""

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from xlkd.data.collator import DistillationCollator
from xlkd.outputs import GROUP_COLUMN, NO_LABEL, Batch
from xlkd.padding import Padding
from xlkd.tasks import SequenceClassification

TASK = SequenceClassification(["a", "b", "c"])


def test_both_sides_get_padding_of_their_own_when_they_read_differently(
    tokenizer: PreTrainedTokenizerBase, other_tokenizer: PreTrainedTokenizerBase, rows: Dataset
) -> None:
    encoded = TASK.preprocess(rows.select([10, 14]), {"": tokenizer, "teacher_": other_tokenizer}, 64)
    batch = Batch.from_inputs(DistillationCollator(tokenizer, Padding(other_tokenizer, "teacher_"))(encoded.to_list()))
    for side, prefix in ((batch.student_inputs, ""), (batch.teacher_inputs, "teacher_")):
        lengths = [len(ids) for ids in encoded[prefix + "input_ids"]]
        assert side["input_ids"].shape == (2, max(lengths))
        assert side["attention_mask"].sum(1).tolist() == lengths
    assert batch.student_inputs["input_ids"].shape != batch.teacher_inputs["input_ids"].shape


def test_label_is_minus_100_when_the_row_has_none(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows.select([0, 1, 12]), {"": tokenizer}, 64)
    assert DistillationCollator(tokenizer)(encoded.to_list())["labels"].tolist() == [0, 1, NO_LABEL]


def test_labels_are_there_when_no_row_has_the_column(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows.select([0, 1]), {"": tokenizer}, 64).remove_columns("labels")
    assert DistillationCollator(tokenizer)(encoded.to_list())["labels"].tolist() == [NO_LABEL, NO_LABEL]


def test_teacher_side_is_empty_when_there_is_no_teacher(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows.select([0, 1]), {"": tokenizer}, 64)
    batch = Batch.from_inputs(DistillationCollator(tokenizer)(encoded.to_list()))
    assert batch.teacher_inputs == {}
    assert set(batch.student_inputs) == {"input_ids", "attention_mask"}


def test_other_columns_are_dropped_when_collated(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows.select([0, 1]), {"": tokenizer, "teacher_": tokenizer}, 64)
    collator = DistillationCollator(tokenizer, Padding(tokenizer, "teacher_"))
    assert "language" in encoded.column_names
    batch = collator(encoded.to_list())
    assert set(batch) <= set(collator.columns)
    assert all(isinstance(value, torch.Tensor) for value in batch.values())


def test_group_is_passed_on_but_not_to_the_models_when_rows_have_one(
    tokenizer: PreTrainedTokenizerBase, rows: Dataset
) -> None:
    encoded = TASK.preprocess(rows.select([0, 12]), {"": tokenizer}, 64)
    batch = DistillationCollator(tokenizer)([{**row, GROUP_COLUMN: 3} for row in encoded.to_list()])
    assert batch[GROUP_COLUMN].tolist() == [3, 3]
    assert GROUP_COLUMN not in Batch.from_inputs(batch).student_inputs
