"""What the trainer knows of a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.outputs import Batch, ModelShape, Needs, TeacherOutput


class Teacher(ABC):
    """Anything that answers a batch. It is no `nn.Module`, so that it can never become part of a student.

    Attributes:
        processing_class (`PreTrainedTokenizerBase`): The tokenizer of what it reads.
        shape ([`ModelShape`]): Its layers and width.
        provides ([`Needs`]): What it can be asked for.
    """

    processing_class: PreTrainedTokenizerBase
    shape: ModelShape
    provides: Needs

    @property
    def models(self) -> list[PreTrainedModel]:
        """The models that compute its answers; none where they are read."""
        return []

    @abstractmethod
    def match_labels(self, labels: Sequence[str]) -> None:
        """Answer in this order of classes from now on, by name.

        Raises:
            [`UserError`]: If the teacher's classes are not the same names.
        """

    @abstractmethod
    def to(self, device: torch.device) -> None:
        """Move to where the batches will be."""

    @abstractmethod
    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        """Answer what `batch.teacher_inputs` asks, without gradient."""
