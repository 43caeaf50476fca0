"""Logits themselves, as numbers to come close to."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from xlkd.errors import UserError
from xlkd.losses.known_classes import logits_of, mean_over
from xlkd.losses.logit_loss import LogitLoss
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput


class LogitMSELoss(LogitLoss):
    r"""Mean squared difference of the logits.

    For one row of one class, over the classes \\(K\\) that the teacher knows, with \\(\bar z\\) the row's mean over
    them:

    $$ \frac{1}{|K|} \sum_{c \in K} \left( (z^{student}_c - \bar z^{student}) - (z^{teacher}_c - \bar z^{teacher})
    \right)^2 $$

    The loss of soft labels nears half of it at a high temperature; it has no temperature itself (Kim et al., [Comparing
    Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge
    Distillation](https://huggingface.co/papers/2105.08919)). A row of which the teacher knows no class is 0.

    Where a row may have any number of classes, or has a number, no mean is subtracted: there every logit has a meaning
    of its own. Of the losses on logits, this is the one for numbers.

    Use it where the teacher is right, for two and three classes too; where its labels are noisy, soft labels at a low
    temperature forgive more.

    Memory: a few numbers for each row and class, next to nothing.

    Args:
        centre (`bool`, *optional*):
            Whether to subtract the mean of each row first; by default, only where a row has one class. A softmax
            ignores this mean, so it carries no knowledge; `False` gives the formula of the paper. Leave it on for the
            logits of an ensemble or of mapped labels: these are logarithms of sums, and their mean says nothing.

    Raises:
        [`UserError`]: If `centre` is neither true nor false, or true where it wipes out what a logit means; or there is
            no teacher.

    Example:

    ```python
    >>> from xlkd.losses import LogitMSELoss
    >>> loss = LogitMSELoss()
    ```
    """

    name = "logit-mse"
    citation = "Kim et al. (2021), Comparing KL Divergence and MSE Loss in Knowledge Distillation, arXiv:2105.08919"

    def __init__(self, centre: bool | None = None) -> None:
        super().__init__()
        if centre is not None and not isinstance(centre, bool):
            raise UserError(f"logit-mse: centre {centre!r} must be true or false.")
        self.centre = centre

    def config(self) -> dict[str, Any]:
        return {"centre": self.centre}

    def check(self, student: ModelShape, teacher: ModelShape | None) -> None:
        super().check(student, teacher)
        if self.centre and student.answer_kind != "one-of":
            raise UserError(
                "logit-mse: centre true takes away what all logits of a row share, which only a softmax does not see:"
                " leave it out."
            )

    def forward(self, student_output: StudentOutput, teacher_output: TeacherOutput, batch: Batch) -> Tensor:
        """See [`LogitMSELoss`]; `(batch, classes)` logits on both sides."""
        student, teacher, known = logits_of(student_output, teacher_output)
        difference = student - teacher
        if self.answer_kind == "one-of" and self.centre is not False:
            difference = difference - mean_over(difference, known)
        return mean_over(difference.square(), known).squeeze(-1)
