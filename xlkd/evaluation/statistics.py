"""Whether two systems differ: paired tests on the same rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from xlkd.evaluation.answers import Answers, check_answers
from xlkd.evaluation.metrics import Metric, RightOrWrong, Weights
from xlkd.evaluation.resampling import as_counts, portions

MCNEMAR = "exact McNemar"
RANDOMISATION = "paired approximate randomisation"

# Two scores that differ by less come from one rounding error, not from another assignment of predictions.
_TOLERANCE = 1e-12


class PairedTest(NamedTuple):
    """The p-value of a two-sided paired test, and the name of the test."""

    p_value: float
    test: str


def paired_p_value(
    metric: Metric,
    first: Answers,
    second: Answers,
    labels: Answers,
    *,
    permutations: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    r"""Two-sided test of whether two systems score alike on the same rows.

    For a share of right rows, such as accuracy, it is McNemar's test in its exact form: among the rows that only one
    system gets right, either is equally likely to be the right one. For every other metric it is approximate
    randomisation: the tallies of the two systems are swapped in a random half of the rows, and with \\(h\\) of
    \\(n\\) such swaps at least as far apart as the systems are,
    $$ p = \frac{h + 1}{n + 1} $$ (Noreen, 1989, Computer-Intensive Methods for Testing Hypotheses).

    Args:
        metric ([`~evaluation.metrics.Metric`]): The score.
        first (`np.ndarray`): Answers of one system, in a form of [`~evaluation.answers`].
        second (`np.ndarray`): Answers of the other, likewise.
        labels (`np.ndarray`): The gold ones, likewise.
        permutations (`int`, *optional*, defaults to 10000): Number of random swaps; unused for McNemar's test.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same p-value.

    Returns:
        `PairedTest`: The p-value, 1.0 where no row tells the systems apart and NaN where the score of either is
        undefined, and the name of the test.

    Raises:
        [`UserError`]: If there are no rows, or lengths or forms differ.

    Example:

    ```python
    >>> paired_p_value(Accuracy(["a", "b"]), np.array([1, 1]), np.array([1, 1]), np.array([0, 1]))
    PairedTest(p_value=1.0, test='exact McNemar')
    ```
    """
    check_answers(first, second, labels)
    test = paired_test_name(metric)
    if isinstance(metric, RightOrWrong):
        return PairedTest(_mcnemar(metric.is_right(first, labels), metric.is_right(second, labels)), test)
    tallies = metric.tally(first, labels), metric.tally(second, labels)
    if np.isnan([metric.score(own.sum(axis=0)) for own in tallies]).any():
        return PairedTest(np.nan, test)
    if np.array_equal(*tallies):
        return PairedTest(1.0, test)
    return PairedTest(_randomisation(metric, *tallies, permutations, seed), test)


def paired_test_name(metric: Metric) -> str:
    """The name of the test that [`paired_p_value`] makes for a metric.

    Example:

    ```python
    >>> paired_test_name(Accuracy(["a", "b"]))
    'exact McNemar'
    ```
    """
    return MCNEMAR if isinstance(metric, RightOrWrong) else RANDOMISATION


def _mcnemar(first_is_right: NDArray[np.bool_], second_is_right: NDArray[np.bool_]) -> float:
    only_first = int(np.sum(first_is_right & ~second_is_right))
    only_second = int(np.sum(second_is_right & ~first_is_right))
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def _randomisation(
    metric: Metric, first: NDArray[np.float64], second: NDArray[np.float64], permutations: int, seed: int
) -> float:
    generator = np.random.default_rng(seed)
    # What the first gains by a swap, the second loses: all swaps are one product. Rows that tell nothing stay.
    gained = as_counts((second - first)[(first != second).any(axis=1)])
    sums = first.sum(axis=0), second.sum(axis=0)

    def differences(is_swapped: Weights) -> NDArray[np.float64]:
        moved = (is_swapped @ gained).astype(np.float64)
        return np.abs(metric.score(sums[0] + moved) - metric.score(sums[1] - moved))

    observed = differences(np.zeros((1, len(gained)), np.float32))[0]
    hits = 0
    for draws in portions(permutations, len(gained)):
        is_swapped = generator.integers(2, size=(draws, len(gained)), dtype=np.int8).astype(np.float32)
        # A swap that leaves a score undefined counts as one that is as far apart: the p-value errs upwards.
        hits += int(np.sum(~(differences(is_swapped) < observed - _TOLERANCE)))
    return (hits + 1) / (permutations + 1)
