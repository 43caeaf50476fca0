"""What losses share that compare how rows lie to one another, rather than the rows themselves."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from xlkd.losses.base import DistillationLoss
from xlkd.losses.gathering import gather_rows
from xlkd.losses.layer_map import check_layer, read_layer
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import Batch, StudentOutput, TeacherOutput, full_precision


class RelationLoss(DistillationLoss):
    """A comparison of the text vectors of a batch: the mean over the tokens of one layer, of student and teacher.

    Rows are gathered over all processes first, so that two processes with 16 rows are one with 32. With gradient
    accumulation, the batches of a window do not see one another: prefer a larger batch. With fewer than `least_rows`
    rows that count, the loss is exactly zero, and so is its gradient.

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.

    Raises:
        [`UserError`]: If a layer is no number, or out of range.
    """

    scope = "batch"
    least_rows: int = 2

    def __init__(self, student_layer: int | None = None, teacher_layer: int | None = None) -> None:
        super().__init__()
        self.student_layer = read_layer(self.name, "student_layer", student_layer)
        self.teacher_layer = read_layer(self.name, "teacher_layer", teacher_layer)

    @property
    def needs(self) -> Needs:
        return _pooled(self.teacher_layer)

    @property
    def student_needs(self) -> Needs:
        return _pooled(self.student_layer)

    def config(self) -> dict[str, Any]:
        return {"student_layer": self.student_layer, "teacher_layer": self.teacher_layer}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        assert teacher is not None
        for side, layer, shape in (("student", self.student_layer, student), ("teacher", self.teacher_layer, teacher)):
            if layer is not None:
                check_layer(self.name, f"{side}_layer", side, layer, shape.layers)

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layers."""
        super().attach(student, teacher)
        assert teacher is not None
        self.student_layer = student.layers if self.student_layer is None else self.student_layer
        self.teacher_layer = teacher.layers if self.teacher_layer is None else self.teacher_layer

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """Gather the vectors of all processes, `(rows, width)` of each side, and compare them."""
        assert self.student_layer is not None and self.teacher_layer is not None
        counted = gather_rows(batch.row_mask)
        # `where`, so that a row that does not count cannot leak even an infinite value.
        student, teacher = (
            torch.where(counted.unsqueeze(-1), gather_rows(full_precision(states)), 0.0)
            for states in (
                student_output.pooled_states[self.student_layer],
                teacher_output.pooled_states[self.teacher_layer],
            )
        )
        # Differences of products of vectors need more digits than autocast would leave them.
        with torch.autocast(student.device.type, enabled=False):
            value = self.compare(student, teacher, counted)
        # Not left out where there are too few rows: all processes must go backward through `gather_rows`.
        return torch.where(counted.sum() >= self.least_rows, value, 0.0).reshape(1)

    @abstractmethod
    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """Compare two sets of vectors of the same rows.

        Args:
            student (`torch.Tensor` of shape `(rows, student width)`): The student's; zero in rows that do not count.
            teacher (`torch.Tensor` of shape `(rows, teacher width)`): The teacher's; likewise.
            counted (`torch.Tensor` of shape `(rows,)`): Which rows count.

        Returns:
            `torch.Tensor`, a scalar. It and its gradient must be finite, however few rows count.
        """


def pairs_of(counted: Tensor) -> Tensor:
    """Which pairs of two different rows both count.

    Args:
        counted (`torch.Tensor` of shape `(rows,)`): Which rows count.

    Returns:
        `torch.Tensor` of booleans, of shape `(rows, rows)`.
    """
    return (counted.unsqueeze(0) & counted.unsqueeze(1)).fill_diagonal_(False)


def mean_where(values: Tensor, kept: Tensor) -> Tensor:
    """The mean of some values; 0 of none.

    Args:
        values (`torch.Tensor`): The values.
        kept (`torch.Tensor` of the same shape): Which of them are meant.
    """
    return torch.where(kept, values, 0.0).sum() / kept.sum().clamp(min=1)


def _pooled(layer: int | None) -> Needs:
    return Needs() if layer is None else Needs(pooled_states=frozenset({layer}))
