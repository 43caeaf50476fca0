"""Scores as plain text of at most 100 columns, to be printed in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from xlkd.evaluation.numbers import interval_words, p_words, percent
from xlkd.evaluation.wording import not_scored, unread_words

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
    said = [how, what, *filter(None, (unread_words(values), not_scored(values)))]
    lines = [line for text in said for line in wrapped(text)]
    return lines if oracle is None else lines + wrapped(f"* {oracle['selection']}: no zero-shot number.")


def _language_row(language: str, scores: Mapping[str, Any]) -> str:
    name = f"{language:<{NAME_COLUMNS}.{NAME_COLUMNS}}"
    return f"{name}{scores['n']:>7}{_scores_in_columns(scores)}{p_words(scores['p_value']):>9}"


def _mean_row(name: str, scores: Mapping[str, Any]) -> str:
    count = f" ({scores['n_languages']})"
    return f"{name[: NAME_COLUMNS - len(count)] + count:<{NAME_COLUMNS}}{'':>7}{_scores_in_columns(scores)}"


def _scores_in_columns(scores: Mapping[str, Any]) -> str:
    interval = interval_words(scores["student_low"], scores["student_high"])
    teacher, retention, gap = (percent(scores[name]) for name in ("teacher", "retention", "transfer_gap"))
    return f"{percent(scores['student']):>9} {interval:<15}{teacher:>9}{retention:>11}{gap:>8}"
