"""Metrics: `evaluate.Metric` subclasses that scikit-learn computes, and the same scores on weighted rows."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import datasets
import evaluate
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from xlkd.errors import UserError

ClassIds = NDArray[np.integer[Any]]
Weights = NDArray[np.floating[Any]]

MetricFunction = Callable[[ClassIds, ClassIds, Weights], NDArray[np.float64]]
"""Predictions `(rows,)`, labels `(rows,)` and weights `(resamples, rows)` give scores `(resamples,)`."""


class _ClassificationMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric of class ids that works offline and leaves no file behind."""

    def __init__(self, **keywords: Any) -> None:
        # In memory, so that two processes that score at once do not meet at one Arrow file and its lock.
        super().__init__(**{"keep_in_memory": True, **keywords})

    def _build_data_dir(self) -> str:
        # The parent makes this folder in the user's cache even in memory, where nothing is ever written to it.
        return super()._build_data_dir() if not self.keep_in_memory else ""

    def _info(self) -> evaluate.MetricInfo:
        class_id = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="",
            inputs_description="`predictions` and `references` are lists of class ids of one length.",
            features=datasets.Features({"predictions": class_id, "references": class_id}),
        )


class Accuracy(_ClassificationMetric):
    """The share of rows whose predicted class is the label.

    Example:

    ```python
    >>> Accuracy().compute(predictions=[0, 1, 1, 0], references=[0, 1, 0, 0])
    {'accuracy': 0.75}
    ```
    """

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"accuracy": _accuracy(np.asarray(predictions), np.asarray(references))}


class MacroF1(_ClassificationMetric):
    """The plain mean of the F1 scores of the classes, so that a rare class counts as much as a frequent one.

    The classes are those that occur in the labels or in the predictions, which is scikit-learn's default: a class
    that is predicted but never right lowers the mean, a class that occurs in neither does not.

    Example:

    ```python
    >>> MacroF1().compute(predictions=[0, 1, 1, 0], references=[0, 1, 1, 0])
    {'macro-f1': 1.0}
    ```
    """

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"macro-f1": _macro_f1(np.asarray(predictions), np.asarray(references))}


METRICS: dict[str, type[_ClassificationMetric]] = {"accuracy": Accuracy, "macro-f1": MacroF1}


def build_metric(name: str) -> _ClassificationMetric:
    """Make a metric by its name in `METRICS`.

    Args:
        name (`str`): `"accuracy"` or `"macro-f1"`.

    Raises:
        [`UserError`]: If there is no metric of that name; the message says which known one is nearest.

    Example:

    ```python
    >>> build_metric("accuracy").compute(predictions=[1, 0], references=[1, 1])
    {'accuracy': 0.5}
    ```
    """
    return METRICS[check_metric(name)]()


def check_metric(name: str) -> str:
    """Return the name of a metric as given, or refuse it.

    Raises:
        [`UserError`]: If there is no metric of that name; the message says which known one is nearest.

    Example:

    ```python
    >>> check_metric("macro-f1")
    'macro-f1'
    ```
    """
    if name in METRICS:
        return name
    nearest = get_close_matches(str(name), METRICS, n=1, cutoff=0.0)[0]
    raise UserError(f"There is no metric {name!r}: did you mean {nearest!r}? Known metrics: {', '.join(METRICS)}.")


def score(name: str, predictions: ClassIds, labels: ClassIds) -> float:
    """Score predicted class ids against labels.

    Args:
        name (`str`): A name in `METRICS`.
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.

    Returns:
        `float`: A fraction of 1.

    Raises:
        [`UserError`]: If the name is unknown, there are no rows, or the lengths differ.

    Example:

    ```python
    >>> score("accuracy", np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    0.75
    ```
    """
    check_metric(name)
    check_rows(predictions, labels)
    return _SCORES[name](predictions, labels)


def check_rows(*columns: ClassIds) -> None:
    """Refuse columns that cannot be scored against one another.

    Raises:
        [`UserError`]: If there are no rows, or the columns have different lengths.

    Example:

    ```python
    >>> check_rows(np.array([0, 1]), np.array([1, 1]))
    ```
    """
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise UserError(f"Predictions and labels have lengths {lengths}: give one prediction for each label.")
    if lengths[0] == 0:
        raise UserError("There are no rows to score: give at least one row with a label.")


def weighted_accuracy(predictions: ClassIds, labels: ClassIds, weights: Weights) -> NDArray[np.float64]:
    """Accuracy under many weightings of the same rows at once.

    A weight of 2 counts a row twice and 0 leaves it out, so a bootstrap resample is a row of weights.

    Args:
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        weights (`np.ndarray`): Weights, shape `(resamples, rows)`.

    Returns:
        `np.ndarray`: Scores, shape `(resamples,)`; NaN where all weights are 0.

    Example:

    ```python
    >>> weighted_accuracy(np.array([0, 1]), np.array([0, 0]), np.array([[3.0, 1.0]]))
    array([0.75])
    ```
    """
    return _ratio(weights @ (predictions == labels).astype(np.float64), weights.sum(axis=1))


def weighted_macro_f1(predictions: ClassIds, labels: ClassIds, weights: Weights) -> NDArray[np.float64]:
    """Macro-F1 under many weightings of the same rows at once.

    As in [`MacroF1`], the mean is over the classes that occur in the labels or the predictions; a class whose rows all
    have weight 0 does not occur.

    Args:
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        weights (`np.ndarray`): Weights, shape `(resamples, rows)`.

    Returns:
        `np.ndarray`: Scores, shape `(resamples,)`; NaN where all weights are 0.

    Example:

    ```python
    >>> weighted_macro_f1(np.array([0, 1]), np.array([0, 1]), np.array([[3.0, 1.0]]))
    array([1.])
    ```
    """
    classes = np.union1d(predictions, labels)
    predicted = (predictions[:, None] == classes).astype(np.float64)
    labelled = (labels[:, None] == classes).astype(np.float64)
    occurrences = weights @ (predicted + labelled)
    # F1 of a class is 2 TP / (predicted + labelled); an absent class gets 0 here and is not counted below.
    f1_scores = np.divide(
        2 * (weights @ (predicted * labelled)), occurrences, out=np.zeros_like(occurrences), where=occurrences > 0
    )
    return _ratio(f1_scores.sum(axis=1), (occurrences > 0).sum(axis=1).astype(np.float64))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def _accuracy(predictions: ClassIds, labels: ClassIds) -> float:
    return float(accuracy_score(labels, predictions))


def _macro_f1(predictions: ClassIds, labels: ClassIds) -> float:
    return float(f1_score(labels, predictions, average="macro"))


_SCORES: dict[str, Callable[[ClassIds, ClassIds], float]] = {"accuracy": _accuracy, "macro-f1": _macro_f1}

METRIC_FUNCTIONS: dict[str, MetricFunction] = {"accuracy": weighted_accuracy, "macro-f1": weighted_macro_f1}
"""The functions that the bootstrap and the paired test take, by the same names as `METRICS`."""
