"""Precision, recall and F1 of each class: the classification report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.resampling import interval_of

CLASS_SCORES = ("precision", "recall", "f1")


def classification_report(
    names: Sequence[str],
    counts: NDArray[np.float64],
    systems: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]] | None],
) -> dict[str, Any]:
    """The report of each class by its name: how many are gold, and each system's scores with their intervals.

    Args:
        names (`Sequence[str]`): Names of the classes.
        counts (`np.ndarray` of shape `(classes,)`): How many rows, or spans, are gold.
        systems (`dict`): For each system its scores `(classes, 3)` and resampled scores `(resamples, classes, 3)`.

    Returns:
        `dict` by class: `n`, and for each system `[score, low, high]` of precision, recall and F1. An undefined score,
        such as the precision of a class that is never predicted, is `None`.
    """
    return {
        name: {
            "n": int(counts[index]),
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
