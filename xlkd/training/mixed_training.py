"""A `Trainer` that draws its rows by a mixture, and logs what it drew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer
from transformers.trainer_utils import TrainOutput, has_length

from xlkd.arguments import DistillationArguments
from xlkd.arguments.mixture import MixtureArguments
from xlkd.columns import lengths_of
from xlkd.data.groups import RowGroups, Shares
from xlkd.data.sampler import EpochSampler, MixtureSampler
from xlkd.errors import UserError
from xlkd.outputs import GROUP_COLUMN, Batch

logger = logging.getLogger(__name__)


class MixedTraining(Trainer):
    """A `Trainer` that draws its rows as `args.mixture` says; without it, all of them once an epoch.

    Both, and rows that come by length, in an order that depends on the seed and the epoch alone; rows that are merely
    shuffled come as `Trainer` shuffles them.

    With a mixture, every logging window has the share of each role and language among the rows that counted in it, over
    all processes, as `share_ROLE` and `share_LANGUAGE`.

    Raises:
        [`UserError`]: If there is a mixture, and the rows do not say their role and language or are not those it names.
    """

    args: DistillationArguments

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups: RowGroups | None = None
        self._drawn = torch.zeros(0, dtype=torch.int64)
        mixture = MixtureArguments.of(self.args.mixture)
        if mixture is None or self.train_dataset is None:
            return
        if not isinstance(self.train_dataset, Dataset):
            kind = type(self.train_dataset).__name__
            raise UserError(f"mixture draws from a datasets.Dataset, not from a {kind}: leave it out, or give one.")
        self._groups = RowGroups.of(self.train_dataset)
        self._shares = self._groups.shares(mixture)
        self._drawn = torch.zeros(len(self._shares), dtype=torch.int64, device=self.args.device)
        self.train_dataset = self.train_dataset.add_column(GROUP_COLUMN, self._groups.codes)  # type: ignore[arg-type]
        expected = _by_role_and_language(self._groups, self._shares)
        logger.info("Mixture: %s.", ", ".join(f"{name} {share:.3f}" for name, share in expected.items()))

    @property
    def rows_to_draw(self) -> Any:
        """The training rows that can be drawn: those whose share is not 0."""
        if self._groups is None or self._shares.all():
            return self.train_dataset
        return self.train_dataset.select(np.flatnonzero(self._shares[self._groups.codes]))  # type: ignore[union-attr]

    @property
    def _draws_itself(self) -> bool:
        by_length = self.args.train_sampling_strategy == "group_by_length"
        return self._groups is not None or (by_length and isinstance(self.train_dataset, Dataset))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        if not self._draws_itself:
            stock: Sampler[int] | None = super()._get_train_sampler(train_dataset)
            return stock
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        rows = self._train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        by_length = self.args.train_sampling_strategy == "group_by_length"
        lengths = lengths_of(cast(Dataset, self.train_dataset), "input_ids") if by_length else None
        if self._groups is None:
            return EpochSampler(len(cast(Dataset, self.train_dataset)), seed, lengths, rows)
        return MixtureSampler(self._groups, self._shares, seed, lengths, rows)

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler[int] | None:
        # `Trainer` would bring these by length too, and `predict` would answer in that order without a word.
        if self.args.world_size > 1 or not has_length(eval_dataset):
            return None
        return SequentialSampler(eval_dataset)

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> TrainOutput:
        # What a training before this one drew after its last window is no part of the first window of this one.
        self._drawn.zero_()
        output: TrainOutput = super()._inner_training_loop(*args, **kwargs)
        return output

    def _run_epoch(self, model: Any, epoch: int, train_dataloader: Any, *args: Any, **kwargs: Any) -> None:
        if self._draws_itself:
            # On resume `Trainer` sets the epoch when it has wrapped the sampler once more, too deep for Accelerate to
            # reach it with several processes: the epoch would be drawn in the order of the first.
            train_dataloader.set_epoch(epoch)
        super()._run_epoch(model, epoch, train_dataloader, *args, **kwargs)  # type: ignore[no-untyped-call]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | int | None]:
        """`Trainer.get_batch_samples`; with a mixture, the rows are counted by role and language."""
        batches, counts = super().get_batch_samples(epoch_iterator, num_batches, device)
        for inputs in batches:
            if GROUP_COLUMN in inputs:
                # Counted without a look at the values, which would make the processor wait for the accelerator.
                counted = Batch.from_inputs(inputs).row_mask.to(self._drawn)
                self._drawn.index_add_(0, inputs[GROUP_COLUMN].to(self._drawn.device), counted)
        return batches, counts

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """`Trainer.log`; with a mixture, each window has the shares of roles and languages in it."""
        if "loss" in logs and self._groups is not None:
            drawn = self.accelerator.reduce(self._drawn, reduction="sum")
            self._drawn = torch.zeros_like(self._drawn)
            counts = drawn.cpu().numpy()
            if counts.any():  # A collator of the user's own may not pass on what is counted.
                logs |= _by_role_and_language(self._groups, counts / counts.sum())
        super().log(logs, start_time)


def _by_role_and_language(groups: RowGroups, shares: Shares) -> dict[str, float]:
    """The shares of roles, then of languages, as they are logged."""
    totals = {f"share_{name}": 0.0 for place in (0, 1) for name in sorted({group[place] for group in groups.names})}
    for (role, language), share in zip(groups.names, shares.tolist(), strict=True):
        totals[f"share_{role}"] += share
        totals[f"share_{language}"] += share
    return totals
