"""Which blocks of a model a student keeps, and how their weights are carried over."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError, did_you_mean, is_whole_number
from xlkd.needs import LOSSES_ATTRIBUTE


def block_ends(kept: int, total: int) -> list[int]:
    """The last layer of each of `kept` equal blocks of a model with `total` layers, counted from 1.

    Example:

    ```python
    >>> block_ends(3, 12)
    [4, 8, 12]
    ```
    """
    return [(index + 1) * total // kept for index in range(kept)]


def alternate(kept: int, total: int) -> list[int]:
    """Every second layer, counted back from the last one, as [DistilBERT](https://arxiv.org/abs/1910.01108) was cut.

    There are fewer than `kept` of them where the model has not that many.

    Example:

    ```python
    >>> alternate(3, 12)
    [8, 10, 12]
    ```
    """
    return [*range(total, 0, -2)][:kept][::-1]


RULES: dict[str, Callable[[int, int], list[int]]] = {
    "block-ends": block_ends,
    "alternate": alternate,
    "first": lambda kept, total: [*range(1, kept + 1)],
    "last": lambda kept, total: [*range(total - kept + 1, total + 1)],
}
"""Which layers are kept when only their number is given: `(kept, total) -> layers`, counted from 1."""


def kept_layers(
    layers: int | list[int], total: int, keep: str | list[int] = "block-ends", first_is_special: bool = False
) -> list[int]:
    """The teacher's layers that a student keeps, counted from 1, in ascending order.

    Args:
        layers (`int` or `list[int]`): How many layers to keep, or which ones.
        total (`int`): How many layers the teacher has.
        keep (`str` or `list[int]`, *optional*, defaults to `"block-ends"`):
            Which layers a number means: a name of `RULES`, or the layers themselves.
        first_is_special (`bool`, *optional*, defaults to `False`):
            Whether no other layer can stand in the place of the first one (`has_special_first_layer`). A rule then
            keeps the first layer, and chooses the rest among the others.

    Raises:
        [`UserError`]: If a layer does not exist, stands twice or out of order, there are not that many layers, or
            `layers` and `keep` contradict each other.

    Example:

    ```python
    >>> kept_layers(3, 12), kept_layers(3, 12, "alternate"), kept_layers(3, 22, first_is_special=True)
    ([4, 8, 12], [8, 10, 12], [1, 11, 22])
    ```
    """
    if isinstance(layers, list):
        if keep != "block-ends":
            raise UserError(
                f"student: layers {layers} names the layers, so `keep: {keep}` has nothing to choose: leave out `keep`,"
                " or give `layers` as a number."
            )
        return _named(layers, total, "layers")
    if not 1 <= layers <= total:
        raise UserError(f"student: layers {layers} is out of range: the teacher has {total} layers, keep 1 to {total}.")
    if isinstance(keep, str):
        return _by_rule(layers, total, keep, first_is_special)
    if len(keep) != layers:
        raise UserError(
            f"student: layers {layers} is not the number of layers in `keep: {keep}`, which names {len(keep)}: leave"
            " out one of them."
        )
    return _named(keep, total, "keep")


def _named(layers: list[int], total: int, key: str) -> list[int]:
    if not layers or sorted(set(layers)) != layers or not 1 <= layers[0] <= layers[-1] <= total:
        raise UserError(f"student: {key} {layers} must name layers 1 to {total} of the teacher, each once, in order.")
    return layers


def _by_rule(number: int, total: int, keep: str, first_is_special: bool) -> list[int]:
    if keep not in RULES:
        raise UserError(
            f"student: keep {keep!r} is unknown{did_you_mean(keep, RULES)}: use one of {', '.join(RULES)}, or name the"
            " layers in a list."
        )
    if first_is_special:
        found = [1, *(1 + layer for layer in RULES[keep](number - 1, total - 1))]
    else:
        found = RULES[keep](number, total)
    if len(found) < number:
        raise UserError(
            f"student: layers {number} is too many for `keep: {keep}`: of the teacher's {total} layers it keeps at most"
            f" {len(found)}; keep fewer, or use `keep: block-ends`."
        )
    return found


def has_special_first_layer(model: PreTrainedModel) -> bool:
    """Whether the first block has other weights than all the rest, as that of ModernBERT (it lacks a norm).

    Raises:
        [`UserError`]: If the blocks cannot be found.
    """
    first, *others = [
        {name: weight.shape for name, weight in block.named_parameters()} for block in blocks_of(model)[1]
    ]
    return bool(others) and first not in others


def blocks_of(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """The list of transformer blocks of a model and its name among the modules.

    The losses that hang on a student while it trains are left out: they may have as many projectors as it has blocks.

    Raises:
        [`UserError`]: If the model has no single list of as many blocks as its configuration says.
    """
    total = model.config.num_hidden_layers
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == total and not name.startswith(f"{LOSSES_ATTRIBUTE}.")
    ]
    if len(found) != 1:
        raise UserError(
            f"{type(model).__name__} has {len(found)} lists of {total} blocks, so its layers cannot be cut or frozen:"
            " use a student of its own (`student: {model: ...}`), or freeze nothing."
        )
    return found[0]


def has_head(model: PreTrainedModel) -> bool:
    """Whether a model has something behind its encoder, which gives logits.

    Args:
        model (`PreTrainedModel`): The model.
    """
    return model.base_model is not model


def known_blocks(model: PreTrainedModel) -> list[nn.Module]:
    """The transformer blocks of a model, looked for in its encoder; none where they are not known.

    Args:
        model (`PreTrainedModel`): The model.
    """
    try:
        return [*blocks_of(cast(PreTrainedModel, model.base_model))[1]]
    except UserError:
        return []


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
    except RuntimeError as error:
        raise UserError(
            f"The layers {layers} of {type(model).__name__} cannot be cut, since {_why_not(model)}"
        ) from error
    return student


def _why_not(model: PreTrainedModel) -> str:
    if has_special_first_layer(model):
        return "its first layer is not built like the others: keep it first, `layers: [1, ...]`."
    return "some of its weights go with the number or the place of a layer: use a student of its own, `model: ...`."


def _config_with(config: Any, layers: list[int], total: int) -> Any:
    config = copy.deepcopy(config)
    for key, value in config.to_dict().items():
        # Some families describe every layer in a list (`layer_types`): keep the entries of the kept layers. Other
        # lists can be as long by chance (`eos_token_id`).
        if isinstance(value, list) and len(value) == total and "layer" in key:
            setattr(config, key, [value[layer - 1] for layer in layers])
    config.num_hidden_layers = len(layers)
    # What is trained needs full precision, whatever the teacher was saved in.
    config.dtype = torch.float32
    return config


def freeze(model: PreTrainedModel, what: str | int) -> None:
    """Keep the first parts of a model as they are.

    Args:
        model (`PreTrainedModel`): The model; its parameters are marked.
        what (`str` or `int`): `"embeddings"` (all that comes before the first block), or how many blocks as well.

    Raises:
        [`UserError`]: If `what` is neither, or there are not that many blocks.
    """
    for name in names_before_blocks(model, blocks_to_freeze(what, len(blocks_of(model)[1]))):
        model.get_parameter(name).requires_grad_(False)


def blocks_to_freeze(what: str | int, total: int) -> int:
    """How many first blocks of a model with `total` layers are meant.

    Raises:
        [`UserError`]: If there are not that many, or it is neither a number nor `"embeddings"`.
    """
    count = 0 if what == "embeddings" else what
    if not is_whole_number(count) or not 0 <= count <= total:
        raise UserError(f"freeze: {what!r} must be `embeddings` or a number of layers, at most {total}.")
    return count


def names_before_blocks(model: PreTrainedModel, count: int = 0) -> list[str]:
    """The parameters that come before the first block of a model: its embeddings, and what turns them into states.

    Args:
        model (`PreTrainedModel`): The model.
        count (`int`, *optional*, defaults to 0): How many of the first blocks to name as well.

    Raises:
        [`UserError`]: If the blocks cannot be found.
    """
    # Within the encoder parameters come in the order of the computation: embeddings, blocks, then the pooler or the
    # last norm. The head is not part of it; some families define it before the encoder.
    prefix = blocks_of(model)[0]
    first_left = f"{prefix}.{count}."
    encoder = model.base_model_prefix + "." if has_head(model) else ""
    names = [name for name, _ in model.named_parameters() if name.startswith(encoder)]
    after = [index for index, name in enumerate(names) if name.startswith(prefix + ".")][-1] + 1
    end = next((index for index, name in enumerate(names) if name.startswith(first_left)), after)
    return names[:end]
