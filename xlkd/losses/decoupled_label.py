"""Soft labels in two parts: how sure the teacher is of the target, and what it thinks of the other classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError
from xlkd.losses.known_classes import kl_divergence, log_softmax, logits_of
from xlkd.losses.logit_loss import LogitLoss, is_zero
from xlkd.losses.schedule import Schedule
from xlkd.needs import ModelShape
from xlkd.outputs import NO_LABEL, Batch, StudentOutput, TeacherOutput


class DecoupledLabelLoss(LogitLoss):
    r"""Decoupled knowledge distillation: the two parts of soft labels, each with a weight of its own.

    For one row with target class \\(y\\) and probabilities \\(p = softmax(z / T)\\) over the classes that the teacher
    knows, in nats:

    $$ T^2 \left( \alpha \, KL(b^{teacher} \Vert b^{student}) + \beta \, KL(r^{teacher} \Vert r^{student}) \right),
    \qquad b = (p_y, 1 - p_y), \quad r_c = \frac{p_c}{1 - p_y} \; (c \neq y) $$

    With \\(\alpha = 1\\) and \\(\beta = 1 - p^{teacher}_y\\) this is the loss of soft labels, in which the
    other classes hardly count where the teacher is sure of the target. The target is the gold label, or the teacher's
    first choice where there is no label or the teacher does not know it, so unlabelled text works too (Zhao et al.,
    [Decoupled Knowledge Distillation](https://huggingface.co/papers/2203.08679)).

    Use it for six classes or more and a teacher that is sure. With two classes the second part is always 0, and with
    three it has only one ratio to teach: both are refused.

    Memory: a few numbers for each row and class, next to nothing.

    Args:
        target_weight (`float` or a schedule, *optional*, defaults to 1.0): \\(\alpha\\), 0 or more.
        other_weight (`float` or a schedule, *optional*, defaults to 8.0):
            \\(\beta\\), 0 or more. With few classes, or a teacher that errs, the paper takes less: 1 or 2.
        temperature (`float` or a schedule, *optional*, defaults to 4.0): Above 0.

    Raises:
        [`UserError`]: If an option is out of range, both weights are 0, the teacher knows fewer than four classes, or a
            row does not have exactly one class.

    Example:

    ```python
    >>> from xlkd.losses import DecoupledLabelLoss
    >>> loss = DecoupledLabelLoss(other_weight=2.0, temperature=2.0)
    ```
    """

    name = "decoupled-label"
    citation = "Zhao et al. (2022), Decoupled Knowledge Distillation, arXiv:2203.08679"
    refuses = {
        "any-of": "Where a row may have any number of classes, none of them is the target: use soft-label.",
        "number": "A number has no classes: use logit-mse.",
    }

    def __init__(
        self,
        target_weight: float | Mapping[str, Any] | Schedule = 1.0,
        other_weight: float | Mapping[str, Any] | Schedule = 8.0,
        temperature: float | Mapping[str, Any] | Schedule = 4.0,
    ) -> None:
        super().__init__()
        self.target_weight = Schedule.of(target_weight, "decoupled-label: target_weight", least=0)
        self.other_weight = Schedule.of(other_weight, "decoupled-label: other_weight", least=0)
        self.temperature = Schedule.of(temperature, "decoupled-label: temperature", above=0)
        if is_zero(self.target_weight) and is_zero(self.other_weight):
            raise UserError("decoupled-label: target_weight and other_weight are both 0: leave the loss out.")

    def config(self) -> dict[str, Any]:
        return {
            "target_weight": self.target_weight.config(),
            "other_weight": self.other_weight.config(),
            "temperature": self.temperature.config(),
        }

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        self.refuse_few_classes(
            teacher,
            "What it says of the classes beside the target is always 0 with two, and one ratio with three: use"
            " soft-label or logit-mse.",
        )

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`DecoupledLabelLoss`]; `(batch, classes)` logits on both sides."""
        student, teacher, known = logits_of(student_output, teacher_output)
        # One class alone has nothing beside it: such a row takes all classes here, to stay finite, and is 0 in the end.
        compared = known.sum(-1) > 1
        known = known | ~compared.unsqueeze(-1)
        target = F.one_hot(_targets(teacher, known, batch.labels), student.shape[-1]).bool()
        temperature = self.temperature.value
        binary = kl_divergence(
            _target_and_rest(teacher, known, target, temperature),
            _target_and_rest(student, known, target, temperature),
        )
        others = kl_divergence(
            log_softmax(teacher, known & ~target, temperature), log_softmax(student, known & ~target, temperature)
        )
        values = self.target_weight.value * binary + self.other_weight.value * others
        return torch.where(compared, values * temperature**2, 0.0)


def _targets(teacher: Tensor, known: Tensor, labels: Tensor) -> Tensor:
    """The gold label where there is one that the teacher knows, else its first choice; of shape `(batch,)`."""
    first_choice = teacher.masked_fill(~known, -torch.inf).argmax(-1)
    gold = labels.clamp(min=0)
    is_usable = (labels != NO_LABEL) & known.gather(-1, gold.unsqueeze(-1)).squeeze(-1)
    return torch.where(is_usable, gold, first_choice)


def _target_and_rest(logits: Tensor, known: Tensor, target: Tensor, temperature: float) -> Tensor:
    """The log probabilities of the target and of all other classes together, of shape `(batch, 2)`."""
    kept = logits.masked_fill(~known, -torch.inf) / temperature
    pair = torch.stack(
        [kept.masked_fill(~target, -torch.inf).logsumexp(-1), kept.masked_fill(target, -torch.inf).logsumexp(-1)], -1
    )
    return pair.log_softmax(-1)
