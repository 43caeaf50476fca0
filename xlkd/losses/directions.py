"""Directions of vectors: what is left of them at length 1, where there is anything to divide."""

from __future__ import annotations

import torch
from torch import Tensor

SHORTEST = 1e-6
"""A shorter vector has no direction: it is the rounding of numbers of ordinary size, and its gradient would be huge."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors at length 1; zeros, without gradient, for one that is shorter than `SHORTEST`.

    Args:
        vectors (`torch.Tensor` of shape `(..., width)`): The vectors.

    Returns:
        `torch.Tensor` of the same shape.

    Example:

    ```python
    >>> unit(torch.tensor([[0.0, 3.0, 4.0], [0.0, 0.0, 0.0]]))
    tensor([[0.0000, 0.6000, 0.8000],
            [0.0000, 0.0000, 0.0000]])
    ```
    """
    lengths = vectors.norm(dim=-1, keepdim=True)
    usable = lengths > SHORTEST
    # Divided by 1 where it is not used: the gradient of what `where` leaves out would be no number.
    return torch.where(usable, vectors / torch.where(usable, lengths, 1.0), 0.0)
