"""What models predicted, row by row, and the file that keeps it beside a report: class ids and hashes, no text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from xlkd.errors import UserError
from xlkd.evaluation.metrics import ClassIds, check_rows
from xlkd.evaluation.statistics import ScoredRows
from xlkd.folders import write_bytes
from xlkd.outputs import NO_LABEL

PREDICTIONS_FILE = "predictions.safetensors"
SCHEMA = "1"

Hashes = NDArray[np.int64]


@dataclass(frozen=True)
class LanguagePredictions:
    """What student and teacher predicted in one language.

    Args:
        language (`str`): The language.
        labels (`np.ndarray` of shape `(rows,)`): Gold class ids.
        student (`np.ndarray` of shape `(rows,)`): The student's class ids.
        teacher (`np.ndarray` of shape `(rows,)`, *optional*): The teacher's class ids.
        keys (`Sequence[Any]`, *optional*): Names of the rows that are the same in every language.
        rows (`np.ndarray` of shape `(rows,)`, *optional*):
            A hash of what each row says ([`hashes_of`]), by which another run's predictions of it are found.

    Raises:
        [`UserError`]: If there are no rows, a row has no label, or the lengths differ.

    Example:

    ```python
    >>> entry = LanguagePredictions("sw", labels=np.array([0, 1]), student=np.array([0, 0]))
    ```
    """

    language: str
    labels: ClassIds
    student: ClassIds
    teacher: ClassIds | None = None
    keys: Sequence[Any] | None = None
    rows: Hashes | None = None

    def __post_init__(self) -> None:
        try:
            others = (self.student, self.teacher, self.rows)
            check_rows(self.labels, *[column for column in others if column is not None])
            ScoredRows(self.student, self.labels, self.keys)
        except UserError as error:
            raise UserError(f"Language {self.language}: {error}") from error
        if unlabelled := int(np.sum(self.labels == NO_LABEL)):
            raise UserError(f"Language {self.language}: {unlabelled} rows have no label: leave them out of evaluation.")


@dataclass(frozen=True)
class PredictionsRecord:
    """What says whether the predictions of two runs can be compared.

    Args:
        task (`str`): The task.
        metric (`str`): The score that is reported first.
        labels (`list[str]`): Names of the classes, in the order of ids.
        source_language (`str`): Language of the labels.
        student (`str`): Name of the student.
        teacher (`str`, *optional*): Name of the teacher.
        seed (`int`): Seed of the run.
    """

    task: str
    metric: str
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
    digests = (hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.array([int.from_bytes(digest, "big", signed=True) for digest in digests], np.int64)


def save_predictions(folder: str | Path, predictions: Sequence[LanguagePredictions], record: PredictionsRecord) -> Path:
    """Write `predictions.safetensors` into a folder; it appears whole or not at all.

    Args:
        folder (`str` or `Path`): The folder, which exists.
        predictions (`Sequence[LanguagePredictions]`): The predictions, whose `rows` are known.
        record ([`PredictionsRecord`]): What was scored.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for entry in predictions:
        columns: dict[str, Any] = {"rows": entry.rows, "labels": entry.labels, "student": entry.student}
        columns |= {"teacher": entry.teacher, "keys": entry.keys}
        for name, values in columns.items():
            if name == "keys" and values is not None and not isinstance(values, np.ndarray):
                values = hashes_of(map(str, values))
            if values is not None:
                kind = np.int64 if name in ("rows", "keys") else np.int32
                tensors[f"{entry.language}/{name}"] = np.ascontiguousarray(values, kind)
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
        language: LanguagePredictions(
            language,
            **{
                name: tensors[f"{language}/{name}"]
                for name in ("labels", "student", "teacher", "keys", "rows")
                if f"{language}/{name}" in tensors
            },
        )
        for language in json.loads(metadata["languages"])
    }
    return SavedRun(str(folder), PredictionsRecord(**json.loads(metadata["record"])), languages)
