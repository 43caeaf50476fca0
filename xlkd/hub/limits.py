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
        denied (`str`): What is not the case of a language that it does not name, in words.
        languages (`list[str]`): Their codes, in the order of the report.
    """

    rule: str
    denied: str
    languages: list[str]


def limits_of(report: Mapping[str, Any]) -> list[Limit]:
    """The rules that can be applied to a report, with the languages that they name.

    Args:
        report (`Mapping[str, Any]`): The content of `zero_shot.json`.

    Example:

    ```python
    >>> limits_of(report)[0].languages
    ['qu', 'wo']
    ```
    """
    # The source language is not behind itself, which is nothing to deny of others.
    own_gap = {report["source_language"]: {"transfer_gap": None}}
    languages = {code: {**scores, **own_gap.get(code, {})} for code, scores in report["languages"].items()}
    found = []
    for rule, denied, holds in _rules(report["metric"]):
        verdicts = {code: holds(scores) for code, scores in languages.items()}
        if any(verdict is not None for verdict in verdicts.values()):
            found.append(Limit(rule, denied, [code for code, verdict in verdicts.items() if verdict]))
    return found


def _rules(metric: str) -> list[tuple[str, str, Callable[[Scores], bool | None]]]:
    """Each rule in words, its denial, and whether it holds of a language; `None` where that is not known."""
    retention, width, gap = (100 * bound for bound in (LEAST_RETENTION, WIDEST_INTERVAL, FARTHEST_FROM_SOURCE))
    one_answer = "what one and the same answer to all texts gets"
    return [
        (
            f"At or near chance: the 95 % interval of the student's {metric} reaches down to {one_answer}.",
            "is at chance",
            lambda scores: _is_below(scores["student_low"], scores["chance"], included=True),
        ),
        (
            f"The teacher itself is at or near chance, so that there was nothing to learn from it: {one_answer}.",
            "is one that its teacher does not know",
            lambda scores: _is_below(scores["teacher_low"], scores["chance"], included=True),
        ),
        (
            f"Much is lost: the student keeps less than {retention:.0f} % of the teacher's {metric}.",
            f"keeps less than {retention:.0f} % of its teacher's score",
            lambda scores: _is_below(scores["retention"], LEAST_RETENTION),
        ),
        (
            f"Far behind the source language: more than {gap:.0f} points below its {metric}.",
            f"is more than {gap:.0f} points behind the source language",
            lambda scores: _is_below(FARTHEST_FROM_SOURCE, scores["transfer_gap"]),
        ),
        (
            f"Too few rows to tell: the 95 % interval is wider than {width:.0f} points.",
            f"has an interval wider than {width:.0f} points",
            lambda scores: _is_below(WIDEST_INTERVAL, _width(scores)),
        ),
    ]


def _is_below(value: float | None, bound: float | None, included: bool = False) -> bool | None:
    """Whether a number is below another; `None` where one is not known."""
    if value is None or bound is None:
        return None
    return value <= bound if included else value < bound


def _width(scores: Scores) -> float | None:
    low, high = scores["student_low"], scores["student_high"]
    return None if low is None or high is None else float(high - low)
