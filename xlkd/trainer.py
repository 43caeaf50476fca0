"""`DistillationTrainer`: a `Trainer` whose loss asks a teacher."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from datasets import Dataset
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import TrainOutput

from xlkd.arguments import DistillationArguments
from xlkd.data.collator import DistillationCollator
from xlkd.errors import UserError
from xlkd.hub.publishing import StudentPublishing
from xlkd.losses import DistillationLoss
from xlkd.losses.weighted_sum import WeightedSum, as_weighted_sum
from xlkd.needs import LOSSES_ATTRIBUTE
from xlkd.outputs import Batch, TeacherOutput
from xlkd.padding import Readers
from xlkd.students.attention import output_of_student
from xlkd.tasks import Task
from xlkd.teachers import Teacher, TeacherCache
from xlkd.training.given_models import as_student, as_teacher, first_of, task_of_head
from xlkd.training.idle import frozen, idle_parameters
from xlkd.training.levers import fast_matmul
from xlkd.training.loss_checks import check_losses
from xlkd.training.mixed_training import MixedTraining
from xlkd.training.optimizer import split_off_embeddings
from xlkd.training.preflight import (
    check_rows,
    check_same_pieces,
    check_tokenizer,
    mark_same_tokens,
    match_labels,
)
from xlkd.training.raw_rows import RawRows
from xlkd.training.row_languages import languages_of, with_language_ids
from xlkd.training.row_transitions import transitions_of
from xlkd.training.running_mean import RunningMean
from xlkd.training.same_tokens import cut_to_one_width
from xlkd.training.seen_attention import attention_shown
from xlkd.training.update_windows import UpdateWindows
from xlkd.training.validation import Validation

logger = logging.getLogger(__name__)


class DistillationTrainer(StudentPublishing, Validation, UpdateWindows, MixedTraining, RawRows):
    """Trains a student on what a teacher says, and on hard labels where there are any.

    A `Trainer` in every other respect: callbacks, schedulers, accumulation, resuming, pushing, several evaluation sets.
    The teacher is never part of the student. The losses, which may own projectors, are attached to the student while
    `train` runs, so that the optimizer, gradient clipping and distributed averaging include them, and are never saved
    with it.

    The loss of an update does not depend on padding, on how its rows are split into batches, or on the number of
    processes; only losses that compare rows with one another depend on which rows share a batch, over all processes:
    see [`~losses.DistillationLoss`].

    Args:
        model (`PreTrainedModel` or `str`): The student, or its Hub id or folder.
        teacher ([`~teachers.Teacher`], `PreTrainedModel` or `str`, *optional*):
            The teacher. For a Hub id, a folder, or a model loaded from one of these, its tokenizer is found
            automatically; otherwise give `LiveTeacher(model, tokenizer)`. Leave it out only if no loss needs a teacher.
        losses ([`~losses.weighted_sum.WeightedSum`] or a list of losses or of their YAML entries, *optional*):
            The objective; defaults to the task's `default_loss`, which for classes is soft labels at temperature 2.
        task ([`~tasks.Task`], *optional*): Defaults to the task that the student has the head of, with its labels.
        args ([`DistillationArguments`], *optional*): The training arguments.
        train_dataset (`datasets.Dataset`, *optional*):
            Raw rows (`text` and, where they exist, `text_pair`, `teacher_text` and `label`), or rows that the task has
            preprocessed.
        eval_dataset (`datasets.Dataset` or a `dict` of them by language, *optional*): Likewise, with labels.
        processing_class (`PreTrainedTokenizerBase`, *optional*): The student's tokenizer.

    Raises:
        [`UserError`]: If labels, layers, tokenizers or data do not fit one another.

    Example:

    ```python
    >>> from xlkd import DistillationArguments, DistillationTrainer
    >>> trainer = DistillationTrainer(
    ...     model=student,
    ...     teacher="my-org/xlm-roberta-large-topics",
    ...     losses=[{"name": "soft-label", "temperature": 2.0}, {"name": "hard-label", "weight": 0.5}],
    ...     args=DistillationArguments(output_dir="runs/topics", max_steps=1000),
    ...     train_dataset=dataset,
    ...     processing_class=tokenizer,
    ... )
    >>> trainer.train()
    ```
    """

    task: Task
    teacher: Teacher | None

    def __init__(
        self,
        model: PreTrainedModel | str | None = None,
        teacher: Teacher | PreTrainedModel | str | None = None,
        losses: WeightedSum | Sequence[DistillationLoss | Mapping[str, Any]] | None = None,
        task: Task | None = None,
        args: DistillationArguments | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        **kwargs: Any,
    ) -> None:
        if "compute_loss_func" in kwargs:
            raise UserError("compute_loss_func does not apply: the losses are `losses`; write one of your own instead.")
        args = args if args is not None else DistillationArguments(output_dir="tmp_trainer")
        if args.embedding_learning_rate is not None and kwargs.get("optimizers", (None, None))[0] is not None:
            raise UserError(
                "embedding_learning_rate does not apply to an optimizer of your own: leave it out, and give the"
                " optimizer a group for the embeddings."
            )
        if isinstance(model, str):
            processing_class = processing_class or AutoTokenizer.from_pretrained(model)
            model = as_student(model, task)
        example = model if model is not None else first_of(kwargs["model_init"])
        if processing_class is None:
            processing_class = AutoTokenizer.from_pretrained(example.config.name_or_path)
        self.task = task if task is not None else task_of_head(example)
        self.losses = self._losses_as_given = as_weighted_sum(losses, self.task.default_loss)
        self.teacher = None if teacher is None else as_teacher(teacher, self.task)
        self._settle_shapes(example, processing_class, validated=eval_dataset is not None)
        self._languages: list[str] | None = None
        self._transitions: Tensor | None = None
        teacher_collator = None if self.teacher is None else self.teacher.collator
        kwargs.setdefault("data_collator", DistillationCollator(processing_class, teacher_collator))
        kwargs.setdefault("compute_metrics", self.task.compute_metrics)
        super().__init__(
            model=model,
            args=args,
            train_dataset=self._preprocess(train_dataset, processing_class, args, self._teacher_readers),
            eval_dataset=self._preprocess(eval_dataset, processing_class, args),
            processing_class=processing_class,
            **kwargs,
        )
        self._languages = languages_of(self.losses, self.rows_to_draw)
        self._transitions = transitions_of(self.losses, self.train_dataset, len(self.task.labels))
        self._begin_losses(self.student)
        self._prepare_rows(processing_class)
        self._unmapped = RunningMean()
        if self.teacher is not None:
            self.teacher.to(self.args.device)

    # Before training

    def _settle_shapes(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, validated: bool) -> None:
        """Refuse models that do not fit one another, and note the shapes of both."""
        self.task.check_student(model.config)
        if validated:
            self.task.check_validation()
        check_tokenizer(model, tokenizer)
        self._student_shape = self.task.shape_of(model.config)
        self._teacher_shape = None
        if self.teacher is not None:
            known = match_labels(self.teacher, self.task.labels, self.task.answer_kind)
            self._teacher_shape = replace(self.teacher.shape, labels=tuple(known), answer_kind=self.task.answer_kind)
        self.losses.check(self._student_shape, self._teacher_shape)

    def _begin_losses(self, student: PreTrainedModel) -> None:
        # A copy, as of the teacher: another trainer may be given the same losses, for models of other sizes.
        self.losses = copy.deepcopy(self._losses_as_given)
        self.task.say_answers(student.config)
        self._student_shape = self.task.shape_of(student.config)
        self.losses.attach(self._student_shape, self._teacher_shape)
        self.losses.begin(student, self._languages or [])
        if self._transitions is not None:
            self.losses.see_transitions(self._transitions)

    def _prepare_rows(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Say of the training rows what the losses want to know, and take from them what the teacher is asked about."""
        check_losses(self.losses, self.student, self.teacher, self.rows_to_draw, self.args)
        self.train_dataset = with_language_ids(self.losses, self.train_dataset, self._languages or [])
        self.train_dataset = mark_same_tokens(self.losses, self.train_dataset, self.teacher, tokenizer)
        check_rows(self.losses, self.rows_to_draw, self.teacher)
        if self.teacher is None or self.train_dataset is None:
            return
        self.teacher.expect(self.losses.needs)
        if isinstance(self.data_collator, DistillationCollator):
            self.data_collator = self.data_collator.for_teacher(self.teacher.collator)
        if isinstance(self.train_dataset, Dataset):
            self.train_dataset = self.teacher.prepare(self.train_dataset)
        elif any(isinstance(part, TeacherCache) for part in self.teacher.parts):
            raise UserError("A cache has answers to the rows of a datasets.Dataset: a stream needs a live teacher.")

    def call_model_init(self, trial: Any = None) -> nn.Module:
        """`Trainer.call_model_init`; with a new student the losses begin anew too."""
        student = cast(PreTrainedModel, super().call_model_init(trial))
        if self._languages is not None:
            self._begin_losses(student)
        return student

    @property
    def _teacher_readers(self) -> Readers:
        return {} if self.teacher is None else self.teacher.readers

    # While training

    def _inner_training_loop(
        self,
        batch_size: int | None = None,
        args: Any = None,
        resume_from_checkpoint: str | None = None,
        trial: Any = None,
        ignore_keys_for_eval: list[str] | None = None,
    ) -> TrainOutput:
        with self.ready(), frozen(self.student, self._idle_parameters):
            return super()._inner_training_loop(batch_size, args, resume_from_checkpoint, trial, ignore_keys_for_eval)

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """A context in which student, teacher and losses are set up as they are during training."""
        models = [self.student, *(self.teacher.models if self.teacher is not None else [])]
        fast = fast_matmul(self.args.fast_matmul, self.args.device, models)
        shown = attention_shown(self.losses.needs | self.losses.student_needs, self.student, models)
        with fast, shown, self._losses_attached():
            yield

    @contextlib.contextmanager
    def _losses_attached(self) -> Iterator[None]:
        """Make the losses a part of the student, for the optimizer, clipping and distributed averaging."""
        student = self.student
        student.add_module(LOSSES_ATTRIBUTE, self.losses.to(self.args.device))
        try:
            yield
        finally:
            delattr(student, LOSSES_ATTRIBUTE)

    def _idle_parameters(self) -> list[str]:
        return idle_parameters(self.student, self.probe(self._first_rows()))

    def probe(self, rows: Sequence[Any]) -> Tensor:
        """The loss of some rows without dropout; it draws no random numbers and is not logged.

        Args:
            rows (`Sequence[Mapping[str, Any]]`): Rows of the training data.
        """
        inputs = self._prepare_inputs(self._collate(rows))
        self.student.eval()
        # In `train` the student's pass is under autocast by itself. Rows are not: of float16 the CPU's makes no batch.
        with self.compute_loss_context_manager(), self.accelerator.autocast():
            loss: Tensor = self.compute_loss(self.student, inputs)
        self.losses.take_logged()
        self._unmapped = RunningMean()
        return loss

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        check_same_pieces(self._tokenizer, resume_from_checkpoint)
        super()._load_from_checkpoint(resume_from_checkpoint, model)

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """`Trainer.create_optimizer`, with `embedding_learning_rate`."""
        made_before = self.optimizer is not None
        optimizer = super().create_optimizer(model)
        if self.args.embedding_learning_rate is not None and not made_before:
            split_off_embeddings(optimizer, self.student, self.args.embedding_learning_rate)
        return optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The part of an update window's loss that one batch contributes.

        Args:
            model (`nn.Module`): The student, wrapped for training; it is called as it is, never unwrapped.
            inputs (`dict[str, torch.Tensor]`): What the collator made.
            return_outputs (`bool`, *optional*, defaults to `False`): Whether to return the answers too.
            num_items_in_batch (`torch.Tensor` of shape `(terms,)`, *optional*):
                The window's counts for every term; without them, the batch is treated as a window of its own.
        """
        batch = Batch.from_inputs(inputs)
        needs = self.losses.student_needs
        if return_outputs:
            needs |= self.task.asks(self._student_shape)
        teacher_output = self._ask_teacher(batch)
        student_output = output_of_student(model, self.student, batch, needs)
        if self.losses.needs.tokens:
            student_output, teacher_output = cut_to_one_width(student_output, teacher_output)
        counts = num_items_in_batch if isinstance(num_items_in_batch, Tensor) else self.losses.counts(batch)
        loss = self.losses(student_output, teacher_output, batch, counts)
        if isinstance(num_items_in_batch, Tensor) and self.args.world_size > 1:
            # Gradients are averaged over processes; the counts are already those of all of them.
            loss = loss * self.args.world_size
        return (loss, {"logits": self.task.answers_in(student_output)}) if return_outputs else loss

    def _ask_teacher(self, batch: Batch) -> TeacherOutput:
        needs = self.losses.needs
        if self.teacher is None or not needs:
            return TeacherOutput()
        with self.accelerator.autocast():
            output = self.teacher.outputs(batch, needs)
        if output.unmapped_mass is not None:
            self._unmapped.add(output.unmapped_mass[batch.item_mask])
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what is known of every loss term; see [`~training.update_windows.UpdateWindows.log`].

        Where some labels of the teacher teach none of the student's, their mean probability is logged as
        `teacher_mass_unmapped`.
        """
        if "loss" in logs:
            logs |= self._unmapped.take("teacher_mass_unmapped", self.accelerator)
        super().log(logs, start_time)
