"""What a training writes and reads: the student alone, with the losses beside it in checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys
from transformers import PreTrainedModel, Trainer
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import LOSSES_ATTRIBUTE
from xlkd.training.weight_average import WeightAverage

LOSSES_FILE = "distillation_losses.safetensors"
"""What a checkpoint holds of the losses' own weights, beside the student."""

LANGUAGES = "languages"
"""What that file says of the languages of the training rows, where a loss tells them apart by their order."""


class StudentCheckpointing(Trainer):
    """A `Trainer` that writes its student without the losses attached to it, and without pickles that are published."""

    args: DistillationArguments
    losses: WeightedSum
    task: Any
    _languages: list[str] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._average = WeightAverage()
        # The first, so that all others see the student as it will be when the training ends.
        self.callback_handler.callbacks.insert(0, self._average)

    @property
    def student(self) -> PreTrainedModel:
        """The student, not wrapped."""
        return cast(PreTrainedModel, self.model)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        state_dict = state_dict if state_dict is not None else self.student.state_dict()
        prefix = LOSSES_ATTRIBUTE + "."
        super()._save(output_dir, {name: value for name, value in state_dict.items() if not name.startswith(prefix)})
        folder = self.args.folder if output_dir is None else Path(output_dir)
        if self.args.should_save and not folder.name.startswith(PREFIX_CHECKPOINT_DIR):
            # A pickle has no place in what is published; checkpoints keep theirs.
            (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        if self.args.should_save:
            self.save_companions(folder)

    def save_companions(self, folder: Path) -> None:
        """Write what the task has beside a student for other libraries ([`Task.companions`]).

        Args:
            folder (`Path`): The folder of the student.
        """
        self.task.save_companions(folder, self.student.config, self.args.max_length)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        if self.args.should_save:
            folder.mkdir(parents=True, exist_ok=True)
            self._save_losses(folder)
            self._average.save(folder)
        super()._save_checkpoint(model, trial)

    def _save_losses(self, folder: Path) -> None:
        if weights := {name: value.contiguous() for name, value in self.losses.state_dict().items()}:
            safetensors.torch.save_file(weights, folder / LOSSES_FILE, self._known_languages())

    def _load_losses(self, checkpoint: str) -> None:
        if not self.losses.state_dict():
            return
        path = Path(checkpoint) / LOSSES_FILE
        if not path.is_file():
            raise UserError(
                f"{checkpoint} has no {LOSSES_FILE}, which the losses' projectors are read from: train anew."
            )
        self._check_languages(path)
        try:
            self.losses.load_state_dict(safetensors.torch.load_file(path))
        except RuntimeError as error:
            raise UserError(
                f"{path} has the weights of other losses than this training: resume with the same losses, options and"
                " languages, or train anew."
            ) from error

    def _known_languages(self) -> dict[str, str]:
        asked = any(loss.reads_languages for _, loss in self.losses.items())
        return {LANGUAGES: json.dumps(self._languages)} if asked else {}

    def _check_languages(self, path: Path) -> None:
        with safetensors.safe_open(path, "pt") as file:
            saved = (file.metadata() or {}).get(LANGUAGES)
        known = self._known_languages().get(LANGUAGES)
        # Without either the losses are others, which their weights show.
        if saved is None or known is None or saved == known:
            return
        before, now = (", ".join(json.loads(languages)) for languages in (saved, known))
        raise UserError(
            f"{path} is of training rows in {before}, and these are in {now}, which a loss tells apart: resume with the"
            " same languages, or train anew."
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._load_losses(resume_from_checkpoint)
        self._average.load(Path(resume_from_checkpoint), self.student)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        try:
            super()._load_optimizer_and_scheduler(checkpoint)
        except ValueError as error:
            raise UserError(
                f"The optimizer of {checkpoint} has other groups of parameters than this one: resume with the same"
                " `freeze`, `embedding_learning_rate` and losses, or train anew."
            ) from error

    def _load_best_model(self) -> None:
        super()._load_best_model()
        if self.state.best_model_checkpoint is not None:
            self._load_losses(self.state.best_model_checkpoint)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        # The losses are attached to the student while it trains, but are not in its file: that is no loss of weights.
        missing = [name for name in load_result.missing_keys if not name.startswith(LOSSES_ATTRIBUTE + ".")]
        super()._issue_warnings_after_load(_IncompatibleKeys(missing, load_result.unexpected_keys))
