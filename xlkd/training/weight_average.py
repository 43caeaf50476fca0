"""The mean of a student's weights over the last part of its training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_swa_multi_avg_fn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError
from xlkd.needs import LOSSES_ATTRIBUTE

logger = logging.getLogger(__name__)

AVERAGE_FILE = "weight_average.safetensors"
"""What a checkpoint holds of the mean so far, beside the student as it is."""

_UPDATES = "updates"


class WeightAverage(TrainerCallback):
    r"""Gives the student, when its training ends, the mean of its weights after each of the last updates.

    With \\(N\\) updates in all, of which the last \\(M\\) are averaged, and the weights \\(\theta_n\\) after the
    \\(n\\)-th,

    $$ \bar\theta = \frac{1}{M} \sum_{n = N - M + 1}^{N} \theta_n $$

    Scores of languages without labels swing from one checkpoint to the next, and no label says which is the best: the
    mean is as good as a good one (Schmidt et al., [Free Lunch: Robust Cross-Lingual Transfer via Model Checkpoint
    Averaging](https://huggingface.co/papers/2305.16834)). Losses' projectors and frozen weights take no part.

    Memory: one more copy of the weights that are trained, in float32.

    What is averaged is the share `average_last` of the training arguments; with 0 nothing happens. The weights must be
    whole on every process, not under FSDP or DeepSpeed ZeRO-3.

    Example:

    ```python
    >>> args = DistillationArguments(output_dir="runs/sw", max_steps=2000, average_last=0.4)
    ```
    """

    def __init__(self) -> None:
        self._mean: dict[str, Tensor] = {}
        self._updates = 0
        self._take_in = get_swa_multi_avg_fn()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin anew, or go on from what was loaded.

        Raises:
            [`UserError`]: If the checkpoint has the mean over another part of the training.
        """
        if state.global_step == 0:
            self._mean, self._updates = {}, 0
        before = _before(args, state)
        if self._updates != max(0, state.global_step - before):
            raise UserError(
                f"average_last {_share(args)}: the checkpoint of step {state.global_step} has the mean of the weights"
                f" after {self._updates} updates, and this training averages from update {before + 1} on: resume with"
                " the same `average_last` and number of steps, or train anew."
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the weights after an update into the mean."""
        if state.global_step <= _before(args, state):
            return
        trained = _trained(kwargs["model"])
        if not self._mean:
            self._mean = {name: weights.clone().contiguous() for name, weights in trained.items()}
        else:
            self._take_in([self._mean[name] for name in trained], list(trained.values()), self._updates)
        self._updates += 1

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Give the student its mean."""
        for name, mean in self._mean.items():
            kwargs["model"].get_parameter(name).data.copy_(mean)
        if self._updates:
            logger.info("The weights are their mean after each of the last %d updates.", self._updates)
        if _share(args) and state.global_step < state.max_steps:
            logger.warning(
                "The training ended at step %d of %d: %d updates were averaged.",
                state.global_step,
                state.max_steps,
                self._updates,
            )

    def save(self, checkpoint: Path) -> None:
        """Write the mean so far into the folder of a checkpoint."""
        if self._mean:
            safetensors.torch.save_file(self._mean, checkpoint / AVERAGE_FILE, {_UPDATES: str(self._updates)})

    def load(self, checkpoint: Path, model: nn.Module) -> None:
        """Read the mean so far from the folder of a checkpoint; there is none before the part that is averaged.

        Args:
            checkpoint (`Path`): The folder.
            model (`nn.Module`): The student.
        """
        self._mean, self._updates = {}, 0
        if (path := checkpoint / AVERAGE_FILE).is_file():
            with safetensors.safe_open(path, "pt") as file:
                self._updates = int(file.metadata()[_UPDATES])
            means = safetensors.torch.load_file(path)
            self._mean = {name: mean.to(model.get_parameter(name).device) for name, mean in means.items()}


def _share(args: TrainingArguments) -> float:
    return cast(DistillationArguments, args).average_last


def _before(args: TrainingArguments, state: TrainerState) -> int:
    """How many updates come before those that are averaged: all of them, or all but one at least."""
    share = _share(args)
    return state.max_steps - (max(1, round(share * state.max_steps)) if share else 0)


def _trained(model: nn.Module) -> dict[str, Tensor]:
    """In float32: in bfloat16 the last of many weights would be rounded away."""
    prefix = LOSSES_ATTRIBUTE + "."
    return {
        name: weights.detach().float()
        for name, weights in model.named_parameters()
        if weights.requires_grad and not name.startswith(prefix)
    }
