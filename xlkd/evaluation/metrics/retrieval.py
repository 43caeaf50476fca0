"""Metrics of rows that have a vector: whether a text finds its translation by it, and how near the two are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics.base import Floats, Metric, RightOrWrong, ratio

_TO_SOURCE, _FROM_SOURCE, _SIMILARITY = range(3)


def retrieved(vectors: Floats, sources: Floats) -> Answers:
    """What the vectors of the rows of one language say of their translations in the source language.

    A translation is found where it is nearer, by the cosine, than those of all other rows; where two are as near, which
    one it is cannot be told, and it is not found.

    Args:
        vectors (`np.ndarray` of shape `(rows, width)`): Of the texts.
        sources (`np.ndarray` of shape `(rows, width)`): Of their translations, in the same order.

    Returns:
        `np.ndarray` of shape `(rows, 3)`: 1 where the text finds its translation among those of all rows, else 0;
        likewise, where the translation finds the text; and the cosine of the two.

    Example:

    ```python
    >>> retrieved(np.eye(2), np.eye(2))
    array([[1., 1., 1.],
           [1., 1., 1.]])
    ```
    """
    units = [own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12) for own in (vectors, sources)]
    cosines = units[0] @ units[1].T
    own = np.diagonal(cosines)
    others = np.where(np.eye(len(cosines), dtype=bool), -np.inf, cosines)
    return np.stack([own > others.max(axis=1), own > others.max(axis=0), own], axis=1).astype(np.float64)


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


class RetrievalAccuracy(Metric):
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

    def score(self, sums: Floats) -> Floats:
        return ratio(sums[..., 0], sums[..., 1])


class TranslationSimilarity(Metric):
    """The mean cosine of a text and its translation in the source language.

    Example:

    ```python
    >>> TranslationSimilarity([]).of(np.array([[1.0, 0.0, 0.8]]), np.array([1.0]))
    0.8
    ```
    """

    name = "translation-similarity"

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        similarity = predictions[:, _SIMILARITY].astype(np.float64)
        return np.stack([similarity, np.ones_like(similarity)], axis=1)

    def score(self, sums: Floats) -> Floats:
        return ratio(sums[..., 0], sums[..., 1])
