"""Any number of classes per text, or per pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers, unlabelled_rows
from xlkd.outputs import has_label
from xlkd.tasks.reading import TextTask


class MultiLabelClassification(TextTask):
    """Any number of classes per text, or per pair of texts: emotions, kinds of toxicity, several topics.

    The label of a row is a list of names, or of class ids: empty for none of the classes, `None` where it is not known.
    Each class has a yes or no of its own: the sigmoid of its logit is a yes from 0.5 upwards.

    Example:

    ```python
    >>> task = MultiLabelClassification(["sports", "politics"])
    >>> task.encode_label(["politics"])
    [0.0, 1.0]
    ```
    """

    name = "multi-label-classification"
    answer_kind = "any-of"
    metrics = ("micro-f1", "macro-f1")

    @classmethod
    def check_labels(cls, labels: Sequence[str]) -> None:
        """Refuse labels that the task cannot have.

        Raises:
            [`UserError`]: If there is none, or one stands twice.
        """
        if not labels or len(set(labels)) < len(labels):
            raise UserError(f"The labels [{', '.join(labels)}] must be one or more different names.")

    def encode_label(self, label: Any) -> list[float]:
        if label is None:
            return [np.nan] * len(self.labels)
        if not isinstance(label, list) or None in label:
            raise UserError(
                f"The label {label!r} must be a list of classes, such as {self.labels[:1]}: empty for none of them, and"
                " None where nobody knows."
            )
        own = [self.label_id(name) for name in label]
        if len(set(own)) < len(own):
            raise UserError(
                f"The label {label!r} has a class twice. If it says yes or no to each class in turn, give the names, or"
                " the ids, of those that are a yes."
            )
        return [float(index in own) for index in range(len(self.labels))]

    def predictions(self, logits: np.ndarray) -> Answers:
        return np.asarray(logits >= 0)

    def as_answers(self, labels: NDArray[Any]) -> Answers:
        """Whether each row has each class, of shape `(rows, classes)`.

        Raises:
            [`UserError`]: If a row has no label: as an answer that would read as none of the classes.
        """
        if missing := int(unlabelled_rows(labels).sum()):
            raise UserError(f"{missing} of {len(labels)} rows have no label: leave them out of evaluation.")
        return np.asarray(labels > 0.5)

    def confidence(self, logits: np.ndarray) -> NDArray[np.floating[Any]]:
        """How sure a model is of each of its answers: the mean, over the classes, of the probability of its yes or no.

        Args:
            logits (`np.ndarray` of shape `(answers, classes)`): Of rows.

        Returns:
            `np.ndarray` of shape `(answers,)`.
        """
        return np.asarray(expit(np.abs(logits)).mean(axis=-1))

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        kept = has_label(labels)
        return F.binary_cross_entropy_with_logits(logits[kept].float(), labels[kept])
