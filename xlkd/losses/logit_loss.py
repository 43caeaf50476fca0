"""What the losses that compare the logits of student and teacher have in common."""

from __future__ import annotations

from typing import ClassVar

from xlkd.errors import UserError
from xlkd.losses.base import DistillationLoss
from xlkd.outputs import ModelShape, Needs

LEAST_CLASSES = 4
"""With fewer, a row without its shift and scale has no more than one degree of freedom."""


class LogitLoss(DistillationLoss):
    """A loss on the logits of both sides: it costs next to nothing, and works between any two models."""

    name: ClassVar[str]

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        if teacher is None:
            raise UserError(f"{self.name} needs a teacher, and none was given: give one, or leave the loss out.")

    def check_classes(self, teacher: ModelShape | None, option: str, reason: str, advice: str) -> None:
        """Refuse a method that says nothing, or the wrong thing, about two or three classes.

        Args:
            teacher ([`ModelShape`], *optional*): The teacher; one whose classes are not known yet is not refused.
            option (`str`): What is refused, beside the name of the loss; may be empty.
            reason (`str`): What becomes of it with two classes and with three.
            advice (`str`): What to do.

        Raises:
            [`UserError`]: If the teacher knows fewer than four of the student's classes.
        """
        if teacher is not None and 0 < len(teacher.labels) < LEAST_CLASSES:
            raise UserError(
                f"{self.name}{option} needs {LEAST_CLASSES} classes or more, and the teacher knows"
                f" {len(teacher.labels)} ({', '.join(teacher.labels)}): with 2 {reason}. {advice}"
            )
