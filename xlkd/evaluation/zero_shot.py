"""Zero-shot evaluation: the student beside its teacher, language by language."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from datasets import Dataset, concatenate_datasets
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.data.collator import DistillationCollator
from xlkd.data.sources import content_id
from xlkd.evaluation.asking import Ask, AskedRows, asking
from xlkd.evaluation.metrics import score
from xlkd.evaluation.predictions import Hashes, LanguagePredictions, hashes_of
from xlkd.evaluation.report import ZeroShotReport
from xlkd.outputs import Batch
from xlkd.tasks import Task
from xlkd.teachers import LiveTeacher, Teacher, TeacherEnsemble
from xlkd.teachers.label_map import LabelMap, labels_of


@dataclass(frozen=True)
class RunRecord:
    """What a report says about the run that it is of.

    Args:
        source_language (`str`): Language of the labels.
        student (`str`): Name of the student.
        teacher (`str`, *optional*): Name of the teacher.
        setting (`str`, *optional*, defaults to `"unknown"`): What training knew of the target languages.
        selection (`str`, *optional*, defaults to `"unknown"`): How the checkpoint was chosen.
        seed (`int`, *optional*, defaults to 0): Seed of the run.
        groups (`Mapping[str, Sequence[str]]`, *optional*): Groups of languages whose mean is reported.
        selected_on (`Sequence[str]`, *optional*): Target languages whose labels chose the checkpoint.
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
    weights: str | None = None


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
        [`UserError`]: If labels differ, or a row has none.

    Example:

    ```python
    >>> record = RunRecord(source_language="en", student="runs/mine")
    >>> report = evaluate_zero_shot(student, tokenizer, {"en": english, "sw": swahili}, task, record, teacher=teacher)
    >>> print(report.table())
    ```
    """
    if label_map is None:
        task.check_student(student.config)
    if teacher is not None:
        teacher = teacher.copy()
        teacher.match_labels(task.labels)
        teacher.to(student.device)
    raw = concatenate_datasets([_scored_columns(datasets[language], language) for language in datasets])
    readers = {"": processing_class, **({} if teacher is None else teacher.readers)}
    rows = task.preprocess(raw, readers, max_length)
    asks = {"student": _asking_student(student, task, label_map)}
    if teacher is not None:
        rows = teacher.prepare(rows)
        asks["teacher"] = asking(teacher)
    collator = DistillationCollator(processing_class, None if teacher is None else teacher.collator)
    scoring = AskedRows(rows, collator, student.device, batch_size, bfloat16)
    speed: dict[str, Any] = {"batch_size": batch_size, "precision": "bfloat16" if bfloat16 else "float32"}
    predicted: dict[str, np.ndarray] = {}
    for name, ask in asks.items():
        start = time.perf_counter()
        logits = scoring.logits(ask, f"Scoring the {name}")
        seconds = time.perf_counter() - start
        computes = name == "student" or (teacher is not None and bool(teacher.models))
        latency = scoring.latency(ask) if computes else None
        speed[name] = {"texts_per_second": len(rows) / seconds, "latency_ms": latency}
        predicted[name] = task.predictions(logits)
    return ZeroShotReport.from_predictions(
        _by_language(rows, raw, predicted),
        task=task.name,
        metric=task.metric,
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
        teacher ([`~teachers.LiveTeacher`]): The teacher, where it is to compute.
        dataset (`datasets.Dataset`): Rows with `text` and `label`.
        task ([`~tasks.Task`]): The task.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        batch_size (`int`, *optional*, defaults to 64): Rows at a time.
        bfloat16 (`bool`, *optional*, defaults to `False`): Whether to compute in bfloat16.

    Raises:
        [`UserError`]: If labels differ.
    """
    teacher = teacher.copy()
    teacher.match_labels(task.labels)
    tokenizer, device = teacher.processing_class, teacher.model.device
    rows = task.preprocess(dataset, {"": tokenizer, **teacher.readers}, max_length)
    collator = DistillationCollator(tokenizer, teacher.collator)
    logits = AskedRows(rows, collator, device, batch_size, bfloat16).logits(asking(teacher), "Scoring a teacher")
    return score(task.metric, task.predictions(logits), np.array(rows["labels"][:]))


def _asking_student(student: PreTrainedModel, task: Task, label_map: Mapping[str, str | None] | None) -> Ask:
    matched = None if label_map is None else LabelMap(labels_of(student.config), task.labels, label_map)
    student.eval()

    def ask(batch: Batch) -> Tensor:
        logits: Tensor = student(**batch.student_inputs).logits
        return logits if matched is None else matched.apply(logits)

    return ask


def _scored_columns(dataset: Dataset, language: str) -> Dataset:
    columns = [name for name in ("text", "text_pair", "label", "key") if name in dataset.column_names]
    return dataset.select_columns(columns).add_column("language", [language] * len(dataset))


def _by_language(rows: Dataset, raw: Dataset, predicted: Mapping[str, np.ndarray]) -> list[LanguagePredictions]:
    labels = np.array(rows["labels"][:])
    languages = np.array(rows["language"][:])
    keys = raw["key"][:] if "key" in raw.column_names else None
    hashes = _content_hashes(raw)
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
            )
        )
    return found


def _content_hashes(raw: Dataset) -> Hashes:
    texts = raw["text"][:]
    pairs = raw["text_pair"][:] if "text_pair" in raw.column_names else [None] * len(texts)
    return hashes_of(content_id(text, pair) for text, pair in zip(texts, pairs, strict=True))


def _sizes(student: PreTrainedModel, teacher: Teacher | None) -> dict[str, Any]:
    sizes = {"student": _size([student])}
    members = teacher.members if isinstance(teacher, TeacherEnsemble) else [teacher]
    models = [member.model for member in members if isinstance(member, LiveTeacher)]
    # Of answers on disk nobody knows whose they are.
    if len(models) == len(members):
        sizes["teacher"] = _size(models)
    return sizes


def _size(models: Sequence[PreTrainedModel]) -> dict[str, int]:
    embeddings = [sum(weight.numel() for weight in model.get_input_embeddings().parameters()) for model in models]
    return {"parameters": sum(model.num_parameters() for model in models), "embedding_parameters": sum(embeddings)}
