"""What a training writes, reads and uploads: the student alone, with the losses beside it in checkpoints."""

from __future__ import annotations

import json
import logging
import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, HubStrategy
from transformers.utils.hub import PushInProgress, hf_api

from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum

logger = logging.getLogger(__name__)

LOSSES_ATTRIBUTE = "distillation_losses"
"""The name of the losses among the student's modules, while it trains and only then."""

LOSSES_FILE = "distillation_losses.safetensors"
"""What a checkpoint holds of the losses' own weights, beside the student."""

LANGUAGES = "languages"
"""What that file says of the languages of the training rows, where a loss tells them apart by their order."""


class StudentCheckpointing(Trainer):
    """A `Trainer` that writes its student without the losses attached to it, and without pickles that are published."""

    args: DistillationArguments
    losses: WeightedSum
    _languages: list[str] | None

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

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self._get_output_dir(trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        weights = {name: value.contiguous() for name, value in self.losses.state_dict().items()}
        if weights and self.args.should_save:
            folder.mkdir(parents=True, exist_ok=True)
            safetensors.torch.save_file(weights, folder / LOSSES_FILE, self._known_languages())
        super()._save_checkpoint(model, trial)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """Upload the student of a checkpoint in the background, as `Trainer` does, but not the pickled arguments.

        Stock lays `training_args.bin`, which holds `hub_token`, into what it uploads. The student is copied from the
        checkpoint, as stock does, since only this process is here to take part in gathering weights.
        """
        if not self.is_world_process_zero() or self.args.hub_strategy == HubStrategy.END:
            return
        last = cast(PushInProgress | None, self.push_in_progress)
        jobs = cast(list[Any], last.jobs) if last else []
        pending = [job for job in jobs if not job.done()]
        if pending and not self.args.hub_always_push:
            return
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        folder, checkpoint = self.args.folder, Path(checkpoint_folder)
        for pattern in ("config.json", "generation_config.json", "model*.safetensors*", "adapter_*"):
            for path in checkpoint.glob(pattern):
                shutil.copy(path, folder)
        cast(PreTrainedTokenizerBase, self.processing_class).save_pretrained(folder)
        # These strategies ask for the training state itself: it goes up whole, optimizer and losses included, but for
        # the arguments, since nothing that resumes reads them.
        states: dict[Any, str] = {
            HubStrategy.CHECKPOINT: "last-checkpoint",
            HubStrategy.ALL_CHECKPOINTS: checkpoint.name,
        }
        uploads = {"": folder}
        if self.args.hub_strategy in states:
            uploads[states[self.args.hub_strategy]] = checkpoint
        step = self.state.global_step

        def report(done: Future[Any]) -> None:
            # Nobody asks the job for its result, so that a failure would go unseen.
            if error := done.exception():
                logger.error("Step %d was not uploaded: %s", step, error)

        for path_in_repo, path in uploads.items():
            job = hf_api().upload_folder(
                repo_id=cast(str, self.hub_model_id),
                folder_path=path,
                path_in_repo=path_in_repo,
                commit_message=f"Training in progress, step {step}" + (", checkpoint" if path_in_repo else ""),
                token=self.args.hub_token,
                run_as_future=True,
                ignore_patterns=["_*", f"{PREFIX_CHECKPOINT_DIR}-*", TRAINING_ARGS_NAME],
                revision=self.args.hub_revision,
            )
            job.add_done_callback(report)
            pending.append(job)
        self.push_in_progress = cast(Any, PushInProgress)(pending)

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
