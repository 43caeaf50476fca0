"""The bootstrap: the same resamples of rows for every language, system and score, so that differences are paired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.metrics import Weights

# Weights drawn at once: 4 million of them are 16 MB, however many rows a language has.
_WEIGHTS_AT_ONCE = 4_000_000

Scorer = Callable[[Weights], NDArray[np.float64]]
"""Weights of rows `(draws, rows)` give scores `(draws, scores)`; NaN where one is undefined."""


class Interval(NamedTuple):
    """An interval of a score, both ends included, as fractions of 1."""

    low: float
    high: float


@dataclass(frozen=True)
class ResampledRows:
    """The rows of one language, and what is computed of them under each weighting.

    Args:
        count (`int`): How many rows there are.
        scorer (`Scorer`): The scores of weighted rows.
        keys (`Sequence[Any]`, *optional*): The item behind each row; translations of one item share its key.
    """

    count: int
    scorer: Scorer
    keys: Sequence[Any] | None = None


class Tallies:
    """The tallies of the same rows by several metrics, or of several systems, whose weighted sums are one product.

    Args:
        tallies (`Sequence[np.ndarray]` of shape `(rows, columns)`): What [`~evaluation.metrics.Metric.tally`] gives.

    Example:

    ```python
    >>> tallies = Tallies([np.array([[1.0], [0.0]]), np.ones((2, 1))])
    >>> tallies.sums(np.array([[3.0, 1.0]]))
    [array([[3.]]), array([[4.]])]
    ```
    """

    def __init__(self, tallies: Sequence[NDArray[np.float64]]) -> None:
        self._table = as_counts(np.concatenate(tallies, axis=1))
        self._ends = np.cumsum([own.shape[1] for own in tallies])[:-1]

    def sums(self, weights: Weights) -> list[NDArray[np.float64]]:
        """The sums of each, shape `(draws, columns)`, from whole numbers as weights of rows `(draws, rows)`."""
        return np.split((weights.astype(np.float32, copy=False) @ self._table).astype(np.float64), self._ends, axis=1)


def as_counts(tallies: NDArray[np.float64]) -> Weights:
    """Tallies in single precision, whose products take half the time, where it is exact: of counts below 16 million."""
    are_counts = not np.any(tallies % 1) and np.abs(tallies).max(initial=0.0) * len(tallies) < 2**24
    return tallies.astype(np.float32) if are_counts else tallies


def resample(languages: Sequence[ResampledRows], resamples: int = 1000, seed: int = 0) -> list[NDArray[np.float64]]:
    """Score every language under the same bootstrap resamples.

    Languages whose rows carry keys are resampled together, by key: an item that is hard is hard in every language, so
    their scores move together. Languages without keys are resampled on their own.

    Args:
        languages (`Sequence[ResampledRows]`): One entry for each language.
        resamples (`int`, *optional*, defaults to 1000): How often the keys are drawn with replacement.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same resamples.

    Returns:
        For each language the scores, shape `(resamples, scores)`; NaN where a resample has no row of a language.
    """
    generator = np.random.default_rng(seed)
    positions, key_count = _key_positions(languages)
    widest = max(key_count, *(rows.count for rows in languages))
    parts: list[list[NDArray[np.float64]]] = [[] for _ in languages]
    for draws in portions(resamples, widest):
        key_weights = _bootstrap_weights(generator, draws, key_count)
        for part, rows, position in zip(parts, languages, positions, strict=True):
            alone = position is None
            weights = _bootstrap_weights(generator, draws, rows.count) if alone else key_weights[:, position]
            part.append(rows.scorer(weights))
    return [np.concatenate(part) for part in parts]


def interval_of(samples: NDArray[np.float64], level: float = 0.95) -> Interval | None:
    """The percentile interval of resampled values, shape `(resamples,)`; `None` where none of them is defined.

    Example:

    ```python
    >>> interval_of(np.array([0.5, 0.5, np.nan]))
    Interval(low=0.5, high=0.5)
    ```
    """
    defined = samples[~np.isnan(samples)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def mean_over_languages(samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean of several languages' resampled values, each of shape `(resamples,)`, over those that are defined."""
    stacked = np.stack(samples)
    counted = (~np.isnan(stacked)).sum(axis=0)
    total = np.nansum(stacked, axis=0)
    means: NDArray[np.float64] = np.divide(total, counted, out=np.full(len(total), np.nan), where=counted > 0)
    return means


def portions(total: int, width: int) -> Iterator[int]:
    """Split `total` draws of `width` items so that one portion fits in memory."""
    size = max(1, _WEIGHTS_AT_ONCE // max(width, 1))
    for start in range(0, total, size):
        yield min(size, total - start)


def _bootstrap_weights(generator: np.random.Generator, draws: int, size: int) -> Weights:
    """How often each of `size` items is drawn when as many are drawn with replacement, shape `(draws, size)`."""
    if size == 0:
        return np.zeros((draws, 0))
    drawn = generator.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
    counts: Weights = np.bincount(drawn.ravel(), minlength=draws * size).reshape(draws, size).astype(np.float32)
    return counts


def _key_positions(languages: Sequence[ResampledRows]) -> tuple[list[NDArray[np.intp] | None], int]:
    """For each language, the position of every row's key among all keys; and how many keys there are."""
    numbers: dict[Any, int] = {}
    positions = [
        None if rows.keys is None else np.array([numbers.setdefault(key, len(numbers)) for key in rows.keys], np.intp)
        for rows in languages
    ]
    return positions, len(numbers)
