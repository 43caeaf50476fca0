"""Which layer of the student is compared with which of the teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from xlkd.errors import UserError, is_whole_number

LayerMap = list[tuple[int, int]] | Literal["uniform", "last", "first"]

RULES: dict[str, Callable[[int, int], list[tuple[int, int]]]] = {
    "uniform": lambda student, teacher: [(i, (2 * i * teacher + student) // (2 * student)) for i in _each(student)],
    "last": lambda student, teacher: [(i, teacher - student + i) for i in _each(student)],
    "first": lambda student, teacher: [(i, i) for i in _each(student)],
}
"""The pairs for a student and a teacher with so many layers: every layer of the student, the embeddings left out.
`uniform` rounds `i * teacher / student` to the nearest layer, halves up."""


def _each(student: int) -> range:
    return range(1, student + 1)


def parse_layer_map(loss: str, value: Any) -> LayerMap | None:
    """Read the option `layer_map`: pairs, the name of a rule, or nothing for the last layer of both.

    Args:
        loss (`str`): The name of the loss, for errors.
        value (`Any`): The option.

    Raises:
        [`UserError`]: If it is none of these.
    """
    if value is None or value in ("uniform", "last", "first"):
        checked: LayerMap | None = value
        return checked
    if not isinstance(value, list | tuple):
        raise UserError(
            f"{loss}: layer_map {value!r} must be a list of pairs, such as [[3, 12]], or one of {', '.join(RULES)}."
        )
    if not value:
        raise UserError(f"{loss}: layer_map is empty: name at least one pair, or leave it out for the last.")
    return [_pair(loss, entry) for entry in value]


def _pair(loss: str, entry: Any) -> tuple[int, int]:
    match entry:
        case [int(student), int(teacher)]:
            return student, teacher
    raise UserError(f"{loss}: layer_map entry {entry!r} must be [student layer, teacher layer], such as [3, 12].")


def settle_layer_map(
    loss: str, layer_map: LayerMap | None, student: int, teacher: int, first: int = 0
) -> list[tuple[int, int]]:
    """The pairs of layers for two models.

    Args:
        loss (`str`): The name of the loss, for errors.
        layer_map (`list[tuple[int, int]]` or `str`, *optional*): As [`parse_layer_map`] gives it.
        student (`int`): How many layers the student has.
        teacher (`int`): How many layers the teacher has.
        first (`int`, *optional*, defaults to 0): The lowest layer that the loss knows: 0 are the embeddings.

    Raises:
        [`UserError`]: If a layer does not exist, or a rule needs as many layers as the student has, and the teacher has
            fewer.

    Example:

    ```python
    >>> settle_layer_map("hidden-state", "uniform", 3, 12), settle_layer_map("hidden-state", None, 3, 12)
    ([(1, 4), (2, 8), (3, 12)], [(3, 12)])
    ```
    """
    if layer_map is None:
        return [(student, teacher)]
    if isinstance(layer_map, str):
        if student > teacher:
            raise UserError(
                f"{loss}: layer_map {layer_map} gives each of the student's {student} layers one of the teacher's,"
                f" which has only {teacher}: name the pairs."
            )
        return RULES[layer_map](student, teacher)
    for pair in layer_map:
        for side, layer, total in zip(("student", "teacher"), pair, (student, teacher), strict=True):
            check_layer(loss, "layer_map", side, layer, total, first)
    return layer_map


def config_of_layer_map(layer_map: LayerMap | None) -> list[list[int]] | str | None:
    """A layer map as a YAML file has it, which [`parse_layer_map`] reads.

    Args:
        layer_map (`list[tuple[int, int]]` or `str`, *optional*): The layer map.
    """
    return [list(pair) for pair in layer_map] if isinstance(layer_map, list) else layer_map


def layers_of_side(layer_map: LayerMap | None, side: Literal[0, 1]) -> frozenset[int]:
    """The layers of one model in a layer map; none before it is settled.

    Args:
        layer_map (`list[tuple[int, int]]` or `str`, *optional*): The layer map.
        side (`int`): 0 for the student, 1 for the teacher.
    """
    return frozenset(pair[side] for pair in layer_map) if isinstance(layer_map, list) else frozenset()


def read_layer(loss: str, option: str, layer: Any) -> int | None:
    """Read an option that names one layer.

    Args:
        loss (`str`): The name of the loss, for errors.
        option (`str`): The option.
        layer (`Any`): Its value; `None` is the last layer.

    Raises:
        [`UserError`]: If it is no number of a layer.
    """
    if layer is None or (is_whole_number(layer) and layer >= 0):
        return layer
    raise UserError(
        f"{loss}: {option} {layer!r} must be the number of a layer, 0 being the embeddings; none is the last."
    )


def check_layer(loss: str, option: str, side: str, layer: int, total: int, first: int = 0) -> None:
    """Refuse a layer that a model does not have.

    Args:
        loss (`str`): The name of the loss.
        option (`str`): The option that names the layer.
        side (`str`): Whose layer it is, in words.
        layer (`int`): The layer.
        total (`int`): How many the model has.
        first (`int`, *optional*, defaults to 0): The lowest one that the loss knows.

    Raises:
        [`UserError`]: If the model has no such layer, or the loss begins above it.
    """
    if not first <= layer <= total:
        start = "0 (the embeddings)" if first == 0 else str(first)
        raise UserError(
            f"{loss}: {option} names {side} layer {layer}, but the {side} has {total} layers: use {start} to {total}."
        )
