"""Weights of single rows: what the teacher is sure of, and what the student does not know yet, counts for more."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.losses.known_classes import mean_over, yes_and_no
from xlkd.needs import AnswerKind
from xlkd.outputs import StudentOutput, TeacherOutput, full_precision

ExampleWeight = Literal["none", "teacher-confidence", "student-entropy", "product"]


@torch.no_grad()
def weights_of_rows(
    kind: ExampleWeight,
    student_output: StudentOutput,
    teacher_output: TeacherOutput,
    answer_kind: AnswerKind = "one-of",
) -> Tensor:
    r"""The weight of each row, between 0 and 1 and without gradient.

    With \\(H\\) the entropy of a distribution at temperature 1 over the \\(C\\) classes that the teacher knows:

    - `"student-entropy"`: \\( H(p^{student}) / \log C \\), most where the student is unsure (Li et al., [Dynamic
      Knowledge Distillation](https://huggingface.co/papers/2109.11295));
    - `"teacher-confidence"`: \\( 1 - H(p^{teacher}) / \log C \\), least where the teacher is unsure;
    - `"product"`: both, multiplied: what the teacher is sure of and the student is not;
    - `"none"`: 1.

    Where a row may have any number of classes, each class has an entropy, that of its yes or no, and \\( H / \log C \\)
    is replaced by the mean of \\( H_c / \log 2 \\) over the classes that the teacher knows. A number has no entropy.

    No label is looked at, so rows without one have a weight too. Where a row has one class and the teacher knows
    fewer than two, there is no entropy: the student's counts as 0, the teacher's confidence as 1.

    Args:
        kind (`str`): One of these.
        student_output ([`StudentOutput`]): With logits of shape `(batch, classes)`, or `(batch, words, classes)`.
        teacher_output ([`TeacherOutput`]): Likewise; minus infinity for a class that the teacher does not know.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits mean.

    Returns:
        `torch.Tensor` of shape `(batch,)`, or `(batch, words)`.

    Example:

    ```python
    >>> sure, unsure = TeacherOutput(torch.tensor([[9.0, -9.0]])), StudentOutput(torch.tensor([[0.0, 0.0]]))
    >>> weights_of_rows("product", unsure, sure)
    tensor([1.0000])
    ```
    """
    assert student_output.logits is not None and teacher_output.logits is not None
    unknown = teacher_output.logits.isneginf()
    entropy = _mean_entropy if answer_kind == "any-of" else _relative_entropy
    weights = torch.ones_like(full_precision(student_output.logits[..., 0]))
    if kind in ("student-entropy", "product"):
        weights = weights * entropy(student_output.logits, unknown)
    if kind in ("teacher-confidence", "product"):
        weights = weights * (1 - entropy(teacher_output.logits, unknown))
    return weights


def _mean_entropy(logits: Tensor, unknown: Tensor) -> Tensor:
    """The mean entropy of single labels, as a share of the most that it could be, shape `(batch,)`."""
    pairs = yes_and_no(logits.masked_fill(unknown, 0.0))
    return mean_over(_relative_entropy(pairs, torch.zeros_like(pairs, dtype=torch.bool)), ~unknown).squeeze(-1)


def _relative_entropy(logits: Tensor, unknown: Tensor) -> Tensor:
    """The entropy as a share of the most that it could be, shape `(batch,)`."""
    known = full_precision(logits).masked_fill(unknown, -math.inf)
    # Filled again: minus infinity times a probability of 0 is not a number.
    log_probabilities = F.log_softmax(known, dim=-1).masked_fill(unknown, 0.0)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
    classes = (~unknown).sum(-1).clamp(min=2)
    return (entropy / classes.log()).clamp(0.0, 1.0)
