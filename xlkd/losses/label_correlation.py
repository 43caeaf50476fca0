"""Correlations of soft labels: their order within a row, and how a class varies from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from xlkd.losses.gathering import gather_rows
from xlkd.losses.known_classes import log_softmax, logits_of
from xlkd.losses.logit_loss import LogitLoss
from xlkd.losses.schedule import Schedule
from xlkd.outputs import Batch, ModelShape, StudentOutput, TeacherOutput


class LabelCorrelationLoss(LogitLoss):
    r"""Pearson correlation of the soft labels, along the classes of a row and along the rows of a batch.

    With \\(P = softmax(Z / T)\\) of shape \\((B, C)\\) and Pearson's \\(\rho\\):

    $$ \beta \left( 1 - \frac{1}{B} \sum_i \rho(P^{student}_{i \cdot}, P^{teacher}_{i \cdot}) \right) +
    \gamma \left( 1 - \frac{1}{C} \sum_c \rho(P^{student}_{\cdot c}, P^{teacher}_{\cdot c}) \right) $$

    Correlation asks for the same order and proportions, not for the same numbers: good where a strong teacher is too
    sharp for a small student (Huang et al., [Knowledge Distillation from A Stronger
    Teacher](https://huggingface.co/papers/2205.10536)). It does not see scale, so its gradient does not shrink when the
    temperature rises, and there is no factor \\(T^2\\) here. Rows are those of all processes; a window that is
    accumulated of small batches compares fewer of them. Classes that the teacher does not know take no part.

    Args:
        inter_class (`float` or a schedule, *optional*, defaults to 1.0):
            \\(\beta\\), 0 or more. The correlation of two numbers is always 1 or -1, and three leave one angle: with
            fewer than four classes it must be 0.
        intra_class (`float` or a schedule, *optional*, defaults to 1.0): \\(\gamma\\), 0 or more.
        temperature (`float` or a schedule, *optional*, defaults to 1.0): Above 0.

    Raises:
        [`UserError`]: If an option is out of range, or there are too few classes.

    Example:

    ```python
    >>> from xlkd.losses import LabelCorrelationLoss
    >>> loss = LabelCorrelationLoss(inter_class=1.0, intra_class=1.0)
    ```
    """

    scope = "batch"
    name = "label-correlation"
    citation = "Huang et al. (2022), Knowledge Distillation from A Stronger Teacher, arXiv:2205.10536"

    def __init__(
        self,
        inter_class: float | Mapping[str, Any] | Schedule = 1.0,
        intra_class: float | Mapping[str, Any] | Schedule = 1.0,
        temperature: float | Mapping[str, Any] | Schedule = 1.0,
    ) -> None:
        super().__init__()
        self.inter_class = Schedule.of(inter_class, "label-correlation: inter_class", least=0)
        self.intra_class = Schedule.of(intra_class, "label-correlation: intra_class", least=0)
        self.temperature = Schedule.of(temperature, "label-correlation: temperature", above=0)

    def config(self) -> dict[str, Any]:
        return {
            "inter_class": self.inter_class.config(),
            "intra_class": self.intra_class.config(),
            "temperature": self.temperature.config(),
        }

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        if self.inter_class.start or self.inter_class.end:
            reason = "the correlation within a row is always 1 or -1, with 3 one angle is left of it"
            self.check_classes(teacher, ": inter_class", reason, "Write `inter_class: 0`.")

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`LabelCorrelationLoss`]; `(batch, classes)` logits on both sides."""
        logits = logits_of(student_output, teacher_output)
        student, teacher, known = (gather_rows(values) for values in logits)
        counted = gather_rows(batch.row_mask).unsqueeze(-1)
        kept = known & counted
        student, teacher = (
            log_softmax(values, known, self.temperature.value).exp().masked_fill(~kept, 0.0)
            for values in (student, teacher)
        )
        within_rows = _mean(1 - correlation(student, teacher, kept, dim=1), kept.sum(1) > 1)
        over_rows = _mean(1 - correlation(student, teacher, kept, dim=0), kept.sum(0) > 1)
        return (self.inter_class.value * within_rows + self.intra_class.value * over_rows).reshape(1)


def correlation(first: Tensor, second: Tensor, kept: Tensor, dim: int) -> Tensor:
    """Pearson's correlation along one dimension; 0 where one side does not vary.

    Args:
        first (`torch.Tensor` of shape `(rows, classes)`): Numbers, 0 where they are not kept.
        second (`torch.Tensor` of shape `(rows, classes)`): Likewise.
        kept (`torch.Tensor` of shape `(rows, classes)`): Which of them are looked at.
        dim (`int`): The dimension along which they vary.
    """
    count = kept.sum(dim, keepdim=True).clamp(min=1)
    first, second = (
        (values - values.sum(dim, keepdim=True) / count).masked_fill(~kept, 0.0) for values in (first, second)
    )
    # The length of a vector of zeros has the slope 0 in PyTorch, so that a constant row has a finite gradient.
    lengths = torch.linalg.vector_norm(first, dim=dim) * torch.linalg.vector_norm(second, dim=dim)
    found: Tensor = (first * second).sum(dim) / (lengths + 1e-8)
    return found


def _mean(values: Tensor, kept: Tensor) -> Tensor:
    return values.masked_fill(~kept, 0.0).sum() / kept.sum().clamp(min=1)
