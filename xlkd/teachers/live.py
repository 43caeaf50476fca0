"""A teacher that computes its answers when it is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, get_args

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.arguments import Precision
from xlkd.errors import UserError, check_choice
from xlkd.needs import ModelShape, Needs, labels_of
from xlkd.outputs import Batch, TeacherOutput
from xlkd.padding import Padding, Readers, RowCollator
from xlkd.students.attention import provides_of
from xlkd.teachers.base import Teacher
from xlkd.teachers.states import states_of
from xlkd.text.words import WORD_SPANS


class LiveTeacher(Teacher):
    """A Transformers model as the teacher.

    Args:
        model (`PreTrainedModel`): A model with the head of the task. It is put into evaluation mode.
        processing_class (`PreTrainedTokenizerBase`): Its own tokenizer; the student may have another one.
        label_map (`Mapping[str, str | None]`, *optional*):
            The student's label for each label of the teacher whose name differs ([`LabelMap`]).
        precision (`str`, *optional*, defaults to `"auto"`):
            What it computes in. `"auto"` is what the run computes in. `"bfloat16"` and `"float16"` also convert its
            weights, once it is moved to its device; until then a student may be cut from it in full precision.
            `"float32"` stays float32 even beside a student in bfloat16.

    Raises:
        [`UserError`]: If the precision is unknown.

    Example:

    ```python
    >>> teacher = LiveTeacher(model, tokenizer)
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processing_class: PreTrainedTokenizerBase,
        label_map: Mapping[str, str | None] | None = None,
        precision: Precision = "auto",
    ) -> None:
        check_choice("teacher: precision", precision, get_args(Precision))
        self.precision = precision
        self.model = model.eval()
        self.processing_class = processing_class
        self.shape = ModelShape.of(model.config)
        self.provides = provides_of(model)
        self.labels = labels_of(model.config)
        self.label_map = label_map

    @property
    def models(self) -> list[PreTrainedModel]:
        return [self.model]

    @property
    def readers(self) -> Readers:
        return {self.prefix: self.processing_class}

    @property
    def collator(self) -> RowCollator:
        return Padding(self.processing_class, self.prefix)

    def precision_in(self, run: str) -> str:
        """What it computes in within a run: one that holds its weights in it answers a little differently.

        Args:
            run (`str`): What the run computes in.
        """
        if self.precision == "auto":
            return run
        return self.precision if self.precision == "float32" else f"{self.precision} weights"

    def to(self, device: torch.device) -> None:
        check_precision(self.precision, device)
        self.model.to(device)
        if self.precision != "auto":
            self.model.to(_DTYPES[self.precision])

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        return self.in_matched_labels(self.answer(batch.teacher_inputs, needs))

    @torch.no_grad()
    def answer(self, inputs: Mapping[str, torch.Tensor], needs: Needs) -> TeacherOutput:
        """Answer in the teacher's own order of classes.

        Args:
            inputs (`Mapping[str, torch.Tensor]`): What its `forward` takes, and where the words are.
            needs ([`Needs`]): What is asked for.
        """
        # A trainer may have been handed a model that it, or somebody else, set to training mode since.
        self.model.eval()
        read = {name: value for name, value in inputs.items() if name != WORD_SPANS}
        with self._autocast():
            output = states_of(self.model, read, needs)
        mask, spans = inputs["attention_mask"], inputs.get(WORD_SPANS)
        return TeacherOutput.from_model(output, mask, needs, output.attention_vectors, spans)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        """A precision of its own holds whatever the run computes in."""
        if self.precision == "auto":
            return contextlib.nullcontext()
        return torch.autocast(self.model.device.type, enabled=False)


_DTYPES: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuse a precision that a device does not compute in.

    Raises:
        [`UserError`]: If the precision is float16 and the device a CPU.
    """
    if precision == "float16" and device.type == "cpu":
        raise UserError("teacher: precision float16 is for a GPU: use bfloat16 on a CPU, or leave it out.")
