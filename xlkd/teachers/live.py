"""A teacher that computes its answers when it is asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.outputs import Batch, ModelShape, Needs, TeacherOutput
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
        self._order: torch.Tensor | None = None

    def match_labels(self, labels: Sequence[str]) -> None:
        own = [self.model.config.id2label[index] for index in range(self.model.config.num_labels)]
        if set(own) != set(labels):
            raise UserError(
                f"The teacher's labels ({', '.join(own)}) are not the student's ({', '.join(labels)}): labels are"
                " matched by name, so give both the same names (`labels:` names the student's)."
            )
        self._order = None if own == list(labels) else torch.tensor([own.index(label) for label in labels])

    def to(self, device: torch.device) -> None:
        self.model.to(device)

    @torch.no_grad()
    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        # A trainer may have been handed a model that it, or somebody else, set to training mode since.
        self.model.eval()
        model_output = self.model(**batch.teacher_inputs, output_hidden_states=needs.states)
        if self._order is not None:
            model_output.logits = model_output.logits[..., self._order.to(model_output.logits.device)]
        return TeacherOutput.from_model(model_output, batch.teacher_inputs["attention_mask"], needs)
