"""How sure a score is: bootstrap intervals, and paired tests of two systems on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from xlkd.errors import UserError
from xlkd.evaluation.metrics import ClassIds, MetricFunction, Weights, check_rows, weighted_accuracy
from xlkd.evaluation.resampling import (
    Cells,
    Interval,
    ResampledRows,
    interval_of,
    mean_over_languages,
    portions,
    resample,
)

MCNEMAR = "exact McNemar"
RANDOMISATION = "paired approximate randomisation"

# Two scores that differ by less come from one rounding error, not from another assignment of predictions.
_TOLERANCE = 1e-12


class PairedTest(NamedTuple):
    """The p-value of a two-sided paired test, and the name of the test."""

    p_value: float
    test: str


@dataclass(frozen=True)
class ScoredRows:
    """The predictions of one system in one language.

    Args:
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        keys (`Sequence[str]`, *optional*): The item behind each row; translations of one item share its key.

    Raises:
        [`UserError`]: If there are no rows, or the lengths differ.

    Example:

    ```python
    >>> rows = ScoredRows(np.array([0, 1]), np.array([0, 0]), keys=["smile", "tree"])
    ```
    """

    predictions: ClassIds
    labels: ClassIds
    keys: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_rows(self.predictions, self.labels)
        if self.keys is not None and len(self.keys) != len(self.labels):
            raise UserError(f"{len(self.labels)} rows have {len(self.keys)} keys: give one key for each row, or none.")


def bootstrap_interval(
    metric_fn: MetricFunction,
    predictions: ClassIds,
    labels: ClassIds,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of a score over its rows.

    Where every row is right the interval has no width: the resamples cannot hold an error that the sample lacks.

    Args:
        metric_fn (`MetricFunction`): A value of `METRIC_FUNCTIONS`.
        predictions (`np.ndarray`): Class ids, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        resamples (`int`, *optional*, defaults to 1000): How often the rows are drawn with replacement.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same interval.
        level (`float`, *optional*, defaults to 0.95): Share of the resampled scores inside the interval.

    Raises:
        [`UserError`]: If there are no rows, or the lengths differ.

    Example:

    ```python
    >>> bootstrap_interval(weighted_accuracy, np.array([1, 1, 1]), np.array([1, 1, 1]))
    Interval(low=1.0, high=1.0)
    ```
    """
    rows = ScoredRows(predictions, labels)
    return joint_bootstrap_means(metric_fn, [rows], resamples=resamples, seed=seed, level=level)


def joint_bootstrap_means(
    metric_fn: MetricFunction,
    languages: Sequence[ScoredRows],
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of the mean score of several languages.

    Languages whose rows carry keys are resampled together, by key: an item that is hard is hard in every language, so
    their scores move together and their mean is less sure than that of as many independent scores. Languages without
    keys are resampled on their own. In a resample that draws no row of a language, the mean is over the others.

    Args:
        metric_fn (`MetricFunction`): A value of `METRIC_FUNCTIONS`.
        languages (`Sequence[ScoredRows]`): One entry for each language.
        resamples (`int`, *optional*, defaults to 1000): How often the keys are drawn with replacement.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same interval.
        level (`float`, *optional*, defaults to 0.95): Share of the resampled means inside the interval.

    Raises:
        [`UserError`]: If there are no languages.

    Example:

    ```python
    >>> rows = ScoredRows(np.array([1, 1]), np.array([1, 1]), keys=["smile", "tree"])
    >>> joint_bootstrap_means(weighted_accuracy, [rows, rows])
    Interval(low=1.0, high=1.0)
    ```
    """
    if not languages:
        raise UserError("There are no languages to average: give the predictions of at least one.")
    resampled = resample([_rows_of(rows, metric_fn) for rows in languages], resamples, seed)
    interval = interval_of(mean_over_languages([scores[:, 0] for scores in resampled]), level)
    assert interval is not None
    return interval


def _rows_of(rows: ScoredRows, metric_fn: MetricFunction) -> ResampledRows:
    cells = Cells(rows.predictions, rows.labels)

    def score(weights: Weights) -> NDArray[np.float64]:
        return metric_fn(cells.predictions, cells.labels, cells.weigh(weights))[:, None]

    return ResampledRows(len(rows.labels), score, rows.keys)


def paired_p_value(
    metric_fn: MetricFunction,
    first: ClassIds,
    second: ClassIds,
    labels: ClassIds,
    *,
    permutations: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    r"""Two-sided test of whether two systems score alike on the same rows.

    For accuracy it is McNemar's test in its exact form: among the rows that only one system gets right, either is
    equally likely to be the right one. For every other metric it is approximate randomisation: the predictions of the
    two systems are swapped in a random half of the rows, and with \\(h\\) of \\(n\\) such swaps at least as far apart
    as the systems are, $$ p = \frac{h + 1}{n + 1} $$ (Noreen, 1989, Computer-Intensive Methods for Testing Hypotheses).

    Args:
        metric_fn (`MetricFunction`): A value of `METRIC_FUNCTIONS`.
        first (`np.ndarray`): Class ids that one system predicts, shape `(rows,)`.
        second (`np.ndarray`): Class ids that the other predicts, shape `(rows,)`.
        labels (`np.ndarray`): Class ids, shape `(rows,)`.
        permutations (`int`, *optional*, defaults to 10000): Number of random swaps; unused for accuracy.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same p-value.

    Returns:
        `PairedTest`: The p-value, 1.0 where the predictions are identical, and the name of the test.

    Raises:
        [`UserError`]: If there are no rows, or the lengths differ.

    Example:

    ```python
    >>> paired_p_value(weighted_accuracy, np.array([1, 1]), np.array([1, 1]), np.array([0, 1]))
    PairedTest(p_value=1.0, test='exact McNemar')
    ```
    """
    check_rows(first, second, labels)
    test = paired_test_name(metric_fn)
    if test == MCNEMAR:
        return PairedTest(_mcnemar(first == labels, second == labels), test)
    if np.array_equal(first, second):
        return PairedTest(1.0, test)
    return PairedTest(_randomisation(metric_fn, first, second, labels, permutations, seed), test)


def paired_test_name(metric_fn: MetricFunction) -> str:
    """The name of the test that [`paired_p_value`] makes for a metric.

    Example:

    ```python
    >>> paired_test_name(weighted_accuracy)
    'exact McNemar'
    ```
    """
    return MCNEMAR if metric_fn is weighted_accuracy else RANDOMISATION


def _mcnemar(first_is_right: NDArray[np.bool_], second_is_right: NDArray[np.bool_]) -> float:
    only_first = int(np.sum(first_is_right & ~second_is_right))
    only_second = int(np.sum(second_is_right & ~first_is_right))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def _randomisation(
    metric_fn: MetricFunction, first: ClassIds, second: ClassIds, labels: ClassIds, permutations: int, seed: int
) -> float:
    generator = np.random.default_rng(seed)
    # Both systems' rows by one list of cells: a swap is then a choice of weights, and all swaps one product. Rows on
    # which they agree stay as they are.
    cells = Cells(np.concatenate([first, second]), np.concatenate([labels, labels]))
    counts = cells.membership.sum(axis=0, dtype=np.float64)
    of_first, of_second = np.split(cells.membership, 2)
    differing = first != second
    gained = (of_second - of_first)[differing]
    base = of_first.sum(axis=0, dtype=np.float64)

    def differences(is_swapped: Weights) -> NDArray[np.float64]:
        left = base + is_swapped @ gained
        one, other = (metric_fn(cells.predictions, cells.labels, weights) for weights in (left, counts - left))
        return np.abs(one - other)

    observed = differences(np.zeros((1, len(gained)), np.float32))[0]
    hits = 0
    for draws in portions(permutations, len(gained)):
        is_swapped = generator.integers(2, size=(draws, len(gained)), dtype=np.int8).astype(np.float32)
        hits += int(np.sum(differences(is_swapped) >= observed - _TOLERANCE))
    return (hits + 1) / (permutations + 1)
