"""Metrics of rows that have one class, or any number of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics.base import ByClass, Floats, RightOrWrong, ratio


class Accuracy(RightOrWrong):
    """The share of rows whose predicted class is the label.

    Example:

    ```python
    >>> Accuracy(["a", "b"]).of(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    0.75
    ```
    """

    name = "accuracy"

    def is_right(self, predictions: Answers, labels: Answers) -> NDArray[np.bool_]:
        return np.asarray(predictions == labels)


class _ByRow(ByClass):
    """Each row is of some classes: class ids `(rows,)`, or booleans `(rows, classes)`."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self.classes = self.labels

    def counts(self, predictions: Answers, labels: Answers) -> Floats:
        found, gold = (self._flags(answers) for answers in (predictions, labels))
        return np.stack([found & gold, found, gold], axis=-1).astype(np.float64)

    def _flags(self, answers: Answers) -> NDArray[np.bool_]:
        return answers if answers.ndim == 2 else answers[:, None] == np.arange(len(self.classes))


class MacroF1(_ByRow):
    """The plain mean of the F1 scores of the classes, so that a rare class counts as much as a frequent one.

    The classes are those that occur in the labels or in the predictions: a class that is predicted but never right
    lowers the mean, a class that occurs in neither does not. In scikit-learn that is the default where a row has one
    class, and `zero_division=np.nan` where it may have several.

    Example:

    ```python
    >>> MacroF1(["a", "b", "c"]).of(np.array([0, 1, 1, 0]), np.array([0, 1, 1, 0]))
    1.0
    ```
    """

    name = "macro-f1"

    def score(self, sums: Floats) -> Floats:
        scores = self.class_scores(sums)[..., 2]
        return ratio(np.nansum(scores, axis=-1), (~np.isnan(scores)).sum(axis=-1).astype(np.float64))


class MicroF1(_ByRow):
    """The F1 score of all decisions, row by row and class by class, so that every label counts as much as any other.

    Where each row has one class it is the accuracy.

    Example:

    ```python
    >>> MicroF1(["a", "b"]).of(np.array([[True, False]]), np.array([[True, True]]))
    0.6666666666666666
    ```
    """

    name = "micro-f1"

    def score(self, sums: Floats) -> Floats:
        return self.pooled_f1(sums)
