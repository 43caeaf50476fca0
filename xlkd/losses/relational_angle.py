"""Relational angle: the angles of all triangles of texts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.losses.relation import RelationLoss, mean_where, pairs_of

SHORTEST_EDGE = 1e-3
"""An edge shorter than this share of the mean edge has no direction to speak of: it is rounding."""


class RelationalAngleLoss(RelationLoss):
    r"""Difference of the angles of all triangles of three texts.

    For text vectors \\(s_i\\) of the student and \\(t_i\\) of the teacher, over the triplets of different rows:

    $$ mean_{i, j, k} \; \ell(\cos \angle s_j s_i s_k, \cos \angle t_j t_i t_k), \qquad
    \cos \angle x_j x_i x_k = \left\langle \frac{x_j - x_i}{\lVert x_j - x_i \rVert},
    \frac{x_k - x_i}{\lVert x_k - x_i \rVert} \right\rangle $$

    where \\(\ell\\) is smooth L1 (Huber, \\(\delta = 1\\)). Angles with a leg shorter than a thousandth of the mean
    edge, in either model, do not count: two texts with equal vectors, such as translations that the teacher read as one
    sentence, have no direction between them. The authors' code averages over degenerate triplets too, whose difference
    is 0. RKD-A (Park et al., [1904.05068](https://huggingface.co/papers/1904.05068)).

    The widths may differ, without a projector. Vectors are `(batch, width)`, over all processes. **Memory is
    \\(O(B^3 + B^2 d)\\)**, up to 8 times as much for twice the batch: with width 384, 0.2 GB for 128 rows and 0.6 GB
    for 256. Worth trying with [`RelationalDistanceLoss`] in small batches; the authors' weight is 50.

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.

    Raises:
        [`UserError`]: If a layer is no number, or out of range.

    Example:

    ```python
    >>> from xlkd.losses import RelationalAngleLoss
    >>> loss = RelationalAngleLoss(teacher_layer=12)
    ```
    """

    name = "relational-angle"
    citation = "Park et al. (2019), Relational Knowledge Distillation, arXiv:1904.05068"
    least_rows = 3

    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """See [`RelationalAngleLoss`]."""
        pairs = pairs_of(counted)
        own, own_edges = _cosines(student, pairs)
        wanted, wanted_edges = _cosines(teacher, pairs)
        edges = own_edges & wanted_edges
        # By vertex, then the two others, who must differ.
        triplets = edges.unsqueeze(2) & edges.unsqueeze(1) & pairs.unsqueeze(0)
        return mean_where(F.smooth_l1_loss(own, wanted, reduction="none"), triplets)


def _cosines(vectors: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """The cosine of the angle at row i between rows j and k, at `[i, j, k]`, and which edges `[i, j]` count."""
    edges = vectors.unsqueeze(0) - vectors.unsqueeze(1)
    lengths = edges.norm(dim=-1)
    long = pairs & (lengths > SHORTEST_EDGE * mean_where(lengths, pairs))
    directions = edges / torch.where(long, lengths, 1.0).unsqueeze(-1)
    return directions @ directions.transpose(1, 2), long
