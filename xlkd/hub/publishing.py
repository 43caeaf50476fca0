"""What a trainer puts on the Hub, and how: the student with its card and its scores, and nothing else."""

from __future__ import annotations

import fnmatch
import logging
import shlex
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # its HTTP library has had several names
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import HubStrategy
from transformers.utils.hub import PushInProgress, hf_api

from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError, in_one_line
from xlkd.evaluation.report import CURVES, PAGE, PLOT, REPORT_FILE
from xlkd.hub.card import CARD_FILE, are_scores_of_student, write_model_card
from xlkd.hub.record import (
    Provenance,
    TrainingRecord,
    describe_arguments,
    describe_hardware,
    describe_losses,
    versions,
)
from xlkd.losses.weighted_sum import WeightedSum

logger = logging.getLogger(__name__)

POOLING = "1_Pooling"
WEIGHTS = ("config.json", "generation_config.json", "model*.safetensors*", "adapter_*")
STUDENT = (
    *WEIGHTS,
    # Code of a model that brings its own.
    *("configuration_*.py", "modeling_*.py", "tokenization_*.py"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template.jinja"),
    *("*.model", "*.tiktoken"),
    # What makes a student of sentence vectors one of sentence-transformers.
    *("modules.json", "sentence_bert_config.json", f"{POOLING}/config.json"),
)
CARD = (CARD_FILE, CURVES)
SCORES = (REPORT_FILE, PLOT, PAGE)

# The client checks what it is given, talks to a server, and wraps what goes wrong in its threads.
UPLOAD_ERRORS = (OSError, HTTPError, RuntimeError, ValueError)


def published_files(folder: Path) -> list[str]:
    """The files in a folder that are published: of its subfolders pooling alone, and no scores of another student.

    Whatever else lies there stays at home: the run's arguments with their paths, checkpoints, caches, logs.
    """
    return _files_like(folder, [*STUDENT, *CARD, *(SCORES if are_scores_of_student(folder) else ())])


def _files_like(folder: Path, patterns: Sequence[str]) -> list[str]:
    paths = [path for path in (*folder.iterdir(), *folder.glob(f"{POOLING}/*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return sorted(name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns))


def upload_command(repo: str, folder: Path, revision: str | None = None, private: bool | None = None) -> str:
    """The command line that uploads what is published of a folder; large files that the Hub has already are not sent.

    Args:
        repo (`str`): The Hub id.
        folder (`Path`): The folder.
        revision (`str`, *optional*): The branch.
        private (`bool`, *optional*): Whether the repo is private, where it must be made first.
    """
    words = ["hf", "upload", repo, str(folder), "."]
    words += [word for name in published_files(folder) for word in ("--include", name)]
    words += ["--revision", revision] if revision is not None else []
    words += ["--private"] if private else []
    return shlex.join(words)


class StudentPublishing(Trainer):
    """A `Trainer` that publishes its student with an honest card, and nothing that is not for the public.

    Attributes:
        provenance ([`Provenance`], *optional*): What a run says of the student; else its models are asked.
    """

    args: DistillationArguments
    losses: WeightedSum
    teacher: Any
    task: Any
    provenance: Provenance | None = None
    save_companions: Callable[[Path], None]

    def create_model_card(  # type: ignore[override]
        self, license: str | None = None, tags: Sequence[str] = (), **kwargs: Any
    ) -> None:
        """Write `training.json` and the model card made of it into `output_dir`; see [`write_model_card`].

        Args:
            license (`str`, *optional*): The student's licence; see [`~hub.card.write_model_card`] for the default.
            tags (`Sequence[str]`, *optional*): More tags for the Hub.

        Raises:
            [`UserError`]: If there are other arguments: all else is in the record.
        """
        if kwargs:
            raise UserError(
                f"{', '.join(kwargs)} does not apply: the card is made of the training's record. Leave it out, or add"
                " to README.md by hand before `hf upload`."
            )
        if self.is_world_process_zero():
            self.training_record().save(self.args.folder)
            write_model_card(self.args.folder, license=license, tags=tags)

    def training_record(self) -> TrainingRecord:
        """How the student came about, as far as it is trained."""
        student = cast(PreTrainedModel, self.model)
        models = [] if self.teacher is None else self.teacher.models
        provenance = self.provenance if self.provenance is not None else Provenance.of_models(student, models)
        seconds = [entry["train_runtime"] for entry in self.state.log_history if "train_runtime" in entry]
        return TrainingRecord(
            task=self.task.name,
            labels=self.task.labels,
            repo=self.hub_model_id if self.hub_model_id is not None else self.args.hub_model_id,
            seed=self.args.seed,
            losses=describe_losses(self.losses),
            arguments=describe_arguments(self.args),
            steps=self.state.global_step,
            seconds=seconds[-1] if seconds else None,
            versions=versions(),
            hardware=describe_hardware(self.args),
            provenance=vars(provenance),
            log_history=self.state.log_history,
        )

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        """`Trainer.init_hf_repo`, and the branch `hub_revision`.

        Raises:
            [`UserError`]: If the Hub refuses.
        """
        try:
            super().init_hf_repo(token=token, private=private)
            self._make_branch(self.args.hub_revision, token if token is not None else self.args.hub_token)
        except UPLOAD_ERRORS as error:
            raise UserError(
                f"The repo {self._named_repo} cannot be had on the Hub: {_reason(error)}. Log in as somebody who may"
                " write there (`hf auth login`, or HF_TOKEN), or name another one, `hub_model_id`."
            ) from error

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Upload the student, its tokenizer, its card and its scores, and nothing else of `output_dir`.

        Args:
            commit_message (`str`, *optional*, defaults to `"End of training"`): The message of the commit.
            blocking (`bool`, *optional*, defaults to `True`): Whether to wait for it.
            token (`str`, *optional*): The token; defaults to `hub_token`, else to that of the user who is logged in.
            revision (`str`, *optional*): The branch, which is made where there is none; defaults to `hub_revision`.
            private (`bool`, *optional*): Whether a new repo is private; defaults to `hub_private_repo`.
            kwargs: As for [`create_model_card`].

        Returns:
            What `HfApi.upload_folder` does; `None` on processes that are not the first.

        Raises:
            [`UserError`]: If the upload fails: with the command that goes on. The student is in `output_dir` all the
                same.
        """
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        self.save_model(_internal_call=True)
        if not self.is_world_process_zero():
            return None
        token = token if token is not None else self.args.hub_token
        revision = revision if revision is not None else self.args.hub_revision
        private = private if private is not None else self.args.hub_private_repo
        try:
            if self.hub_model_id is None:
                self.init_hf_repo(token=token, private=private)
            self.create_model_card(**kwargs)
            self._finish_current_push()
            self._make_branch(revision, token)
            upload = cast(Any, hf_api()).upload_folder(
                repo_id=cast(str, self.hub_model_id),
                folder_path=self.args.folder,
                commit_message=commit_message,
                token=token,
                revision=revision,
                run_as_future=not blocking,
                allow_patterns=published_files(self.args.folder),
            )
        except UPLOAD_ERRORS as error:
            raise UserError(self._how_to_go_on(error, revision, private)) from error
        if isinstance(upload, Future):
            upload.add_done_callback(self._reporting(lambda error: self._how_to_go_on(error, revision, private)))
        return upload

    @property
    def _named_repo(self) -> str:
        return self.hub_model_id or self.args.hub_model_id or self.args.folder.absolute().name

    def _how_to_go_on(self, error: BaseException, revision: str | None, private: bool | None) -> str:
        command = upload_command(self._named_repo, self.args.folder, revision, private)
        return (
            f"The student was not uploaded to {self._named_repo}: {_reason(error)}. Nothing is lost, it lies in"
            f" {self.args.folder}; go on, logged in (`hf auth login`, or HF_TOKEN), with: {command}"
        )

    def _make_branch(self, revision: str | None, token: str | None) -> None:
        """Make the branch that is uploaded to where there is none; the Hub itself makes the refs of pull requests."""
        if revision is not None and not revision.startswith("refs/"):
            hf_api().create_branch(cast(str, self.hub_model_id), branch=revision, token=token, exist_ok=True)

    @staticmethod
    def _reporting(words: Callable[[BaseException], str]) -> Callable[[Future[Any]], None]:
        """Says what went wrong in an upload in the background; nobody asks it, so that a failure would go unseen."""

        def report(done: Future[Any]) -> None:
            if error := done.exception():
                logger.error("%s", words(error))

        return report

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
        for pattern in WEIGHTS:
            for path in checkpoint.glob(pattern):
                shutil.copy(path, folder)
        self.save_companions(folder)
        cast(PreTrainedTokenizerBase, self.processing_class).save_pretrained(folder)
        # A card or scores that lie there are not of this checkpoint.
        pending.append(self._upload_in_background(folder, "", _files_like(folder, STUDENT)))
        # These strategies ask for the training state itself: it goes up whole, optimizer and losses included, but for
        # the arguments, since nothing that resumes reads them.
        states: dict[Any, str] = {
            HubStrategy.CHECKPOINT: "last-checkpoint",
            HubStrategy.ALL_CHECKPOINTS: checkpoint.name,
        }
        if self.args.hub_strategy in states:
            pending.append(self._upload_in_background(checkpoint, states[self.args.hub_strategy], None))
        self.push_in_progress = cast(Any, PushInProgress)(pending)

    def _upload_in_background(self, folder: Path, path_in_repo: str, names: list[str] | None) -> Future[Any]:
        step = self.state.global_step
        job = hf_api().upload_folder(
            repo_id=cast(str, self.hub_model_id),
            folder_path=folder,
            path_in_repo=path_in_repo,
            commit_message=f"Training in progress, step {step}" + (", checkpoint" if path_in_repo else ""),
            token=self.args.hub_token,
            run_as_future=True,
            allow_patterns=names,
            ignore_patterns=["_*", TRAINING_ARGS_NAME],
            revision=self.args.hub_revision,
        )
        job.add_done_callback(self._reporting(lambda error: f"Step {step} was not uploaded: {error}"))
        return job


def _reason(error: BaseException) -> str:
    """What went wrong, on one line; of an error of the client's threads, what caused it."""
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ is not None else error
    words = in_one_line(cause, 300).rstrip(".:")
    return words or type(cause).__name__
