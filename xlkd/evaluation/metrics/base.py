"""What a metric is: a tally of each row, and a score of their sums."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.answers import Answers, check_answers

Floats = NDArray[np.float64]
Weights = NDArray[np.floating[Any]]


class Metric(ABC):
    """A score that is a function of sums over rows.

    So the tallies of the rows give the score of every resample of them (weights times tallies), and of every exchange
    of rows between two systems, whatever the task.

    Args:
        labels (`Sequence[str]`): Names of the classes, in the order of ids.

    Example:

    ```python
    >>> metric = Accuracy(["negative", "positive"])
    >>> metric.score(metric.tally(np.array([0, 1]), np.array([0, 0])).sum(axis=0))
    array(0.5)
    ```
    """

    name: ClassVar[str]

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)

    @abstractmethod
    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        """What each row adds to the sums, shape `(rows, columns)`."""

    @abstractmethod
    def score(self, sums: Floats) -> Floats:
        """The score of sums over rows, from shape `(..., columns)` to `(...)`; NaN where it is undefined."""

    def of(self, predictions: Answers, labels: Answers) -> float:
        """The score of the rows as they are; NaN where it is undefined.

        Raises:
            [`UserError`]: If there are no rows, or predictions and labels differ in length or form.
        """
        check_answers(labels, predictions)
        return float(self.score(self.tally(predictions, labels).sum(axis=0)))


class Share(Metric):
    """A metric that is the first column of the sums over the second: a share, or a mean."""

    def score(self, sums: Floats) -> Floats:
        return ratio(sums[..., 0], sums[..., 1])


class RightOrWrong(Share):
    """A metric that is the share of rows that are right, so that two systems can be compared row by row, exactly."""

    @abstractmethod
    def is_right(self, predictions: Answers, labels: Answers) -> NDArray[np.bool_]:
        """Whether each row is right, shape `(rows,)`."""

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        right = self.is_right(predictions, labels).astype(np.float64)
        return np.stack([right, np.ones_like(right)], axis=1)


class ByClass(Metric):
    """A metric of what is found of each class.

    Attributes:
        classes (`list[str]`): Names of the classes that are scored.
    """

    classes: list[str]

    @abstractmethod
    def counts(self, predictions: Answers, labels: Answers) -> Floats:
        """By row and class, how many are both found and gold, found, and gold; shape `(rows, classes, 3)`."""

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        counts = self.counts(predictions, labels)
        return counts.reshape(len(counts), -1)

    def class_counts(self, sums: Floats) -> Floats:
        """The sums by class, from shape `(..., columns)` to `(..., classes, 3)`."""
        return sums.reshape(*sums.shape[:-1], len(self.classes), 3)

    def class_scores(self, sums: Floats) -> Floats:
        r"""Precision, recall and F1 of each class.

        With \\(p\\) that are found, \\(l\\) that are gold and \\(t\\) that are both, precision is \\(t / p\\), recall
        \\(t / l\\) and F1 \\(2 t / (p + l)\\).

        Args:
            sums (`np.ndarray` of shape `(..., columns)`): Sums of tallies.

        Returns:
            `np.ndarray` of shape `(..., classes, 3)`; NaN where the denominator is 0.
        """
        both, found, gold = np.moveaxis(self.class_counts(sums), -1, 0)
        return np.stack([ratio(both, found), ratio(both, gold), ratio(2 * both, found + gold)], axis=-1)

    def pooled_f1(self, sums: Floats) -> Floats:
        """The F1 score of all classes together, from shape `(..., columns)` to `(...)`; NaN where there are none."""
        both, found, gold = np.moveaxis(self.class_counts(sums).sum(axis=-2), -1, 0)
        return ratio(2 * both, found + gold)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """A quotient; NaN where the denominator is 0."""
    return np.asarray(
        np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator > 0)
    )
