"""Scores of student and teacher by language, with intervals, and their means over languages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation import statistics
from xlkd.evaluation.classes import CLASS_SCORES, cells_class_scores, classification_report
from xlkd.evaluation.metrics import METRIC_FUNCTIONS, Weights
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.resampling import (
    Cells,
    Interval,
    ResampledRows,
    interval_of,
    mean_over_languages,
    resample,
)
from xlkd.languages import english_name, resource_class, script_of

METRIC_NAMES = tuple(METRIC_FUNCTIONS)


@dataclass(frozen=True)
class ScoredLanguage:
    """Scores of one language as they are, and under each resample of its rows.

    Args:
        entry ([`LanguagePredictions`]): The predictions.
        observed (`np.ndarray` of shape `(systems, metrics)`): The scores of student and, where there is one, teacher.
        resampled (`np.ndarray` of shape `(resamples, systems, metrics)`): Likewise, of each resample.
        by_class (`np.ndarray` of shape `(systems, classes, 3)`): Precision, recall and F1; no classes unless asked for.
        by_class_resampled (`np.ndarray` of shape `(resamples, systems, classes, 3)`): Likewise, of each resample.
    """

    entry: LanguagePredictions
    observed: NDArray[np.float64]
    resampled: NDArray[np.float64]
    by_class: NDArray[np.float64]
    by_class_resampled: NDArray[np.float64]


def score_languages(
    predictions: Sequence[LanguagePredictions], classes: int = 0, resamples: int = 1000, seed: int = 0
) -> dict[str, ScoredLanguage]:
    """Score all languages under the same resamples, so that differences of systems and means of languages are paired.

    Args:
        predictions (`Sequence[LanguagePredictions]`): One entry for each language.
        classes (`int`, *optional*, defaults to 0): How many classes to score one by one; 0 for none.
        resamples (`int`, *optional*, defaults to 1000): How often the rows are drawn.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same intervals.

    Returns:
        `dict` from language to [`ScoredLanguage`].
    """
    scorers = [_scorer(entry, classes) for entry in predictions]
    rows = [
        ResampledRows(len(entry.labels), scorer, entry.keys) for entry, scorer in zip(predictions, scorers, strict=True)
    ]
    found = {}
    for entry, scorer, samples in zip(predictions, scorers, resample(rows, resamples, seed), strict=True):
        observed = scorer(np.ones((1, len(entry.labels)), np.float32))
        found[entry.language] = _unpacked(entry, observed, samples, classes)
    return found


def _scorer(entry: LanguagePredictions, classes: int) -> Callable[[Weights], NDArray[np.float64]]:
    systems = [Cells(system, entry.labels) for system in (entry.student, entry.teacher) if system is not None]

    def score(weights: Weights) -> NDArray[np.float64]:
        """One system after the other: its metrics, then its classes."""
        columns = []
        for cells in systems:
            counts = cells.weigh(weights)
            metrics = [metric_fn(cells.predictions, cells.labels, counts) for metric_fn in METRIC_FUNCTIONS.values()]
            columns.append(np.stack(metrics, axis=1))
            if classes:
                columns.append(cells_class_scores(cells, classes, weights).reshape(len(weights), -1))
        return np.concatenate(columns, axis=1)

    return score


def _unpacked(
    entry: LanguagePredictions, observed: NDArray[np.float64], samples: NDArray[np.float64], classes: int
) -> ScoredLanguage:
    metrics, systems = len(METRIC_NAMES), 1 if entry.teacher is None else 2
    own, resampled = (values.reshape(len(values), systems, -1) for values in (observed, samples))
    shape = (systems, classes, len(CLASS_SCORES))
    return ScoredLanguage(
        entry,
        own[0, :, :metrics],
        resampled[:, :, :metrics],
        own[0, :, metrics:].reshape(shape),
        resampled[:, :, metrics:].reshape(len(samples), *shape),
    )


def language_values(
    scored: ScoredLanguage, metric: str, source_score: float | None, labels: Sequence[str] | None
) -> dict[str, Any]:
    """What a report says of one language; `labels` names the classes where they are scored one by one."""
    column, entry, language = METRIC_NAMES.index(metric), scored.entry, scored.entry.language
    n = len(entry.labels)
    student = float(scored.observed[0, column])
    teacher = None if entry.teacher is None else float(scored.observed[1, column])
    return {
        "n": n,
        "name": english_name(language),
        "resource_class": resource_class(language),
        "script": script_of(language),
        # What one answer to all texts gets, at best: of the other metrics nobody knows what is chance.
        "chance": float(np.unique(entry.labels, return_counts=True)[1].max() / n) if metric == "accuracy" else None,
        **_metric_values(scored, column),
        **_difference(scored, column, metric),
        "retention": student / teacher if teacher else None,
        "transfer_gap": None if source_score is None else source_score - student,
        "metrics": {name: _metric_values(scored, number) for number, name in enumerate(METRIC_NAMES)},
        "classes": None if labels is None else _classes(scored, labels),
    }


def _metric_values(scored: ScoredLanguage, column: int) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(
        f"{system}{end}" for system in ("student", "teacher") for end in ("", "_low", "_high")
    )
    for number, system in enumerate(("student", "teacher")[: len(scored.observed)]):
        interval = _interval(scored.resampled[:, number, column])
        values[system] = float(scored.observed[number, column])
        values[f"{system}_low"], values[f"{system}_high"] = interval
    return values


def _difference(scored: ScoredLanguage, column: int, metric: str) -> dict[str, float | None]:
    entry = scored.entry
    if entry.teacher is None:
        return dict.fromkeys(("difference", "difference_low", "difference_high", "p_value"))
    interval = _interval(scored.resampled[:, 0, column] - scored.resampled[:, 1, column])
    test = statistics.paired_p_value(METRIC_FUNCTIONS[metric], entry.student, entry.teacher, entry.labels)
    return {
        "difference": float(scored.observed[0, column] - scored.observed[1, column]),
        "difference_low": interval.low,
        "difference_high": interval.high,
        "p_value": test.p_value,
    }


def _classes(scored: ScoredLanguage, labels: Sequence[str]) -> dict[str, Any]:
    systems = {
        name: (scored.by_class[number], scored.by_class_resampled[:, number]) if number < len(scored.by_class) else None
        for number, name in enumerate(("student", "teacher"))
    }
    return classification_report(labels, scored.entry.labels, systems)


def mean_values(
    members: Iterable[str], scored: Mapping[str, ScoredLanguage], languages: Mapping[str, Any], metric: str
) -> dict[str, Any] | None:
    """Plain means of the values of several languages, with an interval; `None` where none of them is scored.

    A mean is undefined where one of its values is.
    """
    known = [language for language in dict.fromkeys(members) if language in languages]
    if not known:
        return None
    mean = partial(_mean, [languages[language] for language in known])
    column = METRIC_NAMES.index(metric)
    interval = _interval(mean_over_languages([scored[language].resampled[:, 0, column] for language in known]))
    return {
        "n_languages": len(known),
        "student": mean("student"),
        "student_low": interval.low,
        "student_high": interval.high,
        **{name: mean(name) for name in ("teacher", "retention", "transfer_gap")},
    }


def _mean(languages: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [language[name] for language in languages]
    return None if None in values else sum(values) / len(values)


def _interval(samples: NDArray[np.float64]) -> Interval:
    interval = interval_of(samples)
    assert interval is not None, "a resample of all rows has some"
    return interval
