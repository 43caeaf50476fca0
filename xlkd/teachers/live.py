"""A teacher that computes its answers when it is asked."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.outputs import Batch, ModelShape, Needs, TeacherOutput
from xlkd.padding import Padding, Readers, RowCollator
from xlkd.teachers.base import Teacher
from xlkd.teachers.label_map import labels_of


class LiveTeacher(Teacher):
    """A Transformers model as the teacher.

    Args:
        model (`PreTrainedModel`): A model with the head of the task. It is put into evaluation mode.
        processing_class (`PreTrainedTokenizerBase`): Its own tokenizer; the student may have another one.
        label_map (`Mapping[str, str | None]`, *optional*):
            The student's label for a label of the teacher, where the names are not equal ([`LabelMap`]).

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
    ) -> None:
        self.model = model.eval()
        self.processing_class = processing_class
        self.shape = ModelShape.of(model.config)
        layers = frozenset(range(self.shape.layers + 1))
        self.provides = Needs(logits=True, hidden_states=layers, pooled_states=layers)
        self.labels = labels_of(model.config)
        self.label_map = label_map

    @property
    def readers(self) -> Readers:
        return {self.prefix: self.processing_class}

    @property
    def collator(self) -> RowCollator:
        return Padding(self.processing_class, self.prefix)

    def to(self, device: torch.device) -> None:
        self.model.to(device)

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        return self.in_matched_labels(self.answer(batch.teacher_inputs, needs))

    @torch.no_grad()
    def answer(self, inputs: Mapping[str, torch.Tensor], needs: Needs) -> TeacherOutput:
        """Answer in the teacher's own order of classes.

        Args:
            inputs (`Mapping[str, torch.Tensor]`): What its `forward` takes.
            needs ([`Needs`]): What is asked for.
        """
        # A trainer may have been handed a model that it, or somebody else, set to training mode since.
        self.model.eval()
        model_output = self.model(**inputs, output_hidden_states=needs.states)
        return TeacherOutput.from_model(model_output, inputs["attention_mask"], needs)
