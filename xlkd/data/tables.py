"""Tables from local files or the Hub, as `datasets` reads them, with the errors in words."""

from __future__ import annotations

import csv
import glob
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.errors
from datasets import Dataset, load_dataset

from xlkd.arguments import DataArguments
from xlkd.data import conll
from xlkd.errors import UserError, did_you_mean, in_one_line

logger = logging.getLogger(__name__)

# A tab is the only special character of a tsv: a stray quote is text, and `NA` is a word of some languages.
_TSV = {"sep": "\t", "quoting": csv.QUOTE_NONE, "keep_default_na": False}
_READERS: dict[str, tuple[str, Mapping[str, Any]]] = {
    ".jsonl": ("json", {}),
    ".json": ("json", {}),
    ".csv": ("csv", {"keep_default_na": False}),
    ".tsv": ("csv", _TSV),
    ".txt": ("text", {"encoding": "utf-8-sig"}),
    ".parquet": ("parquet", {}),
}


TEACHER_SIDE = "teacher side of "
"""What the columns begin with that a join has taken from the table of the source language."""

SUFFIXES = (*_READERS, *conll.SUFFIXES)

# `datasets` raises RuntimeError for a data set that is a script.
_HUB_ERRORS = (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError)


def read_table(entry: DataArguments, language: str) -> Dataset:
    """Read the table of one entry in one language; a known suffix is a local file and is never looked for on the Hub.

    Raises:
        [`UserError`]: If it is missing, empty, unreadable or not UTF-8, or the Hub cannot be reached.
    """
    path = fill_in(entry.path, entry, language)
    if not is_file(path):
        return _read_hub(path, entry, language)
    suffix = Path(path).suffix.lower()
    files = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
    if not files:
        raise UserError(f"{path} ({entry.role}, {language}) matches no file: check the path.")
    for file in files:
        _check_file(file, entry, language, suffix)
    if suffix in conll.SUFFIXES or (suffix == ".txt" and all(conll.is_conll(file) for file in files)):
        return conll.read_conll(files, _text_columns(entry)[0], str(entry.label), entry.has_labels)
    if suffix == ".txt" and all(conll.looks_like_words(file) for file in files):
        logger.warning("%s is read as one text a line. If it has one word a line, rename it to .conll.", path)
    builder, options = _READERS[suffix]
    if builder == "csv":
        # Else a text of digits would be read as a number: 007 as 7, 1.50 as 1.5.
        options = {**options, "converters": dict.fromkeys(_text_columns(entry), str)}
    try:
        return load_dataset(builder, data_files=files, split="train", **options)
    except (datasets.exceptions.DatasetsError, ValueError) as error:
        cause = in_one_line(error.__cause__ or error).rstrip(".")
        raise UserError(
            f"{path} ({entry.role}, {language}) is not a readable {suffix} file: {cause}. Check the file."
        ) from error


def is_file(path: str) -> bool:
    """Whether a path has the suffix of a local file, which is never looked for on the Hub."""
    return Path(path).suffix.lower() in SUFFIXES


def fill_in(pattern: str, entry: DataArguments, language: str) -> str:
    """Put a language, or the data set's own code of it, into a path or a name.

    Raises:
        [`UserError`]: If `{code}` stands in it and the language has no code.
    """
    if "{code}" in pattern and language not in entry.codes:
        raise UserError(f"data: {pattern} needs the code of {language}: add it, `codes: {{{language}: ...}}`.")
    return pattern.replace("{language}", language).replace("{code}", entry.codes.get(language, ""))


def in_language(entry: DataArguments, language: str) -> DataArguments:
    """The entry with a language put into the names of its columns; a wide table has one column a language.

    Raises:
        [`UserError`]: If `{code}` stands in one and the language has no code.
    """

    def filled(columns: str | list[str]) -> str | list[str]:
        names = [fill_in(column, entry, language) for column in as_list(columns)]
        return names if isinstance(columns, list) else names[0]

    teacher_text = None if entry.teacher_text is None else filled(entry.teacher_text)
    return replace(entry, text=filled(entry.text), teacher_text=teacher_text, label=filled(entry.label))


def require_columns(table: Dataset, columns: Iterable[str], entry: DataArguments, language: str) -> None:
    """Refuse a table that lacks a column.

    Raises:
        [`UserError`]: If a column is missing; the message names the nearest one.
    """
    for column in columns:
        if column not in table.column_names:
            known = [name for name in table.column_names if not name.startswith(TEACHER_SIDE)]
            raise UserError(
                f"{entry.path} ({entry.role}, {language}) has no column {column!r}{did_you_mean(column, known)}; it has"
                f" {', '.join(known)}.{_CONLL_HINT if Path(entry.path).suffix.lower() in ('.txt', '.tsv') else ''}"
            )


_CONLL_HINT = " If it has one word and its tag a line, rename it to .conll."


def _text_columns(entry: DataArguments) -> list[str]:
    return [*as_list(entry.text), *as_list(entry.teacher_text or [])]


def as_list(columns: str | list[str]) -> list[str]:
    """The columns of a text, or of a pair of texts."""
    return columns if isinstance(columns, list) else [columns]


def _check_file(file: str, entry: DataArguments, language: str, suffix: str) -> None:
    where = f"{file} ({entry.role}, {language})"
    header = suffix in (".csv", ".tsv")
    try:
        if os.path.getsize(file) == 0:
            raise UserError(f"{where} is empty: check the file.")
        if suffix != ".parquet":
            with open(file, encoding="utf-8", errors="strict", newline="") as lines:
                if sum(bool(line.strip()) for line in lines) <= header:
                    raise UserError(f"{where} is empty{' below its header' if header else ''}: check the file.")
                if header:
                    lines.seek(0)
                    _check_fields(lines, where, suffix)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 ({error.reason} near byte {error.start}): save it as UTF-8.") from error
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}. Check the path; it is a local file.") from error


def _check_fields(lines: Iterable[str], where: str, suffix: str) -> None:
    # A row with another number of fields would shift the columns, and nobody would see it.
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if suffix == ".tsv" else csv.reader(lines)
    try:
        header = next(rows)
        for row in rows:
            if row and len(row) != len(header):
                raise UserError(
                    f"{where} line {rows.line_num} has {len(row)} fields, but the header {len(header)}: mend it."
                )
    except csv.Error as error:
        raise UserError(f"{where} line {rows.line_num} cannot be read: {error}. Mend the line.") from error


def _read_hub(path: str, entry: DataArguments, language: str) -> Dataset:
    name = None if entry.name is None else fill_in(entry.name, entry, language)
    try:
        return load_dataset(path, name, split=fill_in(entry.split, entry, language), revision=entry.revision)
    except (*_HUB_ERRORS, huggingface_hub.errors.HfHubHTTPError) as error:
        known = ", ".join(SUFFIXES)
        reason = in_one_line(error, 200).rstrip(".")
        if os.path.isfile(path):
            raise UserError(f"{path} ({entry.role}, {language}) is a local file, and must end in {known}.") from error
        raise UserError(
            f"The data set {path!r} ({entry.role}, {language}) could not be had from the Hub: {reason}. Check the name"
            f" and the connection; a local file ends in {known}."
        ) from error
