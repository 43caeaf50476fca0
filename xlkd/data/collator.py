"""Rows to batches, with the student's and the teacher's padding each its own."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from xlkd.outputs import GROUP_COLUMN, NO_LABEL, TEACHER_PREFIX


class DistillationCollator:
    """Pads what the student reads with its tokenizer, and what the teacher reads with the teacher's.

    Args:
        student_tokenizer (`PreTrainedTokenizerBase`): The student's.
        teacher_tokenizer (`PreTrainedTokenizerBase`, *optional*): The teacher's; `None` without a teacher.
    """

    def __init__(
        self, student_tokenizer: PreTrainedTokenizerBase, teacher_tokenizer: PreTrainedTokenizerBase | None = None
    ) -> None:
        self.tokenizer = student_tokenizer
        self.teacher_tokenizer = teacher_tokenizer

    @property
    def columns(self) -> list[str]:
        """The columns of a row that are used; the others may be dropped."""
        columns = [*self.tokenizer.model_input_names, "labels", "label", GROUP_COLUMN]
        if self.teacher_tokenizer is not None:
            columns += [TEACHER_PREFIX + name for name in self.teacher_tokenizer.model_input_names]
        return columns

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Collate rows as `Task.preprocess` makes them."""
        names = self.tokenizer.model_input_names
        batch = _pad(self.tokenizer, [{name: row[name] for name in names if name in row} for row in rows])
        if self.teacher_tokenizer is not None and TEACHER_PREFIX + "input_ids" in rows[0]:
            names = self.teacher_tokenizer.model_input_names
            read = [
                {name: row[TEACHER_PREFIX + name] for name in names if TEACHER_PREFIX + name in row} for row in rows
            ]
            batch |= {TEACHER_PREFIX + name: values for name, values in _pad(self.teacher_tokenizer, read).items()}
        batch["labels"] = torch.tensor([row.get("labels", row.get("label", NO_LABEL)) for row in rows])
        if GROUP_COLUMN in rows[0]:
            batch[GROUP_COLUMN] = torch.tensor([row[GROUP_COLUMN] for row in rows])
        return batch


def _pad(tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return dict(tokenizer.pad(rows, return_tensors="pt"))
