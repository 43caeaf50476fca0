"""Only the layers that are needed: the pass of a teacher ends after the last of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.needs import Needs
from xlkd.outputs import AttentionVectors
from xlkd.students.attention import attention_vectors_of, whole_pass
from xlkd.students.layers import known_blocks


@dataclass(frozen=True)
class ModelStates:
    """What a model said, as far as it was asked.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`, *optional*): The logits.
        hidden_states (`dict[int, torch.Tensor]` of shape `(batch, tokens, width)`): By layer, 0 the embeddings.
        attentions (`tuple[torch.Tensor, ...]` of shape `(batch, heads, tokens, tokens)`): Of all blocks, or none.
        attention_vectors (`dict[int, AttentionVectors]`): By block, from 1.
    """

    logits: Tensor | None
    hidden_states: Mapping[int, Tensor]
    attentions: Sequence[Tensor] = ()
    attention_vectors: Mapping[int, AttentionVectors] = field(default_factory=dict)


class _PassIsDone(Exception):
    """Ends a forward pass from within."""


def states_of(model: PreTrainedModel, inputs: Mapping[str, Tensor], needs: Needs) -> ModelStates:
    """Run a model as far as is needed, and keep what is needed.

    The states of layer k are what block k + 1 is given, so they are taken there. The last layer's may pass a norm
    behind the blocks; they are taken from the model's output, as all are where its blocks cannot be found. Queries,
    keys and values are noted where block k makes them, and attention probabilities are part of the output.

    Args:
        model (`PreTrainedModel`): The model.
        inputs (`Mapping[str, torch.Tensor]`): What its `forward` takes.
        needs ([`Needs`]): What is needed of it.
    """
    layers, blocks = needs.state_layers, known_blocks(model)
    last = max(layers | needs.attention_vectors, default=len(blocks))
    if needs.attention_maps or last >= len(blocks):
        return _states_of_whole_pass(model, inputs, needs)
    found: dict[int, Tensor] = {}
    logits = None
    taken = _taken(blocks, layers, None if needs.logits else last, found)
    with attention_vectors_of(model, needs.attention_vectors) as vectors, taken, contextlib.suppress(_PassIsDone):
        logits = model(**inputs).logits
    return ModelStates(logits, found, attention_vectors=vectors)


def _states_of_whole_pass(model: PreTrainedModel, inputs: Mapping[str, Tensor], needs: Needs) -> ModelStates:
    output, vectors = whole_pass(model, model, inputs, needs)
    states = {layer: output.hidden_states[layer] for layer in needs.state_layers}
    logits = output.logits if needs.logits else None
    return ModelStates(logits, states, (output.attentions or ()) if needs.attention_maps else (), vectors)


@contextlib.contextmanager
def _taken(
    blocks: list[nn.Module], layers: frozenset[int], last: int | None, found: dict[int, Tensor]
) -> Iterator[None]:
    """Note what blocks are given while this lasts; the block after layer `last` does not run any more."""
    handles = [
        blocks[layer].register_forward_pre_hook(_taker(layer, found), with_kwargs=True) for layer in sorted(layers)
    ]
    if last is not None:
        handles.append(blocks[last].register_forward_pre_hook(_end))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _taker(layer: int, found: dict[int, Tensor]) -> Callable[..., None]:
    def take(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found[layer] = args[0] if args else kwargs["hidden_states"]

    return take


def _end(block: nn.Module, args: tuple[Any, ...]) -> None:
    raise _PassIsDone
