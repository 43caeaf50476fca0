"""What a loss asks of a model, and what the configuration of a model says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

LOSSES_ATTRIBUTE = "distillation_losses"
"""The name of the losses among the student's modules, while it trains and only then."""

AnswerKind = Literal["one-of", "any-of", "number", "vector"]
"""What a model answers of a row, or of a word: one class of several (softmax); any number of classes, each with a yes
or no of its own (sigmoid); one number, as it is; or no logits at all, but the vector of a text."""

PROBLEM_TYPES: dict[AnswerKind, str] = {
    "one-of": "single_label_classification",
    "any-of": "multi_label_classification",
    "number": "regression",
}
"""What Transformers calls these: the `problem_type` of a configuration, which its pipelines and its own losses read."""


def answer_kind_of(config: Any) -> AnswerKind:
    """What a model's logits mean, as far as its configuration says; one class of several where it says nothing.

    Args:
        config (`PreTrainedConfig`): The configuration.
    """
    return next((kind for kind, name in PROBLEM_TYPES.items() if name == config.problem_type), "one-of")


def labels_of(config: Any) -> list[str]:
    """The names of a model's classes, in the order of ids.

    Args:
        config (`PreTrainedConfig`): The configuration.
    """
    return [config.id2label[index] for index in range(config.num_labels)]


def head_size(config: Any) -> int:
    """The width of one attention head.

    Args:
        config (`PreTrainedConfig`): The configuration.
    """
    size: int = config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads
    return size


def key_value_heads(config: Any) -> int:
    """How many heads of a block have keys and values of their own; fewer than all where some share them.

    Args:
        config (`PreTrainedConfig`): The configuration.
    """
    heads: int = config.to_dict().get("num_key_value_heads") or config.num_attention_heads
    return heads


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model that decide which losses can be computed on it.

    Args:
        layers (`int`): Number of blocks; `hidden_states` has one more entry, 0 being the embeddings.
        width (`int`): Size of a hidden state.
        heads (`int`, *optional*): Number of attention heads of a block.
        labels (`tuple[str, ...]`):
            The classes that it knows, by the student's names and in the student's order; empty where that is not known.
        query_width (`int`, *optional*): Size of the queries of all heads of a block.
        key_width (`int`, *optional*): Size of its keys, and of its values; less where heads share them.
        is_causal (`bool`, *optional*, defaults to `False`):
            Whether a token sees only those before it, so that the first one sees none; `False` where not known.
        by_word (`bool`, *optional*, defaults to `False`): Whether words are answered one by one, and not whole rows.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What its logits mean ([`AnswerKind`]).
    """

    layers: int
    width: int
    heads: int | None = None
    labels: tuple[str, ...] = ()
    query_width: int | None = None
    key_width: int | None = None
    is_causal: bool = False
    by_word: bool = False
    answer_kind: AnswerKind = "one-of"

    @classmethod
    def of(
        cls, config: Any, labels: Sequence[str] = (), by_word: bool = False, answer_kind: AnswerKind = "one-of"
    ) -> ModelShape:
        """Read the shape from a Transformers configuration.

        Args:
            config (`PreTrainedConfig`): The configuration.
            labels (`Sequence[str]`, *optional*): The classes that it knows.
            by_word (`bool`, *optional*, defaults to `False`): Whether words are answered one by one.
            answer_kind (`str`, *optional*, defaults to `"one-of"`): What its logits mean.
        """
        heads, size = config.num_attention_heads, head_size(config)
        return cls(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            heads=heads,
            labels=tuple(labels),
            query_width=heads * size,
            key_width=key_value_heads(config) * size,
            is_causal=reads_one_way(config),
            by_word=by_word,
            answer_kind=answer_kind,
        )


def reads_one_way(config: Any) -> bool:
    """Whether each token of a model sees only those before it, as far as its configuration and its family say.

    A family that Transformers has for writing text and not for filling gaps (Llama, Qwen) is one of decoders;
    EuroBERT, built like Llama, fills gaps.

    Args:
        config (`PreTrainedConfig`): The configuration.
    """
    values = config.to_dict()
    for key in ("is_causal", "is_decoder"):
        if values.get(key) is not None:
            return bool(values[key])
    # XLNet writes text too, and sees both sides where nothing is hidden from it.
    sees_both_sides = type(config) in MODEL_FOR_MASKED_LM_MAPPING or values.get("attn_type") == "bi"
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and not sees_both_sides


@dataclass(frozen=True)
class Needs:
    """What a loss asks of a model, or what a model can provide.

    Layers are numbered as in `hidden_states`: 0 are the embeddings, and the attention of the first block is 1.

    Args:
        logits (`bool`): The logits of every row.
        hidden_states (`frozenset[int]`): Layers whose states are needed for every token.
        pooled_states (`frozenset[int]`): Layers whose mean over the tokens of a row is needed.
        first_states (`frozenset[int]`): Layers whose state of the first token is needed.
        attention_maps (`frozenset[int]`): Blocks whose attention probabilities are needed.
        attention_vectors (`frozenset[int]`): Blocks whose queries, keys and values are needed.
        word_states (`frozenset[int]`): Layers whose mean over the tokens of each word is needed.
        word_first_states (`frozenset[int]`): Layers whose state of the first token of each word is needed.

    Example:

    ```python
    >>> needs = Needs(logits=True) | Needs(pooled_states=frozenset({3}))
    >>> needs.logits, needs.pooled_states
    (True, frozenset({3}))
    ```
    """

    logits: bool = False
    hidden_states: frozenset[int] = frozenset()
    pooled_states: frozenset[int] = frozenset()
    first_states: frozenset[int] = frozenset()
    attention_maps: frozenset[int] = frozenset()
    attention_vectors: frozenset[int] = frozenset()
    word_states: frozenset[int] = frozenset()
    word_first_states: frozenset[int] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        return Needs(**{name: own | getattr(other, name) for name, own in vars(self).items()})

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def state_layers(self) -> frozenset[int]:
        """The layers whose hidden states are needed, in whatever form."""
        pooled = self.pooled_states | self.first_states | self.word_states | self.word_first_states
        return self.hidden_states | pooled

    @property
    def states(self) -> bool:
        """Whether anything but logits is needed."""
        return bool(self.state_layers or self.attention_maps or self.attention_vectors)

    @property
    def tokens(self) -> bool:
        """Whether anything is needed that every token has one of: teacher and student must read the same tokens."""
        return bool(self.hidden_states or self.attention_maps or self.attention_vectors)

    @property
    def words(self) -> bool:
        """Whether states of words are needed: rows must be labelled word by word."""
        return bool(self.word_states or self.word_first_states)

    @property
    def attention(self) -> bool:
        """Whether anything of the attention is needed, which only a model that is run can give."""
        return bool(self.attention_maps or self.attention_vectors)

    def missing_from(self, provided: Needs) -> list[str]:
        """Name what is needed here and not provided there, in words."""
        missing = ["logits"] if self.logits and not provided.logits else []
        for name, words in _KINDS.items():
            if absent := getattr(self, name) - getattr(provided, name):
                missing.append(f"{words} of layer {', '.join(map(str, sorted(absent)))}")
        return missing


_KINDS = {
    "hidden_states": "the hidden states of every token",
    "pooled_states": "the pooled hidden states",
    "first_states": "the hidden state of the first token",
    "word_states": "the hidden states of every word",
    "word_first_states": "the hidden state of the first token of every word",
    "attention_maps": "the attention probabilities",
    "attention_vectors": "the queries, keys and values",
}
