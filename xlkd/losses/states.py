"""What the losses on hidden states share: pairs of vectors, a projector between them, and a distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from xlkd.errors import UserError, check_choice
from xlkd.losses.base import DistillationLoss
from xlkd.losses.directions import unit
from xlkd.losses.layer_map import LayerMap, layers_of_side, settle_layer_map
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import Batch, StudentOutput, TeacherOutput, full_precision, masked_mean

Distance = Literal["cosine", "mse", "normalised-mse"]
Pool = Literal["none", "mean", "first", "word", "word-first"]


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine of vectors of shape `(..., width)`; 1 where either has no direction; of shape `(...)`."""
    return 1 - (unit(student) * unit(teacher)).sum(-1)


def mse(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of vectors of shape `(..., width)`; of shape `(...)`."""
    return (student - teacher).square().mean(-1)


def normalised_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """The squared distance of vectors of shape `(..., width)` that are each divided by their norm; of shape `(...)`."""
    return (unit(student) - unit(teacher)).square().sum(-1)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine_distance,
    "mse": mse,
    "normalised-mse": normalised_mse,
}


_KINDS: dict[Pool, str] = {
    "none": "hidden_states",
    "mean": "pooled_states",
    "first": "first_states",
    "word": "word_states",
    "word-first": "word_first_states",
}
"""What is asked of a model for each way of pooling, by the same name in `Needs` and in its output."""


class StateLoss(DistillationLoss):
    """Distance between states of student and teacher; what [`HiddenStateLoss`] and [`EmbeddingLoss`] are.

    Args:
        layer_map (`list[tuple[int, int]]` or `str`, *optional*): Which layers, as `parse_layer_map` gives it.
        distance (`str`): One of `DISTANCES`.
        pool (`str`): `"none"`, `"mean"`, `"first"`, `"word"` or `"word-first"`.
    """

    def __init__(self, layer_map: LayerMap | None, distance: Distance, pool: Pool) -> None:
        super().__init__()
        check_choice(f"{self.name}: distance", distance, get_args(Distance))
        check_choice(f"{self.name}: pool", pool, get_args(Pool))
        self.layer_map = layer_map
        self.distance = distance
        self.pool = pool
        self.by_word = _KINDS[pool].startswith("word")
        self.projectors = nn.ModuleList()

    @property
    def needs(self) -> Needs:
        return self._needs_of_side(1)

    @property
    def student_needs(self) -> Needs:
        return self._needs_of_side(0)

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        assert teacher is not None
        settle_layer_map(self.name, self.layer_map, student.layers, teacher.layers)
        if self.by_word and not student.by_word:
            raise UserError(
                f"{self.name}: pool {self.pool} is void, since rows are answered whole, and not word by word: use"
                " `pool: mean`."
            )
        if self.pool == "first":
            _refuse_blind_tokens(self.name, student, teacher)

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layer map and make one projector per pair where the widths differ."""
        super().attach(student, teacher)
        assert teacher is not None
        self.layer_map = settle_layer_map(self.name, self.layer_map, student.layers, teacher.layers)
        if student.width != teacher.width:
            self.projectors = nn.ModuleList(nn.Linear(student.width, teacher.width) for _ in self.layer_map)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """The mean distance over the pairs of layers.

        States have the shape `(batch, tokens, width)`, pooled ones `(batch, width)`, words `(batch, words, width)`.
        """
        assert isinstance(self.layer_map, list)
        distances = []
        for index, (student_layer, teacher_layer) in enumerate(self.layer_map):
            # The states may be bfloat16 under autocast, the projector's weights are not.
            student = full_precision(self._states(student_output)[student_layer])
            teacher = full_precision(self._states(teacher_output)[teacher_layer])
            if self.projectors:
                student = full_precision(self.projectors[index](student))
            distances.append(self._by_row(DISTANCES[self.distance](student, teacher), student_output.attention_mask))
        return torch.stack(distances).mean(0)

    def _states(self, output: TeacherOutput) -> dict[int, Tensor]:
        return dict(getattr(output, _KINDS[self.pool]))

    def _by_row(self, distances: Tensor, attention_mask: Tensor | None) -> Tensor:
        if self.pool != "none":
            return distances
        assert attention_mask is not None
        return masked_mean(distances.unsqueeze(-1), attention_mask).squeeze(-1)

    def _needs_of_side(self, side: Literal[0, 1]) -> Needs:
        needed: dict[str, Any] = {_KINDS[self.pool]: layers_of_side(self.layer_map, side)}
        return Needs(**needed)


def _refuse_blind_tokens(name: str, student: ModelShape, teacher: ModelShape) -> None:
    """Refuse the first token of a text where it sees nothing of the text."""
    for side, shape in (("student", student), ("teacher", teacher)):
        if shape.is_causal:
            raise UserError(
                f"{name}: pool first is void, since tokens of the {side} see only those before them, and the first one"
                " nothing of the text: use `pool: mean`."
            )
