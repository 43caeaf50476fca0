"""Contrast: the student's vector of a text must find the teacher's vector of that text among those of others."""

from __future__ import annotations

from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from xlkd.losses.directions import unit
from xlkd.losses.relation import RelationLoss, mean_where, pairs_of
from xlkd.losses.schedule import Schedule
from xlkd.needs import ModelShape

SAME_TEXT = 1 - 1e-4
"""Teacher vectors with a cosine above this are of one text, read in batches of other lengths or in half precision."""


class ContrastiveLoss(RelationLoss):
    r"""InfoNCE: cross-entropy of finding the teacher's vector of a text among the teacher's vectors of the batch.

    For vectors \\(s_i\\) of the student (through the projector where the widths differ) and \\(t_i\\) of the teacher,
    temperature \\(\tau\\), in nats, averaged over rows:

    $$ -\log \frac{\exp(\cos(s_i, t_i) / \tau)}{\exp(\cos(s_i, t_i) / \tau)
    + \sum_{j \in N_i} \exp(\cos(s_i, t_j) / \tau)} $$

    The positive is the teacher's vector of the same row, which in parallel rows is that of the source text. The
    negatives \\(N_i\\) are the other rows of the batch, over all processes, except those whose teacher vector is the
    positive itself (a cosine above 1 - 0.0001): thirty translations of one sentence are not negatives of one another.
    This bound leaves room for what half precision or padding does to a vector, and is closer than \\(\tau\\) can tell
    apart. A vector without length has a cosine of 0 with all others.

    There is no factor of \\(\tau^2\\) as for soft labels: the target is one text, not a softened distribution, so
    \\(\tau\\) says how strongly the nearest negatives count, and there is no softening to make up for. The idea is that
    of CRD (Tian et al., [1910.10699](https://huggingface.co/papers/1910.10699)), with negatives from the batch in place
    of its memory of 16,384.

    Vectors are `(batch, width)`; memory is \\(O(B^2)\\). Worth trying where texts are to be found across languages,
    with parallel rows and large batches: with few negatives it says little.

    Args:
        student_layer (`int`, *optional*): The student's layer, 0 being the embeddings. Defaults to the last.
        teacher_layer (`int`, *optional*): The teacher's layer. Defaults to the last.
        temperature (`float` or `dict`, *optional*, defaults to 0.07): Above 0; may have a schedule.

    Raises:
        [`UserError`]: If the temperature is not above 0, or a layer is no number, or out of range.

    Example:

    ```python
    >>> from xlkd.losses import ContrastiveLoss
    >>> loss = ContrastiveLoss(temperature=0.07)
    ```
    """

    name = "contrastive"
    citation = "Tian et al. (2020), Contrastive Representation Distillation, arXiv:1910.10699"

    def __init__(
        self,
        student_layer: int | None = None,
        teacher_layer: int | None = None,
        temperature: Any = 0.07,
    ) -> None:
        super().__init__(student_layer, teacher_layer)
        self.temperature = Schedule.of(temperature, "contrastive: temperature", above=0)
        self.projector: nn.Module = nn.Identity()

    def config(self) -> dict[str, Any]:
        return {**super().config(), "temperature": self.temperature.config()}

    def attach(self, student: ModelShape, teacher: ModelShape | None) -> None:
        """Settle the layers, and make a projector where the widths differ."""
        super().attach(student, teacher)
        assert teacher is not None
        if student.width != teacher.width:
            self.projector = nn.Linear(student.width, teacher.width)

    def compare(self, student: Tensor, teacher: Tensor, counted: Tensor) -> Tensor:
        """See [`ContrastiveLoss`]."""
        student, teacher = unit(self.projector(student)), unit(teacher)
        negatives = pairs_of(counted) & (teacher @ teacher.T < SAME_TEXT)
        # The row itself stays in, also where it does not count, so that no sum is empty.
        others = ~negatives & ~torch.eye(len(counted), dtype=torch.bool, device=counted.device)
        similarities = (student @ teacher.T / self.temperature.value).masked_fill(others, -inf)
        return mean_where(similarities.logsumexp(1) - similarities.diagonal(), counted)
