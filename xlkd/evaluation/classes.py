"""Precision, recall and F1 of each class: the classification report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.metrics import ClassIds, Weights
from xlkd.evaluation.resampling import Cells, interval_of

CLASS_SCORES = ("precision", "recall", "f1")


def class_scores(predictions: ClassIds, labels: ClassIds, classes: int, weights: Weights) -> NDArray[np.float64]:
    r"""Precision, recall and F1 of each class, under many weightings of the same rows at once.

    With \\(p\\) the rows that are predicted to be of a class, \\(l\\) those that are and \\(t\\) those that are both,
    precision is \\(t / p\\), recall \\(t / l\\) and F1 \\(2 t / (p + l)\\).

    Args:
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        classes (`int`): How many classes there are.
        weights (`np.ndarray`): Weights, shape `(resamples, rows)`.

    Returns:
        `np.ndarray`: Scores, shape `(resamples, classes, 3)`; NaN where the denominator is 0.

    Example:

    ```python
    >>> class_scores(np.array([0, 0]), np.array([0, 1]), 2, np.ones((1, 2)))[0, 0]
    array([0.5       , 1.        , 0.66666667])
    ```
    """
    is_predicted = predictions[:, None] == np.arange(classes)
    is_labelled = labels[:, None] == np.arange(classes)
    predicted, labelled, right = (
        weights @ flags.astype(np.float64) for flags in (is_predicted, is_labelled, is_predicted & is_labelled)
    )
    fractions = [(right, predicted), (right, labelled), (2 * right, predicted + labelled)]
    return np.stack([_ratio(above, below) for above, below in fractions], axis=-1)


def cells_class_scores(cells: Cells, classes: int, weights: Weights) -> NDArray[np.float64]:
    """As [`class_scores`], of rows that are counted together already."""
    return class_scores(cells.predictions, cells.labels, classes, cells.weigh(weights))


def classification_report(
    names: Sequence[str],
    labels: ClassIds,
    systems: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]] | None],
) -> dict[str, Any]:
    """The report of each class by its name: rows, and each system's `[score, low, high]` of precision, recall and F1.

    Args:
        names (`Sequence[str]`): Names of the classes, in the order of ids.
        labels (`np.ndarray`): Gold class ids, shape `(rows,)`.
        systems (`dict`): For each system its scores `(classes, 3)` and resampled scores `(resamples, classes, 3)`.

    Returns:
        `dict` by class. An undefined score, such as the precision of a class that is never predicted, is `None`.
    """
    return {
        name: {
            "n": int((labels == index).sum()),
            **{
                system: None if scores is None else _scores_of(scores[0][index], scores[1][:, index])
                for system, scores in systems.items()
            },
        }
        for index, name in enumerate(names)
    }


def _scores_of(observed: NDArray[np.float64], resampled: NDArray[np.float64]) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for column, name in enumerate(CLASS_SCORES):
        interval = None if np.isnan(observed[column]) else interval_of(resampled[:, column])
        found[name] = [None, None, None] if interval is None else [float(observed[column]), *interval]
    return found


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
