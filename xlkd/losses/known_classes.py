"""Logits over the classes that a teacher knows: the others, at minus infinity, take no part in a loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.outputs import StudentOutput, TeacherOutput, full_precision


def logits_of(student_output: StudentOutput, teacher_output: TeacherOutput) -> tuple[Tensor, Tensor, Tensor]:
    """The logits of both, and which of them the teacher knows.

    Args:
        student_output ([`StudentOutput`]): With logits.
        teacher_output ([`TeacherOutput`]): With logits.

    Returns:
        `tuple` of the student's and the teacher's logits, in float32 at least, and a `torch.Tensor` of booleans, all of
        shape `(batch, classes)`. The teacher's logits of classes that it does not know are 0.
    """
    assert student_output.logits is not None and teacher_output.logits is not None
    known = ~teacher_output.logits.isneginf()
    teacher = full_precision(teacher_output.logits).masked_fill(~known, 0.0)
    return full_precision(student_output.logits), teacher, known


def log_softmax(logits: Tensor, known: Tensor, temperature: float) -> Tensor:
    """Log probabilities over the classes that are known; 0 for the others, which must be left out of sums.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`): The logits.
        known (`torch.Tensor` of shape `(batch, classes)`): Which classes take part.
        temperature (`float`): What the logits are divided by.
    """
    kept = logits.masked_fill(~known, -torch.inf)
    # Filled again, since infinities would make a divergence, or its gradient, not a number.
    return torch.log_softmax(kept / temperature, dim=-1).masked_fill(~known, 0.0)


def kl_divergence(first: Tensor, second: Tensor) -> Tensor:
    """The Kullback-Leibler divergence KL(first || second), in nats, of shape `(batch,)`.

    Args:
        first (`torch.Tensor` of shape `(batch, classes)`): Log probabilities, by which the classes are weighed.
        second (`torch.Tensor` of shape `(batch, classes)`): Log probabilities; 0 in both for a class left out.
    """
    return F.kl_div(second, first, reduction="none", log_target=True).sum(-1)


def yes_and_no(logits: Tensor) -> Tensor:
    r"""Each logit as one of a pair: \\( softmax(z, 0) = (\sigma(z), 1 - \sigma(z)) \\), a yes and a no.

    So what holds for distributions over classes holds for those of single labels.

    Args:
        logits (`torch.Tensor` of shape `(..., classes)`): Logits of labels that have a yes or no of their own; minus
            infinity for one that is not known, and then for both.

    Returns:
        `torch.Tensor` of shape `(..., classes, 2)`.
    """
    return torch.stack([logits, torch.where(logits.isneginf(), -torch.inf, 0.0).to(logits.dtype)], dim=-1)


def mean_over(values: Tensor, known: Tensor, dim: int = -1) -> Tensor:
    """The mean over the classes (or the rows, where `dim` is 0) that take part; `dim` stays, and nothing gives 0."""
    return values.masked_fill(~known, 0.0).sum(dim, keepdim=True) / known.sum(dim, keepdim=True).clamp(min=1)


def centred(values: Tensor, known: Tensor, dim: int = -1) -> Tensor:
    """The values less their mean; 0 for what takes no part.

    Args:
        values (`torch.Tensor` of shape `(batch, classes)`): Logits or probabilities.
        known (`torch.Tensor` of shape `(batch, classes)`): What takes part.
        dim (`int`, *optional*, defaults to -1): -1 for a mean over classes, 0 for one over rows.
    """
    return (values - mean_over(values, known, dim)).masked_fill(~known, 0.0)


def varies(deviations: Tensor, values: Tensor, dim: int = -1) -> Tensor:
    """Whether numbers differ by more than rounding does: what is made of the rest is noise, with a huge gradient.

    Args:
        deviations (`torch.Tensor` of shape `(batch, classes)`): The centred values.
        values (`torch.Tensor` of shape `(batch, classes)`): The values.
        dim (`int`, *optional*, defaults to -1): The dimension along which they were centred; it stays, of size 1.
    """
    numbers = torch.finfo(values.dtype)
    rounding = 8 * numbers.eps * values.abs().amax(dim, keepdim=True)
    # Nor by less than can be divided by: 1e-31 in float32.
    return deviations.abs().amax(dim, keepdim=True) > rounding + numbers.tiny / numbers.eps


def standardised(logits: Tensor, known: Tensor) -> Tensor:
    r"""Logits with mean 0 and standard deviation 1 in each row: \\( (z - \bar z) / (\sigma_z + 10^{-7}) \\).

    The deviation is the unbiased one. A row of equal logits becomes zeros, with a gradient of ordinary size.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`): The logits.
        known (`torch.Tensor` of shape `(batch, classes)`): Which classes take part.
    """
    values = logits.masked_fill(~known, 0.0)
    deviations = centred(values, known)
    variance = deviations.square().sum(-1, keepdim=True) / (known.sum(-1, keepdim=True) - 1).clamp(min=1)
    usable = varies(deviations, values) & (variance > 0)
    return deviations / (torch.where(usable, variance, 1.0).sqrt() + 1e-7)
