"""Zero-shot evaluation: the student beside its teacher, language by language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.data.collator import DistillationCollator
from xlkd.data.entries import content_ids
from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers
from xlkd.evaluation.asking import Ask, AskedRows, asking
from xlkd.evaluation.predictions import LanguagePredictions, hashes_of
from xlkd.evaluation.report import ZeroShotReport
from xlkd.needs import labels_of
from xlkd.outputs import Batch
from xlkd.students.attention import output_of_student
from xlkd.tasks import Task
from xlkd.tasks.base import TRANSLATION_COLUMN
from xlkd.teachers import LiveTeacher, Teacher, TeacherEnsemble
from xlkd.teachers.label_map import LabelMap


@dataclass(frozen=True)
class RunRecord:
    """What a report says about its run.

    Args:
        source_language (`str`): Language of the labels.
        student (`str`): Name of the student.
        teacher (`str`, *optional*): Name of the teacher.
        setting (`str`, *optional*, defaults to `"unknown"`): What training knew of the target languages.
        selection (`str`, *optional*, defaults to `"unknown"`): How the checkpoint was chosen.
        seed (`int`, *optional*, defaults to 0): Seed of the run.
        groups (`Mapping[str, Sequence[str]]`, *optional*): Groups of languages whose mean is reported.
        selected_on (`Sequence[str]`, *optional*): Target languages whose labels chose the checkpoint.
        unscored (`Sequence[str]`, *optional*): Target languages that it was trained for but that have no rows to score.
        weights (`str`, *optional*): A hash of the student's weights ([`~folders.hash_of_weights_in`]).
    """

    source_language: str
    student: str
    teacher: str | None = None
    setting: str = "unknown"
    selection: str = "unknown"
    seed: int = 0
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    selected_on: Sequence[str] = ()
    unscored: Sequence[str] = ()
    weights: str | None = None


@dataclass(frozen=True)
class _System:
    """Who is scored: what it reads of the rows, how it is asked, and whether a model answers, or a file."""

    rows: Dataset
    collator: DistillationCollator
    ask: Ask
    computes: bool


def evaluate_zero_shot(
    student: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase,
    datasets: Mapping[str, Dataset],
    task: Task,
    record: RunRecord,
    *,
    teacher: Teacher | None = None,
    max_length: int = 128,
    batch_size: int = 64,
    bfloat16: bool = False,
    label_map: Mapping[str, str | None] | None = None,
    per_class: bool = False,
) -> ZeroShotReport:
    """Score a student, and its teacher on the same rows, in every language.

    Args:
        student (`PreTrainedModel`): The student.
        processing_class (`PreTrainedTokenizerBase`): Its tokenizer.
        datasets (`Mapping[str, datasets.Dataset]`): Rows with `text` and `label`, and `key` where languages share them.
        task ([`~tasks.Task`]): The task.
        record ([`RunRecord`]): What the report says about the run.
        teacher ([`~teachers.Teacher`], *optional*): Reads the same text as the student, in the same language.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        batch_size (`int`, *optional*, defaults to 64): Rows at a time.
        bfloat16 (`bool`, *optional*, defaults to `False`): Whether to compute in bfloat16.
        label_map (`Mapping[str, str | None]`, *optional*):
            The task's label for a label of the student, where it is a model with other labels ([`LabelMap`]).
        per_class (`bool`, *optional*, defaults to `False`): Whether to score the classes one by one too.

    Returns:
        [`~evaluation.report.ZeroShotReport`].

    Raises:
        [`UserError`]: If labels differ, a row has none, there are no classes to score one by one, rows cannot be
            scored, there are rows in a language that the record calls unscored, or answers are not numbers.

    Example:

    ```python
    >>> record = RunRecord(source_language="en", student="runs/mine")
    >>> report = evaluate_zero_shot(student, tokenizer, {"en": english, "sw": swahili}, task, record, teacher=teacher)
    >>> print(report.table())
    ```
    """
    if per_class:
        task.check_per_class()
    task.check_evaluation(datasets, record.source_language)
    if scored := [language for language in record.unscored if language in datasets]:
        raise UserError(
            f"There are rows to score in {', '.join(scored)}, which the record calls unscored: leave out one."
        )
    if label_map is None:
        task.check_student(student.config)
    raw = concatenate_datasets([_scored_columns(task, datasets[language], language) for language in datasets])
    raw = _with_translations(raw, record.source_language)
    # Each reads the texts for itself: the score of one does not depend on what the other sees of them.
    systems = {"student": _student(student, processing_class, raw, task, label_map, max_length)}
    if teacher is not None:
        asked = _matched(teacher, task)
        asked.to(student.device)
        systems["teacher"] = _teacher(asked, raw, task, max_length)
    predicted, speed = _predict(systems, task, student.device, batch_size, bfloat16)
    predictions = _by_language(task, {name: system.rows for name, system in systems.items()}, raw, predicted)
    return ZeroShotReport.from_predictions(
        [own for own in predictions if task.scores_source or own.language != record.source_language],
        task=task.name,
        metric=task.metric,
        metrics=task.metrics,
        setting=record.setting,
        selection=record.selection,
        source_language=record.source_language,
        # One that nobody named is there all the same.
        teacher=record.teacher if record.teacher is not None or teacher is None else "unnamed",
        student=record.student,
        seed=record.seed,
        labels=task.labels,
        groups={name: list(languages) for name, languages in record.groups.items()},
        size=_sizes(student, teacher),
        speed=speed,
        per_class=per_class,
        selected_on=record.selected_on,
        unscored=record.unscored,
        weights=record.weights,
    )


def score_teacher(
    teacher: LiveTeacher,
    dataset: Dataset,
    task: Task,
    *,
    max_length: int = 128,
    batch_size: int = 64,
    bfloat16: bool = False,
) -> float:
    """Score a teacher alone on rows of one language, by the task's metric.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher, on the device that it is to compute on.
        dataset (`datasets.Dataset`): Rows with `text` and `label`.
        task ([`~tasks.Task`]): The task.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        batch_size (`int`, *optional*, defaults to 64): Rows at a time.
        bfloat16 (`bool`, *optional*, defaults to `False`): Whether to compute in bfloat16.

    Raises:
        [`UserError`]: If labels differ, or answers are not numbers.
    """
    device = teacher.model.device
    # Where its weights are, and in their precision: a student may be cut from them yet.
    system = _teacher(_matched(teacher, task), dataset, task, max_length)
    answers = AskedRows(system.rows, system.collator, device, batch_size, bfloat16).answers(
        system.ask, "Scoring a teacher"
    )
    return task.scores(task.predictions_of(system.rows, answers), task.gold(system.rows))[task.metric]


def _student(
    student: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    raw: Dataset,
    task: Task,
    label_map: Mapping[str, str | None] | None,
    max_length: int,
) -> _System:
    rows = task.preprocess(raw, {"": tokenizer}, max_length)
    return _System(rows, DistillationCollator(tokenizer), _asking_student(student, task, label_map), computes=True)


def _matched(teacher: Teacher, task: Task) -> Teacher:
    teacher = teacher.copy()
    teacher.match_labels(task.labels, task.answer_kind)
    return teacher


def _teacher(teacher: Teacher, raw: Dataset, task: Task, max_length: int) -> _System:
    base = next(iter(teacher.readers.values()))
    rows = teacher.prepare(task.preprocess(raw, {"": base, **teacher.readers}, max_length))
    return _System(rows, DistillationCollator(base, teacher.collator), asking(teacher, task), bool(teacher.models))


def _predict(
    systems: Mapping[str, _System], task: Task, device: torch.device, batch_size: int, bfloat16: bool
) -> tuple[dict[str, Answers], dict[str, Any]]:
    """What each system answers to its rows, and how fast."""
    predicted: dict[str, Answers] = {}
    speed: dict[str, Any] = {"batch_size": batch_size, "precision": "bfloat16" if bfloat16 else "float32"}
    for name, system in systems.items():
        scoring = AskedRows(system.rows, system.collator, device, batch_size, bfloat16)
        answers, texts_per_second = scoring.timed_answers(system.ask, f"Scoring the {name}")
        latency = scoring.latency(system.ask) if system.computes else None
        speed[name] = {"texts_per_second": texts_per_second, "latency_ms": latency}
        predicted[name] = task.predictions_of(system.rows, answers)
    return predicted, speed


def _asking_student(student: PreTrainedModel, task: Task, label_map: Mapping[str, str | None] | None) -> Ask:
    matched = None
    if label_map is not None:
        matched = LabelMap(labels_of(student.config), task.labels, label_map, task.answer_kind)
    needs = task.asks(task.shape_of(student.config))
    student.eval()

    def ask(batch: Batch) -> Tensor:
        answers = task.answers_in(output_of_student(student, student, batch, needs))
        return answers if matched is None else matched.apply(answers)

    return ask


def _scored_columns(task: Task, dataset: Dataset, language: str) -> Dataset:
    # Before they are put together: two data sets may have their own integers for the same names.
    dataset = task.with_label_names(dataset)
    columns = [name for name in ("text", "text_pair", "label", "key") if name in dataset.column_names]
    return dataset.select_columns(columns).add_column("language", [language] * len(dataset))


def _with_translations(rows: Dataset, source_language: str) -> Dataset:
    """The rows, with the place of each one's translation in the source language, where they have keys."""
    if "key" not in rows.column_names:
        return rows
    keyed = list(zip(rows["language"], rows["key"], strict=True))
    places = {key: place for place, (language, key) in enumerate(keyed) if language == source_language}
    column: Any = [-1 if key is None else places.get(key, -1) for _, key in keyed]
    return rows.add_column(TRANSLATION_COLUMN, column)


def _by_language(
    task: Task, read: Mapping[str, Dataset], raw: Dataset, predicted: Mapping[str, Answers]
) -> list[LanguagePredictions]:
    labels, languages = task.gold(read["student"]), np.array(raw["language"][:])
    unread = _unread(task, read)
    keys = raw["key"][:] if "key" in raw.column_names else None
    hashes = hashes_of(content_ids(raw))
    found = []
    for language in dict.fromkeys(languages.tolist()):
        chosen = np.flatnonzero(languages == language)
        found.append(
            LanguagePredictions(
                language=language,
                labels=labels[chosen],
                student=predicted["student"][chosen],
                teacher=predicted["teacher"][chosen] if "teacher" in predicted else None,
                keys=None if keys is None or keys[chosen[0]] is None else [keys[index] for index in chosen],
                rows=hashes[chosen],
                unread=None if unread is None else unread[chosen],
            )
        )
    return found


def _unread(task: Task, read: Mapping[str, Dataset]) -> NDArray[np.integer[Any]] | None:
    """How many words of each row each system did not read, of shape `(rows, systems)`."""
    counts = [own for own in map(task.unread, read.values()) if own is not None]
    return np.stack(counts, axis=1) if counts else None


def _sizes(student: PreTrainedModel, teacher: Teacher | None) -> dict[str, Any]:
    sizes = {"student": _size([student])}
    members = teacher.members if isinstance(teacher, TeacherEnsemble) else [teacher]
    models = [member.model for member in members if isinstance(member, LiveTeacher)]
    # The model behind answers on disk is not known.
    if len(models) == len(members):
        sizes["teacher"] = _size(models)
    return sizes


def _size(models: Sequence[PreTrainedModel]) -> dict[str, int]:
    embeddings = [sum(weight.numel() for weight in model.get_input_embeddings().parameters()) for model in models]
    return {"parameters": sum(model.num_parameters() for model in models), "embedding_parameters": sum(embeddings)}
