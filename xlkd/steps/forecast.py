"""What a training will take: some of its steps, done before it and undone."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import cast

import numpy as np
import psutil
import torch
from datasets import Dataset
from torch import Tensor, nn

from xlkd.arguments import DistillationArguments
from xlkd.columns import lengths_of
from xlkd.trainer import DistillationTrainer

logger = logging.getLogger(__name__)

QUANTILES = (1 / 6, 1 / 2, 5 / 6)
"""Where batches are taken among the rows by length, to be timed: each stands for a third of them."""


@dataclass(frozen=True)
class Forecast:
    """What a training will take, in one process.

    Args:
        updates (`int`): How many there are.
        seconds_per_update (`float`): As measured; validation and checkpoints are not in it.
        bytes (`int`): Memory that it will take beside the models: gradients, AdamW's moments, and what a batch of the
            longest rows keeps for its backward pass (not counted where gradient checkpointing computes it anew).
        free_bytes (`int`): Memory that is free.
    """

    updates: int
    seconds_per_update: float
    bytes: int
    free_bytes: int

    @property
    def seconds(self) -> float:
        """The time of all updates."""
        return self.updates * self.seconds_per_update

    def sentence(self) -> str:
        """The forecast in words."""
        return (
            f"Training: {self.updates} updates of about {self.seconds_per_update:.2f} s, {duration(self.seconds)} in"
            f" all; {self.bytes / 1e9:.1f} GB beside the models, {self.free_bytes / 1e9:.1f} GB are free."
        )

    def log(self) -> None:
        """Show it."""
        logger.info("%s", self.sentence())
        if (warning := self.warning()) is not None:
            logger.warning("%s", warning)

    def warning(self) -> str | None:
        """What to do where memory will not be enough."""
        if self.bytes <= self.free_bytes:
            return None
        return (
            f"The training will take about {self.bytes / 1e9:.1f} GB beside the models, and only"
            f" {self.free_bytes / 1e9:.1f} GB are free: lower per_device_train_batch_size (and raise"
            " gradient_accumulation_steps) or max_length, or freeze the embeddings."
        )


def forecast(trainer: DistillationTrainer) -> Forecast | None:
    """Do some steps of a training and undo them: student, losses and random numbers are left as they were.

    Args:
        trainer ([`DistillationTrainer`]): A trainer that is ready to train.

    Returns:
        [`Forecast`]; `None` for a stream of rows, whose number nobody knows.

    Example:

    ```python
    >>> print(forecast(trainer).sentence())
    ```
    """
    rows = trainer.rows_to_draw
    if not isinstance(rows, Dataset):
        return None
    size = min(trainer.args.per_device_train_batch_size, len(rows))
    by_length = np.argsort(lengths_of(rows, "input_ids"), kind="stable")
    last = len(rows) - size
    weights = [weight for weight in trainer.student.parameters() if weight.requires_grad]

    def batch(start: int) -> list[dict[str, object]]:
        return [rows[int(place)] for place in by_length[start : start + size]]

    with trainer.ready():
        kept, gradients = _kept_bytes(trainer, batch(last), weights)
        seconds = np.mean([_seconds(trainer, batch(int(quantile * last)), weights) for quantile in QUANTILES])
    update = trainer.args.gradient_accumulation_steps * float(seconds) + _optimizer_seconds(weights, gradients)
    trained = sum(weight.numel() * weight.element_size() for weight in weights)
    # Gradients and two moments; and the mean.
    copies = 4 if trainer.args.average_last else 3
    memory = copies * trained + (0 if trainer.args.gradient_checkpointing else kept)
    # An epoch is as many draws as there are rows, those without a share too.
    updates = _updates(trainer.args, len(cast(Dataset, trainer.train_dataset)))
    return Forecast(updates, update, memory, _free_bytes(trainer.args.device))


Gradients = tuple[Tensor | None, ...]


def _gradients(trainer: DistillationTrainer, rows: list[dict[str, object]], weights: list[nn.Parameter]) -> Gradients:
    loss = trainer.probe(rows)
    return torch.autograd.grad(loss, weights, allow_unused=True) if loss.requires_grad else (None,) * len(weights)


def _seconds(trainer: DistillationTrainer, rows: list[dict[str, object]], weights: list[nn.Parameter]) -> float:
    """The time of forward and backward pass of a batch, the teacher's answers included."""
    start = time.perf_counter()
    for gradient in _gradients(trainer, rows, weights):
        if gradient is not None:
            gradient.flatten()[:1].cpu()  # An accelerator works ahead: wait for it.
    return time.perf_counter() - start


def _kept_bytes(
    trainer: DistillationTrainer, rows: list[dict[str, object]], weights: list[nn.Parameter]
) -> tuple[int, Gradients]:
    """What a batch keeps for its backward pass, the models' weights left out, and its gradients."""
    known = {weight.untyped_storage().data_ptr() for weight in trainer.student.parameters()}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        gradients = _gradients(trainer, rows, weights)
    return sum(kept.values()), gradients


def _optimizer_seconds(weights: list[nn.Parameter], gradients: Gradients) -> float:
    """The time of an update of AdamW, on copies; the first makes its moments, the second is timed."""
    copies = [nn.Parameter(weight.detach().clone()) for weight in weights]
    for copy, gradient in zip(copies, gradients, strict=True):
        copy.grad = gradient
    optimizer = torch.optim.AdamW(copies)
    optimizer.step()
    start = time.perf_counter()
    optimizer.step()
    copies[0].flatten()[:1].cpu()
    return time.perf_counter() - start


def _updates(args: DistillationArguments, rows: int) -> int:
    if args.max_steps > 0:
        return int(args.max_steps)
    batches = math.ceil(rows / (args.per_device_train_batch_size * args.world_size))
    updates: float = math.ceil(batches / args.gradient_accumulation_steps) * args.num_train_epochs
    return math.ceil(updates)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def duration(seconds: float) -> str:
    """A time in words, to the precision of a forecast.

    Args:
        seconds (`float`): The time.

    Example:

    ```python
    >>> duration(5000)
    '1 h 23 min'
    ```
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
