"""Rows of text to inputs of student and teacher."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from task_cases import TASK_CASES
from transformers import BertConfig, EvalPrediction, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.outputs import NO_LABEL
from xlkd.tasks import TASKS, SequenceClassification, get_task

TASK = SequenceClassification(["a", "b", "c"])
Tokenizer = PreTrainedTokenizerBase


def test_task_is_found_when_its_name_is_known() -> None:
    assert {name: type(get_task(name, case.task.labels)) for name, case in TASK_CASES.items()} == TASKS


def test_nearest_task_is_named_when_it_is_unknown() -> None:
    with pytest.raises(
        UserError, match=r"'sequence_classification' \(did you mean sequence-classification\?\); known are"
    ):
        get_task("sequence_classification", ["a", "b"])


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b", "a"]])
def test_labels_are_refused_when_they_are_not_two_different_names(labels: list[str]) -> None:
    with pytest.raises(UserError, match=r"The labels \[.*\] must be two or more different names"):
        get_task("sequence-classification", labels)


def test_nearest_metric_is_named_when_it_is_unknown() -> None:
    with pytest.raises(UserError, match="There is no metric 'acuracy': did you mean 'accuracy'"):
        get_task("sequence-classification", ["a", "b"], metric="acuracy")


def test_metric_is_the_first_of_the_task_when_none_is_named() -> None:
    assert get_task("sequence-classification", ["a", "b"]).metric == SequenceClassification.metrics[0] == "accuracy"


def test_metric_of_another_task_is_refused() -> None:
    with pytest.raises(UserError, match=r"The task has no metric 'span-f1': .*Known metrics: accuracy, macro-f1\."):
        get_task("sequence-classification", ["a", "b"], metric="span-f1")


def test_labels_become_ids_by_name_when_rows_are_preprocessed(tokenizer: Tokenizer) -> None:
    rows = Dataset.from_dict({"text": ["x"] * 3, "label": ["c", "a", "b"]})
    assert TASK.preprocess(rows, {"": tokenizer}, 64)["labels"][:] == [2, 0, 1]
    assert SequenceClassification(["b", "c", "a"]).preprocess(rows, {"": tokenizer}, 64)["labels"][:] == [1, 2, 0]


def test_label_is_minus_100_when_there_is_none(tokenizer: Tokenizer) -> None:
    rows = Dataset.from_dict({"text": ["x", "y"], "label": ["c", None]})
    assert TASK.preprocess(rows, {"": tokenizer}, 64)["labels"][:] == [2, NO_LABEL]
    without = rows.remove_columns("label")
    assert TASK.preprocess(without, {"": tokenizer}, 64)["labels"][:] == [NO_LABEL, NO_LABEL]


def test_ids_pass_when_labels_are_ids_already(tokenizer: Tokenizer) -> None:
    rows = Dataset.from_dict({"text": ["x", "y"], "label": [2, 0]})
    assert TASK.preprocess(rows, {"": tokenizer}, 64)["labels"][:] == [2, 0]


@pytest.mark.parametrize("label", ["bb", "A", 3, -1])
def test_label_is_refused_when_the_task_does_not_have_it(tokenizer: Tokenizer, label: Any) -> None:
    rows = Dataset.from_dict({"text": ["x"], "label": [label]})
    with pytest.raises(UserError) as caught:
        TASK.preprocess(rows, {"": tokenizer}, 64)
    assert f"The label {label!r}" in str(caught.value)
    assert "is not one of the task's: a, b, c." in str(caught.value)


def test_column_is_asked_for_when_there_is_no_text(tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match=r"no column `text` \(only body, label\): rename the column"):
        TASK.preprocess(Dataset.from_dict({"body": ["x"], "label": ["a"]}), {"": tokenizer}, 64)


def test_texts_are_cut_when_longer_than_max_length(tokenizer: Tokenizer) -> None:
    rows = Dataset.from_dict({"text": ["x " * 50, "x"]})
    encoded = TASK.preprocess(rows, {"": tokenizer}, 8)
    assert [len(ids) for ids in encoded["input_ids"]] == [8, 3]
    assert encoded[0]["input_ids"][-1] == tokenizer.sep_token_id


def test_pair_is_read_as_one_text_when_rows_have_two(tokenizer: Tokenizer, words: dict[str, list[str]]) -> None:
    first, second = words["en"][:2]
    rows = Dataset.from_dict({"text": [first], "text_pair": [second]})
    encoded = TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 64)[0]
    tokens = ["<s>", first, "</s>", second, "</s>"]
    assert tokenizer.convert_ids_to_tokens(encoded["input_ids"]) == tokens
    assert encoded["teacher_input_ids"] == encoded["input_ids"]


def test_teacher_reads_its_own_text_with_its_own_tokenizer_when_parallel(
    tokenizer: Tokenizer, other_tokenizer: Tokenizer, rows: Dataset
) -> None:
    parallel = rows.select(range(10, 17))
    encoded = TASK.preprocess(parallel, {"": tokenizer, "teacher_": other_tokenizer}, 64)
    assert encoded["input_ids"][:] == tokenizer(parallel["text"][:])["input_ids"]
    assert encoded["teacher_input_ids"][:] == other_tokenizer(parallel["teacher_text"][:])["input_ids"]


def test_teacher_reads_its_own_text_when_the_tokenizer_is_shared(tokenizer: Tokenizer, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows, {"": tokenizer, "teacher_": tokenizer}, 64)
    assert encoded["teacher_input_ids"][:] == tokenizer(rows["teacher_text"][:])["input_ids"]
    assert encoded["input_ids"][:] != encoded["teacher_input_ids"][:]


def test_teacher_reads_the_students_text_when_no_other_is_given(
    tokenizer: Tokenizer, other_tokenizer: Tokenizer, rows: Dataset
) -> None:
    alone = rows.remove_columns("teacher_text")
    same = TASK.preprocess(alone, {"": tokenizer, "teacher_": tokenizer}, 64)
    assert same["teacher_input_ids"][:] == same["input_ids"][:]
    other = TASK.preprocess(alone, {"": tokenizer, "teacher_": other_tokenizer}, 64)
    assert other["teacher_input_ids"][:] == other_tokenizer(alone["text"][:])["input_ids"]


def test_teacher_pair_is_read_when_parallel_rows_are_pairs(tokenizer: Tokenizer, words: dict[str, list[str]]) -> None:
    row = dict(zip(("text", "text_pair", "teacher_text", "teacher_text_pair"), words["en"], strict=False))
    encoded = TASK.preprocess(Dataset.from_list([row]), {"": tokenizer, "teacher_": tokenizer}, 64)[0]
    assert encoded["teacher_input_ids"] == tokenizer(words["en"][2], words["en"][3])["input_ids"]


def test_teacher_columns_are_left_out_when_there_is_no_teacher(tokenizer: Tokenizer, rows: Dataset) -> None:
    encoded = TASK.preprocess(rows, {"": tokenizer}, 64)
    assert not [name for name in encoded.column_names if name.startswith("teacher_")]


def test_what_a_row_is_stays_and_text_goes_when_preprocessed(tokenizer: Tokenizer) -> None:
    kept = {"role": "parallel", "language": "sw", "teacher_language": "en", "key": "1", "content_id": "2"}
    (row,) = TASK.preprocess(Dataset.from_list([{"text": "x", "label": "a", **kept}]), {"": tokenizer}, 64)
    assert set(row) == {"input_ids", "attention_mask", "labels", *kept}
    assert {name: row[name] for name in kept} == kept


def test_head_is_recognised_when_the_architecture_says_so() -> None:
    assert TASK.is_head_of(BertConfig(architectures=["BertForSequenceClassification"]))
    assert not TASK.is_head_of(BertConfig(architectures=["BertForMaskedLM"]))
    assert not TASK.is_head_of(BertConfig())


def test_rows_without_label_do_not_count_when_the_validation_loss_is_computed() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    both = TASK.validation_loss(logits, torch.tensor([0, NO_LABEL]))
    assert torch.equal(both, TASK.validation_loss(logits[:1], torch.tensor([0])))


def test_all_metrics_are_given_when_predictions_are_scored() -> None:
    logits = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scores = TASK.compute_metrics(EvalPrediction(logits, np.array([0, 1, 2, 2])))
    assert scores == pytest.approx({"accuracy": 0.75, "macro-f1": (1 + 2 / 3 + 2 / 3) / 3})


def test_each_reader_gets_its_own_tokens_when_only_the_side_that_is_cut_differs(tokenizer: Tokenizer) -> None:
    left = copy.deepcopy(tokenizer)
    left.truncation_side = "left"
    rows = Dataset.from_list([{"text": " ".join(list(tokenizer.get_vocab())[10:30])}])
    (row,) = TASK.preprocess(rows, {"": left, "teacher_": tokenizer}, 8)
    assert (
        row["input_ids"]
        != row["teacher_input_ids"]
        == tokenizer(rows[0]["text"], truncation=True, max_length=8)["input_ids"]
    )


def test_teacher_reads_what_the_student_does_when_it_has_no_text_of_its_own(tokenizer, words) -> None:
    one, two = words["en"][:2]
    rows = {
        "text": [one, two],
        "text_pair": [two, one],
        "teacher_text": [None, one],
    }
    task = SequenceClassification(["a", "b"])
    read = task.preprocess(Dataset.from_dict(rows), {"": tokenizer, "teacher_": tokenizer}, 16)
    expected = tokenizer([one, one], [two, one])
    assert read["teacher_input_ids"][:] == expected["input_ids"]
    assert read["input_ids"][:] == tokenizer([one, two], [two, one])["input_ids"]


def test_error_says_how_to_name_classes_when_the_model_has_no_names_for_them():
    with pytest.raises(UserError, match=r"The label 'pos' is not one of the task's: LABEL_0, LABEL_1\. .*`id2label`"):
        SequenceClassification(["LABEL_0", "LABEL_1"]).label_id("pos")
