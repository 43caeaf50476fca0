"""The interface of a distillation loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.losses.schedule import Schedule
from xlkd.needs import AnswerKind, ModelShape, Needs
from xlkd.outputs import Batch, StudentOutput, TeacherOutput

NO_CLASSES_NEEDED = "embedding, which needs no classes"
"""What to use where the models have no logits."""


class DistillationLoss(nn.Module, ABC):
    """One kind of knowledge, as a term of the training objective.

    A loss with `scope = "row"` gives one value per row, averaged over the tokens of that row where it looks at tokens.
    Where rows are labelled word by word, one that is `by_word` gives a value for each word, and those of a row are
    averaged, so that a long sentence weighs no more than a short one. The sum over rows is divided by their number *in
    the whole update window, over all processes*, never by the size of a micro-batch: so padding, gradient accumulation,
    processes and rows without labels cannot change its scale.

    A loss with `scope = "batch"` compares rows with one another and gives a single value per batch. It is averaged over
    the micro-batches of a window, so it does depend on how a window is cut into batches.

    A loss that needs something of every token (`needs.tokens`) counts only rows in which teacher and student read the
    same tokens. The two outputs then have the same padding.

    A loss computes in float32 at least, whatever the models compute in. Rounding the answers to bfloat16 changes its
    value by at most 1 %, unless student and teacher already agree up to that rounding.

    Attributes:
        name (`str`): What a YAML file and errors call it.
        scope (`str`): `"row"` or `"batch"`.
        by_word (`bool`): Whether it gives one value per word where rows are labelled word by word.
        least_rows (`int`): How many rows of a batch, over all processes, it needs at least.
        asks_teacher (`bool`): Whether it cannot be computed without a teacher.
        reads_languages (`bool`): Whether batches must say the language of each row.
        reads_transitions (`bool`): Whether it is told how often one class follows another from word to word, if known.
        needs_transitions (`bool`): Whether it cannot do without them.
        citation (`str`): The papers.
        alternative (`str`): What to use where the models cannot give what it needs, in words.
        refuses (`Mapping[str, str]`): Kinds of answers ([`~needs.AnswerKind`]) that it does not apply to: why not, and
            what to use instead, in words.
        answer_kind (`str`): What the logits mean in the models that it was attached to.
    """

    name: ClassVar[str]
    scope: ClassVar[Literal["row", "batch"]] = "row"
    by_word: bool = False
    least_rows: int = 1
    asks_teacher: ClassVar[bool] = True
    reads_languages: ClassVar[bool] = False
    reads_transitions: bool = False
    needs_transitions: bool = False
    citation: str = ""
    alternative: ClassVar[str] = "soft-label, which needs logits only"
    refuses: ClassVar[Mapping[AnswerKind, str]] = MappingProxyType({})
    answer_kind: AnswerKind = "one-of"

    @property
    def needs(self) -> Needs:
        """What the loss asks of the teacher."""
        return Needs()

    @property
    def student_needs(self) -> Needs:
        """What the loss asks of the student."""
        return Needs()

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The options that make the same loss again, for `run.yaml` and the model card."""

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Refuse models that the loss cannot be computed on; costs nothing, so that it can run before any training.

        Raises:
            [`UserError`]: If a layer does not exist, a teacher is missing, or it says nothing of such answers.
        """
        if student.answer_kind in self.refuses:
            raise UserError(f"{self.name}: {self.refuses[student.answer_kind]}")
        if self.asks_teacher and teacher is None:
            raise UserError(f"{self.name} needs a teacher, and none was given: give one, or leave the loss out.")

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Make the loss ready for these models, once: this is where projectors are made."""
        self.check(student, teacher)
        self.answer_kind = student.answer_kind

    def begin(self, student: PreTrainedModel, languages: Sequence[str]) -> None:
        """Called once, before the first step, with what the shapes do not say.

        Args:
            student (`PreTrainedModel`): The student with its starting weights. It must not become a sub-module.
            languages (`Sequence[str]`): The languages of the training rows, sorted; empty where rows do not say theirs.
        """

    def see_transitions(self, counts: Tensor) -> None:
        """Called once, before the first step, with the counts of transitions, if it `reads_transitions`.

        Args:
            counts (`torch.Tensor` of shape `(classes + 1, classes + 1)`): How often a word of the second class comes
                right after one of the first in the labelled training rows; the last class is the edge of a text.
        """

    def check_languages(self, languages: Sequence[str]) -> None:
        """Refuse training rows in languages that the loss cannot be computed on; costs nothing.

        Args:
            languages (`Sequence[str]`): As for `begin`.

        Raises:
            [`UserError`]: If the languages are too few for the loss.
        """

    def set_progress(self, fraction: float) -> None:
        """Called before each update with the share of the training that is done, 0 to 1, by which a [`Schedule`] moves.

        Args:
            fraction (`float`): The share.
        """
        for schedule in self.schedules.values():
            schedule.set_progress(fraction)

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The options that may change while a student is trained, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Schedule)}

    def rows(self, batch: Batch) -> Tensor:
        """Which rows count, or which words of them.

        Returns:
            `torch.Tensor` of booleans, of shape `(batch,)`; `(batch, words)` of rows that are labelled word by word
            when it is `by_word`; of shape `(1,)` when `scope` is `"batch"`.
        """
        counting = batch.item_mask if self.by_word else comparable_rows(batch, self.needs)
        return counting if self.scope == "row" else counting.any().unsqueeze(0)

    @abstractmethod
    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """Compute the loss.

        Returns:
            `torch.Tensor` in float32, of the shape of [`rows`]. What does not count is finite and ignored.
        """


def comparable_rows(batch: Batch, needs: Needs) -> Tensor:
    """The rows that a loss with these needs can use; if it needs tokens, those in which both models read the same.

    Args:
        batch ([`Batch`]): The batch.
        needs ([`Needs`]): What the loss asks of the teacher.

    Returns:
        `torch.Tensor` of booleans, of shape `(batch,)`.
    """
    return batch.row_mask & batch.same_tokens if needs.tokens else batch.row_mask
