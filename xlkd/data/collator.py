"""Rows to batches, with what the student and what the teacher reads each padded in its own way."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from transformers import PreTrainedTokenizerBase

from xlkd.outputs import GROUP_COLUMN, LANGUAGE_COLUMN, NO_LABEL, SAME_TOKENS_COLUMN
from xlkd.padding import Padding, RowCollator
from xlkd.text.words import WORD_CONTEXT

_PASSED_ON = (GROUP_COLUMN, LANGUAGE_COLUMN, SAME_TOKENS_COLUMN)


class DistillationCollator:
    """Makes a batch of rows as `Task.preprocess` makes them.

    Args:
        student_tokenizer (`PreTrainedTokenizerBase`): The student's.
        teacher ([`~padding.RowCollator`], *optional*): What the teacher reads; `None` without a teacher.
    """

    def __init__(self, student_tokenizer: PreTrainedTokenizerBase, teacher: RowCollator | None = None) -> None:
        self.student = Padding(student_tokenizer)
        self.teacher = teacher

    def for_teacher(self, teacher: RowCollator) -> Self:
        """The same collator with another idea of what the teacher reads.

        Args:
            teacher ([`~padding.RowCollator`]): What it reads.
        """
        other = copy.copy(self)
        other.teacher = teacher
        return other

    @property
    def columns(self) -> list[str]:
        """The columns of a row that are used; the others may be dropped."""
        teacher = [] if self.teacher is None else self.teacher.columns
        return [*self.student.columns, *teacher, "labels", "label", WORD_CONTEXT, *_PASSED_ON]

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Collate rows."""
        batch = self.student(rows)
        if self.teacher is not None:
            batch |= self.teacher(rows)
        batch["labels"] = _labels([row.get("labels", row.get("label", NO_LABEL)) for row in rows])
        batch |= {name: torch.tensor([row[name] for row in rows]) for name in _PASSED_ON if name in rows[0]}
        if WORD_CONTEXT in rows[0]:
            batch[WORD_CONTEXT] = _by_word([row[WORD_CONTEXT] for row in rows], 0)
        return batch


def _labels(labels: list[Any]) -> torch.Tensor:
    """Labels as [`~outputs.Batch`] has them: of rows, of the words of rows, or of the classes of rows."""
    is_of_classes = isinstance(labels[0], list) and bool(labels[0]) and isinstance(labels[0][0], float)
    if is_of_classes or not isinstance(labels[0], list):
        return torch.tensor(labels)
    return _by_word(labels, NO_LABEL)


def _by_word(rows: Sequence[Sequence[int]], padding: int) -> torch.Tensor:
    values = [torch.tensor(row, dtype=torch.long) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=padding)
