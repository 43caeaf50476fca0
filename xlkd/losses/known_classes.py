"""Logits over the classes that a teacher knows: the others, at minus infinity, take no part in a loss."""

from __future__ import annotations

import torch
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


def mean_over(values: Tensor, known: Tensor) -> Tensor:
    """The mean over the classes that are known, of shape `(batch, 1)`; 0 where none is."""
    return values.masked_fill(~known, 0.0).sum(-1, keepdim=True) / known.sum(-1, keepdim=True).clamp(min=1)


def standardise(logits: Tensor, known: Tensor) -> Tensor:
    r"""Logits with mean 0 and standard deviation 1 in each row: \\( (z - \bar z) / (\sigma_z + 10^{-7}) \\).

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`): The logits.
        known (`torch.Tensor` of shape `(batch, classes)`): Which classes take part.
    """
    centred = (logits - mean_over(logits, known)).masked_fill(~known, 0.0)
    variance = centred.square().sum(-1, keepdim=True) / (known.sum(-1, keepdim=True) - 1).clamp(min=1)
    # The slope of a root is infinite at 0, where all logits are equal.
    deviation = variance.clamp(min=torch.finfo(logits.dtype).tiny).sqrt()
    return centred / (deviation + 1e-7)
