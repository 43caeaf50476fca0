"""Answers to rows, gold or predicted: arrays whose first dimension is rows, in one of five forms.

| task | form |
|---|---|
| one class a row | class ids, integers of shape `(rows,)` |
| any classes a row | booleans of shape `(rows, classes)` |
| a number a row | floats of shape `(rows,)` |
| one class a word | an object array of shape `(rows,)` of integer arrays `(words,)` |
| a translation found | floats of shape `(rows, 3)`, see [`~evaluation.metrics.retrieval.retrieved`] |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xlkd.errors import UserError
from xlkd.outputs import NO_LABEL

Answers = NDArray[Any]
Hashes = NDArray[np.int64]


def by_word(rows: Iterable[Any]) -> Answers:
    """Answers to the words of each row, from one list or array a row.

    Example:

    ```python
    >>> by_word([[0, 1, 1], [0]])
    array([array([0, 1, 1]), array([0])], dtype=object)
    ```
    """
    arrays = [np.asarray(row) for row in rows]
    found = np.empty(len(arrays), object)
    # Not in one assignment: rows that happen to have as many words would become one table.
    for index, array in enumerate(arrays):
        # Of an empty list NumPy makes an array of floats.
        found[index] = array if array.shape != (0,) else array.astype(np.int64)
    return found


def is_by_word(answers: Answers) -> bool:
    """Whether answers are to the words of each row."""
    return answers.dtype == object


def words_of(answers: Answers) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Answers to words, those of all rows one behind the other, and how many each row has.

    Example:

    ```python
    >>> words_of(by_word([[0, 1, 1], [0]]))
    (array([0, 1, 1, 0]), array([3, 1]))
    ```
    """
    lengths = np.array([len(row) for row in answers], np.int64)
    return np.concatenate([np.zeros(0, np.int64), *answers]) if not lengths.any() else np.concatenate(answers), lengths


def rows_of_words(words: NDArray[Any], lengths: NDArray[np.int64]) -> Answers:
    """What [`words_of`] took apart."""
    return by_word(np.split(words, np.cumsum(lengths)[:-1]))


def unlabelled_rows(labels: Answers) -> NDArray[np.bool_]:
    """Which rows have no label, or a word without one: -100 where labels are class ids, NaN where they are numbers."""
    if is_by_word(labels):
        return np.array([bool(np.any(row == NO_LABEL)) for row in labels], bool)
    missing = np.isnan(labels) if labels.dtype.kind == "f" else labels == NO_LABEL
    return np.asarray(missing.reshape(len(labels), -1).any(axis=1))


def check_answers(first: Answers, *others: Answers) -> None:
    """Refuse answers that cannot be scored against one another.

    Raises:
        [`UserError`]: If there are no rows, or they differ in length, in form, or in the number of words of a row.

    Example:

    ```python
    >>> check_answers(np.array([0, 1]), np.array([1, 1]))
    ```
    """
    lengths = [len(own) for own in (first, *others)]
    if len(set(lengths)) > 1:
        raise UserError(f"Predictions and labels have lengths {lengths}: give one prediction for each label.")
    if lengths[0] == 0:
        raise UserError("There are no rows to score: give at least one row with a label.")
    forms = [_form(own) for own in (first, *others)]
    if len(set(forms)) > 1:
        raise UserError(f"Predictions and labels are {' and '.join(dict.fromkeys(forms))}: give both in one form.")
    if is_by_word(first):
        _check_words(first, others)


def _check_words(first: Answers, others: Sequence[Answers]) -> None:
    words = words_of(first)[1]
    for other in others:
        if differing := np.flatnonzero(words_of(other)[1] != words).tolist():
            raise UserError(
                f"Predictions and labels of {len(differing)} rows, the first of them {differing[0]}, have different"
                " numbers of words: give one prediction for each word, and the outside tag for words that were cut off."
            )


def _form(answers: Answers) -> str:
    if is_by_word(answers):
        return "class ids of words"
    # Of what was retrieved, the label is a number as well.
    kinds = {"i": "class ids", "u": "class ids", "f": "numbers"}
    return "booleans" if answers.dtype.kind == "b" else kinds.get(answers.dtype.kind, str(answers.dtype))


def renumbered(answers: Answers, ids: NDArray[np.int64]) -> Answers:
    """Answers whose classes stand in another order.

    Args:
        answers (`np.ndarray`): In any form; numbers, and words without an answer, stay as they are.
        ids (`np.ndarray` of shape `(classes,)`): The new id of each class.

    Example:

    ```python
    >>> renumbered(np.array([0, 1, 1]), np.array([1, 0]))
    array([1, 0, 0])
    ```
    """
    if is_by_word(answers):
        words, lengths = words_of(answers)
        return rows_of_words(np.where(words == NO_LABEL, NO_LABEL, ids[np.maximum(words, 0)]), lengths)
    if answers.dtype.kind == "b":
        return np.asarray(answers[:, np.argsort(ids)])
    return np.asarray(answers if answers.dtype.kind == "f" else ids[answers])


def row_hashes(answers: Answers) -> Hashes:
    """A whole number for the answer to each row, by which equal ones are found; of class ids the ids themselves."""
    if answers.ndim == 1 and answers.dtype.kind in "iu":
        return answers.astype(np.int64)
    kind = np.int64 if is_by_word(answers) or answers.dtype.kind == "b" else np.float64
    return hashes_of_bytes(np.asarray(row).astype(kind).tobytes() for row in answers)


def hashes_of_bytes(contents: Iterable[bytes]) -> Hashes:
    """64 bits of the SHA-256 of each, as whole numbers."""
    digests = (hashlib.sha256(content).digest()[:8] for content in contents)
    return np.array([int.from_bytes(digest, "big", signed=True) for digest in digests], np.int64)
