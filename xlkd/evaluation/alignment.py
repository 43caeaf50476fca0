"""Predictions of several runs, row by row beside one another; runs that cannot be compared are refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from xlkd.errors import UserError
from xlkd.evaluation.answers import renumbered, row_hashes
from xlkd.evaluation.predictions import LanguagePredictions, SavedRun

_AGAIN = (
    "score them on the same evaluation data, `scripts/score_languages.py --model FOLDER --data ... --output_dir NEW`"
)


def aligned(runs: Sequence[SavedRun]) -> dict[str, list[LanguagePredictions]]:
    """The predictions of all runs by language, in the same order of rows and of classes.

    Args:
        runs (`Sequence[SavedRun]`): The runs; the first says the order of languages, rows and classes.

    Raises:
        [`UserError`]: If they are of different tasks, metrics, source languages, labels or languages, or were scored on
            different rows; the message says which two, and in how many rows.
    """
    first, *others = runs
    by_run = [_in_order(first, first.record.labels)]
    for other in others:
        check_records(first, other)
        check_languages(first, other, first.languages)
        ordered = _in_order(other, first.record.labels)
        _check_rows(first, other, by_run[0], ordered)
        by_run.append(ordered)
    return {language: [languages[language] for languages in by_run] for language in first.languages}


def check_records(first: SavedRun, other: SavedRun) -> None:
    """Refuse runs that cannot be compared whatever they predicted.

    Raises:
        [`UserError`]: If they are of different tasks, metrics, source languages or labels.
    """
    for name, what in (("task", "task"), ("metric", "metric"), ("source_language", "source language")):
        one, two = (getattr(run.record, name) for run in (first, other))
        if one != two:
            raise UserError(
                f"{first.name} and {other.name} cannot be compared: their {what} is {one} and {two}. Leave one out, or"
                f" {_AGAIN}."
            )
    _refuse_differing(first, other, "labels", *(run.record.labels for run in (first, other)))


def check_languages(first: SavedRun, other: SavedRun, languages: Iterable[str]) -> None:
    """Refuse runs in different languages.

    Args:
        first ([`SavedRun`]): The one.
        other ([`SavedRun`]): The other.
        languages (`Iterable[str]`): The languages of the one.

    Raises:
        [`UserError`]: If a language is in only one of them.
    """
    _refuse_differing(first, other, "languages", languages, other.languages)


def _refuse_differing(first: SavedRun, other: SavedRun, what: str, one: Iterable[str], two: Iterable[str]) -> None:
    if differing := ", ".join(sorted({*one} ^ {*two})):
        raise UserError(
            f"{first.name} and {other.name} cannot be compared: only one of them has the {what} {differing}. Leave"
            f" one out, or {_AGAIN}."
        )


def _in_order(run: SavedRun, labels: Sequence[str]) -> dict[str, LanguagePredictions]:
    """The rows of each language in the order of their hashes, with classes in the order of `labels`."""
    if set(labels) != set(run.record.labels):
        return {}
    ids = np.array([labels.index(label) for label in run.record.labels])
    found = {}
    for language, entry in run.languages.items():
        assert entry.rows is not None
        gold = renumbered(entry.labels, ids)
        # Rows that say the same may have other labels.
        order = np.lexsort((row_hashes(gold), entry.rows))
        keys = None if entry.keys is None else np.asarray(entry.keys)[order].tolist()
        student, rows = renumbered(entry.student, ids)[order], entry.rows[order]
        teacher = None if entry.teacher is None else renumbered(entry.teacher, ids)[order]
        found[language] = replace(entry, labels=gold[order], student=student, teacher=teacher, keys=keys, rows=rows)
    return found


def _check_rows(
    first: SavedRun,
    other: SavedRun,
    rows: dict[str, LanguagePredictions],
    other_rows: dict[str, LanguagePredictions],
) -> None:
    counts = {language: _differing(rows[language], other_rows[language]) for language in rows}
    counts = {language: count for language, count in counts.items() if count}
    if not counts:
        return
    most = ", ".join(f"{language} {count}" for language, count in list(counts.items())[:5])
    most += ", ..." if len(counts) > 5 else ""
    raise UserError(
        f"{first.name} and {other.name} cannot be compared: {sum(counts.values())} rows are in only one of them, or"
        f" have other labels ({most}). To pair them, {_AGAIN}."
    )


def _differing(first: LanguagePredictions, other: LanguagePredictions) -> int:
    """How many rows of either have no partner of the same text and label in the other."""
    one, two = (_counted(entry) for entry in (first, other))
    return sum(abs(one.get(row, 0) - two.get(row, 0)) for row in {*one, *two})


def _counted(entry: LanguagePredictions) -> dict[tuple[int, int], int]:
    pairs = np.stack([np.asarray(entry.rows), row_hashes(entry.labels)], axis=1)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    return {(int(row), int(label)): int(count) for (row, label), count in zip(unique, counts, strict=True)}
