"""Metrics of rows that have a vector: whether a text finds its translation by it, and lies near the same texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics.base import Floats, RightOrWrong, Share, ratio

_TO_SOURCE, _FROM_SOURCE, _CORRELATION = range(3)

# Cosines of vectors in float32 that differ by less are the same.
_SAME = 1e-6

_ROWS_AT_ONCE = 512
"""Of the likenesses of all texts to all, which would fill the memory."""


def retrieved(vectors: Floats, sources: Floats) -> Answers:
    """What the vectors of the rows of one language say of their translations in the source language.

    A translation is found if it is nearer, by cosine, than those of all other rows; if another is as near, which one it
    is cannot be told, and it is not found.

    Args:
        vectors (`np.ndarray` of shape `(rows, width)`): Of the texts.
        sources (`np.ndarray` of shape `(rows, width)`): Of their translations, in the same order.

    Returns:
        `np.ndarray` of shape `(rows, 3)`: 1 where the text finds its translation among those of all rows, else 0;
        likewise, where the translation finds the text; and the rank correlation of the two texts' cosines with the
        other rows' translations, NaN where there are none to rank.

    Example:

    ```python
    >>> retrieved(np.eye(3), np.eye(3))[0, :2]
    array([1., 1.])
    ```
    """
    units = [own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12) for own in (vectors, sources)]
    count = len(units[0])
    own, forth, back, correlation = np.empty(count), np.empty(count), np.full(count, -np.inf), np.empty(count)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, count))
        cosines = units[0][rows] @ units[1].T
        itself = np.arange(count) == np.arange(count)[rows, None]
        others = np.where(itself, -np.inf, cosines)
        own[rows], forth[rows] = cosines[itself], others.max(axis=1)
        back = np.maximum(back, others.max(axis=0))
        seen, meant = (pairs[~itself].reshape(len(pairs), -1) for pairs in (cosines, units[1][rows] @ units[1].T))
        correlation[rows] = _rank_correlation(seen, meant)
    return np.stack([own > forth + _SAME, own > back + _SAME, correlation], axis=1).astype(np.float64)


def _rank_correlation(first: Floats, second: Floats) -> Floats:
    """Spearman's, row by row."""
    if first.shape[1] < 2:
        return np.full(len(first), np.nan)
    ranks = [rankdata(own.round(6), axis=1) for own in (first, second)]
    centred = [own - own.mean(axis=1, keepdims=True) for own in ranks]
    spreads = [np.sqrt((own**2).sum(axis=1)) for own in centred]
    return ratio((centred[0] * centred[1]).sum(axis=1), spreads[0] * spreads[1])


class _OneWay(RightOrWrong):
    column: int

    def is_right(self, predictions: Answers, labels: Answers) -> NDArray[np.bool_]:
        return np.asarray(predictions[:, self.column] > 0.5)


class RetrievalToSource(_OneWay):
    """The share of texts that find their translation in the source language.

    Example:

    ```python
    >>> RetrievalToSource([]).of(np.array([[1.0, 0.0, 0.8]]), np.array([1.0]))
    1.0
    ```
    """

    name = "retrieval-to-source"
    column = _TO_SOURCE


class RetrievalFromSource(_OneWay):
    """The share of texts that are found by their translation in the source language.

    Example:

    ```python
    >>> RetrievalFromSource([]).of(np.array([[1.0, 0.0, 0.8]]), np.array([1.0]))
    0.0
    ```
    """

    name = "retrieval-from-source"
    column = _FROM_SOURCE


class RetrievalAccuracy(Share):
    """The mean of both ways.

    Example:

    ```python
    >>> RetrievalAccuracy([]).of(np.array([[1.0, 0.0, 0.8]]), np.array([1.0]))
    0.5
    ```
    """

    name = "retrieval-accuracy"

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        found = predictions[:, [_TO_SOURCE, _FROM_SOURCE]].sum(axis=1).astype(np.float64)
        return np.stack([found, np.full_like(found, 2.0)], axis=1)


class SimilarityCorrelation(Share):
    """Whether a text is near to the source texts that its translation is near to, whether or not it is found.

    The mean over the texts of Spearman's correlation, over all other source texts, between their cosine with the text
    and their cosine with its translation, both by the same model. A text with fewer than two others, or
    with others that are all equally near, is left out.

    Example:

    ```python
    >>> SimilarityCorrelation([]).of(np.array([[1.0, 0.0, 0.8]]), np.array([1.0]))
    0.8
    ```
    """

    name = "similarity-correlation"

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        correlation = predictions[:, _CORRELATION].astype(np.float64)
        return np.stack([np.nan_to_num(correlation), ~np.isnan(correlation)], axis=1)
