"""Parallel text that lies in one table a language, joined on the column that says which sentences are the same."""

from __future__ import annotations

import logging
from typing import Any

from datasets import Dataset

from xlkd.arguments import DataArguments
from xlkd.data.tables import TEACHER_SIDE, as_list, in_language, read_table, require_columns
from xlkd.errors import UserError

logger = logging.getLogger(__name__)


def read_joined(entry: DataArguments, language: str, source_language: str) -> tuple[Dataset, list[str]]:
    """Read the rows of one language that have a translation in the source language, each with that translation.

    Args:
        entry ([`DataArguments`]): The entry, with `join`, and `{language}` or `{code}` in its path or name.
        language (`str`): The language of the student's side.
        source_language (`str`): That of the teacher's.

    Returns:
        The table, and the names of its columns that hold the text of the source language.

    Raises:
        [`UserError`]: If there is one table for both languages, a column is missing, several texts of the source
            language have the same key or one has none, or no key stands in both languages.
    """
    assert entry.join is not None
    _require_two_tables(entry)
    target = read_table(in_language(entry, language), language)
    require_columns(target, [entry.join], entry, language)
    texts = _texts_by_key(entry, source_language)
    joined = [row | texts[row[entry.join]] for row in target if row[entry.join] in texts]
    if not joined:
        raise UserError(f"{entry.path}: no value of {entry.join!r} stands in both languages: join on another column.")
    if len(joined) < len(target):
        left_out = len(target) - len(joined)
        logger.warning("%s: %d rows in %s have no translation in %s.", entry.path, left_out, language, source_language)
    return Dataset.from_list(joined), [name for name in joined[0] if name.startswith(TEACHER_SIDE)]


def _texts_by_key(entry: DataArguments, language: str) -> dict[Any, dict[str, Any]]:
    """The text columns of the source language, by what the rows are joined on."""
    own = in_language(entry, language)
    table = read_table(own, language)
    columns = as_list(own.text)
    require_columns(table, [str(entry.join), *columns], entry, language)
    found: dict[Any, dict[str, Any]] = {}
    for row in table:
        key, texts = row[entry.join], {TEACHER_SIDE + name: row[name] for name in columns}
        if key is None or key == "":
            raise UserError(
                f"{entry.path}: a row in {language} has nothing in {entry.join!r} to be joined on: fill it in, or leave"
                " the row out."
            )
        if found.setdefault(key, texts) != texts:
            raise UserError(
                f"{entry.path}: {key!r} stands more than once in {entry.join!r} in {language}, with different texts, so"
                " that it does not say which is the translation: join on a column that tells them apart."
            )
    return found


def _require_two_tables(entry: DataArguments) -> None:
    if not any("{language}" in word or "{code}" in word for word in (entry.path, entry.name or "")):
        raise UserError(
            f"data: {entry.path} is one table for both languages, so `join` has nothing to join: put {{language}} or"
            " {code} into the path, or name the column of the source text as `teacher_text`."
        )
