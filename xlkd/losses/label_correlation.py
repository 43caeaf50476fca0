"""Correlations of soft labels: their order within a row, and how a class varies from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from xlkd.errors import UserError
from xlkd.losses.gathering import as_rows, gather_rows
from xlkd.losses.known_classes import centred, log_softmax, logits_of, varies
from xlkd.losses.logit_loss import LogitLoss, is_zero
from xlkd.losses.schedule import Schedule
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput


class LabelCorrelationLoss(LogitLoss):
    r"""Pearson correlation of the soft labels, along the classes of a row and along the rows of a batch.

    With \\(P = softmax(Z / T)\\) of shape \\((B, C)\\) and Pearson's \\(\rho\\):

    $$ \beta \left( 1 - \frac{1}{B} \sum_i \rho(P^{student}_{i \cdot}, P^{teacher}_{i \cdot}) \right) +
    \gamma \left( 1 - \frac{1}{C} \sum_c \rho(P^{student}_{\cdot c}, P^{teacher}_{\cdot c}) \right) $$

    Correlation asks for the same order and proportions, not for the same numbers: good where a strong teacher is too
    sharp for a small student (Huang et al., [Knowledge Distillation from A Stronger
    Teacher](https://huggingface.co/papers/2205.10536)). It ignores scale, so its gradient does not shrink when the
    temperature rises, and there is no factor \\(T^2\\) here. Rows are those of all processes; where gradients are
    accumulated over small batches, fewer rows are compared. Classes that the teacher does not know take no part.

    A row or a class in which all probabilities of the teacher are equal has no correlation, and takes no part in the
    mean; where only those of the student are, the correlation is 0, without gradient.

    Memory: a few numbers for each class and each row of all processes, next to nothing.

    Use it for six classes or more and a teacher much stronger than the student, beside soft or hard labels: alone it
    does not teach how sure to be.

    Args:
        inter_class (`float` or a schedule, *optional*, defaults to 1.0):
            \\(\beta\\), 0 or more. The correlation of two numbers is always 1 or -1, and that of three depends on
            one angle alone: with fewer than four classes this must be 0.
        intra_class (`float` or a schedule, *optional*, defaults to 1.0): \\(\gamma\\), 0 or more.
        temperature (`float` or a schedule, *optional*, defaults to 1.0): Above 0.

    Raises:
        [`UserError`]: If an option is out of range, both weights are 0, there are too few classes, or a row does
            not have exactly one class.

    Example:

    ```python
    >>> from xlkd.losses import LabelCorrelationLoss
    >>> loss = LabelCorrelationLoss(inter_class=1.0, intra_class=1.0)
    ```
    """

    scope = "batch"
    name = "label-correlation"
    citation = "Huang et al. (2022), Knowledge Distillation from A Stronger Teacher, arXiv:2205.10536"
    refuses = {
        "any-of": "It correlates probabilities that sum to 1 in a row, and these have no such sum: use soft-label.",
        "number": "A number has no classes: use logit-mse.",
    }

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
        self.least_rows = 1 if is_zero(self.intra_class) else 2
        if is_zero(self.inter_class) and is_zero(self.intra_class):
            raise UserError("label-correlation: inter_class and intra_class are both 0: leave the loss out.")

    def config(self) -> dict[str, Any]:
        return {
            "inter_class": self.inter_class.config(),
            "intra_class": self.intra_class.config(),
            "temperature": self.temperature.config(),
        }

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        if not is_zero(self.inter_class):
            self.refuse_few_classes(
                teacher,
                "Within a row the correlation of two classes is always 1 or -1, and that of three is one angle: set"
                " `inter_class: 0`.",
            )

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`LabelCorrelationLoss`]; `(batch, classes)` logits on both sides, or `(batch, words, classes)`."""
        all_items: tuple[Tensor, ...] = (*logits_of(student_output, teacher_output), batch.item_mask)
        if batch.word_spans is not None:
            all_items = tuple(as_rows(values) for values in all_items)
        student, teacher, known, counted = (gather_rows(values) for values in all_items)
        # Rows that do not count leave the softmax too: what they hold may be no number.
        kept = known & counted.unsqueeze(-1)
        student, teacher = (
            log_softmax(values, kept, self.temperature.value).exp().masked_fill(~kept, 0.0)
            for values in (student, teacher)
        )
        within_rows, over_rows = (_distance(student, teacher, kept, dim) for dim in (1, 0))
        return (self.inter_class.value * within_rows + self.intra_class.value * over_rows).reshape(1)


def _distance(student: Tensor, teacher: Tensor, kept: Tensor, dim: int) -> Tensor:
    """1 less the mean of Pearson's correlations along a dimension, where the teacher's numbers vary at all."""
    correlation = (_unit(student, kept, dim) * _unit(teacher, kept, dim)).sum(dim)
    meaningful = varies(centred(teacher, kept, dim), teacher, dim).squeeze(dim)
    return ((1 - correlation) * meaningful).sum() / meaningful.sum().clamp(min=1)


def _unit(values: Tensor, kept: Tensor, dim: int) -> Tensor:
    """The numbers less their mean, at length 1; 0 where they do not vary."""
    deviations = centred(values, kept, dim)
    usable = varies(deviations, values, dim)
    # By the largest first: the squares of small probabilities would be lost. A length of 1 does not see it.
    largest = deviations.detach().abs().amax(dim, keepdim=True)
    scaled = deviations / torch.where(usable, largest, 1.0)
    length = torch.where(usable, scaled.square().sum(dim, keepdim=True), 1.0).sqrt()
    return torch.where(usable, scaled / length, 0.0)
