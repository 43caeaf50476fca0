"""A mean over a logging window and all processes."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor


class RunningMean:
    """Sums values where they are computed; nobody waits for them until they are logged."""

    def __init__(self) -> None:
        self._total: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Add some values, of shape `(values,)`."""
        added = torch.stack([values.sum(), values.new_tensor(len(values))])
        self._total = added if self._total is None else self._total + added

    def take(self, name: str, accelerator: Accelerator) -> dict[str, float]:
        """The mean since the last call, by its name; nothing where no process added a value."""
        total = torch.zeros(2) if self._total is None else self._total
        self._total = None
        added, count = accelerator.reduce(total.to(accelerator.device), reduction="sum").tolist()
        return {name: added / count} if count else {}
