"""Attention relations: how the tokens of a text relate to one another inside a block."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, sqrt
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from xlkd.errors import UserError, check_choice, is_whole_number
from xlkd.losses.base import DistillationLoss
from xlkd.losses.layer_map import check_layer
from xlkd.needs import ModelShape, Needs
from xlkd.outputs import AttentionVectors, Batch, StudentOutput, TeacherOutput, full_precision

Relation = Literal["queries", "keys", "values"]
_HIDDEN = -1e30


class AttentionRelationLoss(DistillationLoss):
    r"""Divergence between the relations of tokens, by queries, keys and values, in one block of each model.

    The queries of all heads of a block, concatenated, are split into \\(A\\) relation heads of size \\(d\\). For one
    relation head with the vectors \\(X\\) of a row's \\(n\\) tokens:

    $$ R = softmax\left(\frac{X X^\top}{\sqrt{d}}\right), \qquad
    \frac{1}{A n} \sum_{a=1}^{A} \sum_{q=1}^{n} \sum_{k=1}^{n}
    R^{teacher}_{aqk} \log \frac{R^{teacher}_{aqk}}{R^{student}_{aqk}} $$

    in nats, over the tokens that are not padding. Keys and values are treated likewise, and the three are summed. Since
    each model's relation heads divide its own width, the models may differ in width and in number of heads, without a
    projector. Queries and keys are taken as the block's linear maps give them, before rotary positions are applied.

    From MiniLMv2 ([2012.15828](https://huggingface.co/papers/2012.15828)). Its students learn from the last layer of
    a teacher of base size, but from an upper-middle one of a large teacher (21 of BERT-large's 24, 19 of
    XLM-R-large's): set `teacher_layer` there.

    Only rows in which teacher and student read the same tokens count.

    A step of a student of 3 layers takes 8 % longer with 12 relation heads, a third longer with 48. At weight 1 it held
    such students back from their task for hundreds of steps: it is made for long training on much text.

    Memory: batch x relation heads x tokens x tokens numbers for each relation, and three times that for a moment.

    Args:
        relation_heads (`int`, *optional*):
            How many relation heads; defaults to the teacher's number of heads. It must divide the size of queries, keys
            and values of both models. MiniLMv2 takes 48 for teachers of base size and 64 for large ones.
        relations (`list[str]`, *optional*, defaults to `["queries", "keys", "values"]`): Which relations to sum.
        student_layer (`int`, *optional*): The student's block, counted from 1; defaults to its last.
        teacher_layer (`int`, *optional*): The teacher's block; defaults to its last.

    Raises:
        [`UserError`]: If an option is unknown, a block is out of range, or `relation_heads` does not divide the sizes.

    Example:

    ```python
    >>> from xlkd.losses import AttentionRelationLoss
    >>> loss = AttentionRelationLoss(relation_heads=48, teacher_layer=12)
    ```
    """

    name = "attention-relation"
    citation = "Wang et al. (2020), MiniLMv2, arXiv:2012.15828"
    alternative = "hidden-state"

    def __init__(
        self,
        relation_heads: int | None = None,
        relations: Sequence[Relation] = get_args(Relation),
        student_layer: int | None = None,
        teacher_layer: int | None = None,
    ) -> None:
        super().__init__()
        listed = isinstance(relations, list | tuple)
        for relation in relations if listed else ():
            check_choice(f"{self.name}: relations", relation, get_args(Relation))
        if not listed or not relations or len(set(relations)) < len(relations):
            raise UserError(f"{self.name}: relations {relations!r} must be a list of {', '.join(get_args(Relation))}.")
        numbers = {"relation_heads": relation_heads, "student_layer": student_layer, "teacher_layer": teacher_layer}
        for option, value in numbers.items():
            if value is not None and (not is_whole_number(value) or value < 1):
                raise UserError(f"{self.name}: {option} {value!r} must be a whole number, 1 or more.")
        self.relation_heads = relation_heads
        self.relations = list(relations)
        self.student_layer = student_layer
        self.teacher_layer = teacher_layer

    @property
    def needs(self) -> Needs:
        return _needs(self.teacher_layer)

    @property
    def student_needs(self) -> Needs:
        return _needs(self.student_layer)

    def config(self) -> dict[str, Any]:
        return {
            "relation_heads": self.relation_heads,
            "relations": self.relations,
            "student_layer": self.student_layer,
            "teacher_layer": self.teacher_layer,
        }

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        assert teacher is not None
        for side, layer, shape in (
            ("student", self.student_layer, student),
            ("teacher", self.teacher_layer, teacher),
        ):
            if layer is not None:
                check_layer(self.name, f"{side}_layer", side, layer, shape.layers, first=1)
        heads = self.relation_heads or teacher.heads
        common = gcd(*(width for shape in (student, teacher) for width in self._widths(shape)))
        if heads is not None and common % heads:
            divisors = ", ".join(str(number) for number in range(1, common + 1) if common % number == 0)
            raise UserError(
                f"{self.name}: relation_heads {heads} must divide the size of {', '.join(self.relations)} of student"
                f" {_said(self._widths(student))} and teacher {_said(self._widths(teacher))}: use one of {divisors}."
            )

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the blocks and the number of relation heads."""
        super().attach(student, teacher)
        assert teacher is not None
        self.student_layer = self.student_layer or student.layers
        self.teacher_layer = self.teacher_layer or teacher.layers
        self.relation_heads = self.relation_heads or teacher.heads

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`AttentionRelationLoss`]; vectors of shape `(batch, tokens, width)`."""
        assert self.student_layer is not None and self.teacher_layer is not None
        assert student_output.attention_mask is not None
        student = student_output.attention_vectors[self.student_layer]
        teacher = teacher_output.attention_vectors[self.teacher_layer]
        valid = student_output.attention_mask.bool()
        total = valid.new_zeros(len(valid), dtype=full_precision(student.queries).dtype)
        # Products in half precision would lose digits, and float16 cannot hold `_HIDDEN`.
        with torch.autocast(valid.device.type, enabled=False):
            for relation in self.relations:
                own, wanted = (self._heads(_vectors(vectors, relation)) for vectors in (student, teacher))
                divergence: Tensor = _Divergence.apply(own, wanted, valid)  # type: ignore[no-untyped-call]
                total = total + divergence
        return total

    def _heads(self, vectors: Tensor) -> Tensor:
        """Vectors of shape `(batch, tokens, width)` as `(batch, relation heads, tokens, size)`."""
        assert self.relation_heads is not None
        heads: Tensor = full_precision(vectors).unflatten(-1, (self.relation_heads, -1))
        return heads.transpose(1, 2)

    def _widths(self, shape: ModelShape) -> list[int]:
        sizes = {"queries": shape.query_width, "keys": shape.key_width, "values": shape.key_width}
        return [sizes[relation] or shape.width for relation in self.relations]


class _Divergence(torch.autograd.Function):
    """The divergence of one relation: the mean over heads and the queries of a text, of shape `(batch,)`.

    There are as many relations as there are pairs of tokens in every head. Autograd would go over them twenty times and
    keep six copies; this goes over them ten times and keeps one.
    """

    @staticmethod
    def forward(context: Any, student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
        """Vectors of shape `(batch, heads, tokens, size)`, and whether a token is text, of shape `(batch, tokens)`."""
        of_student, of_teacher = _log_relations(student, valid), _log_relations(teacher, valid)
        relations = of_teacher.exp()
        by_query = of_teacher.sub_(of_student).mul_(relations).sum(-1).mean(1)
        shares = valid / valid.sum(-1, keepdim=True).clamp(min=1)
        # Relations of the student minus those of the teacher: the gradient of the divergence by the scores.
        context.save_for_backward(student, of_student.exp_().sub_(relations), shares)
        return (by_query * shares).sum(-1)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """A score is a product of two vectors of the same kind, so each has two parts in the gradient."""
        student, difference, shares = context.saved_tensors
        heads, size = student.shape[1], student.shape[-1]
        by_query = ((gradient[:, None] * shares) / (heads * sqrt(size)))[:, None, :, None]
        as_query = by_query * (difference @ student)
        as_key = difference.transpose(-1, -2) @ (by_query * student)
        return as_query + as_key, None, None


def _log_relations(vectors: Tensor, valid: Tensor) -> Tensor:
    """The logarithms of the relations, of shape `(batch, heads, tokens, tokens)`; changes what it makes in place."""
    scores = (vectors / sqrt(vectors.shape[-1])) @ vectors.transpose(-1, -2)
    # Not minus infinity, of which the difference of two models would be no number.
    scores.masked_fill_(~valid[:, None, None, :], _HIDDEN)
    return scores.log_softmax(-1)


def _vectors(vectors: AttentionVectors, relation: str) -> Tensor:
    kinds = {"queries": vectors.queries, "keys": vectors.keys, "values": vectors.values}
    return kinds[relation]


def _needs(layer: int | None) -> Needs:
    return Needs(attention_vectors=frozenset() if layer is None else frozenset({layer}))


def _said(widths: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, dict.fromkeys(widths))) + ")"
