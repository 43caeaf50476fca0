"""Where the attention heads and the feed-forward units of a model are in its weights, read from its own structure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.needs import head_size, key_value_heads
from xlkd.students.layers import blocks_of

FEED_FORWARD_SIZES = ("intermediate_size", "hidden_dim", "ffn_dim")
"""What configurations call the number of feed-forward units of a layer."""


@dataclass(frozen=True)
class Units:
    """One kind of unit of a model: how many a layer has, and where.

    Args:
        total (`int`): How many units each layer has.
        dimensions (`Mapping[str, list[int]]`): Along which dimensions of which parameters they lie.
        block_of (`Mapping[str, int]`): The layer of each of these parameters, counted from 0.
        rows_together (`bool`):
            Whether the rows of a unit are neighbours, as those of a head are; those of a feed-forward unit are one in
            each part of a fused weight (gate and value of ModernBERT).
    """

    total: int
    dimensions: Mapping[str, list[int]]
    block_of: Mapping[str, int]
    rows_together: bool

    def sums(self, name: str, values: Tensor) -> Tensor:
        """The sum of values of the shape of a parameter over what belongs to each unit, of shape `(units,)`."""
        found = torch.zeros(self.total)
        for dimension in self.dimensions[name]:
            parts = values.movedim(dimension, 0).reshape(self._shape(values.shape[dimension]))
            found += parts.sum((0, 2)).cpu()
        return found

    def rows(self, size: int, kept: Tensor) -> Tensor:
        """The indices of some units, of shape `(kept,)`, along a dimension of a size."""
        return torch.arange(size).reshape(self._shape(size))[:, kept].flatten()

    def _shape(self, size: int) -> tuple[int, int, int]:
        """Parts, units, and rows of a unit in one part."""
        return (1, self.total, -1) if self.rows_together else (size // self.total, self.total, -1)


def with_feed_forward(config: Any, count: int) -> Any:
    """A configuration with another number of feed-forward units.

    Raises:
        [`UserError`]: If the configuration has no number of feed-forward units.
    """
    config = copy.deepcopy(config)
    setattr(config, _feed_forward_key(config), count)
    return config


def with_heads(config: Any, count: int) -> Any:
    """A configuration with another number of heads of the same size; the groups that share keys keep their size."""
    groups = key_value_heads(config)
    narrower = copy.deepcopy(config)
    narrower.head_dim = head_size(config)
    narrower.num_attention_heads = count
    if "num_key_value_heads" in config.to_dict():
        narrower.num_key_value_heads = count * groups // config.num_attention_heads
    return narrower


def possible_heads(config: Any) -> list[int]:
    """The numbers of heads that leave groups whole and that the configuration accepts when a student is loaded."""
    total = config.num_attention_heads
    group = total // key_value_heads(config)
    return [count for count in range(group, total + 1, group) if _loads(with_heads(config, count))]


def feed_forward_units(model: PreTrainedModel) -> Units:
    """The feed-forward units of a model.

    Raises:
        [`UserError`]: If the configuration has no number of them, or it decides about something else.
    """
    key = _feed_forward_key(model.config)
    total = model.config.to_dict()[key]
    shrunk = _shrunk(model, with_feed_forward(model.config, 1))
    if not shrunk or any(old != new * total for sizes in shrunk.values() for old, new in sizes.values()):
        raise UserError(
            f"student: feed_forward cannot be cut: in {type(model).__name__} {key} is not the size of the feed-forward"
            " part of a layer. Cut `layers` instead."
        )
    return _units(model, total, shrunk, rows_together=False)


def head_units(model: PreTrainedModel) -> Units:
    """The attention heads of a model; where queries share keys, the groups of them.

    Raises:
        [`UserError`]: If the architecture has no number of heads apart from their size.
    """
    size, heads, groups = head_size(model.config), model.config.num_attention_heads, key_value_heads(model.config)
    try:
        shrunk = _shrunk(model, with_heads(model.config, heads // groups))
    except (AttributeError, ValueError):  # Falcon computes the size of a head; the groups of DiffLlama come in pairs
        shrunk = {}
    # Heads are rows of the query and columns of the output. Nothing shrinks where the size of a head is that of the
    # layer divided by their number; only rows do in a DeBERTa-v2 with a size of heads of its own; and where query, key
    # and value are one weight, in which heads cannot be told apart, it has another size than theirs.
    directions = {dimension for sizes in shrunk.values() for dimension in sizes}
    known = all(old in (heads * size, groups * size) for sizes in shrunk.values() for old, _ in sizes.values())
    if directions != {0, 1} or not known:
        raise UserError(
            f"student: heads cannot be cut: in {type(model).__name__} the size of the attention does not follow from"
            " the number of heads (mostly since a head has hidden_size / num_attention_heads), so a student with fewer"
            " of them could not be loaded. Cut `feed_forward` or `layers` instead."
        )
    return _units(model, groups, shrunk, rows_together=True)


Sizes = dict[str, dict[int, tuple[int, int]]]


def _shrunk(model: PreTrainedModel, config: Any) -> Sizes:
    """The old and the new size of each dimension that is another one with a configuration of one unit a layer.

    Empty if something outside the blocks changes too (MPNet's relative positions know the heads): then a layer cannot
    have units of its own.
    """
    with torch.device("meta"):
        small = dict(type(model)(config).named_parameters())
    start, shrunk = blocks_of(model)[0] + ".", {}
    for name, weight in model.named_parameters():
        pairs = enumerate(zip(weight.shape, small[name].shape, strict=True))
        sizes = {dimension: (old, new) for dimension, (old, new) in pairs if old != new}
        if sizes and not name.startswith(start):
            return {}
        if sizes:
            shrunk[name] = sizes
    return shrunk


def _units(model: PreTrainedModel, total: int, shrunk: Sizes, rows_together: bool) -> Units:
    start = blocks_of(model)[0] + "."
    block_of = {name: int(name.removeprefix(start).split(".")[0]) for name in shrunk}
    return Units(total, {name: list(sizes) for name, sizes in shrunk.items()}, block_of, rows_together)


def _feed_forward_key(config: Any) -> str:
    found = [key for key in FEED_FORWARD_SIZES if key in config.to_dict()]
    if not found:
        raise UserError(
            f"student: feed_forward cannot be cut: {type(config).__name__} has none of {', '.join(FEED_FORWARD_SIZES)}."
            " Cut `layers` instead."
        )
    return found[0]


def _loads(config: Any) -> bool:
    try:
        type(config).from_dict(config.to_dict())
    except (StrictDataclassError, ValueError):  # the width of a Llama must be a multiple of its number of heads
        return False
    return True
