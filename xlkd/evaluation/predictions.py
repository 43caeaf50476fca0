"""What models predicted, row by row, and the file that keeps it beside a report: answers and hashes, no text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from xlkd.errors import UserError
from xlkd.evaluation.answers import (
    Answers,
    Hashes,
    check_answers,
    hashes_of_bytes,
    is_by_word,
    rows_of_words,
    unlabelled_rows,
    words_of,
)
from xlkd.folders import write_bytes

PREDICTIONS_FILE = "predictions.safetensors"
SCHEMA = "2"

_ANSWERS = ("labels", "student", "teacher")
_COLUMNS = (*_ANSWERS, "keys", "rows", "unread", "words")


@dataclass(frozen=True)
class LanguagePredictions:
    """What student and teacher predicted in one language.

    Args:
        language (`str`): The language.
        labels (`np.ndarray`): The gold answers, in a form of [`~evaluation.answers`].
        student (`np.ndarray`): The student's answers, likewise.
        teacher (`np.ndarray`, *optional*): The teacher's answers.
        keys (`Sequence[Any]`, *optional*): Names of the rows that are the same in every language.
        rows (`np.ndarray` of shape `(rows,)`, *optional*):
            A hash of what each row says ([`hashes_of`]), by which another run's predictions of it are found.
        unread (`np.ndarray` of shape `(rows, systems)`, *optional*):
            Where rows are labelled word by word, how many words of each the student, and the teacher, did not see.

    Raises:
        [`UserError`]: If there are no rows, a row has no label, or lengths or forms differ.

    Example:

    ```python
    >>> entry = LanguagePredictions("sw", labels=np.array([0, 1]), student=np.array([0, 0]))
    ```
    """

    language: str
    labels: Answers
    student: Answers
    teacher: Answers | None = None
    keys: Sequence[Any] | None = None
    rows: Hashes | None = None
    unread: NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        try:
            check_answers(self.student, self.labels)
            if self.teacher is not None:
                check_answers(self.teacher, self.labels)
            for what, values in (("keys", self.keys), ("hashes", self.rows)):
                if values is not None and len(values) != len(self.labels):
                    raise UserError(f"{len(self.labels)} rows have {len(values)} {what}: give one for each, or none.")
        except UserError as error:
            raise UserError(f"Language {self.language}: {error}") from error
        if unlabelled := int(unlabelled_rows(self.labels).sum()):
            raise UserError(f"Language {self.language}: {unlabelled} rows have no label: leave them out of evaluation.")


@dataclass(frozen=True)
class PredictionsRecord:
    """What says whether the predictions of two runs can be compared.

    Args:
        task (`str`): The task.
        metric (`str`): The score that is reported first.
        metrics (`list[str]`): All scores that are reported.
        labels (`list[str]`): Names of the classes, in the order of ids.
        source_language (`str`): Language of the labels.
        student (`str`): Name of the student.
        teacher (`str`, *optional*): Name of the teacher.
        seed (`int`): Seed of the run.
    """

    task: str
    metric: str
    metrics: list[str]
    labels: list[str]
    source_language: str
    student: str
    teacher: str | None
    seed: int


@dataclass(frozen=True)
class SavedRun:
    """A run as its folder keeps it.

    Args:
        name (`str`): The folder, as it was named.
        record ([`PredictionsRecord`]): What was scored.
        languages (`Mapping[str, LanguagePredictions]`): The predictions, by language.
    """

    name: str
    record: PredictionsRecord
    languages: Mapping[str, LanguagePredictions]


def hashes_of(texts: Iterable[str]) -> Hashes:
    """64 bits of the SHA-256 of each text, as whole numbers.

    Example:

    ```python
    >>> hashes_of(["habari"]) == hashes_of(["habari"])
    array([ True])
    ```
    """
    return hashes_of_bytes(text.encode() for text in texts)


def save_predictions(folder: str | Path, predictions: Sequence[LanguagePredictions], record: PredictionsRecord) -> Path:
    """Write `predictions.safetensors` into a folder; it appears whole or not at all.

    Args:
        folder (`str` or `Path`): The folder, which exists.
        predictions (`Sequence[LanguagePredictions]`): The predictions, whose `rows` are known.
        record ([`PredictionsRecord`]): What was scored.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for entry in predictions:
        columns = {name: getattr(entry, name) for name in ("rows", "keys", "unread", *_ANSWERS)}
        if columns["keys"] is not None and not isinstance(columns["keys"], np.ndarray):
            columns["keys"] = hashes_of(map(str, columns["keys"]))
        if is_by_word(entry.labels):
            columns |= {name: words_of(columns[name])[0] for name in _ANSWERS if columns[name] is not None}
            columns["words"] = words_of(entry.labels)[1]
        for name, values in columns.items():
            if values is not None:
                # Half the size; hashes need all of it.
                is_id = name in _ANSWERS and values.dtype.kind in "iu"
                tensors[f"{entry.language}/{name}"] = np.ascontiguousarray(values, np.int32 if is_id else None)
    metadata = {"schema": SCHEMA, "record": json.dumps(vars(record), ensure_ascii=False)}
    # safetensors writes tensors in an order of its own: the languages are read back in this one.
    metadata["languages"] = json.dumps([entry.language for entry in predictions])
    path = Path(folder) / PREDICTIONS_FILE
    write_bytes(path, safetensors.numpy.save(tensors, metadata))
    return path


def load_run(folder: str | Path) -> SavedRun:
    """Read the predictions that a run's folder keeps.

    Raises:
        [`UserError`]: If there are none, or they are of another version.
    """
    path = Path(folder) / PREDICTIONS_FILE
    again = "score the student again, `scripts/score_languages.py --model FOLDER --data ... --output_dir NEW`"
    if not path.is_file():
        raise UserError(f"{folder} has no {PREDICTIONS_FILE}: name the folder of a run, or {again}.")
    try:
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}. Check the file, or {again}.") from error
    if metadata.get("schema") != SCHEMA:
        raise UserError(f"{path} is not of schema {SCHEMA}: {again}.")
    languages = {
        language: _entry(
            language,
            {name: tensors[key] for name in _COLUMNS if (key := f"{language}/{name}") in tensors},
        )
        for language in json.loads(metadata["languages"])
    }
    record = json.loads(metadata["record"])
    if set(record) != {entry.name for entry in fields(PredictionsRecord)}:
        raise UserError(f"{path} is of another version of xlkd: {again}.")
    return SavedRun(str(folder), PredictionsRecord(**record), languages)


def _entry(language: str, columns: dict[str, NDArray[Any]]) -> LanguagePredictions:
    lengths = columns.pop("words", None)
    if lengths is not None:
        columns |= {name: rows_of_words(columns[name], lengths) for name in _ANSWERS if name in columns}
    # An array of keys is a sequence in all but its type.
    return LanguagePredictions(language, **cast(dict[str, Any], columns))
