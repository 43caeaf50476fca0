"""One number per text, or per pair of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError, is_number
from xlkd.evaluation.answers import Answers
from xlkd.outputs import has_label
from xlkd.tasks.reading import TextTask


class Regression(TextTask):
    """One number per text, or per pair of texts: how alike two sentences are, how good a translation is.

    The label of a row is a number, `None` where it is not known. Numbers stay on the scale of the labels.

    Args:
        labels (`Sequence[str]`, *optional*): What the one output is called; defaults to `score`.
        metric (`str`, *optional*): The score that is reported first; defaults to `pearson`.

    Raises:
        [`UserError`]: If there is not one name, or the task does not have the metric.

    Example:

    ```python
    >>> task = Regression(["similarity"])
    >>> dataset = task.preprocess(dataset, {"": tokenizer}, max_length=128)
    ```
    """

    name = "regression"
    answer_kind = "number"
    default_loss = "logit-mse"
    default_labels = ("score",)
    metrics = ("pearson", "spearman")
    says_confidence = False

    def __init__(self, labels: Sequence[str] = default_labels, metric: str | None = None) -> None:
        super().__init__(labels, metric)

    @classmethod
    def check_labels(cls, labels: Sequence[str]) -> None:
        """Refuse all but one name.

        Raises:
            [`UserError`]: If there is not exactly one name.
        """
        if len(labels) != 1:
            raise UserError(
                f"The labels [{', '.join(labels)}] of a regression must be one name, that of the number: write"
                " `labels: [score]`, or leave it out."
            )

    def encode_label(self, label: Any) -> float:
        if label is None:
            return math.nan
        if not is_number(label) or math.isinf(label):
            raise UserError(f"The label {label!r} is no number: a regression has one for each text, or None.")
        return float(label)

    def predictions(self, logits: np.ndarray) -> Answers:
        return np.asarray(logits[:, 0])

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        kept = has_label(labels)
        return F.mse_loss(logits[kept, 0].float(), labels[kept])
