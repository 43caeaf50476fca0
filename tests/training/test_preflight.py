"""A tokenizer or rows that do not belong to the models are refused before the first step."""

import pytest
from tiny_training import trainer_of

from xlkd import UserError


def test_tokenizer_with_more_pieces_than_the_student_is_refused(student, teacher, tokenizer, rows, tmp_path):
    student.resize_token_embeddings(100)
    with pytest.raises(UserError, match="has 245 pieces, but the student only 100 rows .* `processing_class`"):
        trainer_of(student, teacher, tokenizer, rows, tmp_path)


def test_rows_cut_without_the_teachers_tokens_are_refused(student, teacher, tokenizer, rows, tmp_path):
    cut = rows.map(lambda row: tokenizer(row["text"]), remove_columns=rows.column_names)
    with pytest.raises(UserError, match="without what the teacher reads"):
        trainer_of(student, teacher, tokenizer, cut, tmp_path)
