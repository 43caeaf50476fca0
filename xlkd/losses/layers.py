"""The option of a loss that names one layer of a model."""

from __future__ import annotations

from xlkd.errors import UserError
from xlkd.outputs import ModelShape


def read_layer(layer: int | None, name: str) -> int | None:
    """Check the number of a layer, as a YAML file has it.

    Args:
        layer (`int`, *optional*): The layer, 0 being the embeddings; `None` is the last.
        name (`str`): What errors call it, such as `contrastive: student_layer`.

    Raises:
        [`UserError`]: If it is no number of a layer.
    """
    if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int) or layer < 0):
        raise UserError(f"{name} {layer!r} must be the number of a layer, 0 being the embeddings; none is the last.")
    return layer


def check_layer(layer: int | None, shape: ModelShape, name: str) -> None:
    """Refuse a layer that a model does not have.

    Args:
        layer (`int`, *optional*): The layer.
        shape ([`ModelShape`]): The model.
        name (`str`): What errors call the layer.

    Raises:
        [`UserError`]: If it does not.
    """
    if layer is not None and layer > shape.layers:
        raise UserError(f"{name} is {layer}, but the model has {shape.layers} layers: use 0 to {shape.layers}.")
