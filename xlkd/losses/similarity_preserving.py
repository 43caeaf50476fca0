"""Similarity preserving: which texts of a batch are like which."""

from __future__ import annotations

from torch import Tensor

from xlkd.losses.directions import unit
from xlkd.losses.relation import RelationLoss


class SimilarityPreservingLoss(RelationLoss):
    r"""Difference of the similarities of all pairs of texts.

    For text vectors \\(s_i\\) of the student and \\(t_i\\) of the teacher, as the rows of \\(S\\) and \\(T\\):

    $$ \frac{1}{B^2} \left\lVert \frac{S S^\top}{\lVert \cdot \rVert_{row}} - \frac{T T^\top}{\lVert \cdot \rVert_{row}}
    \right\rVert_F^2 $$

    where each row of a product is divided by its Euclidean norm. Tung and Mori, Similarity-Preserving Knowledge
    Distillation (ICCV 2019, [1907.09682](https://huggingface.co/papers/1907.09682)).

    The widths may differ, without a projector. Vectors are `(batch, width)`, over all processes; memory is
    \\(O(B^2)\\). Worth trying as the cheapest of the losses on relations; where the teacher's vectors all point one
    way, as mean states of language models do, its similarities differ little and [`KernelAlignmentLoss`], which
    subtracts their mean, says more. Its values are small: the authors' weight is 3000.

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.

    Raises:
        [`UserError`]: If a layer is no number, or out of range.

    Example:

    ```python
    >>> from xlkd.losses import SimilarityPreservingLoss
    >>> loss = SimilarityPreservingLoss(teacher_layer=12)
    ```
    """

    name = "similarity-preserving"
    citation = "Tung and Mori (2019), Similarity-Preserving Knowledge Distillation, arXiv:1907.09682"

    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """See [`SimilarityPreservingLoss`]."""
        # At length 1 first, which changes no row of the result: so it is the vectors that have no direction when short.
        own, wanted = (unit(unit(vectors) @ vectors.T) for vectors in (student, teacher))
        # The entries of rows that do not count are 0 on both sides.
        return (own - wanted).square().sum() / counted.sum().clamp(min=1).square()
