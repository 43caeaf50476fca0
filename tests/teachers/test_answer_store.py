"""Texts that a teacher was asked about are found by what it read of them."""

import numpy as np
from datasets import Dataset

from xlkd.tasks import SequenceClassification
from xlkd.teachers.answer_store import Questions

TASK = SequenceClassification(["a", "b", "c"])


def test_pairs_are_told_apart_when_only_their_types_differ(tokenizer):
    pairs = Dataset.from_list([{"text": "x y", "text_pair": "z"}, {"text": "x", "text_pair": "y z"}])
    prepared = TASK.preprocess(pairs, {"teacher_": tokenizer}, 32)
    assert len(Questions.of(prepared, "teacher_", tokenizer)) == 2


def test_key_does_not_depend_on_the_prefix(rows, tokenizer):
    prepared = TASK.preprocess(rows, {"teacher_": tokenizer}, 32)
    renamed = prepared.rename_columns({name: name.replace("teacher_", "teacher_1_") for name in prepared.column_names})
    one, other = (
        Questions.of(data, prefix, tokenizer) for data, prefix in ((prepared, "teacher_"), (renamed, "teacher_1_"))
    )
    np.testing.assert_array_equal(one.keys, other.keys)


def test_texts_are_told_apart_when_their_tokens_differ_by_256(tokenizer):
    columns = {"teacher_input_ids": [[1, 2], [257, 2], [1, 2]], "teacher_attention_mask": [[1, 1]] * 3}
    questions = Questions.of(Dataset.from_dict(columns), "teacher_", tokenizer)
    assert len(questions) == 2 and questions.keys[0] == questions.keys[2]


def test_texts_are_told_apart_when_columns_share_their_values(tokenizer):
    ids = {"teacher_input_ids": [[1, 0], [1]], "teacher_token_type_ids": [[0], [0, 0]]}
    assert len(Questions.of(Dataset.from_dict(ids), "teacher_", tokenizer)) == 2
