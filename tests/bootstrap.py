"""The bootstrap of reports, asked about the predictions of one system alone."""

from collections.abc import Sequence
from typing import NamedTuple

from xlkd.evaluation.answers import Answers
from xlkd.evaluation.metrics import Metric
from xlkd.evaluation.resampling import Interval, ResampledRows, Tallies, interval_of, mean_over_languages, resample


class ScoredRows(NamedTuple):
    """Predictions in one language, the gold answers, and the item behind each row."""

    predictions: Answers
    labels: Answers
    keys: Sequence[str] | None = None


def interval_of_score(
    metric: Metric, predictions: Answers, labels: Answers, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The interval of the score of one language."""
    return interval_of_mean(metric, [ScoredRows(predictions, labels)], resamples, seed, level)


def interval_of_mean(
    metric: Metric, languages: Sequence[ScoredRows], resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The interval of the mean score of several languages, resampled together where they have keys."""
    resampled = resample([_rows_of(rows, metric) for rows in languages], resamples, seed)
    interval = interval_of(mean_over_languages([scores[:, 0] for scores in resampled]), level)
    assert interval is not None
    return interval


def _rows_of(rows: ScoredRows, metric: Metric) -> ResampledRows:
    tallies = Tallies([metric.tally(rows.predictions, rows.labels)])
    return ResampledRows(len(rows.labels), lambda weights: metric.score(tallies.sums(weights)[0])[:, None], rows.keys)
