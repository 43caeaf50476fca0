"""Hard labels: the gold class, the gold classes or the gold number, where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError, is_number
from xlkd.losses.base import NO_CLASSES_NEEDED, DistillationLoss
from xlkd.losses.class_weights import ClassWeights
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import NO_LABEL, Batch, StudentOutput, TeacherOutput, full_precision, has_label


class HardLabelLoss(DistillationLoss):
    r"""Cross-entropy with the gold label, or the squared distance to a gold number; rows without a label do not count.

    For one row of one class, with logits \\(z\\) and gold class \\(y\\) of \\(C\\), smoothing \\(\epsilon\\) and class
    weights \\(w\\), in nats, with \\(q = softmax(z)\\):

    $$ -(1 - \epsilon) w_y \log q_y - \frac{\epsilon}{C} \sum_c w_c \log q_c $$

    Where a row may have any number of classes, with \\(t_c = (1 - \epsilon) y_c + \epsilon / 2\\), \\(y_c\\) being 1
    for those that it has and 0 for the others, and \\(q_c = \sigma(z_c)\\):

    $$ -\frac{1}{C} \sum_c w_c \left( t_c \log q_c + (1 - t_c) \log(1 - q_c) \right) $$

    Where the label is a number \\(y\\), it is \\((z - y)^2\\).

    The sum over rows is divided by their number, not by the sum of their weights: a class with twice the weight
    pulls twice as hard, and the others as before.

    Use it beside a loss on the teacher's answers, which reach further than gold labels in one language; leave out
    smoothing where soft labels already say how likely the other classes are.

    Memory: a few numbers for each row and class, next to nothing.

    Args:
        label_smoothing (`float`, *optional*, defaults to 0.0):
            The share of the probability that is spread over all classes (over yes and no, where a row may have any
            number of classes), at least 0 and below 1. A smoothed teacher teaches worse; a smoothed student may still
            be better calibrated (Szegedy et al., [Rethinking the Inception
            Architecture](https://huggingface.co/papers/1512.00567)).
        class_weights (`Mapping[str, float]`, *optional*):
            The weights of the classes, by label name, 0 or more; 1 where left out.

    Raises:
        [`UserError`]: If the smoothing or a weight is out of range, a name is not a label of the student, or either is
            given for numbers.

    Example:

    ```python
    >>> from xlkd.losses import HardLabelLoss
    >>> loss = HardLabelLoss(label_smoothing=0.1, class_weights={"sports": 2.0})
    ```
    """

    name = "hard-label"
    asks_teacher = False
    by_word = True
    alternative = NO_CLASSES_NEEDED
    citation = "Szegedy et al. (2016), Rethinking the Inception Architecture for Computer Vision, arXiv:1512.00567"

    def __init__(self, label_smoothing: float = 0.0, class_weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if not is_number(label_smoothing) or not 0 <= label_smoothing < 1:
            raise UserError(f"hard-label: label_smoothing {label_smoothing!r} must be at least 0 and below 1.")
        self.label_smoothing = label_smoothing
        if not label_smoothing:
            # Cross-entropy is nobody's.
            self.citation = ""
        self.class_weights = ClassWeights(self.name, class_weights)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def config(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing, "class_weights": self.class_weights.config()}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        self.class_weights.check(student.labels)
        if student.answer_kind == "number" and (self.label_smoothing or self.class_weights.given):
            raise UserError(
                "hard-label: label_smoothing and class_weights are for classes, not for numbers: leave them out."
            )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Put the class weights into the student's order, where its labels are known."""
        super().attach(student, teacher)
        self.class_weights.attach(student.labels)

    def rows(self, batch: Batch) -> Tensor:
        """Rows, or words, that have a label."""
        return batch.item_mask & has_label(batch.labels)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`HardLabelLoss`]; `(batch, classes)` logits of the student, or `(batch, words, classes)`.

        Raises:
            [`UserError`]: If there are class weights, and it was attached to a student whose labels are not known.
        """
        assert student_output.logits is not None
        logits = full_precision(student_output.logits)
        if self.answer_kind == "one-of":
            return self._of_one_class(logits, batch.labels)
        # What is no number would be one in no gradient.
        labels = batch.labels.nan_to_num().to(logits.dtype)
        return (
            self._of_single_labels(logits, labels) if self.answer_kind == "any-of" else (logits[:, 0] - labels).square()
        )

    def _of_one_class(self, logits: Tensor, labels: Tensor) -> Tensor:
        values = F.cross_entropy(
            logits.flatten(0, -2),
            labels.flatten(),
            weight=self.class_weights.of(logits.dtype),
            ignore_index=NO_LABEL,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        return values.view_as(labels)

    def _of_single_labels(self, logits: Tensor, labels: Tensor) -> Tensor:
        targets = (1 - self.label_smoothing) * labels + self.label_smoothing / 2
        weights = self.class_weights.of(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="none").mean(-1)
