"""Scores of student and teacher by language, with intervals, and their means over languages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation import statistics
from xlkd.evaluation.classes import CLASS_SCORES, classification_report
from xlkd.evaluation.metrics import Accuracy, ByClass, Metric, Weights
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.resampling import ResampledRows, Tallies, interval_of, mean_over_languages, resample
from xlkd.languages import english_name, resource_class, script_of


@dataclass(frozen=True)
class Scoring:
    """By what a language is scored.

    Args:
        metrics (`Mapping[str, Metric]`): The metrics by name.
        by_class ([`~evaluation.metrics.ByClass`], *optional*): One of them, whose classes are scored one by one too.
    """

    metrics: Mapping[str, Metric]
    by_class: ByClass | None = None

    def column(self, metric: str) -> int:
        """The place of a metric among those that are scored."""
        return list(self.metrics).index(metric)


@dataclass(frozen=True)
class ScoredLanguage:
    """Scores of one language as they are, and under each resample of its rows.

    Args:
        entry ([`LanguagePredictions`]): The predictions.
        scoring ([`Scoring`]): By what they are scored.
        observed (`np.ndarray` of shape `(systems, metrics)`): The scores of student and, where there is one, teacher.
        resampled (`np.ndarray` of shape `(resamples, systems, metrics)`): Likewise, of each resample.
        by_class (`np.ndarray` of shape `(systems, classes, 3)`): Precision, recall and F1; no classes unless asked for.
        by_class_resampled (`np.ndarray` of shape `(resamples, systems, classes, 3)`): Likewise, of each resample.
    """

    entry: LanguagePredictions
    scoring: Scoring
    observed: NDArray[np.float64]
    resampled: NDArray[np.float64]
    by_class: NDArray[np.float64]
    by_class_resampled: NDArray[np.float64]


def score_languages(
    predictions: Sequence[LanguagePredictions], scoring: Scoring, resamples: int = 1000, seed: int = 0
) -> dict[str, ScoredLanguage]:
    """Score all languages under the same resamples, so that differences of systems and means of languages are paired.

    Args:
        predictions (`Sequence[LanguagePredictions]`): One entry for each language.
        scoring ([`Scoring`]): By what they are scored.
        resamples (`int`, *optional*, defaults to 1000): How often the rows are drawn.
        seed (`int`, *optional*, defaults to 0): The same seed gives the same intervals.

    Returns:
        `dict` from language to [`ScoredLanguage`].
    """
    scorers = [_scorer(entry, scoring) for entry in predictions]
    rows = [
        ResampledRows(len(entry.labels), scorer, entry.keys) for entry, scorer in zip(predictions, scorers, strict=True)
    ]
    found = {}
    for entry, scorer, samples in zip(predictions, scorers, resample(rows, resamples, seed), strict=True):
        observed = scorer(np.ones((1, len(entry.labels)), np.float32))
        found[entry.language] = _unpacked(entry, scoring, observed, samples)
    return found


def _scorer(entry: LanguagePredictions, scoring: Scoring) -> Callable[[Weights], NDArray[np.float64]]:
    systems = [system for system in (entry.student, entry.teacher) if system is not None]
    metrics, by_class = list(scoring.metrics.values()), scoring.by_class
    tallies = Tallies([metric.tally(system, entry.labels) for system in systems for metric in metrics])

    def score(weights: Weights) -> NDArray[np.float64]:
        """The metrics of one system after the other; then their classes."""
        sums = tallies.sums(weights)
        scores = [metric.score(own)[:, None] for metric, own in zip(metrics * len(systems), sums, strict=True)]
        if by_class is not None:
            of_classes = sums[metrics.index(by_class) :: len(metrics)]
            scores += [by_class.class_scores(own).reshape(len(weights), -1) for own in of_classes]
        return np.concatenate(scores, axis=1)

    return score


def _unpacked(
    entry: LanguagePredictions, scoring: Scoring, observed: NDArray[np.float64], samples: NDArray[np.float64]
) -> ScoredLanguage:
    systems, metrics = 1 if entry.teacher is None else 2, len(scoring.metrics)
    classes = 0 if scoring.by_class is None else len(scoring.by_class.classes)

    def parts(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own, of_classes = np.split(values, [systems * metrics], axis=1)
        shape = (len(values), systems, classes, len(CLASS_SCORES))
        return own.reshape(len(values), systems, metrics), of_classes.reshape(shape)

    (own,), (of_classes,) = parts(observed)
    return ScoredLanguage(entry, scoring, own, parts(samples)[0], of_classes, parts(samples)[1])


def language_values(scored: ScoredLanguage, metric: str, source_score: float | None) -> dict[str, Any]:
    """What a report says of one language.

    Args:
        scored ([`ScoredLanguage`]): Its scores.
        metric (`str`): The score that is reported first.
        source_score (`float`, *optional*): That of the source language.
    """
    entry, language, metrics = scored.entry, scored.entry.language, scored.scoring.metrics
    values = {name: _metric_values(scored, number) for number, name in enumerate(metrics)}
    student, teacher = values[metric]["student"], values[metric]["teacher"]
    return {
        "n": len(entry.labels),
        "name": english_name(language),
        "resource_class": resource_class(language),
        "script": script_of(language),
        "chance": _chance(scored, metric),
        **values[metric],
        **_difference(scored, metric),
        # Of a score that is not above zero, as a correlation may be, no share can be kept.
        "retention": None if student is None or not teacher or teacher < 0 else student / teacher,
        "transfer_gap": None if source_score is None or student is None else source_score - student,
        "metrics": values,
        "unread_words": _unread_words(entry),
        "classes": _classes(scored),
    }


def _unread_words(entry: LanguagePredictions) -> dict[str, int] | None:
    if entry.unread is None:
        return None
    return dict(zip(("student", "teacher"), entry.unread.sum(axis=0).tolist(), strict=False))


def _chance(scored: ScoredLanguage, metric: str) -> float | None:
    """What one answer to all texts gets, at best: of other metrics than accuracy nobody knows what is chance."""
    if metric != Accuracy.name:
        return None
    counts = np.unique(scored.entry.labels, return_counts=True)[1]
    return float(counts.max() / counts.sum())


def _metric_values(scored: ScoredLanguage, column: int) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(
        f"{system}{end}" for system in ("student", "teacher") for end in ("", "_low", "_high")
    )
    for number, system in enumerate(("student", "teacher")[: len(scored.observed)]):
        values |= _with_interval(system, scored.observed[number, column], scored.resampled[:, number, column])
    return values


def _with_interval(name: str, observed: float, samples: NDArray[np.float64]) -> dict[str, float | None]:
    """A value and its interval; `None` where the value is undefined."""
    interval = None if math.isnan(observed) else interval_of(samples)
    low, high = (None, None) if interval is None else interval
    return {name: None if math.isnan(observed) else float(observed), f"{name}_low": low, f"{name}_high": high}


def _difference(scored: ScoredLanguage, metric: str) -> dict[str, float | None]:
    entry, column = scored.entry, scored.scoring.column(metric)
    if entry.teacher is None:
        return dict.fromkeys(("difference", "difference_low", "difference_high", "p_value"))
    own, samples = scored.observed[:, column], scored.resampled[..., column]
    test = statistics.paired_p_value(scored.scoring.metrics[metric], entry.student, entry.teacher, entry.labels)
    p_value = None if math.isnan(test.p_value) else test.p_value
    return {**_with_interval("difference", own[0] - own[1], samples[:, 0] - samples[:, 1]), "p_value": p_value}


def _classes(scored: ScoredLanguage) -> dict[str, Any] | None:
    metric, labels = scored.scoring.by_class, scored.entry.labels
    if metric is None:
        return None
    gold = metric.class_counts(metric.tally(labels, labels).sum(axis=0))[:, -1]
    systems = {
        name: (scored.by_class[number], scored.by_class_resampled[:, number]) if number < len(scored.by_class) else None
        for number, name in enumerate(("student", "teacher"))
    }
    return classification_report(metric.classes, gold, systems)


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
    student, column = mean("student"), scored[known[0]].scoring.column(metric)
    samples = mean_over_languages([scored[language].resampled[:, 0, column] for language in known])
    return {
        "n_languages": len(known),
        **_with_interval("student", math.nan if student is None else student, samples),
        **{name: mean(name) for name in ("teacher", "retention", "transfer_gap")},
    }


def _mean(languages: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [language[name] for language in languages]
    return None if None in values else sum(values) / len(values)
