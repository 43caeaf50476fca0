"""Narrower layers: the attention heads and the feed-forward units that matter least to the teacher are cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.needs import AnswerKind, answer_kind_of
from xlkd.outputs import masked_mean
from xlkd.students.layers import blocks_of, has_head
from xlkd.students.units import Units, feed_forward_units, head_units, possible_heads, with_feed_forward, with_heads
from xlkd.students.weights import carry_over

LIKENESS_TEMPERATURE = 0.07
"""What the cosines of vectors are divided by, as in [`~losses.ContrastiveLoss`]."""


@dataclass(frozen=True)
class UnitImportance:
    """How much each unit of each layer of a student matters to the answers of its teacher.

    Args:
        heads (`Tensor` of shape `(layers, groups)`, *optional*):
            Of each attention head; where queries share keys, of each group of them.
        feed_forward (`Tensor` of shape `(layers, units)`, *optional*): Of each feed-forward unit.
    """

    heads: Tensor | None = None
    feed_forward: Tensor | None = None


def check_width(model: PreTrainedModel, *, heads: int | None = None, feed_forward: int | None = None) -> None:
    """Check that the layers of a model can be cut to a width.

    Args:
        model (`PreTrainedModel`): The model to be cut; its weights are not read.
        heads (`int`, *optional*): How many attention heads each layer is to keep.
        feed_forward (`int`, *optional*): How many feed-forward units each layer is to keep.

    Raises:
        [`UserError`]: If a number is out of range, heads that share keys would be parted, or the architecture has no
            free number of heads or of feed-forward units.
    """
    _asked(model, heads, feed_forward)


def unit_importance(
    model: PreTrainedModel,
    batches: Iterable[Mapping[str, Tensor]],
    layers: list[int],
    *,
    heads: int | None = None,
    feed_forward: int | None = None,
) -> UnitImportance:
    r"""How much the units of a teacher matter to its answers.

    The importance of a unit is \\( \sum_b \sum_{w \in unit} |w \, \partial L_b / \partial w| \\): how much, to the
    first order, the loss of each batch would change without each of its weights ([Michel et al.
    2019](https://arxiv.org/abs/1905.10650), [Molchanov et al. 2019](https://arxiv.org/abs/1906.10771)). The loss is
    the cross-entropy against the model's own most likely class, so no labels are needed; where a row may have any
    number of classes, against its own yes or no to each; of a number it is the number itself. A model without a head
    has no classes but vectors: there each text must find its own vector among those of its batch, as in the loss
    `contrastive`. Batches should be of one size.

    Args:
        model (`PreTrainedModel`):
            The whole teacher, before layers are cut (without them its answers mean nothing). It is not changed.
        batches (`Iterable[Mapping[str, Tensor]]`): What the model reads (`input_ids`, `attention_mask`, ...).
        layers (`list[int]`): The layers that the student will keep, counted from 1.
        heads (`int`, *optional*): How many heads will be kept; without it heads are not looked at.
        feed_forward (`int`, *optional*): How many feed-forward units will be kept; without it they are not looked at.

    Raises:
        [`UserError`]: If the model cannot be cut to this width (see [`check_width`]), there is no batch, or the teacher
            is so sure of all texts that no unit matters.

    Example:

    ```python
    >>> importance = unit_importance(teacher, batches, [4, 8, 12], feed_forward=1024)
    >>> student = cut_width(cut_layers(teacher, [4, 8, 12]), importance, feed_forward=1024)
    ```
    """
    kinds = _asked(model, heads, feed_forward)
    row_of = {layer - 1: row for row, layer in enumerate(layers)}
    names = {name for units in kinds.values() for name, block in units.block_of.items() if block in row_of}
    sums = {kind: torch.zeros(len(layers), units.total) for kind, units in kinds.items()}
    count = 0
    with _evaluation(model):
        for batch in batches:
            count += 1
            for name, change in _changes(model, batch, sorted(names)).items():
                for kind, units in kinds.items():
                    if name in units.dimensions:
                        sums[kind][row_of[units.block_of[name]]] += units.sums(name, change)
    if not count:
        raise UserError("student: its units are chosen by what the teacher makes of texts, and there are none.")
    # Also refused: not a number.
    if not all((of_layer.sum() > 0).item() for importance in sums.values() for of_layer in importance):
        raise UserError(
            "student: its units cannot be chosen, since no answer of the teacher depends on those of some layer, to the"
            f" precision of its numbers, in {count} batches of texts: give more or harder texts."
        )
    return UnitImportance(**sums)


def cut_width(
    model: PreTrainedModel, importance: UnitImportance, *, heads: int | None = None, feed_forward: int | None = None
) -> PreTrainedModel:
    """A new model whose layers have only their most important units, everything else equal.

    Each layer keeps its own best units, in their old order; their number is the same in every layer, since a
    configuration has one number, so that the student loads like any model of its family.

    Args:
        model (`PreTrainedModel`): The student to cut, with one layer for each row of `importance`; it is not changed.
        importance (`UnitImportance`): What the units matter, from [`unit_importance`].
        heads (`int`, *optional*): How many attention heads each layer keeps; all of them by default.
        feed_forward (`int`, *optional*): How many feed-forward units each layer keeps; all of them by default.

    Raises:
        [`UserError`]: If the model cannot be cut to this width (see [`check_width`]).
        `ValueError`: If `importance` is not of the units that are cut, or not of the layers of this model.
    """
    kinds = _asked(model, heads, feed_forward)
    if feed_forward is not None:
        config = with_feed_forward(model.config, feed_forward)
        model = _cut(model, config, kinds["feed_forward"], importance.feed_forward, feed_forward)
    if heads is not None:
        groups = heads * kinds["heads"].total // model.config.num_attention_heads
        model = _cut(model, with_heads(model.config, heads), kinds["heads"], importance.heads, groups)
    return model


def _asked(model: PreTrainedModel, heads: int | None, feed_forward: int | None) -> dict[str, Units]:
    """The kinds of units that are to be cut."""
    name, kinds = type(model).__name__, {}
    if feed_forward is not None:
        units = kinds["feed_forward"] = feed_forward_units(model)
        if not 1 <= feed_forward <= units.total:
            raise UserError(
                f"student: feed_forward {feed_forward} is out of range: the layers of {name} have {units.total} units,"
                f" keep 1 to {units.total}."
            )
    if heads is not None:
        units, total = head_units(model), model.config.num_attention_heads
        kinds["heads"], possible = units, possible_heads(model.config)
        if heads not in possible:
            shared = f" in groups of {total // units.total} that share keys" if units.total < total else ""
            raise UserError(
                f"student: heads {heads} is not possible: the layers of {name} have {total} heads{shared}, keep one of"
                f" {', '.join(map(str, possible))}."
            )
    return kinds


def _cut(model: PreTrainedModel, config: Any, units: Units, importance: Tensor | None, count: int) -> PreTrainedModel:
    if importance is None or importance.shape != (len(blocks_of(model)[1]), units.total):
        raise ValueError("importance must be of the units that are cut, with a row for each layer of the model")
    best = importance.argsort(dim=-1, descending=True, stable=True)[:, :count]
    kept = best.sort(dim=-1).values
    return carry_over(model, config, lambda name, size, _: units.rows(size, kept[units.block_of[name]]))


@contextmanager
def _evaluation(model: PreTrainedModel) -> Iterator[None]:
    """No dropout for a while; some parts of a model may be in another mode than the whole."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _likenesses(states: Tensor, attention_mask: Tensor) -> Tensor:
    """How like the vector of each text is to those of its batch as they are, of shape `(batch, batch)`."""
    vectors = functional.normalize(masked_mean(states, attention_mask), dim=-1)
    return vectors @ vectors.detach().T / LIKENESS_TEMPERATURE


def _changes(model: PreTrainedModel, batch: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """How much the loss of a batch would change, to the first order, without each single weight."""
    # Leaves of a graph of our own over the same storage: nothing of the model is marked, or left with a gradient.
    weights = {name: model.get_parameter(name).detach().requires_grad_() for name in names}
    inputs = {key: value.to(model.device) for key, value in batch.items()}
    with torch.enable_grad():
        output = functional_call(model, weights, (), inputs)
        if has_head(model):
            # Of tags there is an answer a token, and those of padding are none.
            tags = output.logits.dim() == 3
            logits = output.logits[inputs["attention_mask"].bool()] if tags else output.logits
            loss = _own_loss(logits, answer_kind_of(model.config))
        else:
            loss = _own_loss(_likenesses(output[0], inputs["attention_mask"]), "one-of")
        # An expert that no text was sent to has no gradient, and no importance.
        gradients = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
    pairs = zip(weights.items(), gradients, strict=True)
    return {name: (gradient.float() * weight.detach().float()).abs() for (name, weight), gradient in pairs}


def _own_loss(logits: Tensor, answer_kind: AnswerKind) -> Tensor:
    if answer_kind == "number":
        return logits.mean()
    if answer_kind == "any-of":
        return functional.binary_cross_entropy_with_logits(logits, (logits >= 0).to(logits.dtype))
    return functional.cross_entropy(logits, logits.argmax(dim=-1))
