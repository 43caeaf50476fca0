"""The update window: all batches of one update, on all processes, whose rows a loss is divided by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from transformers import Trainer
from transformers.trainer_utils import TrainOutput, has_length

from xlkd.arguments import DistillationArguments
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import Batch


class UpdateWindows(Trainer):
    """A `Trainer` that counts the rows of every loss term over the whole window of an update, and logs the terms.

    So neither accumulation nor the number of processes changes what a loss is divided by.
    """

    args: DistillationArguments
    losses: WeightedSum

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # `compute_loss` divides by the counts of the whole update window, so Trainer must not divide again.
        self.loss_is_scaled_for_ga = True
        self._updates_to_log = 0

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> TrainOutput:
        # Updates of a training before this one, after its last window, are none of the first window of this one.
        self._updates_to_log = 0
        output: TrainOutput = super()._inner_training_loop(*args, **kwargs)
        return output

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Tensor | int | None]:
        """Fetch the batches of one update, and count their rows for every loss term, over all processes."""
        self._updates_to_log += 1
        self.losses.set_progress(self.state.global_step / max(self.state.max_steps, 1))
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        if not batch_samples:
            return None
        self._mask_filling_rows(batch_samples[-1])
        counts = sum(self.losses.counts(Batch.from_inputs(inputs)).to(device) for inputs in batch_samples)
        return cast(Tensor, self.accelerator.reduce(counts, reduction="sum"))

    def _mask_filling_rows(self, inputs: dict[str, Any]) -> None:
        """Accelerate fills up the last batches of an epoch with rows from its start: they must not count twice."""
        filled = has_length(self.train_dataset) and not self.args.dataloader_drop_last
        if self.args.world_size == 1 or not filled or not self.accelerator.gradient_state.end_of_dataloader:
            return
        # Accelerate knows this number too, but not in an epoch that was resumed.
        if remainder := len(cast(Any, self.train_dataset)) % (self._train_batch_size * self.args.world_size):
            rows_before = self.args.process_index * self._train_batch_size
            inputs["row_mask"] = Batch.from_inputs(inputs).without_rows_from(remainder - rows_before).row_mask

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of every loss term over the logging window, without its weight, as `loss_NAME`.

        Weights and options that change are added as they were in the last update: `weight_NAME`, `temperature_NAME`.
        """
        if "loss" in logs:
            totals = self.accelerator.reduce(self.losses.take_logged().to(self.args.device), reduction="sum")
            totals, self._updates_to_log = totals / max(self._updates_to_log, 1), 0
            logs |= self.losses.moving()
            logs |= {
                f"loss_{name}": total for (name, _), total in zip(self.losses.items(), totals.tolist(), strict=True)
            }
        super().log(logs, start_time)
