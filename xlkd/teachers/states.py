"""Only the layers that are needed: the pass of a teacher ends after the last of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.outputs import Needs
from xlkd.students.layers import blocks_of


@dataclass(frozen=True)
class ModelStates:
    """What a model said, as far as it was asked.

    Args:
        logits (`torch.Tensor` of shape `(batch, classes)`, *optional*): The logits.
        hidden_states (`dict[int, torch.Tensor]` of shape `(batch, tokens, width)`): By layer, 0 the embeddings.
    """

    logits: Tensor | None
    hidden_states: Mapping[int, Tensor]


class _PassIsDone(Exception):
    """Ends a forward pass from within."""


def states_of(model: PreTrainedModel, inputs: Mapping[str, Tensor], needs: Needs) -> ModelStates:
    """Run a model as far as is needed, and keep what is needed.

    The states of layer k are what block k + 1 is given, so they are taken there. The last layer's may pass a norm
    behind the blocks; they are taken from the model's output, as all are where its blocks cannot be found.

    Args:
        model (`PreTrainedModel`): The model.
        inputs (`Mapping[str, torch.Tensor]`): What its `forward` takes.
        needs ([`Needs`]): What is needed of it.
    """
    layers = needs.state_layers
    blocks = _blocks(model)
    if not layers or max(layers) >= len(blocks):
        output = model(**inputs, output_hidden_states=bool(layers))
        return ModelStates(output.logits, {layer: output.hidden_states[layer] for layer in layers})
    found: dict[int, Tensor] = {}
    last = None if needs.logits else max(layers)
    logits = None
    with _taken(blocks, layers, last, found), contextlib.suppress(_PassIsDone):
        logits = model(**inputs).logits
    return ModelStates(logits, found)


def _blocks(model: PreTrainedModel) -> list[nn.Module]:
    try:
        return [*blocks_of(model)[1]]
    except UserError:
        return []


@contextlib.contextmanager
def _taken(
    blocks: list[nn.Module], layers: frozenset[int], last: int | None, found: dict[int, Tensor]
) -> Iterator[None]:
    """Note what blocks are given while this lasts; the block after layer `last` does not run any more."""
    handles = [
        blocks[layer].register_forward_pre_hook(_taker(layer, layer == last, found), with_kwargs=True)
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _taker(layer: int, is_last: bool, found: dict[int, Tensor]) -> Callable[..., None]:
    def take(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found[layer] = args[0] if args else kwargs["hidden_states"]
        if is_last:
            raise _PassIsDone

    return take
