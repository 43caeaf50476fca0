"""What the losses that compare the logits of student and teacher have in common."""

from __future__ import annotations

from xlkd.errors import UserError
from xlkd.losses.base import NO_CLASSES_NEEDED, DistillationLoss
from xlkd.losses.schedule import Schedule
from xlkd.needs import ModelShape, Needs

FEW_CLASSES = 4
"""With fewer classes a row's shape, without its shift and scale, has at most one degree of freedom."""


class LogitLoss(DistillationLoss):
    """A loss on the logits of both sides: it costs next to nothing and works between any two models."""

    by_word = True
    alternative = NO_CLASSES_NEEDED

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def refuse_few_classes(self, teacher: ModelShape | None, reason: str) -> None:
        """Refuse a teacher who knows two or three classes; one whose classes are not known yet is not refused.

        Args:
            teacher ([`ModelShape`]): The teacher.
            reason (`str`): Why that is void, and what to do instead.

        Raises:
            [`UserError`]: If it knows fewer than four classes.
        """
        if teacher is not None and 0 < len(teacher.labels) < FEW_CLASSES:
            known = ", ".join(teacher.labels)
            raise UserError(f"{self.name}: the teacher knows only {len(teacher.labels)} classes ({known}). {reason}")


def is_zero(weight: Schedule) -> bool:
    """Whether a weight is 0 all the time."""
    return weight.start == weight.end == 0
