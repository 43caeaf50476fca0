"""A teacher that computes its answers when it is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.outputs import Batch, ModelShape, Needs, TeacherOutput
from xlkd.teachers.base import Teacher
from xlkd.teachers.label_map import LabelMap, labels_of

logger = logging.getLogger(__name__)


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
        self.label_map = label_map
        self._matched: LabelMap | None = None

    def match_labels(self, labels: Sequence[str]) -> None:
        if self._matched is not None and self._matched.student_labels == list(labels):
            return
        self._matched = LabelMap(labels_of(self.model.config), labels, self.label_map)
        if self._matched.dropped or self._matched.unknown:
            logger.warning(self._matched.describe())
        elif self.label_map:
            logger.info(self._matched.describe())

    def to(self, device: torch.device) -> None:
        self.model.to(device)

    @torch.no_grad()
    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        # A trainer may have been handed a model that it, or somebody else, set to training mode since.
        self.model.eval()
        model_output = self.model(**batch.teacher_inputs, output_hidden_states=needs.states)
        output = TeacherOutput.from_model(model_output, batch.teacher_inputs["attention_mask"], needs)
        if self._matched is None or output.logits is None:
            return output
        mass = self._matched.unmapped_mass(output.logits)
        return replace(output, logits=self._matched.apply(output.logits), unmapped_mass=mass)
