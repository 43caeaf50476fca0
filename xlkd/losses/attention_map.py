"""Attention maps: where the teacher's heads look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from xlkd.errors import UserError, check_choice
from xlkd.losses.base import DistillationLoss
from xlkd.losses.layer_map import LayerMap, config_of_layer_map, layers_of_side, parse_layer_map, settle_layer_map
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import Batch, StudentOutput, TeacherOutput, full_precision

MapDistance = Literal["mse", "kl"]


class AttentionMapLoss(DistillationLoss):
    r"""Distance between the attention probabilities of mapped blocks, head by head, averaged over the pairs of blocks.

    For one row with \\(n\\) tokens and one pair of blocks with \\(H\\) heads, where \\(s_{hqk}\\) (student) and
    \\(t_{hqk}\\) (teacher) are the probabilities, after softmax, that query \\(q\\) of head \\(h\\) gives to key
    \\(k\\):

    $$ \frac{1}{H n} \sum_{h=1}^{H} \sum_{q=1}^{n} d_{hq}, \qquad
    d_{hq} = \frac{1}{n} \sum_{k=1}^{n} (s_{hqk} - t_{hqk})^2 \quad \text{or} \quad
    \sum_{k=1}^{n} t_{hqk} \log \frac{t_{hqk}}{s_{hqk}} $$

    for `mse` and `kl` (in nats). Padding is neither query nor key. Only rows in which teacher and student read the
    same tokens count. In long texts the probabilities are small, and so is `mse`: weights of 10 to 1000 are usual.

    `kl` is that of MobileBERT ([2004.02984](https://huggingface.co/papers/2004.02984)), `mse` that of TinyBERT
    ([1909.10351](https://huggingface.co/papers/1909.10351)), but on probabilities; TinyBERT took scores before softmax.

    Fused attention has no probabilities to look at, so during training both models compute attention step by step
    (`eager`), the student without attention dropout, which would punch holes into the probabilities. This is slower,
    is logged, and is undone afterwards. Head h of one model is compared with head h of the other: they must be the same
    heads, as in a student that was cut from the teacher's layers. Otherwise use [`AttentionRelationLoss`].

    Memory: batch x heads x tokens x tokens numbers for *every* block of both models, mapped or not.

    Args:
        layer_map (`list[tuple[int, int]]` or `str`, *optional*):
            Pairs of a student block and a teacher block, counted from 1, or `"uniform"`, `"last"`, `"first"` as for
            [`HiddenStateLoss`]. Defaults to the last block of both.
        distance (`str`, *optional*, defaults to `"kl"`): `"mse"` or `"kl"`.

    Raises:
        [`UserError`]: If an option is unknown, a block is out of range, or the numbers of heads differ.

    Example:

    ```python
    >>> from xlkd.losses import AttentionMapLoss
    >>> loss = AttentionMapLoss(layer_map="uniform", distance="mse")
    ```
    """

    name = "attention-map"
    citation = "Jiao et al. (2019), TinyBERT, arXiv:1909.10351; Sun et al. (2020), MobileBERT, arXiv:2004.02984"
    alternative = "attention-relation (any number of heads, no eager attention), or hidden-state"

    def __init__(self, layer_map: LayerMap | None = None, distance: MapDistance = "kl") -> None:
        super().__init__()
        check_choice(f"{self.name}: distance", distance, get_args(MapDistance))
        self.layer_map = parse_layer_map(self.name, layer_map)
        self.distance = distance

    @property
    def needs(self) -> Needs:
        return Needs(attention_maps=layers_of_side(self.layer_map, 1))

    @property
    def student_needs(self) -> Needs:
        return Needs(attention_maps=layers_of_side(self.layer_map, 0))

    def config(self) -> dict[str, Any]:
        return {"layer_map": config_of_layer_map(self.layer_map), "distance": self.distance}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        assert teacher is not None
        settle_layer_map(self.name, self.layer_map, student.layers, teacher.layers, first=1)
        if None not in (student.heads, teacher.heads) and student.heads != teacher.heads:
            raise UserError(
                f"{self.name} compares head with head, but the student has {student.heads} and the teacher"
                f" {teacher.heads}: use attention-relation, which takes any number."
            )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layer map."""
        super().attach(student, teacher)
        assert teacher is not None
        self.layer_map = settle_layer_map(self.name, self.layer_map, student.layers, teacher.layers, first=1)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`AttentionMapLoss`]; probabilities of shape `(batch, heads, tokens, tokens)`."""
        assert isinstance(self.layer_map, list) and student_output.attention_mask is not None
        valid = student_output.attention_mask.bool()
        distances = [
            _DISTANCES[self.distance](
                student_output.attention_maps[student_block], teacher_output.attention_maps[teacher_block], valid
            )
            for student_block, teacher_block in self.layer_map
        ]
        return torch.stack(distances).mean(0)


def _squares(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    squares = (full_precision(student) - full_precision(teacher)).square()
    keys = squares.masked_fill(~valid[:, None, None, :], 0.0).sum(-1)
    return _over_queries(keys, valid) / valid.sum(-1).clamp(min=1)


def _divergence(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    student, teacher = full_precision(student), full_precision(teacher)
    # A probability of 0 (a later token, in a decoder) has no logarithm, and as the teacher's it takes no part.
    tiny = torch.finfo(torch.float32).tiny
    logarithms = teacher.clamp(min=tiny).log() - student.clamp(min=tiny).log()
    return _over_queries((teacher * logarithms).masked_fill(~valid[:, None, None, :], 0.0).sum(-1), valid)


def _over_queries(values: Tensor, valid: Tensor) -> Tensor:
    """Mean over heads and the valid queries of a row, of values of shape `(batch, heads, tokens)`."""
    kept = values.mean(1).masked_fill(~valid, 0.0)
    return kept.sum(-1) / valid.sum(-1).clamp(min=1)


_DISTANCES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"mse": _squares, "kl": _divergence}
