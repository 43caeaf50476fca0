"""One entry under `data`, read in one language, with the columns named as the rest of the program knows them.

Every loaded row has `text` (what the student reads), and where they exist `text_pair`, `teacher_text`,
`teacher_text_pair` (what the teacher reads), `label` (a name, a list of names or a number), `language`, `content_id`
and `key` (the same sentence in every language).
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from datasets import Dataset

from xlkd.arguments import DataArguments, RunArguments
from xlkd.data.joining import read_joined
from xlkd.data.labels import label_column, label_of, names_by_id, own_labels, typed
from xlkd.data.made_up_words import with_made_up_words
from xlkd.data.tables import as_list, in_language, read_table, require_columns
from xlkd.errors import UserError
from xlkd.needs import AnswerKind
from xlkd.quickstart import cldr
from xlkd.text.words import joined, without_spaces

logger = logging.getLogger(__name__)


def languages_of_entry(entry: DataArguments, run: RunArguments) -> list[str]:
    """The languages that an entry is read in: those that it names, else those of its role.

    Args:
        entry ([`DataArguments`]): The entry.
        run ([`RunArguments`]): The run.
    """
    if entry.languages:
        return entry.languages
    if entry.role in ("labelled", "validation"):
        return [run.source_language]
    if entry.role in ("unlabelled", "parallel"):
        return run.target_languages
    return run.scored_languages


def check_places(entry: DataArguments, languages: Sequence[str]) -> None:
    """Refuse one text for several languages: rows of all of them would be taken for rows of each.

    Args:
        entry ([`DataArguments`]): The entry.
        languages (`Sequence[str]`): The languages that it is read in.

    Raises:
        [`UserError`]: If no language can be told from another by path, name, split or column.
    """
    if entry.path.startswith("xlkd:") or len(languages) < 2:
        return
    columns = [*as_list(entry.text), *as_list(entry.teacher_text or []), *as_list(entry.label)]
    if not any(
        place in word
        for place in ("{language}", "{code}")
        for word in (entry.path, entry.name or "", entry.split, *columns)
    ):
        raise UserError(
            f"data: {entry.path} ({entry.role}) is one text for {len(languages)} languages ({', '.join(languages)}):"
            f" put {{language}} into the path, or say which it is in, `language: {languages[0]}`."
        )


class Loaded(NamedTuple):
    """Rows of an entry in one language, and what their labels are called where they come from, if some are renamed."""

    rows: Dataset
    own_labels: set[str]


def load_entry(entry: DataArguments, language: str, run: RunArguments, answer_kind: AnswerKind = "one-of") -> Loaded:
    """Load one entry in one language, with the columns named as the rest of the program knows them.

    Args:
        entry ([`DataArguments`]): The entry.
        language (`str`): The language.
        run ([`RunArguments`]): The run, for its source language and its labels.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the task's answers are, and so the labels.

    Raises:
        [`UserError`]: If it cannot be read, a column or a label does not exist, or labels to rename are numbers.
    """
    if entry.path == cldr.QUICKSTART_DATA:
        table = cldr.load_cldr(entry.role, language).rename_column("emoji", "key")
        unread = [] if answer_kind != "vector" else [name for name in table.column_names if name == "label"]
        return Loaded(_finish(table.remove_columns(unread), entry, language), set())
    own = in_language(entry, language)
    columns = _columns("text", own.text)
    if entry.role == "parallel" and entry.join is not None:
        table, translations = read_joined(entry, language, run.source_language)
        columns |= _columns("teacher_text", translations)
    elif entry.role == "parallel" and own.teacher_text is None:
        raise UserError(
            f"data: the parallel text {entry.path} has neither `teacher_text` (a column) nor `join` (the column that"
            " both languages share): name one."
        )
    else:
        table = read_table(own, language)
        columns |= _columns("teacher_text", own.teacher_text or [])
    if entry.join is not None:
        columns["key"] = entry.join
    if answer_kind != "vector" and entry.has_labels:
        table, columns["label"] = label_column(table, own, language, answer_kind)
    require_columns(table, columns.values(), own, language)
    names = names_by_id(table, columns.get("label"), run.labels)
    found = set() if names is None else own_labels(table[columns["label"]], names, own, answer_kind)
    return Loaded(_finish(_select(table, columns, own, language, names, answer_kind), own, language), found)


def content_id(*texts: str | None) -> str:
    """A hash of what a text says, blind to case, spacing and Unicode's ways of writing the same letter."""
    folded = "\n".join(" ".join(unicodedata.normalize("NFKC", text or "").casefold().split()) for text in texts)
    return hashlib.sha256(folded.encode()).hexdigest()[:32]


def content_ids(dataset: Dataset, prefix: str = "") -> list[str]:
    """The content id of each row, by its text and its pair.

    Args:
        dataset (`datasets.Dataset`): Rows with `text` and, where they are of two texts, `text_pair`.
        prefix (`str`, *optional*, defaults to `""`): What stands before both names, as in `teacher_text`.
    """
    texts, paired = joined(dataset[f"{prefix}text"][:]), f"{prefix}text_pair"
    pairs = dataset[paired][:] if paired in dataset.column_names else [None] * len(texts)
    return [content_id(text, pair) for text, pair in zip(texts, pairs, strict=True)]


def _columns(name: str, columns: str | list[str]) -> dict[str, str]:
    return dict(zip((name, f"{name}_pair"), as_list(columns), strict=False))


def _select(
    table: Dataset,
    columns: dict[str, str],
    entry: DataArguments,
    language: str,
    names: Sequence[str] | None,
    answer_kind: AnswerKind,
) -> Dataset:
    where = f"{entry.path} ({entry.role}, {language})"

    def rows() -> Iterable[dict[str, Any]]:
        for row in table:
            chosen = {name: row[column] for name, column in columns.items()}
            chosen |= {name: _text(chosen[name], columns[name], entry) for name in chosen if "text" in name}
            if names is not None:
                chosen["label"] = label_of(chosen["label"], names, entry, answer_kind)
            if "key" in chosen:
                chosen["key"] = _key(chosen["key"], columns["key"], where)
            yield chosen

    full = [row for row in rows() if all(row[name].strip() for name in row if "text" in name)]
    if len(full) < len(table):
        logger.warning("%s: dropped %d empty rows.", where, len(table) - len(full))
    if not full:
        raise UserError(f"{where} has no rows with text: check the file and the column.")
    if "label" in columns and entry.role in ("validation", "evaluation"):
        full = _with_label(full, where)
    return typed(Dataset.from_list(full), answer_kind)


def _key(value: Any, column: str, where: str) -> str:
    if value is None or value == "":
        raise UserError(
            f"{where}: a row has nothing in {column!r}, the column of `join`, which says what is the same sentence:"
            " fill it in, or leave the row out."
        )
    return str(value)


def _with_label(rows: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The rows that can be scored: one without a label would count as a mistake of every model."""
    labelled = [row for row in rows if _is_known(row["label"])]
    if len(labelled) < len(rows):
        logger.warning("%s: dropped %d rows without a label.", where, len(rows) - len(labelled))
    if not labelled:
        raise UserError(f"{where} has no row with a label: check the file and the column that `label` names.")
    return labelled


def _is_known(label: Any) -> bool:
    """Whether a row, and every word of it, has a label."""
    return label is not None and not (isinstance(label, list) and None in label)


def _text(value: Any, column: str, entry: DataArguments) -> str:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(without_spaces(word) for word in value)
    if isinstance(value, list | dict):
        raise UserError(
            f"{entry.path} has {value!r} in the column {column!r}, where text should be: name another column."
        )
    return "" if value is None else str(value)


def _finish(table: Dataset, entry: DataArguments, language: str) -> Dataset:
    ids = content_ids(table)
    if entry.made_up_words is not None:
        # After the ids: a sentence of the evaluation data is still that sentence where some of its words are made up.
        table = _with_made_up_words(table, entry, language)
    return table.add_column("language", [language] * len(table)).add_column("content_id", ids)


def _with_made_up_words(table: Dataset, entry: DataArguments, language: str) -> Dataset:
    assert entry.made_up_words is not None
    texts = table["text"][:]
    made = with_made_up_words(texts, entry.made_up_words, language)
    changed = sum(text != other for text, other in zip(texts, made, strict=True))
    if not changed:
        raise UserError(
            f"data: made_up_words {entry.made_up_words:g} replaced no word of {entry.path} ({language}): it takes words"
            " of at least three letters, with spaces around them, that are rare in the text. Give more text or a larger"
            " share, or leave this language out of the entry's `language`."
        )
    logger.info("%s (%s): %d of %d rows have made-up words.", entry.path, language, changed, len(texts))
    return Dataset.from_dict({**table.to_dict(), "text": made}, features=table.features)
