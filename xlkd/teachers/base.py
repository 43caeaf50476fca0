"""What the trainer knows of a teacher."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from xlkd.needs import AnswerKind, ModelShape, Needs
from xlkd.outputs import TEACHER_PREFIX, Batch, TeacherOutput
from xlkd.padding import Readers, RowCollator
from xlkd.teachers.label_map import LabelMap


class Teacher(ABC):
    """Anything that answers a batch. It is no `nn.Module`, so that it can never become part of a student.

    Attributes:
        labels (`list[str]`): Its own classes, in its own order.
        shape ([`ModelShape`]): Its layers and width.
        provides ([`Needs`]): What it can be asked for.
        label_map (`Mapping[str, str | None]`, *optional*): Which labels of a student its own labels teach.
        matched ([`~teachers.LabelMap`], *optional*): The labels that it answers in, once they are matched.
        prefix (`str`): What the names of its columns begin with; an ensemble gives each of its members one of its own.
    """

    labels: list[str]
    shape: ModelShape
    provides: Needs
    label_map: Mapping[str, str | None] | None = None
    matched: LabelMap | None = None
    prefix: str = TEACHER_PREFIX

    @property
    def parts(self) -> list[Teacher]:
        """The single teachers in it."""
        return [self]

    @property
    @abstractmethod
    def readers(self) -> Readers:
        """The tokenizers of what it reads, by the prefix of their columns."""

    @property
    def states_prefix(self) -> str:
        """The prefix of the reader whose tokens its hidden states are of."""
        return self.prefix

    @property
    @abstractmethod
    def collator(self) -> RowCollator:
        """What turns rows into what `outputs` finds in a batch."""

    @property
    def title(self) -> str:
        """Who it is, in an error."""
        return "the teacher"

    def check_rows(self, needs: Needs, dataset: object) -> None:
        """Refuse needs that it can meet for some of the rows only.

        Args:
            needs ([`Needs`]): What the losses ask.
            dataset (`datasets.Dataset`): The preprocessed training data; anything else is not looked at.

        Raises:
            [`UserError`]: If there are rows that it cannot meet them for.
        """
        return

    def prepare(self, dataset: Dataset, asked: np.ndarray | None = None) -> Dataset:
        """Make preprocessed rows ready to be asked about; a cache replaces their tokens by the places of its answers.

        Args:
            dataset (`datasets.Dataset`): Preprocessed rows.
            asked (`numpy.ndarray` of shape `(rows,)`, *optional*): Whether it will be asked about a row; `None` for
                all.

        Raises:
            [`UserError`]: If there are rows that it cannot answer.
        """
        return dataset

    def expect(self, needs: Needs) -> None:
        """Called before the first step with what it will be asked for, so that a cache reads no more than that.

        Args:
            needs ([`Needs`]): What the losses ask.
        """
        return

    @property
    def models(self) -> list[PreTrainedModel]:
        """The models that compute its answers; none where they are read."""
        return []

    def copy(self) -> Self:
        """A copy for somebody else, who may match other labels; models and answers are shared."""
        return copy.copy(self)

    def match_labels(self, labels: Sequence[str], answer_kind: AnswerKind = "one-of") -> None:
        """Answer in this order of classes from now on, matched by name and `label_map`; without classes, in its own.

        Args:
            labels (`Sequence[str]`): The classes.
            answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits mean.

        Raises:
            [`UserError`]: If the teacher's classes teach too few of these ([`~teachers.LabelMap`]).
        """
        self.matched = LabelMap(self.labels, labels, self.label_map, answer_kind) if labels else None

    def in_matched_labels(self, output: TeacherOutput) -> TeacherOutput:
        """The same answer in the order of classes that was asked for."""
        if self.matched is None or output.logits is None:
            return output
        mass = self.matched.unmapped_mass(output.logits)
        return replace(output, logits=self.matched.apply(output.logits), unmapped_mass=mass)

    def is_asked_in(self, language: str) -> bool:
        """Whether there is somebody to ask about a text in a language; whether they know it is another question."""
        return True

    @abstractmethod
    def to(self, device: torch.device) -> None:
        """Move to where the batches will be."""

    @abstractmethod
    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        """Answer what `batch.teacher_inputs` asks, without gradient."""
