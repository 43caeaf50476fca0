"""Where a student is weak, language by language, by rules that are said beside the names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LEAST_RETENTION = 0.9
WIDEST_INTERVAL = 0.1
FARTHEST_FROM_SOURCE = 0.2

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Limit:
    """A rule, and the languages that it names.

    Args:
        rule (`str`): What is wrong with the languages, in words.
        languages (`list[str]`): Their codes, in the order of the report.
    """

    rule: str
    languages: list[str]


def limits_of(report: Mapping[str, Any], classes: int) -> list[Limit]:
    """The rules that name a language of a report.

    Args:
        report (`Mapping[str, Any]`): The content of `zero_shot.json`.
        classes (`int`): How many classes there are to guess from.

    Example:

    ```python
    >>> limits_of(report, classes=8)[0].languages
    ['qu', 'wo']
    ```
    """
    metric = report["metric"]
    rules: dict[str, Callable[[Scores], bool]] = {
        **_rules_of_chance(metric, classes, guess_of(report, classes)),
        f"Much is lost: the student keeps less than {100 * LEAST_RETENTION:.0f} % of the teacher's {metric}.": (
            lambda scores: _is_below(scores["retention"], LEAST_RETENTION)
        ),
        f"Far behind the source language: more than {100 * FARTHEST_FROM_SOURCE:.0f} points below its {metric}.": (
            lambda scores: _is_below(FARTHEST_FROM_SOURCE, scores["transfer_gap"])
        ),
        f"Too few rows to tell: the 95 % interval is wider than {100 * WIDEST_INTERVAL:.0f} points.": (
            lambda scores: _is_below(WIDEST_INTERVAL, _width(scores))
        ),
    }
    named = {
        rule: [code for code, scores in report["languages"].items() if holds(scores)] for rule, holds in rules.items()
    }
    return [Limit(rule, languages) for rule, languages in named.items() if languages]


def guess_of(report: Mapping[str, Any], classes: int) -> float | None:
    """What guessing among the classes gets; `None` where a row has not just one of them.

    Args:
        report (`Mapping[str, Any]`): The content of `zero_shot.json`.
        classes (`int`): How many classes there are.
    """
    # Where each row has one class, accuracy is among the scores.
    return 1 / classes if any("accuracy" in scores["metrics"] for scores in report["languages"].values()) else None


def _rules_of_chance(metric: str, classes: int, guess: float | None) -> dict[str, Callable[[Scores], bool]]:
    if guess is None:
        return {}
    by_chance = f"{100 * guess:.1f} %, what guessing among {classes} classes gets"
    return {
        f"At or near chance: the 95 % interval of the student's {metric} reaches down to {by_chance}.": (
            lambda scores: _is_below(scores["student_low"], guess, included=True)
        ),
        f"The teacher itself is at or near chance, so that there was nothing to learn from it: {by_chance}.": (
            lambda scores: _is_below(scores.get("teacher_low", scores["teacher"]), guess, included=True)
        ),
    }


def _is_below(value: float | None, bound: float | None, included: bool = False) -> bool:
    """Whether a number is below another; of what is not known nothing is said."""
    if value is None or bound is None:
        return False
    return value <= bound if included else value < bound


def _width(scores: Scores) -> float | None:
    low, high = scores["student_low"], scores["student_high"]
    return None if low is None or high is None else float(high - low)
