"""Hidden states: what the teacher's layers hold, per token or pooled over the text."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xlkd.errors import UserError
from xlkd.losses.base import DistillationLoss
from xlkd.outputs import Batch, ModelShape, Needs, StudentOutput, TeacherOutput, full_precision, masked_mean

Distance = Literal["cosine", "mse"]
Pool = Literal["none", "mean"]


class HiddenStateLoss(DistillationLoss):
    r"""Distance between mapped layers of student and teacher, averaged over the pairs of layers.

    For one pair of vectors \\(s\\) (student, through the projector where the widths differ) and \\(t\\) (teacher) of
    width \\(d\\): \\( 1 - \cos(s, t) \\) or \\( \frac{1}{d} \lVert s - t \rVert^2 \\). Per token, the distances are
    averaged over the text of a row, padding left out; pooled, the vectors are averaged first, so teacher and student
    may read different tokens or different languages.

    From FitNets ([1412.6550](https://huggingface.co/papers/1412.6550)) and DistilBERT
    ([1910.01108](https://huggingface.co/papers/1910.01108)).

    Args:
        layer_map (`list[tuple[int, int]]`, *optional*):
            Pairs of a student layer and a teacher layer, 0 being the embeddings. Defaults to the last layer of both.
            In a YAML file `kept` are the layers that the student was cut from.
        distance (`str`, *optional*, defaults to `"cosine"`): `"cosine"` or `"mse"`.
        pool (`str`, *optional*, defaults to `"mean"`): `"mean"` over the text, or `"none"` for a distance per token.

    Raises:
        [`UserError`]: If an option is unknown, or a layer is out of range.

    Example:

    ```python
    >>> from xlkd.losses import HiddenStateLoss
    >>> loss = HiddenStateLoss(layer_map=[(1, 4), (2, 8), (3, 12)], distance="cosine")
    ```
    """

    citation = "Romero et al. (2015), FitNets, arXiv:1412.6550; Sanh et al. (2019), DistilBERT, arXiv:1910.01108"

    def __init__(
        self,
        layer_map: list[tuple[int, int]] | None = None,
        distance: Distance = "cosine",
        pool: Pool = "mean",
    ) -> None:
        super().__init__()
        for name, value, allowed in (("distance", distance, get_args(Distance)), ("pool", pool, get_args(Pool))):
            if value not in allowed:
                raise UserError(f"hidden-state: {name} {value!r} is unknown; it is one of {', '.join(allowed)}.")
        if not isinstance(layer_map, list | tuple | None):
            raise UserError(f"hidden-state: layer_map {layer_map!r} must be a list of pairs, such as [[3, 12]].")
        self.layer_map = None if layer_map is None else [_pair(entry) for entry in layer_map]
        if self.layer_map == []:
            raise UserError("hidden-state: layer_map is empty: name at least one pair, or leave it out for the last.")
        self.distance = distance
        self.pool = pool
        self.projectors = nn.ModuleList()

    @property
    def needs(self) -> Needs:
        return self._needs_of_side(1)

    @property
    def student_needs(self) -> Needs:
        return self._needs_of_side(0)

    def config(self) -> dict[str, Any]:
        layer_map = None if self.layer_map is None else [list(pair) for pair in self.layer_map]
        return {"layer_map": layer_map, "distance": self.distance, "pool": self.pool}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        if teacher is None:
            raise UserError("hidden-state needs a teacher, and none was given: give one, or leave the loss out.")
        for pair in self.layer_map or []:
            for side, layer, shape in zip(("student", "teacher"), pair, (student, teacher), strict=True):
                if not 0 <= layer <= shape.layers:
                    raise UserError(
                        f"hidden-state: layer_map names {side} layer {layer}, but the {side} has {shape.layers} layers:"
                        f" use 0 (the embeddings) to {shape.layers}."
                    )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layer map and make one projector per pair where the widths differ."""
        super().attach(student, teacher)
        assert teacher is not None
        if self.layer_map is None:
            self.layer_map = [(student.layers, teacher.layers)]
        if student.width != teacher.width:
            self.projectors = nn.ModuleList(nn.Linear(student.width, teacher.width) for _ in self.layer_map)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`HiddenStateLoss`]; states of shape `(batch, tokens, width)`, pooled `(batch, width)`."""
        assert self.layer_map is not None
        distances = []
        for index, (student_layer, teacher_layer) in enumerate(self.layer_map):
            if self.pool == "mean":
                student = student_output.pooled_states[student_layer]
                teacher = teacher_output.pooled_states[teacher_layer]
            else:
                student = student_output.hidden_states[student_layer]
                teacher = teacher_output.hidden_states[teacher_layer]
            # The states may be bfloat16 under autocast, the projector's weights are not.
            student, teacher = full_precision(student), full_precision(teacher)
            if self.projectors:
                student = full_precision(self.projectors[index](student))
            distances.append(self._distances(student, teacher, student_output.attention_mask))
        return torch.stack(distances).mean(0)

    def _distances(self, student: Tensor, teacher: Tensor, attention_mask: Tensor | None) -> Tensor:
        if self.distance == "cosine":
            values = 1 - F.cosine_similarity(student, teacher, dim=-1)
        else:
            values = (student - teacher).square().mean(-1)
        if self.pool == "mean":
            return values
        assert attention_mask is not None
        return masked_mean(values.unsqueeze(-1), attention_mask).squeeze(-1)

    def _needs_of_side(self, side: int) -> Needs:
        layers = frozenset(pair[side] for pair in self.layer_map or [])
        return Needs(pooled_states=layers) if self.pool == "mean" else Needs(hidden_states=layers)


def _pair(entry: Any) -> tuple[int, int]:
    match entry:
        case [int(student), int(teacher)]:
            return student, teacher
    raise UserError(f"hidden-state: layer_map entry {entry!r} must be [student layer, teacher layer], such as [3, 12].")
