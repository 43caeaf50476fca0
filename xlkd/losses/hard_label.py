"""Hard labels: the gold class, where there is one."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from xlkd.losses.base import DistillationLoss
from xlkd.outputs import NO_LABEL, Batch, Needs, StudentOutput, TeacherOutput, full_precision


class HardLabelLoss(DistillationLoss):
    r"""Cross-entropy with the gold label; rows without one (-100) do not count.

    For one row with logits \\(z\\) and gold class \\(y\\), in nats: \\( -\log softmax(z)_y \\).

    Example:

    ```python
    >>> from xlkd.losses import HardLabelLoss
    >>> loss = HardLabelLoss()
    ```
    """

    @property
    def student_needs(self) -> Needs:
        return Needs(logits=True)

    def config(self) -> dict[str, Any]:
        return {}

    def rows(self, batch: Batch) -> Tensor:
        """Rows that have a label."""
        return batch.row_mask & (batch.labels != NO_LABEL)

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`HardLabelLoss`]; `(batch, classes)` logits of the student."""
        assert student_output.logits is not None
        return F.cross_entropy(
            full_precision(student_output.logits), batch.labels, ignore_index=NO_LABEL, reduction="none"
        )
