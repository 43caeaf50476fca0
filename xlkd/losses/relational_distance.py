"""Relational distance: how far texts lie from one another."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from xlkd.losses.relation import RelationLoss, mean_where, pairs_of


class RelationalDistanceLoss(RelationLoss):
    r"""Difference of the distances between all pairs of texts, in units of the mean distance of each side.

    For text vectors \\(s_i\\) of the student and \\(t_i\\) of the teacher, over the pairs of different rows:

    $$ mean_{i \ne j} \; \ell\left( \frac{\lVert s_i - s_j \rVert}{\mu_s},
    \frac{\lVert t_i - t_j \rVert}{\mu_t} \right) $$

    where \\(\ell\\) is smooth L1 (Huber, \\(\delta = 1\\)) and \\(\mu\\) the mean of the distances above 0 of that
    side, as in the authors' code; theirs also averages over the zeros of the diagonal, which makes it smaller by a
    factor of \\((B - 1) / B\\). Texts with equal vectors, such as translations that the teacher read as one sentence,
    have a distance of 0 with no gradient of its own. RKD-D (Park et al.,
    [1904.05068](https://huggingface.co/papers/1904.05068)).

    The widths may differ, without a projector. Vectors are `(batch, width)`, over all processes; memory is
    \\(O(B^2)\\), time \\(O(B^2 d)\\). Worth trying beside soft labels, where the student's vectors will be searched or
    clustered: it fixes their geometry up to a rotation and a scale. The authors' weight is 25.

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.

    Raises:
        [`UserError`]: If a layer is no number, or out of range.

    Example:

    ```python
    >>> from xlkd.losses import RelationalDistanceLoss
    >>> loss = RelationalDistanceLoss(teacher_layer=12)
    ```
    """

    name = "relational-distance"
    citation = "Park et al. (2019), Relational Knowledge Distillation, arXiv:1904.05068"
    # One distance alone is its own mean.
    least_rows = 3

    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """See [`RelationalDistanceLoss`]."""
        pairs = pairs_of(counted)
        own, wanted = (_in_units_of_their_mean(vectors, pairs) for vectors in (student, teacher))
        return mean_where(F.smooth_l1_loss(own, wanted, reduction="none"), pairs)


def _in_units_of_their_mean(vectors: Tensor, pairs: Tensor) -> Tensor:
    # Through matrix products equal vectors would lie apart by rounding, with a gradient of noise.
    distances = torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    mean = mean_where(distances, pairs & (distances > 0))
    return distances / torch.where(mean > 0, mean, 1.0)
