"""Metrics, one family per file.

To add one: its class, one line in `METRICS`, one row in the tests' table.

A metric says what each row adds to some sums, and what score such sums give ([`Metric`]). Intervals, paired tests,
means over languages, comparisons of runs and all pictures follow from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from xlkd.errors import UserError
from xlkd.evaluation.metrics.base import ByClass, Metric, RightOrWrong, Weights
from xlkd.evaluation.metrics.classification import Accuracy, MacroF1, MicroF1
from xlkd.evaluation.metrics.correlation import Pearson, Spearman
from xlkd.evaluation.metrics.retrieval import (
    RetrievalAccuracy,
    RetrievalFromSource,
    RetrievalToSource,
    SimilarityCorrelation,
    retrieved,
)
from xlkd.evaluation.metrics.tagging import SpanF1, TagAccuracy

METRICS: dict[str, type[Metric]] = {
    metric.name: metric
    for metric in (
        Accuracy,
        MacroF1,
        MicroF1,
        SpanF1,
        TagAccuracy,
        Pearson,
        Spearman,
        RetrievalAccuracy,
        RetrievalToSource,
        RetrievalFromSource,
        SimilarityCorrelation,
    )
}


def build_metrics(names: Iterable[str], labels: Sequence[str]) -> dict[str, Metric]:
    """Make metrics by their names in `METRICS`.

    Args:
        names (`Iterable[str]`): Their names.
        labels (`Sequence[str]`): Names of the classes, in the order of ids.

    Returns:
        `dict` from name to [`Metric`].

    Raises:
        [`UserError`]: If there is no metric of a name; the message says which known one is nearest.

    Example:

    ```python
    >>> build_metrics(["accuracy"], ["a", "b"])["accuracy"].of(np.array([1, 0]), np.array([1, 1]))
    0.5
    ```
    """
    return {name: METRICS[check_metric(name)](labels) for name in names}


def check_metric(name: str, known: Sequence[str] = tuple(METRICS)) -> str:
    """Return the name of a metric as given, or refuse it.

    Args:
        name (`str`): The name.
        known (`Sequence[str]`, *optional*): The names that it may have, of a task; defaults to those of all.

    Raises:
        [`UserError`]: If the name is none of these; the message says which one is nearest.

    Example:

    ```python
    >>> check_metric("macro-f1")
    'macro-f1'
    ```
    """
    if name in known:
        return name
    nearest = get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
    reason = f"There is no metric {name!r}" if name not in METRICS else f"The task has no metric {name!r}"
    raise UserError(f"{reason}: did you mean {nearest!r}? Known metrics: {', '.join(known)}.")


def by_class(metrics: Iterable[Metric]) -> ByClass:
    """The metric that scores classes one by one, among those of a task.

    Raises:
        [`UserError`]: If there is none, or it has no classes.
    """
    metrics = list(metrics)
    found = next((metric for metric in metrics if isinstance(metric, ByClass) and metric.classes), None)
    if found is None:
        names = ", ".join(metric.name for metric in metrics)
        raise UserError(f"per_class: there are no classes to score one by one, only {names}: leave it out.")
    return found


__all__ = [
    "METRICS",
    "Accuracy",
    "ByClass",
    "MacroF1",
    "Metric",
    "MicroF1",
    "Pearson",
    "RetrievalAccuracy",
    "RetrievalFromSource",
    "RetrievalToSource",
    "RightOrWrong",
    "SpanF1",
    "Spearman",
    "TagAccuracy",
    "SimilarityCorrelation",
    "Weights",
    "build_metrics",
    "by_class",
    "check_metric",
    "retrieved",
]
