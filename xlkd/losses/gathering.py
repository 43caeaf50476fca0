"""The rows of all processes, for losses that compare rows with one another."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.autograd.function import once_differentiable


def gather_rows(values: Tensor) -> Tensor:
    """Put the rows of all processes one behind the other, in the order of ranks, with gradient.

    A `scope = "batch"` loss of gathered rows is the same on every process. Backward sums what all of them made of a
    row, `WeightedSum` divides by the number of processes that count, and the trainer multiplies by all of them before
    gradients are averaged: together that is the gradient of one process that sees all rows.

    All processes must call it, and must go backward through it where one does: they would wait for each other for
    ever otherwise. So a loss that is zero on one batch multiplies by zero, and never leaves the rows out.

    Args:
        values (`torch.Tensor` of shape `(rows, ...)`):
            Of any kind; of the same shape on all processes. Those that are no floating point numbers have no gradient.

    Returns:
        `torch.Tensor` of shape `(processes * rows, ...)`; `values` itself where there is one process.

    Example:

    ```python
    >>> gather_rows(torch.ones(4, 8)).shape  # in each of two processes
    torch.Size([8, 8])
    ```
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return values
    if torch.distributed.get_world_size() == 1:
        return values
    if values.dtype == torch.bool:
        # Gloo cannot send booleans.
        return _all_rows(values.to(torch.uint8)).bool()
    if values.requires_grad:
        gathered: Tensor = _Gather.apply(values)  # type: ignore[no-untyped-call]
        return gathered
    return _all_rows(values)


def as_rows(values: Tensor) -> Tensor:
    """Words as rows of their own, for [`gather_rows`]: as many on every process, filled up with zeros.

    Args:
        values (`torch.Tensor` of shape `(batch, words, ...)`): What the words have.

    Returns:
        `torch.Tensor` of shape `(batch * words, ...)`.
    """
    words = torch.tensor(values.shape[1], device=values.device)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(words, torch.distributed.ReduceOp.MAX)
    filled = values.new_zeros(len(values), int(words) - values.shape[1], *values.shape[2:])
    return torch.cat([values, filled], dim=1).flatten(0, 1)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        context.rows = len(values)
        return _all_rows(values)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(total)
        first = torch.distributed.get_rank() * context.rows
        return total[first : first + context.rows]


def _all_rows(values: Tensor) -> Tensor:
    values = values.contiguous()
    parts = [torch.empty_like(values) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, values)
    return torch.cat(parts)
