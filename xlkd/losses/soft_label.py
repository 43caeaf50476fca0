"""Soft labels: the teacher's distribution over the classes."""

from __future__ import annotations

from math import inf
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError
from xlkd.losses.base import DistillationLoss
from xlkd.outputs import Batch, ModelShape, Needs, StudentOutput, TeacherOutput, full_precision


class SoftLabelLoss(DistillationLoss):
    r"""Kullback-Leibler divergence from the teacher's softened distribution to the student's.

    For one row, with logits \\(z\\) and temperature \\(T\\), in nats:

    $$ T^2 \sum_{c \in K} p^{teacher}_c \log \frac{p^{teacher}_c}{p^{student}_c}, \qquad p = softmax_K(z / T) $$

    over the classes \\(K\\) that the teacher knows. A class with a teacher logit of \\(-\infty\\) takes no part: both
    distributions are renormalised over the others ([`~teachers.LabelMap`]). With fewer than two known the loss is 0.

    The factor \\(T^2\\) keeps the size of the gradient when the temperature changes, so that a weight keeps its meaning
    (Hinton et al., [Distilling the Knowledge in a Neural Network](https://huggingface.co/papers/1503.02531)).

    Args:
        temperature (`float`, *optional*, defaults to 2.0): Softness of both distributions, above 0.

    Raises:
        [`UserError`]: If the temperature is not a number above 0.

    Example:

    ```python
    >>> from xlkd.losses import SoftLabelLoss
    >>> loss = SoftLabelLoss(temperature=2.0)
    ```
    """

    citation = "Hinton et al. (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531"

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature < inf:
            raise UserError(f"soft-label: temperature {temperature!r} must be a number above 0; 1 to 4 is usual.")
        self.temperature = temperature

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def config(self) -> dict[str, Any]:
        return {"temperature": self.temperature}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        if teacher is None:
            raise UserError("soft-label needs a teacher, and none was given: give one, or leave the loss out.")

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`SoftLabelLoss`]; `(batch, classes)` logits on both sides."""
        assert student_output.logits is not None and teacher_output.logits is not None
        unknown = teacher_output.logits.isneginf()
        student = self._log_probabilities(student_output.logits, unknown)
        teacher = self._log_probabilities(teacher_output.logits, unknown)
        divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)
        return divergence * self.temperature**2

    def _log_probabilities(self, logits: Tensor, unknown: Tensor) -> Tensor:
        known = full_precision(logits).masked_fill(unknown, -inf)
        # Filled again, since infinities would make the divergence, or its gradient, not a number.
        return F.log_softmax(known / self.temperature, dim=-1).masked_fill(unknown, 0.0)
