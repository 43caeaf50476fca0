"""The mean of what several teachers say of the same rows."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from xlkd.losses.known_classes import mean_over, yes_and_no
from xlkd.needs import AnswerKind

Average = Literal["probabilities", "logits"]

LEAST_ENTROPY = 0.01
"""In nats: a teacher that is surer than this (some 99.9 % for one class) counts no more for it."""


def mean_answers(logits: Tensor, weights: Tensor, kind: Average, answer_kind: AnswerKind = "one-of") -> Tensor:
    r"""Average the answers of several teachers, row by row.

    With weights $w_k$ that sum to 1 and $p_k = \mathrm{softmax}(z_k)$, `"probabilities"` gives
    $\log \sum_k w_k p_k$ and `"logits"` gives $\sum_k w_k \log p_k$, the geometric mean, up to a constant. Both are of
    temperature 1: a loss applies its own temperature to the mean.

    A logit of $-\infty$ is a class that a teacher does not know. Each class is averaged over the teachers that know it,
    and the row is normalised after that; a class that nobody knows stays at $-\infty$.

    Where a row may have any number of classes, the same is done with the yes and no of each: with $p = \sigma(z)$ the
    logit of $\sum_k w_k p_k$, or $\sum_k w_k z_k$. Of numbers it is $\sum_k w_k z_k$, whatever `kind` says.

    Args:
        logits (`torch.Tensor` of shape `(members, batch, classes)`): What the teachers say; $-\infty$ throughout a row
            that a teacher was not asked about.
        weights (`torch.Tensor` of shape `(members, batch)`): Not negative; they need not sum to 1.
        kind (`str`): `"probabilities"` or `"logits"`.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits mean.

    Returns:
        `torch.Tensor` of shape `(batch, classes)`, in float32: log probabilities; else logits, or numbers.

    Example:

    ```python
    >>> logits = torch.log(torch.tensor([[[0.8, 0.2]], [[0.4, 0.6]]]))
    >>> mean_answers(logits, torch.ones(2, 1), "probabilities").exp()
    tensor([[0.6000, 0.4000]])
    ```
    """
    if answer_kind == "any-of":
        yes, no = mean_answers(yes_and_no(logits), weights.unsqueeze(-1), kind).unbind(-1)
        return torch.where(yes > -torch.inf, yes - no, -torch.inf)
    values = logits.float() if answer_kind == "number" else _log_softmax(logits)
    knows = (values > -torch.inf) & (weights > 0).unsqueeze(-1)
    # By class: those who know it share its weight among themselves.
    shares = torch.where(knows, weights.float().unsqueeze(-1), 0.0)
    shares = shares / shares.sum(0).clamp(min=torch.finfo(torch.float32).tiny)
    if kind == "probabilities" and answer_kind == "one-of":
        mean = (values + shares.log()).logsumexp(0)
    else:
        mean = torch.where(knows, shares * values, 0.0).sum(0)
    mean = torch.where(knows.any(0), mean, -torch.inf)
    return mean if answer_kind == "number" else _log_softmax(mean)


def confidence(logits: Tensor, answer_kind: AnswerKind = "one-of") -> Tensor:
    r"""How sure teachers are: $1 / H(p)$, the inverse of the entropy of their answers.

    Where a row may have any number of classes, $H$ is the mean of the entropies of those that a teacher knows.

    Args:
        logits (`torch.Tensor` of shape `(..., classes)`): What they say.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits mean; a number does not say it.

    Returns:
        `torch.Tensor` of shape `(...)`, in float32; at most 1 / [`LEAST_ENTROPY`].

    Example:

    ```python
    >>> confidence(torch.tensor([[0.0, 0.0], [9.0, 0.0]]))
    tensor([ 1.4427, 100.0000])
    ```
    """
    if answer_kind == "any-of":
        entropy = mean_over(_entropy(yes_and_no(logits)), logits > -torch.inf).squeeze(-1)
    else:
        entropy = _entropy(logits)
    return 1 / entropy.clamp(min=LEAST_ENTROPY)


def _entropy(logits: Tensor) -> Tensor:
    log_probabilities = _log_softmax(logits)
    return -torch.where(log_probabilities > -torch.inf, log_probabilities.exp() * log_probabilities, 0.0).sum(-1)


def _log_softmax(logits: Tensor) -> Tensor:
    """As ever, but a row of nothing but minus infinity stays what it is."""
    return torch.where(logits > -torch.inf, logits.float().log_softmax(-1), -torch.inf)
