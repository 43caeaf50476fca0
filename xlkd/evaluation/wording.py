"""What the pictures of a report say of it in words and on their axes: names, chance, the range of the scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from xlkd.languages import english_name

_NEAR = 0.2
_METRIC_NAMES = {"pearson": "Pearson correlation", "spearman": "Spearman correlation"}


def display_name(code: str, scores: Mapping[str, Any]) -> str:
    """Name and code of a language, or the code alone where it has no other name.

    Example:

    ```python
    >>> display_name("sw", {"name": "Swahili"})
    'Swahili (sw)'
    ```
    """
    return code if scores["name"] == code else f"{scores['name']} ({code})"


def best_first(values: Mapping[str, Any]) -> list[str]:
    """The languages, those with the highest score of the student first, and those without one last.

    Example:

    ```python
    >>> best_first({"languages": {"sw": {"student": None}, "yo": {"student": 0.4}, "en": {"student": 0.7}}})
    ['en', 'yo', 'sw']
    ```
    """
    scores = {code: scores["student"] for code, scores in values["languages"].items()}
    # Behind a correlation of -1 too.
    return sorted(scores, key=lambda code: -math.inf if scores[code] is None else scores[code], reverse=True)


def metric_name(metric: str) -> str:
    """The name of a metric as a reader knows it.

    Example:

    ```python
    >>> metric_name("macro-f1")
    'macro-F1'
    ```
    """
    return _METRIC_NAMES.get(metric, metric.replace("f1", "F1"))


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters; what is left out, in the middle, is an ellipsis.

    Example:

    ```python
    >>> shortened("runs/a-very-long-name/seed-0", 13)
    'runs/a…seed-0'
    ```
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def chance(values: Mapping[str, Any]) -> float | None:
    """The accuracy of one answer to all texts, mean over the languages, where a score comes near it."""
    known = [scores["chance"] for scores in values["languages"].values() if scores["chance"] is not None]
    if not known:
        return None
    guess: float = sum(known) / len(known)
    return guess if min(_scores(values), default=1.0) < guess + _NEAR else None


def unread_words(values: Mapping[str, Any]) -> str | None:
    """How many words were not read, in a sentence; `None` where all were, or a text has one label.

    Example:

    ```python
    >>> unread_words({"languages": {"sw": {"unread_words": {"student": 3, "teacher": 0}}}})
    'Words that were not read, behind the cut of a text or without a piece, and count as outside: student 3 (sw 3).'
    ```
    """
    # Reports of before words were counted do not have it.
    counts = {code: scores.get("unread_words") or {} for code, scores in values["languages"].items()}
    found = []
    for system in ("student", "teacher"):
        own = {code: count[system] for code, count in counts.items() if count.get(system)}
        languages = ", ".join(f"{code} {count}" for code, count in own.items())
        found += [f"{system} {sum(own.values())} ({languages})"] if own else []
    what = "Words that were not read, behind the cut of a text or without a piece, and count as outside:"
    return f"{what} {', '.join(found)}." if found else None


def not_scored(values: Mapping[str, Any]) -> str | None:
    """The target languages that a student was not scored in, in a sentence; `None` where there are none.

    Example:

    ```python
    >>> not_scored({"unscored": ["qu"]})
    'Not scored: Quechua (qu). What the student is worth there is unknown.'
    ```
    """
    # Reports of before there could be any do not have it.
    names = [display_name(code, {"name": english_name(code)}) for code in values.get("unscored") or []]
    return f"Not scored: {', '.join(names)}. What the student is worth there is unknown." if names else None


def score_range(values: Mapping[str, Any]) -> tuple[float, float]:
    """The ends of an axis for all scores of a report, at whole tenths: nothing that is drawn lies outside."""
    guess = chance(values)
    return round_range([*_scores(values), *([] if guess is None else [guess])])


def round_range(scores: Sequence[float]) -> tuple[float, float]:
    """The whole tenths about some scores; they differ."""
    low, high = math.floor(10 * min(scores, default=0.0)) / 10, math.ceil(10 * max(scores, default=1.0)) / 10
    return (low, high) if high > low else (low - 0.1, high + 0.1)


def _scores(values: Mapping[str, Any]) -> list[float]:
    names = [f"{system}{end}" for system in ("student", "teacher") for end in ("", "_low", "_high")]
    scores = [scores[name] for scores in values["languages"].values() for name in names]
    return [score for score in scores if score is not None]
