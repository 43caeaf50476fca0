"""Scores as plain text of at most 100 columns, to be printed in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from xlkd.evaluation.wording import unread_words, unscored_languages

COLUMNS = 100
NAME_COLUMNS = 28

_HEADER = (
    f"{'language':<{NAME_COLUMNS}}{'n':>7}{'student':>9} {'[low, high]':<15}"
    f"{'teacher':>9}{'retention':>11}{'gap':>8}{'p':>9}"
)


def report_table(values: Mapping[str, Any]) -> str:
    """A report, as `zero_shot.json` holds it, in lines: languages, means, and what the columns mean.

    Args:
        values (`Mapping[str, Any]`): The content of `zero_shot.json`.
    """
    rule = "-" * len(_HEADER)
    lines = [_HEADER, rule, *(_language_row(*item) for item in values["languages"].items()), rule]
    means = _mean_rows(values)
    return "\n".join(lines + means + [rule] * bool(means) + _footer(values))


def percent(fraction: float | None) -> str:
    """A fraction of 1 in percent; a dash where it is undefined.

    Example:

    ```python
    >>> percent(0.725), percent(None)
    ('72.5', '-')
    ```
    """
    # The sum with zero turns -0.0, a gap that rounds to nothing, into 0.0.
    return "-" if fraction is None else f"{round(100 * fraction, 1) + 0.0:.1f}"


def p_words(p_value: float | None) -> str:
    """A p-value in three decimals; a dash where it is undefined."""
    return "-" if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def wrapped(text: str) -> list[str]:
    """A text in lines that fit."""
    return textwrap.wrap(text, COLUMNS)


def _mean_rows(values: Mapping[str, Any]) -> list[str]:
    target, oracle = values["means"]["target"], values["oracle"]
    means = {} if target is None else {"mean of targets": target}
    means |= {f"mean of {name}": scores for name, scores in values["groups"].items()}
    rows = [_mean_row(name, scores) for name, scores in means.items()]
    if oracle is not None:
        rows.append(f"{'oracle, mean of targets *':<{NAME_COLUMNS}}{'':>7}{percent(oracle['target']):>9}")
    return rows


def _footer(values: Mapping[str, Any]) -> list[str]:
    how = (
        f"{values['metric']} in %, [95 % bootstrap interval]. Setting: {values['setting']}."
        f" Checkpoint: {values['selection']}."
    )
    what = "retention: student / teacher. gap: score of the source language minus this one."
    what += "" if values["test"] is None else f" p: student against teacher, {values['test']} test."
    oracle = values["oracle"]
    said = [how, what, *filter(None, (unread_words(values), unscored_languages(values)))]
    lines = [line for text in said for line in wrapped(text)]
    return lines if oracle is None else lines + wrapped(f"* {oracle['selection']}: no zero-shot number.")


def _language_row(language: str, scores: Mapping[str, Any]) -> str:
    name = f"{language:<{NAME_COLUMNS}.{NAME_COLUMNS}}"
    return f"{name}{scores['n']:>7}{_scores_in_columns(scores)}{p_words(scores['p_value']):>9}"


def _mean_row(name: str, scores: Mapping[str, Any]) -> str:
    count = f" ({scores['n_languages']})"
    return f"{name[: NAME_COLUMNS - len(count)] + count:<{NAME_COLUMNS}}{'':>7}{_scores_in_columns(scores)}"


def _scores_in_columns(scores: Mapping[str, Any]) -> str:
    low, high = scores["student_low"], scores["student_high"]
    interval = "-" if low is None else f"[{percent(low)}, {percent(high)}]"
    teacher, retention, gap = (percent(scores[name]) for name in ("teacher", "retention", "transfer_gap"))
    return f"{percent(scores['student']):>9} {interval:<15}{teacher:>9}{retention:>11}{gap:>8}"
