"""Data by role and language, from wherever the entries under `data` say.

Every loaded row has `text` (what the student reads), and where they exist `text_pair`, `teacher_text`,
`teacher_text_pair` (what the teacher reads), `label` (a name), `language`, `content_id` and `key` (the same sentence
in every language).
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from datasets import Dataset, concatenate_datasets

from xlkd.arguments import DataArguments, Role, RunArguments
from xlkd.data.tables import read_table
from xlkd.errors import UserError, did_you_mean
from xlkd.quickstart import cldr

logger = logging.getLogger(__name__)

Sources = dict[tuple[Role, str], Dataset]


def load_sources(run: RunArguments) -> Sources:
    """Load everything that a run names.

    Returns:
        `dict` from role and language to `datasets.Dataset`.

    Raises:
        [`UserError`]: If a file is missing, empty or not UTF-8, a column or a label does not exist, a language has no
            evaluation data, or there are no labelled or validation rows.
    """
    sources: Sources = {}
    for entry in run.data:
        for language in entry.languages or _languages_of_role(entry.role, run):
            dataset = load_entry(entry, language, run)
            key = (entry.role, language)
            sources[key] = concatenate_datasets([sources[key], dataset]) if key in sources else dataset
    _require_evaluation_data(sources, run)
    return split_off_validation(sources, run.source_language)


def load_entry(entry: DataArguments, language: str, run: RunArguments) -> Dataset:
    """Load one entry in one language, with the columns named as the rest of the program knows them."""
    if entry.path == "xlkd:cldr":
        table = cldr.load_cldr(entry.role, language).rename_column("emoji", "key")
        return _finish(table, language)
    table = read_table(entry, language)
    columns = _columns(entry, "text", entry.text)
    if entry.role == "parallel":
        if entry.join is not None:
            table = _join(table, read_table(entry, run.source_language), entry)
            columns |= _columns(entry, "teacher_text", [_TEACHER + name for name in _as_list(entry.text)])
        elif entry.teacher_text is not None:
            columns |= _columns(entry, "teacher_text", entry.teacher_text)
        else:
            raise UserError(
                f"data: the parallel text {entry.path} has neither `teacher_text` (a column) nor `join` (the column that"
                " both languages share): name one."
            )
    if entry.join is not None:
        columns["key"] = entry.join
    if entry.role in ("labelled", "validation", "evaluation"):
        columns["label"] = entry.label
    return _finish(_select(table, columns, entry, language, run.labels), language)


def split_off_validation(sources: Sources, source_language: str) -> Sources:
    """Make a tenth of the labelled rows the validation data where none are named, chosen by their content.

    Raises:
        [`UserError`]: If there are too few labelled rows for that.
    """
    labelled = sources.get(("labelled", source_language))
    if labelled is None or any(role == "validation" for role, _ in sources):
        return sources
    chosen = [int(content_id[:8], 16) % 10 == 0 for content_id in labelled["content_id"]]
    if not any(chosen) or all(chosen):
        raise UserError(
            f"{len(labelled)} labelled rows are too few to keep a tenth for validation: add rows, or an entry of role"
            " validation."
        )
    return sources | {
        ("validation", source_language): labelled.select([index for index, yes in enumerate(chosen) if yes]),
        ("labelled", source_language): labelled.select([index for index, yes in enumerate(chosen) if not yes]),
    }


def content_id(*texts: str | None) -> str:
    """A hash of what a text says, blind to case, spacing and Unicode's ways of writing the same letter."""
    folded = "\n".join(" ".join(unicodedata.normalize("NFKC", text or "").casefold().split()) for text in texts)
    return hashlib.sha256(folded.encode()).hexdigest()[:32]


_TEACHER = "teacher side of "


def _languages_of_role(role: Role, run: RunArguments) -> list[str]:
    if role in ("labelled", "validation"):
        return [run.source_language]
    if role in ("unlabelled", "parallel"):
        return run.target_languages
    return [run.source_language, *run.target_languages]


def _columns(entry: DataArguments, name: str, columns: str | list[str]) -> dict[str, str]:
    return dict(zip((name, f"{name}_pair"), _as_list(columns), strict=False))


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _select(
    table: Dataset, columns: dict[str, str], entry: DataArguments, language: str, labels: Sequence[str] | None
) -> Dataset:
    for column in columns.values():
        if column not in table.column_names:
            known = [name for name in table.column_names if not name.startswith(_TEACHER)]
            raise UserError(
                f"{entry.path} ({entry.role}, {language}) has no column {column!r}{did_you_mean(column, known)}; it has"
                f" {', '.join(known)}."
            )
    names = _label_names(table, columns.get("label"), labels)

    def rows() -> Iterable[dict[str, Any]]:
        for row in table:
            chosen = {name: row[column] for name, column in columns.items()}
            if names is not None:
                chosen["label"] = _label_name(chosen["label"], names, entry)
            if "key" in chosen:
                chosen["key"] = str(chosen["key"])
            yield chosen

    full = [row for row in rows() if all(str(row[name] or "").strip() for name in row if "text" in name)]
    if len(full) < len(table):
        logger.warning("%s (%s, %s): dropped %d empty rows.", entry.path, entry.role, language, len(table) - len(full))
    if not full:
        raise UserError(f"{entry.path} ({entry.role}, {language}) has no rows with text: check the file and the column.")
    return Dataset.from_list(full)


def _label_names(table: Dataset, column: str | None, labels: Sequence[str] | None) -> Sequence[str] | None:
    if column is None:
        return None
    # A Hub data set may carry the names of its integer labels (`ClassLabel`).
    names: Sequence[str] = table.features[column].names if "names" in vars(table.features[column]) else ()
    return names or labels or ()


def _label_name(label: Any, names: Sequence[str], entry: DataArguments) -> str | None:
    if label is None or label == "":
        return None
    if isinstance(label, int) and not isinstance(label, bool):
        if not 0 <= label < len(names):
            raise UserError(
                f"{entry.path} has the integer label {label} without a name: name the classes in order,"
                " `labels: [negative, positive]`."
            )
        return names[label]
    return str(label)


def _join(target: Dataset, source: Dataset, entry: DataArguments) -> Dataset:
    column = entry.join
    assert column is not None
    for side in (target, source):
        if column not in side.column_names:
            raise UserError(
                f"{entry.path} has no column {column!r}{did_you_mean(column, side.column_names)} to join on; it has"
                f" {', '.join(side.column_names)}."
            )
    by_key = {row[column]: row for row in source}
    joined = [
        row | {_TEACHER + name: by_key[row[column]].get(name) for name in _as_list(entry.text)}
        for row in target
        if row[column] in by_key
    ]
    if not joined:
        raise UserError(f"{entry.path}: no value of {column!r} stands in both languages: join on another column.")
    return Dataset.from_list(joined)


def _finish(table: Dataset, language: str) -> Dataset:
    pairs: Sequence[str | None] = table["text_pair"] if "text_pair" in table.column_names else [None] * len(table)
    ids = [content_id(text, pair) for text, pair in zip(table["text"], pairs, strict=True)]
    return table.add_column("language", [language] * len(table)).add_column("content_id", ids)


def _require_evaluation_data(sources: Sources, run: RunArguments) -> None:
    missing = [
        language
        for language in [run.source_language, *run.target_languages]
        if ("evaluation", language) not in sources
    ]
    if missing:
        raise UserError(
            f"No evaluation data for {', '.join(missing)}: add an entry of role evaluation, or take the language out of"
            " target_languages."
        )
