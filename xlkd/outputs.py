"""What passes between teacher, student, losses and trainer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

TEACHER_PREFIX = "teacher_"
"""Columns with this prefix are what the teacher reads; the rest is what the student reads."""

NO_LABEL = -100
"""The class id of a row without a hard label."""

GROUP_COLUMN = "mixture_group"
"""A column that says which role and language a row is of, for whoever counts what was drawn."""


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model that decide which losses can be computed on it.

    Args:
        layers (`int`): Number of blocks; `hidden_states` has one more entry, 0 being the embeddings.
        width (`int`): Size of a hidden state.
    """

    layers: int
    width: int

    @classmethod
    def of(cls, config: Any) -> ModelShape:
        """Read the shape from a Transformers configuration."""
        return cls(layers=config.num_hidden_layers, width=config.hidden_size)


@dataclass(frozen=True)
class Needs:
    """What a loss asks of a model, or what a teacher can provide.

    Args:
        logits (`bool`): The logits of every row.
        hidden_states (`frozenset[int]`): Layers whose states are needed for every token.
        pooled_states (`frozenset[int]`): Layers whose mean over the tokens of a row is needed.

    Example:

    ```python
    >>> Needs(logits=True) | Needs(pooled_states=frozenset({3}))
    Needs(logits=True, hidden_states=frozenset(), pooled_states=frozenset({3}))
    ```
    """

    logits: bool = False
    hidden_states: frozenset[int] = frozenset()
    pooled_states: frozenset[int] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            self.logits or other.logits,
            self.hidden_states | other.hidden_states,
            self.pooled_states | other.pooled_states,
        )

    def __bool__(self) -> bool:
        return self.logits or self.states

    @property
    def states(self) -> bool:
        """Whether any hidden state is needed."""
        return bool(self.hidden_states or self.pooled_states)

    def missing_from(self, provided: Needs) -> list[str]:
        """Name what is needed here and not provided there, in words."""
        missing = ["logits"] if self.logits and not provided.logits else []
        for kind, needed, given in (
            ("the hidden states of every token", self.hidden_states, provided.hidden_states),
            ("the pooled hidden states", self.pooled_states, provided.pooled_states),
        ):
            if needed - given:
                missing.append(f"{kind} of layer {', '.join(map(str, sorted(needed - given)))}")
        return missing


@dataclass(frozen=True)
class TeacherOutput:
    """What a teacher said about a batch; fields that were not asked for are empty.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`, *optional*):
            In the student's order of classes; minus infinity for a class that the teacher does not know.
        hidden_states (`dict[int, torch.Tensor]` of shape `(batch, tokens, width)`): By layer, 0 the embeddings.
        pooled_states (`dict[int, torch.Tensor]` of shape `(batch, width)`): By layer, mean over the tokens of a row.
        attention_mask (`torch.Tensor` of shape `(batch, tokens)`, *optional*): 1 for text, 0 for padding.
        unmapped_mass (`torch.Tensor` of shape `(batch,)`, *optional*):
            The probability that the teacher gave to labels that the student does not have; empty where it has all.
    """

    logits: Tensor | None = None
    hidden_states: dict[int, Tensor] = field(default_factory=dict)
    pooled_states: dict[int, Tensor] = field(default_factory=dict)
    attention_mask: Tensor | None = None
    unmapped_mass: Tensor | None = None

    @classmethod
    def from_model(cls, model_output: Any, attention_mask: Tensor, needs: Needs) -> TeacherOutput:
        """Keep of a Transformers model's output what is needed."""
        states = model_output.hidden_states if needs.states else ()
        return cls(
            logits=model_output.logits if needs.logits else None,
            hidden_states={layer: states[layer] for layer in sorted(needs.hidden_states)},
            pooled_states={layer: masked_mean(states[layer], attention_mask) for layer in sorted(needs.pooled_states)},
            attention_mask=attention_mask,
        )


class StudentOutput(TeacherOutput):
    """The same fields, of the student, with gradient."""


@dataclass(frozen=True)
class Batch:
    """One batch, taken apart.

    Args:
        student_inputs (`dict[str, torch.Tensor]`): What the student reads, as its `forward` takes it.
        teacher_inputs (`dict[str, torch.Tensor]`): What the teacher reads; empty when nobody asks a teacher.
        labels (`torch.Tensor` of shape `(batch,)`): Class ids, -100 for a row without a hard label.
        row_mask (`torch.Tensor` of shape `(batch,)`): False for a row that only fills up the last batch of a process.
    """

    student_inputs: dict[str, Tensor]
    teacher_inputs: dict[str, Tensor]
    labels: Tensor
    row_mask: Tensor

    @classmethod
    def from_inputs(cls, inputs: dict[str, Any]) -> Batch:
        """Take apart what the collator made."""
        student_inputs: dict[str, Tensor] = {}
        teacher_inputs: dict[str, Tensor] = {}
        for name, value in inputs.items():
            if name.startswith(TEACHER_PREFIX):
                teacher_inputs[name.removeprefix(TEACHER_PREFIX)] = value
            elif name not in ("labels", "row_mask", GROUP_COLUMN):
                student_inputs[name] = value
        size = len(student_inputs["input_ids"])
        device = student_inputs["input_ids"].device
        return cls(
            student_inputs,
            teacher_inputs,
            labels=inputs.get("labels", torch.full((size,), NO_LABEL, device=device)),
            row_mask=inputs.get("row_mask", torch.ones(size, dtype=torch.bool, device=device)),
        )

    def without_rows_from(self, first: int) -> Batch:
        """The same batch with the rows from `first` on marked as filling."""
        positions = torch.arange(len(self.row_mask), device=self.row_mask.device)
        return replace(self, row_mask=self.row_mask & (positions < first))


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens of each row, padding left out.

    Args:
        states (`torch.Tensor` of shape `(batch, tokens, width)`): Hidden states.
        attention_mask (`torch.Tensor` of shape `(batch, tokens)`): 1 for text, 0 for padding.

    Returns:
        `torch.Tensor` of shape `(batch, width)`, in float32.
    """
    mask = attention_mask.unsqueeze(-1).to(torch.float32)
    return (states.float() * mask).sum(1) / mask.sum(1).clamp(min=1.0)
