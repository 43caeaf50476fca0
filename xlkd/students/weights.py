"""Weights carried over from a model to a smaller one of the same class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

Choose = Callable[[str, int, int], Tensor]
"""`(name of the weight, size of a dimension, its size in the new model) -> indices to keep, of shape (new size,)`."""


def carry_over(model: PreTrainedModel, config: Any, choose: Choose) -> PreTrainedModel:
    """A new model of another configuration, with the weights of a model of the same class.

    The two configurations may differ in sizes only: wherever a dimension of a weight is smaller in the new model,
    `choose` says what stays of it. So no family of models needs to be known here.

    Args:
        model (`PreTrainedModel`): The model to take from; it is not changed.
        config (`PretrainedConfig`): The configuration of the new model, a copy of its own; it will be in float32.
        choose (`Callable`): Which indices of a dimension are kept.
    """
    config.dtype = torch.float32
    smaller = type(model)(config)
    source = model.state_dict()
    state: dict[str, Tensor] = {}
    for name, place in smaller.state_dict().items():
        weight = source[name]
        for dimension, (size, kept) in enumerate(zip(weight.shape, place.shape, strict=True)):
            if size != kept:
                weight = weight.index_select(dimension, choose(name, size, kept).to(weight.device))
        state[name] = weight
    smaller.load_state_dict(state)
    # `PreTrainedModel.to` is wrapped in a way that hides its types.
    nn.Module.to(smaller, model.device)
    smaller.train(model.training)
    return smaller
