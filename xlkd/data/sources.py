"""Data by role and language, from wherever the entries under `data` say.

Every loaded row has `text` (what the student reads), and where they exist `text_pair`, `teacher_text`,
`teacher_text_pair` (what the teacher reads), `label` (a name, a list of names or a number), `language`, `content_id`
and `key` (the same sentence in every language).
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from datasets import Dataset, concatenate_datasets

from xlkd.arguments import DataArguments, Role, RunArguments
from xlkd.data.labels import check_label_map, check_labels, label_column, label_of, names_by_id, typed
from xlkd.data.made_up_words import with_made_up_words
from xlkd.data.tables import TEACHER_SIDE, in_language, read_table, require_columns
from xlkd.errors import UserError, did_you_mean
from xlkd.needs import AnswerKind
from xlkd.quickstart import cldr
from xlkd.text.words import without_spaces

logger = logging.getLogger(__name__)

SourceRole = Role | Literal["vocabulary"]
"""The roles of the entries under `data`, and text that is only counted for the student's vocabulary."""

Sources = dict[tuple[SourceRole, str], Dataset]


def load_sources(
    run: RunArguments, complete: bool = True, answer_kind: AnswerKind = "one-of", validated: bool = True
) -> Sources:
    """Load everything that a run names.

    Args:
        run ([`RunArguments`]): The run.
        complete (`bool`, *optional*, defaults to `True`): Whether a run needs data to train and to evaluate on.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the task's answers are, and so the labels.
        validated (`bool`, *optional*, defaults to `True`): Whether rows of role validation are read: where none are
            named, a tenth of the labelled ones are taken from the training for it.

    Returns:
        `dict` from role and language to `datasets.Dataset`.

    Raises:
        [`UserError`]: If a file is missing, empty or not UTF-8, a column or a label does not exist, labels are of
            another language than the source, a language has no evaluation data, or there are no training data.
    """
    wanted = [(entry, own) for entry in run.data for own in languages_of_entry(entry, run)]
    for entry, language in wanted:
        _check_language(entry, language, run)
    sources = _load_vocabulary_text(run)
    for entry, language in wanted:
        dataset = load_entry(entry, language, run, answer_kind)
        check_labels(dataset, entry, run.labels)
        key: tuple[SourceRole, str] = (entry.role, language)
        sources[key] = concatenate_datasets([sources[key], dataset]) if key in sources else dataset
    if complete:
        require_evaluation_data(sources, run)
        _require_training_data(sources)
    return split_off_validation(sources, run.source_language) if validated else sources


def _check_language(entry: DataArguments, language: str, run: RunArguments) -> None:
    if language not in (run.source_language, *run.target_languages):
        raise UserError(
            f"data: {entry.path} ({entry.role}) is in {language}, which the run does not have: add it to"
            " target_languages, or take it out of the entry's `language`."
        )
    if entry.role == "labelled" and language != run.source_language:
        raise UserError(
            f"data: {entry.path} has labelled rows in {language}, but labels are of the source language"
            f" {run.source_language} only: leave out `language`, or use them as unlabelled."
        )


def _load_vocabulary_text(run: RunArguments) -> Sources:
    vocabulary = run.student.vocabulary
    if vocabulary is None or vocabulary.text is None:
        return {}
    languages = vocabulary.languages or [run.source_language, *run.target_languages]
    if "{language}" not in vocabulary.text and len(languages) > 1:
        raise UserError(
            f"student: vocabulary text {vocabulary.text} is one file for {len(languages)} languages: put {{language}}"
            " into the path, or name the one in `languages`."
        )
    entry = DataArguments(role="unlabelled", path=vocabulary.text)
    return {("vocabulary", language): load_entry(entry, language, run) for language in languages}


def load_entry(entry: DataArguments, language: str, run: RunArguments, answer_kind: AnswerKind = "one-of") -> Dataset:
    """Load one entry in one language, with the columns named as the rest of the program knows them."""
    if entry.path == "xlkd:cldr":
        table = cldr.load_cldr(entry.role, language).rename_column("emoji", "key")
        unread = [] if answer_kind != "vector" else [name for name in table.column_names if name == "label"]
        return _finish(table.remove_columns(unread), entry, language)
    entry = in_language(entry, language)
    table = read_table(entry, language)
    columns = _columns(entry, "text", entry.text)
    if entry.role == "parallel":
        if entry.join is not None:
            _require_two_sides(entry)
            table = _join(table, read_table(entry, run.source_language), entry)
            columns |= _columns(entry, "teacher_text", [TEACHER_SIDE + name for name in _as_list(entry.text)])
        elif entry.teacher_text is not None:
            columns |= _columns(entry, "teacher_text", entry.teacher_text)
        else:
            raise UserError(
                f"data: the parallel text {entry.path} has neither `teacher_text` (a column) nor `join` (the column"
                " that both languages share): name one."
            )
    if entry.join is not None:
        columns["key"] = entry.join
    if answer_kind != "vector" and entry.has_labels:
        table, columns["label"] = label_column(table, entry, language, answer_kind)
    return _finish(_select(table, columns, entry, language, run.labels, answer_kind), entry, language)


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
    return [run.source_language, *run.target_languages]


def _columns(entry: DataArguments, name: str, columns: str | list[str]) -> dict[str, str]:
    return dict(zip((name, f"{name}_pair"), _as_list(columns), strict=False))


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _select(
    table: Dataset,
    columns: dict[str, str],
    entry: DataArguments,
    language: str,
    labels: Sequence[str] | None,
    answer_kind: AnswerKind,
) -> Dataset:
    require_columns(table, columns.values(), entry, language)
    where = f"{entry.path} ({entry.role}, {language})"
    names = names_by_id(table, columns.get("label"), labels)
    if names is not None:
        check_label_map(table[columns["label"]], names, entry, answer_kind, where)

    def rows() -> Iterable[dict[str, Any]]:
        for row in table:
            chosen = {name: row[column] for name, column in columns.items()}
            chosen |= {name: _text(chosen[name], columns[name], entry) for name in chosen if "text" in name}
            if names is not None:
                chosen["label"] = label_of(chosen["label"], names, entry, answer_kind)
            if "key" in chosen:
                chosen["key"] = str(chosen["key"])
            yield chosen

    full = [row for row in rows() if all(row[name].strip() for name in row if "text" in name)]
    if len(full) < len(table):
        logger.warning("%s: dropped %d empty rows.", where, len(table) - len(full))
    if not full:
        raise UserError(f"{where} has no rows with text: check the file and the column.")
    if "label" in columns and entry.role in ("validation", "evaluation"):
        full = _with_label(full, where)
    return typed(Dataset.from_list(full), answer_kind)


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


def _require_two_sides(entry: DataArguments) -> None:
    if not any("{language}" in word or "{code}" in word for word in (entry.path, entry.name or "")):
        raise UserError(
            f"data: {entry.path} is one table for both languages, so `join` has nothing to join: put {{language}} or"
            " {code} into the path, or name the column of the source text as `teacher_text`."
        )


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
        row | {TEACHER_SIDE + name: by_key[row[column]].get(name) for name in _as_list(entry.text)}
        for row in target
        if row[column] in by_key
    ]
    if not joined:
        raise UserError(f"{entry.path}: no value of {column!r} stands in both languages: join on another column.")
    return Dataset.from_list(joined)


def _finish(table: Dataset, entry: DataArguments, language: str) -> Dataset:
    pairs: Sequence[str | None] = table["text_pair"] if "text_pair" in table.column_names else [None] * len(table)
    ids = [content_id(text, pair) for text, pair in zip(table["text"], pairs, strict=True)]
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


def _require_training_data(sources: Sources) -> None:
    training = [dataset for (role, _), dataset in sources.items() if role in ("labelled", "unlabelled", "parallel")]
    if not training:
        raise UserError("There are no training data: add an entry of role labelled, unlabelled or parallel.")
    read = [dataset for (role, _), dataset in sources.items() if role != "vocabulary"]
    if len({"text_pair" in dataset.column_names for dataset in read}) > 1:
        raise UserError("Some data are pairs of texts and others are not: give `text` two columns everywhere, or one.")


def require_evaluation_data(sources: Sources, run: RunArguments) -> None:
    """Refuse a run with a language that there is nothing to score in.

    Raises:
        [`UserError`]: If there is one.
    """
    missing = [
        language for language in [run.source_language, *run.target_languages] if ("evaluation", language) not in sources
    ]
    if missing:
        raise UserError(
            f"No evaluation data for {', '.join(missing)}: add an entry of role evaluation, or take the language out of"
            " target_languages."
        )
