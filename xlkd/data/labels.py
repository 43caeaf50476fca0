"""The hard labels of rows, as data sets have them: names, class ids, lists of these, columns of 0 and 1, numbers."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pyarrow as pa
from datasets import Dataset, List, Value

from xlkd.arguments import DataArguments
from xlkd.columns import class_names
from xlkd.data.tables import require_columns
from xlkd.errors import UserError, did_you_mean, is_whole_number
from xlkd.needs import AnswerKind

logger = logging.getLogger(__name__)

_OF_ROW = "labels of the row"
"""The column that is made of several of 0 and 1."""

_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def label_column(table: Dataset, entry: DataArguments, language: str, answer_kind: AnswerKind) -> tuple[Dataset, str]:
    """The table and its column of labels; where there is a column of 0 and 1 for each label, a new one with lists.

    Raises:
        [`UserError`]: If rows have one label each, a column does not exist, or a value is neither 0 nor 1.
    """
    if isinstance(entry.label, str):
        return table, entry.label
    if answer_kind != "any-of":
        raise UserError(
            f"data: label {entry.label!r} of {entry.path} are columns of 0 and 1, for rows that may have several"
            " classes: write `task: multi-label-classification`, or name one column."
        )
    require_columns(table, entry.label, entry, language)
    flags = zip(*(table[name] for name in entry.label), strict=True)
    labels: Any = pa.array([_flagged(own, entry) for own in flags], pa.list_(pa.string()))
    return table.add_column(_OF_ROW, labels), _OF_ROW


def _flagged(values: Sequence[Any], entry: DataArguments) -> list[str] | None:
    """The columns that hold a 1; `None` of a row in which all are empty."""
    if all(value is None or value == "" for value in values):
        return None
    found = []
    for name, value in zip(entry.label, values, strict=True):
        if str(value).lower() not in _FLAGS:
            raise UserError(
                f"{entry.path} has {value!r} in the column {name!r}, where 0 or 1 should be: correct it, or leave all"
                " label columns of the row empty where nobody knows."
            )
        if _FLAGS[str(value).lower()]:
            found.append(name)
    return found


def names_by_id(table: Dataset, column: str | None, labels: Sequence[str] | None) -> Sequence[str] | None:
    """The names of integer labels: those that a Hub data set carries (`ClassLabel`), else those of the run.

    Args:
        table (`datasets.Dataset`): The table.
        column (`str`, *optional*): Its column of labels, of rows or in lists; `None` where there is none.
        labels (`Sequence[str]`, *optional*): The `labels` of the run.
    """
    if column is None:
        return None
    return class_names(table, column) or labels or ()


def label_of(label: Any, names: Sequence[str], entry: DataArguments, answer_kind: AnswerKind) -> Any:
    """The label of a row as the run knows it: a name, a list of names, or a number; `None` where there is none.

    Args:
        label (`Any`): The label in the table.
        names (`Sequence[str]`): The names of integer labels.
        entry ([`DataArguments`]): Where it comes from.
        answer_kind (`str`): What the task's answers are.

    Raises:
        [`UserError`]: If a class id has no name, a number is none, or where a list of classes should be there is none,
            or one with a gap or a class twice.
    """
    if answer_kind == "number":
        return _number(label, entry)
    if answer_kind == "any-of" and not isinstance(label, list) and label not in (None, ""):
        raise UserError(
            f"{entry.path} has the label {label!r}, where a list of classes should be: write ['toxic', 'insult'], []"
            " for none of them; or in a table columns of 0 and 1, `label: [toxic, insult]`."
        )
    name = _name(label, names, entry)
    if answer_kind == "one-of" or name is None:
        return name
    if None in name:
        raise UserError(
            f"{entry.path} has the label {label!r}, with an empty name in it: take it out, or write null in place of"
            " the list where nobody knows."
        )
    if len(set(name)) < len(name):
        raise UserError(
            f"{entry.path} has the label {label!r}, with a class twice. If it says yes or no to each class in turn,"
            " write the names, or the ids, of those that are a yes."
        )
    return name


def _number(label: Any, entry: DataArguments) -> float | None:
    if label is None or label == "":
        return None
    try:
        number = math.inf if isinstance(label, bool) else float(label)
    except (TypeError, ValueError):
        number = math.inf
    if math.isinf(number):
        raise UserError(
            f"{entry.path} has the label {label!r}, which is no number, as a regression needs: correct it, leave it"
            " empty where nobody knows, or name another column as `label`."
        )
    return None if math.isnan(number) else number


def _name(label: Any, names: Sequence[str], entry: DataArguments) -> Any:
    """The name of a label, as the run calls it; of a list of labels, those of its words; `None` where there is none."""
    if isinstance(label, list):
        return [_name(one, names, entry) for one in label]
    if label is None or label == "":
        return None
    name = _own_name(label, names, entry)
    return entry.label_map.get(name, name)


def _own_name(label: Any, names: Sequence[str], entry: DataArguments) -> str:
    if isinstance(label, str) and label.isdecimal() and label not in names:
        label = int(label)  # A csv column of integers with a gap is read as text.
    if isinstance(label, str):
        return label
    if not is_whole_number(label):
        raise UserError(
            f"{entry.path} has the label {label!r}, which is neither a name nor the id of a class: write the name, or a"
            " whole number; of a row that may have several classes those that are a yes."
        )
    if not 0 <= label < len(names):
        raise UserError(
            f"{entry.path} has the integer label {label} without a name: name the classes in order,"
            " `labels: [negative, positive]`."
        )
    return names[label]


def own_labels(labels: Iterable[Any], names: Sequence[str], entry: DataArguments, answer_kind: AnswerKind) -> set[str]:
    """The names of labels before `label_map` renames them; none where it renames nothing.

    Args:
        labels (`Iterable[Any]`): The labels of all rows, as the table has them.
        names (`Sequence[str]`): The names of integer labels.
        entry ([`DataArguments`]): Where they come from.
        answer_kind (`str`): What the task's answers are.

    Raises:
        [`UserError`]: If the labels are numbers, which have no names.
    """
    if not entry.label_map:
        return set()
    if answer_kind == "number":
        raise UserError(
            f"data: label_map of {entry.path} has nothing to map, since the labels are numbers: leave it out."
        )
    flat = (one for label in labels for one in (label if isinstance(label, list) else [label]))
    return {_own_name(one, names, entry) for one in flat if one is not None and one != ""}


def warn_of_unused_map(entry: DataArguments, found: Collection[str]) -> None:
    """Say which labels are mapped and no row has: where one is misspelt, the label that was meant stays.

    Args:
        entry ([`DataArguments`]): The entry.
        found (`Collection[str]`): The [`own_labels`] of all its languages.
    """
    for label in sorted(set(entry.label_map) - set(found)):
        logger.warning(
            "%s (%s): label_map maps %r%s, which no row has.", entry.path, entry.role, label, did_you_mean(label, found)
        )


def typed(rows: Dataset, answer_kind: AnswerKind) -> Dataset:
    """The rows with a column of labels of one type, also where all are empty."""
    if answer_kind == "one-of" or "label" not in rows.column_names:
        return rows
    return rows.cast_column("label", Value("float64") if answer_kind == "number" else List(Value("string")))


def check_labels(dataset: Dataset, entry: DataArguments, labels: Sequence[str] | None) -> None:
    """Refuse labels that the run does not name.

    Raises:
        [`UserError`]: If a label of the rows is not named.
    """
    if labels is None or "label" not in dataset.column_names:
        return
    for label in names_of(dataset):
        if label not in labels:
            raise UserError(
                f"{entry.path} ({entry.role}) has the label {label!r}{did_you_mean(label, labels)}, which `labels` does"
                f" not name: {', '.join(labels)}. Add it there, or map it to one of them, `label_map: {{{label}: ...}}`"
                " of the entry."
            )


def names_of(dataset: Dataset) -> list[str]:
    """The different labels of the rows of a data set, or of their words; numbers are none."""
    column = dataset.data.column("label")
    if pa.types.is_floating(column.type):
        return []
    values = column.combine_chunks().flatten() if pa.types.is_list(column.type) else column
    return [label for label in values.unique().to_pylist() if label is not None]


def is_labelled(dataset: Dataset) -> bool:
    """Whether any row of a data set, or any word of one, has a label; that it has none of the classes is one too."""
    return "label" in dataset.column_names and any(
        label is not None and (not isinstance(label, list) or not label or any(name is not None for name in label))
        for label in dataset["label"]
    )
