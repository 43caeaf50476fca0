"""Which blocks of an encoder a student keeps, and how their weights are carried over."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError


def block_ends(kept: int, total: int) -> list[int]:
    """The last layer of each of `kept` equal blocks of a model with `total` layers, counted from 1.

    Raises:
        [`UserError`]: If there are not that many layers.

    Example:

    ```python
    >>> block_ends(3, 12)
    [4, 8, 12]
    ```
    """
    if not 1 <= kept <= total:
        raise UserError(f"student: layers {kept} is out of range: the teacher has {total} layers, keep 1 to {total}.")
    return [(index + 1) * total // kept for index in range(kept)]


def kept_layers(layers: int | list[int], total: int) -> list[int]:
    """The teacher's layers that a student keeps, counted from 1, in ascending order.

    Raises:
        [`UserError`]: If a layer does not exist, stands twice or out of order.
    """
    if isinstance(layers, int):
        return block_ends(layers, total)
    if not layers or sorted(set(layers)) != layers or not 1 <= layers[0] <= layers[-1] <= total:
        raise UserError(f"student: layers {layers} must name layers 1 to {total} of the teacher, each once, in order.")
    return layers


def blocks_of(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """The list of transformer blocks of a model and its name among the modules.

    Raises:
        [`UserError`]: If the model has no single list of as many blocks as its configuration says.
    """
    total = model.config.num_hidden_layers
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == total
    ]
    if len(found) != 1:
        raise UserError(
            f"{type(model).__name__} has {len(found)} lists of {total} blocks, so its layers cannot be cut or frozen:"
            " use a student of its own (`student: {model: ...}`), or freeze nothing."
        )
    return found[0]


def cut_layers(model: PreTrainedModel, layers: list[int]) -> PreTrainedModel:
    """A new model with only the given layers of another, everything else equal, embeddings and head included.

    Args:
        model (`PreTrainedModel`): The model to cut; it is not changed.
        layers (`list[int]`): The layers to keep, counted from 1.

    Raises:
        [`UserError`]: If a layer has weights that its new place does not have.
    """
    prefix, blocks = blocks_of(model)
    new_index = {layer - 1: index for index, layer in enumerate(layers)}
    state: dict[str, Tensor] = {}
    for name, weight in model.state_dict().items():
        if name.startswith(prefix + "."):
            index, rest = name.removeprefix(prefix + ".").split(".", 1)
            if int(index) in new_index:
                state[f"{prefix}.{new_index[int(index)]}.{rest}"] = weight
        else:
            state[name] = weight
    student = type(model)(_config_with(model.config, layers, len(blocks)))
    try:
        student.load_state_dict(state)
    except RuntimeError as error:  # ModernBERT's first layer has no norm of its own, its others do
        raise UserError(
            f"The layers {layers} of {type(model).__name__} cannot be cut, since its first layer is not built like the"
            " others: keep it first, `layers: [1, ...]`."
        ) from error
    return student


def _config_with(config: Any, layers: list[int], total: int) -> Any:
    config = copy.deepcopy(config)
    for key, value in config.to_dict().items():
        # Some families describe every layer in a list (`layer_types`): keep the entries of the kept layers.
        if isinstance(value, list) and len(value) == total:
            setattr(config, key, [value[layer - 1] for layer in layers])
    config.num_hidden_layers = len(layers)
    return config


def freeze(model: PreTrainedModel, what: str | int) -> None:
    """Keep the first parts of a model as they are.

    Args:
        model (`PreTrainedModel`): The model; its parameters are marked.
        what (`str` or `int`): `"embeddings"` (all that comes before the first block), or how many blocks as well.

    Raises:
        [`UserError`]: If it is neither, or there are not that many blocks.
    """
    prefix, blocks = blocks_of(model)
    count = 0 if what == "embeddings" else what
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= len(blocks):
        raise UserError(f"freeze: {what!r} must be `embeddings` or a number of layers, at most {len(blocks)}.")
    # Within the encoder parameters come in the order of the computation: embeddings, blocks, then the pooler, which
    # stays free. The head stays free too; some families define it before the encoder.
    first_free = f"{prefix}.{count}."
    encoder = "" if model.base_model is model else model.base_model_prefix + "."
    names = [name for name, _ in model.named_parameters() if name.startswith(encoder)]
    after = [index for index, name in enumerate(names) if name.startswith(prefix + ".")][-1] + 1
    end = next((index for index, name in enumerate(names) if name.startswith(first_free)), after)
    for name in names[:end]:
        model.get_parameter(name).requires_grad_(False)
