"""Hard labels: the gold class, where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError, did_you_mean
from xlkd.losses.base import DistillationLoss
from xlkd.outputs import NO_LABEL, Batch, ModelShape, Needs, StudentOutput, TeacherOutput, full_precision


class HardLabelLoss(DistillationLoss):
    r"""Cross-entropy with the gold label; rows without one (-100) do not count.

    For one row with gold class \\(y\\) of \\(C\\) and \\(q = softmax(z)\\), in nats, with smoothing \\(\epsilon\\) and
    class weights \\(w\\):

    $$ -(1 - \epsilon) w_y \log q_y - \frac{\epsilon}{C} \sum_c w_c \log q_c $$

    The sum over rows is divided by their number, not by the sum of their weights: a class that weighs twice pulls
    twice, and the others as before.

    Args:
        label_smoothing (`float`, *optional*, defaults to 0.0):
            The share of the probability that is spread over all classes, at least 0 and below 1. A smoothed teacher
            teaches worse; a smoothed student may still be better calibrated (Szegedy et al., [Rethinking the Inception
            Architecture](https://huggingface.co/papers/1512.00567)).
        class_weights (`Mapping[str, float]`, *optional*):
            What the classes weigh, by the names of labels; 1 where left out.

    Raises:
        [`UserError`]: If the smoothing or a weight is out of range, or a name is not a label of the student.

    Example:

    ```python
    >>> from xlkd.losses import HardLabelLoss
    >>> loss = HardLabelLoss(label_smoothing=0.1, class_weights={"sports": 2.0})
    ```
    """

    weights: Tensor | None

    def __init__(self, label_smoothing: float = 0.0, class_weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if not _is_number(label_smoothing) or not 0 <= label_smoothing < 1:
            raise UserError(f"hard-label: label_smoothing {label_smoothing!r} must be at least 0 and below 1.")
        if class_weights is not None and not isinstance(class_weights, Mapping):
            raise UserError(
                f"hard-label: class_weights {class_weights!r} must be weights by label, such as {{sports: 2.0}}."
            )
        for label, weight in (class_weights or {}).items():
            if not _is_number(weight) or not 0 <= weight < torch.inf:
                raise UserError(f"hard-label: class_weights: {label} {weight!r} must be a number, 0 or more.")
        self.label_smoothing = label_smoothing
        self.class_weights = dict(class_weights or {})
        self.register_buffer("weights", None, persistent=False)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def config(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing, "class_weights": self.class_weights or None}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        # Labels are not known yet where a run is only planned.
        for label in self.class_weights if student.labels else ():
            if label not in student.labels:
                raise UserError(
                    f"hard-label: class_weights names {label!r}{did_you_mean(label, student.labels)}, which is not a"
                    f" label of the student: {', '.join(student.labels)}."
                )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Put the class weights into the student's order."""
        super().attach(student, teacher)
        if self.class_weights:
            self.weights = torch.tensor([self.class_weights.get(label, 1.0) for label in student.labels])

    def rows(self, batch: Batch) -> Tensor:
        """Rows that have a label."""
        return batch.row_mask & (batch.labels != NO_LABEL)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`HardLabelLoss`]; `(batch, classes)` logits of the student."""
        assert student_output.logits is not None
        return F.cross_entropy(
            full_precision(student_output.logits),
            batch.labels,
            weight=self.weights,
            ignore_index=NO_LABEL,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
