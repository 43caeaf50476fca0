"""What passes between teacher, student, losses and trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor

from xlkd.errors import UserError
from xlkd.needs import Needs
from xlkd.text.words import WORD_CONTEXT, WORD_SPANS, first_of_words, is_word, mean_over_words

TEACHER_PREFIX = "teacher_"
"""Columns with this prefix are what the teacher reads; the rest is what the student reads."""

NO_LABEL = -100
"""The class id of a row, or a word, without a hard label; where labels are numbers, it is NaN."""

GROUP_COLUMN = "mixture_group"
"""A column that says which role and language a row is of, for whoever counts what was drawn."""

LANGUAGE_COLUMN = "language_id"
"""A column with the place of a row's language among those of the training rows, where a loss asks for it."""

NO_LANGUAGE = -100
"""What that column has for a row that does not say its language."""

SAME_TOKENS_COLUMN = "same_tokens"
"""A column that says of a row whether teacher and student read the same tokens, one by one."""


@dataclass(frozen=True)
class AttentionVectors:
    """The queries, keys and values of a block, before they are split into heads and before rotary positions.

    Args:
        queries (`torch.Tensor` of shape `(batch, tokens, query width)`): The queries.
        keys (`torch.Tensor` of shape `(batch, tokens, key width)`): The keys; narrower where heads share them.
        values (`torch.Tensor` of shape `(batch, tokens, key width)`): The values.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor


_NOTHING: Mapping[int, AttentionVectors] = MappingProxyType({})


@dataclass(frozen=True)
class TeacherOutput:
    """What a teacher said about a batch; fields that were not asked for are empty.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)` or `(batch, words, classes)`, *optional*):
            In the student's order of classes; minus infinity for a class that the teacher does not know. Of rows that
            are labelled word by word, those of each word.
        hidden_states (`dict[int, torch.Tensor]` of shape `(batch, tokens, width)`): By layer, 0 the embeddings.
        pooled_states (`dict[int, torch.Tensor]` of shape `(batch, width)`): By layer, mean over the tokens of a row.
        attention_mask (`torch.Tensor` of shape `(batch, tokens)`, *optional*): 1 for text, 0 for padding.
        unmapped_mass (`torch.Tensor` of shape `(batch,)` or `(batch, words)`, *optional*):
            The probability that the teacher gave to labels that the student does not have; empty where it has all.
        first_states (`dict[int, torch.Tensor]` of shape `(batch, width)`): By layer, the state of the first token.
        attention_maps (`dict[int, torch.Tensor]` of shape `(batch, heads, tokens, tokens)`): By block, from 1.
        attention_vectors (`dict[int, AttentionVectors]`): By block, from 1.
        word_states (`dict[int, torch.Tensor]` of shape `(batch, words, width)`): By layer, mean over a word's tokens.
        word_first_states (`dict[int, torch.Tensor]` of shape `(batch, words, width)`): By layer, of its first token.
    """

    logits: Tensor | None = None
    hidden_states: Mapping[int, Tensor] = field(default_factory=dict)
    pooled_states: Mapping[int, Tensor] = field(default_factory=dict)
    attention_mask: Tensor | None = None
    unmapped_mass: Tensor | None = None
    first_states: Mapping[int, Tensor] = field(default_factory=dict)
    attention_maps: Mapping[int, Tensor] = field(default_factory=dict)
    attention_vectors: Mapping[int, AttentionVectors] = field(default_factory=dict)
    word_states: Mapping[int, Tensor] = field(default_factory=dict)
    word_first_states: Mapping[int, Tensor] = field(default_factory=dict)

    @classmethod
    def from_model(
        cls,
        model_output: Any,
        attention_mask: Tensor,
        needs: Needs,
        attention_vectors: Mapping[int, AttentionVectors] = _NOTHING,
        word_spans: Tensor | None = None,
    ) -> Self:
        """Keep of a Transformers model's output what is needed.

        Args:
            model_output (`ModelOutput`): What the model said, with the states and the attention that are needed.
            attention_mask (`torch.Tensor` of shape `(batch, tokens)`): 1 for text, 0 for padding.
            needs ([`Needs`]): What is needed of it.
            attention_vectors (`dict[int, AttentionVectors]`, *optional*): What was seen inside of it, by block.
            word_spans (`torch.Tensor` of shape `(batch, words, 2)`, *optional*): Where the words are, where rows are
                labelled word by word.

        Raises:
            [`UserError`]: If the model was asked for its attention, and gave none.
        """
        states = model_output.hidden_states if needs.state_layers else ()
        maps = model_output.attentions if needs.attention_maps else ()
        if needs.attention_maps and not maps:
            raise UserError(
                "The model gave no attention probabilities, since its attention is fused: call"
                ' `model.set_attn_implementation("eager")`, as a training does by itself; or use attention-relation.'
            )
        return cls(
            logits=answers_of(model_output.logits, word_spans) if needs.logits else None,
            hidden_states={layer: states[layer] for layer in sorted(needs.hidden_states)},
            pooled_states={layer: masked_mean(states[layer], attention_mask) for layer in sorted(needs.pooled_states)},
            attention_mask=attention_mask,
            first_states={layer: first_state(states[layer], attention_mask) for layer in sorted(needs.first_states)},
            attention_maps={block: maps[block - 1] for block in sorted(needs.attention_maps)},
            attention_vectors={block: attention_vectors[block] for block in sorted(needs.attention_vectors)},
            **_states_of_words(states, needs, word_spans),
        )


class StudentOutput(TeacherOutput):
    """The same fields, of the student, with gradient."""


@dataclass(frozen=True)
class Batch:
    """One batch, taken apart.

    Args:
        student_inputs (`dict[str, torch.Tensor]`): What the student reads, as its `forward` takes it.
        teacher_inputs (`dict[str, torch.Tensor]`): What the teacher reads; empty when nobody asks a teacher.
        labels (`torch.Tensor` of shape `(batch,)`, `(batch, words)` or `(batch, classes)`):
            Class ids of rows, or of words; a number for each row; or, of rows that may have several classes, 1 for
            each class that they have and 0 for the others. See [`has_label`] for those without a hard label.
        row_mask (`torch.Tensor` of shape `(batch,)`): False for a row that only fills up the last batch of a process.
        language_ids (`torch.Tensor` of shape `(batch,)`, *optional*):
            The language that the student reads, as its place among those of the training rows; -100 where unknown.
            Empty where no loss asks for it.
        same_tokens (`torch.Tensor` of shape `(batch,)`, *optional*):
            False for a row of which teacher and student read different tokens; defaults to none of them.
        word_spans (`torch.Tensor` of shape `(batch, words, 2)`, *optional*):
            Where the student reads each word, where rows are labelled word by word ([`~text.words.padded_spans`]).
        word_context (`torch.Tensor` of shape `(batch, words)`, *optional*):
            What stands around each of these words in the text ([`~text.words.context_of`]); 0 where there is no word.
    """

    student_inputs: dict[str, Tensor]
    teacher_inputs: dict[str, Tensor]
    labels: Tensor
    row_mask: Tensor
    language_ids: Tensor | None = None
    same_tokens: Tensor = torch.tensor(True)
    word_spans: Tensor | None = None
    word_context: Tensor | None = None

    @classmethod
    def from_inputs(cls, inputs: dict[str, Any]) -> Batch:
        """Take apart what the collator made."""
        student_inputs: dict[str, Tensor] = {}
        teacher_inputs: dict[str, Tensor] = {}
        for name, value in inputs.items():
            if name.startswith(TEACHER_PREFIX):
                teacher_inputs[name.removeprefix(TEACHER_PREFIX)] = value
            elif name not in ("labels", "row_mask", GROUP_COLUMN, LANGUAGE_COLUMN, SAME_TOKENS_COLUMN):
                student_inputs[name] = value
        word_spans, word_context = student_inputs.pop(WORD_SPANS, None), student_inputs.pop(WORD_CONTEXT, None)
        size = len(student_inputs["input_ids"])
        device = student_inputs["input_ids"].device
        return cls(
            student_inputs,
            teacher_inputs,
            labels=inputs.get("labels", torch.full((size,), NO_LABEL, device=device)),
            row_mask=inputs.get("row_mask", torch.ones(size, dtype=torch.bool, device=device)),
            language_ids=inputs.get(LANGUAGE_COLUMN),
            same_tokens=inputs.get(SAME_TOKENS_COLUMN, torch.ones(size, dtype=torch.bool, device=device)),
            word_spans=word_spans,
            word_context=word_context,
        )

    @property
    def item_mask(self) -> Tensor:
        """What is answered one by one, and is no filling: rows, shape `(batch,)`, or words, shape `(batch, words)`."""
        if self.word_spans is None:
            return self.row_mask
        return self.row_mask.unsqueeze(-1) & is_word(self.word_spans)

    def without_rows_from(self, first: int) -> Batch:
        """The same batch with the rows from `first` on marked as filling."""
        positions = torch.arange(len(self.row_mask), device=self.row_mask.device)
        return replace(self, row_mask=self.row_mask & (positions < first))


def has_label(labels: Tensor) -> Tensor:
    """Which rows, or words, have a hard label: class ids are -100 without one, numbers NaN.

    Args:
        labels (`torch.Tensor` of shape `(batch,)`, `(batch, words)` or `(batch, classes)`): See [`Batch`].

    Returns:
        `torch.Tensor` of booleans, of shape `(batch,)` or `(batch, words)`.

    Example:

    ```python
    >>> has_label(torch.tensor([2, -100])), has_label(torch.tensor([[1.0, 0.0], [torch.nan, torch.nan]]))
    (tensor([ True, False]), tensor([ True, False]))
    ```
    """
    if not labels.is_floating_point():
        return labels != NO_LABEL
    is_number = ~labels.isnan()
    return is_number if labels.dim() == 1 else is_number.all(-1)


def answers_of(logits: Tensor, word_spans: Tensor | None) -> Tensor:
    """A model's answers: its logits; of rows that are labelled word by word, those at the first token of each word.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)` or `(batch, tokens, classes)`): The model's.
        word_spans (`torch.Tensor` of shape `(batch, words, 2)`, *optional*): Where the words are.

    Returns:
        `torch.Tensor` of shape `(batch, classes)` or `(batch, words, classes)`.
    """
    return logits if word_spans is None else first_of_words(logits, word_spans)


def _states_of_words(states: Any, needs: Needs, word_spans: Tensor | None) -> dict[str, Any]:
    if not needs.words:
        return {}
    if word_spans is None:
        raise UserError("These rows are not labelled word by word, and have no states of words: use `pool: mean`.")
    return {
        "word_states": {
            layer: mean_over_words(full_precision(states[layer]), word_spans) for layer in sorted(needs.word_states)
        },
        "word_first_states": {
            layer: first_of_words(states[layer], word_spans) for layer in sorted(needs.word_first_states)
        },
    }


def masked_mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens of each row, padding left out.

    Args:
        states (`torch.Tensor` of shape `(batch, tokens, width)`): Hidden states.
        attention_mask (`torch.Tensor` of shape `(batch, tokens)`): 1 for text, 0 for padding.

    Returns:
        `torch.Tensor` of shape `(batch, width)`, in float32 at least.
    """
    states = full_precision(states)
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1.0)


def first_state(states: Tensor, attention_mask: Tensor) -> Tensor:
    """The state of the first token of each row that is not padding, whichever side that is on.

    Args:
        states (`torch.Tensor` of shape `(batch, tokens, width)`): Hidden states.
        attention_mask (`torch.Tensor` of shape `(batch, tokens)`): 1 for text, 0 for padding.

    Returns:
        `torch.Tensor` of shape `(batch, width)`.
    """
    rows = torch.arange(len(states), device=states.device)
    return states[rows, attention_mask.int().argmax(1)]


def full_precision(values: Tensor) -> Tensor:
    """The same values in float32 at least: half precision is for models, not for losses."""
    return values if values.dtype == torch.float64 else values.float()
