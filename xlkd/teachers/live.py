"""A teacher that computes its answers when it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.outputs import Batch, ModelShape, Needs, TeacherOutput
from xlkd.padding import Padding, Readers, RowCollator
from xlkd.teachers.base import Teacher


class LiveTeacher(Teacher):
    """A Transformers model as the teacher.

    Args:
        model (`PreTrainedModel`): A model with the head of the task. It is put into evaluation mode.
        processing_class (`PreTrainedTokenizerBase`): Its own tokenizer; the student may have another one.

    Example:

    ```python
    >>> teacher = LiveTeacher(model, tokenizer)
    ```
    """

    def __init__(self, model: PreTrainedModel, processing_class: PreTrainedTokenizerBase) -> None:
        self.model = model.eval()
        self.processing_class = processing_class
        self.shape = ModelShape.of(model.config)
        layers = frozenset(range(self.shape.layers + 1))
        self.provides = Needs(logits=True, hidden_states=layers, pooled_states=layers)
        config: Any = model.config
        self.labels = [config.id2label[index] for index in range(config.num_labels)]
        self._order: torch.Tensor | None = None

    @property
    def readers(self) -> Readers:
        return {self.prefix: self.processing_class}

    @property
    def collator(self) -> RowCollator:
        return Padding(self.processing_class, self.prefix)

    def match_labels(self, labels: Sequence[str]) -> None:
        own = self.labels
        if set(own) != set(labels):
            raise UserError(
                f"The teacher's labels ({', '.join(own)}) are not the student's ({', '.join(labels)}): labels are"
                " matched by name, so give both the same names (`labels:` names the student's)."
            )
        self._order = None if own == list(labels) else torch.tensor([own.index(label) for label in labels])

    def to(self, device: torch.device) -> None:
        self.model.to(device)

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        output = self.answer(batch.teacher_inputs, needs)
        if output.logits is None or self._order is None:
            return output
        return replace(output, logits=output.logits[..., self._order.to(output.logits.device)])

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
