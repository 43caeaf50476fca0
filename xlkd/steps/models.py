"""The student that a run names, cut or loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.arguments import StudentArguments
from xlkd.errors import UserError
from xlkd.needs import PROBLEM_TYPES
from xlkd.pretrained import load_pretrained, load_tokenizer, resolve_model
from xlkd.students.build import Student, build_student, with_vocabulary
from xlkd.students.choice import ChosenPieces
from xlkd.students.layers import freeze
from xlkd.tasks import Task
from xlkd.teachers import Teacher
from xlkd.teachers.ensemble import base_of

logger = logging.getLogger(__name__)


def load_classifier(
    name: str, task: Task, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedModel:
    """Load a model with the head of the task, a new one where it has none that fits; of vectors there is no head.

    Raises:
        [`UserError`]: If there is no such model, or its weights are not of the shapes that its configuration says.
    """
    classes: dict[str, Any] = {}
    if task.has_labels:
        classes = {"num_labels": len(task.labels), "id2label": task.id2label, "label2id": task.label2id}
        # What it was trained for before, if anything, it is no more.
        classes["problem_type"] = PROBLEM_TYPES[task.answer_kind] if task.answer_kind in ("any-of", "number") else None
    options = {"output_loading_info": True, "ignore_mismatched_sizes": True, **classes}
    model, found = load_pretrained(task.auto_class, name, revision, trust_remote_code, **options)
    _refuse_broken_body(name, model, found["mismatched_keys"])
    return cast(PreTrainedModel, model)


def _refuse_broken_body(name: str, model: PreTrainedModel, mismatched: Iterable[tuple[str, Any, Any]]) -> None:
    """A head of another shape is a new one; what is below it would be random weights that nobody asked for."""
    body = {id(parameter) for parameter in model.base_model.parameters()}
    head = {key for key, parameter in model.named_parameters() if id(parameter) not in body}
    for key, saved, expected in mismatched:
        if key not in head:
            raise UserError(
                f"{name}: its weights {key} have the shape {tuple(saved)}, and its configuration says"
                f" {tuple(expected)}: the folder is broken, or its files are of two models."
            )


def prepare_student(
    student: StudentArguments,
    teacher: Teacher | None,
    task: Task,
    texts: Mapping[str, Sequence[str]],
    pieces: ChosenPieces | None = None,
) -> Student:
    """Cut the student from the teacher, or load a model of its own; freeze what is to stay.

    Args:
        student ([`StudentArguments`]): What it is to be.
        teacher ([`~teachers.Teacher`], *optional*): What it is cut from; of an ensemble its `base`.
        task ([`~tasks.Task`]): The task, for a new head where a model of its own has none.
        texts (`Mapping[str, Sequence[str]]`): Training text by language, for its vocabulary and width.
        pieces ([`~students.choice.ChosenPieces`], *optional*): Those of its vocabulary, where they are chosen already.
    """
    if student.is_cut:
        assert teacher is not None
        base = base_of(teacher)
        labels = task.labels if task.has_labels else None
        built = cut_student(student, base.model, base.processing_class, texts, labels, base.label_map, pieces)
    else:
        assert student.model is not None
        name = resolve_model(student.model)
        model = load_classifier(name, task, student.revision, student.trust_remote_code)
        tokenizer = load_tokenizer(name, student.revision, student.trust_remote_code)
        built = Student(model, tokenizer, [])
        if student.vocabulary is not None:
            built = with_vocabulary(built, student.vocabulary, texts, pieces)
    if built.vocabulary is not None:
        logger.info("Student: %d of %d pieces.", len(built.vocabulary.kept), built.vocabulary.size_before)
    if student.freeze is not None:
        freeze(built.model, student.freeze)
    return built


def cut_student(
    student: StudentArguments,
    teacher: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase,
    texts: Mapping[str, Sequence[str]],
    labels: Sequence[str] | None = None,
    label_map: Mapping[str, str | None] | None = None,
    pieces: ChosenPieces | None = None,
) -> Student:
    """Cut the student that a run describes from a model, with the labels of the task or of that model."""
    built = build_student(
        teacher,
        processing_class,
        layers=student.layers,
        keep=student.keep,
        heads=student.heads,
        feed_forward=student.feed_forward,
        texts=texts,
        labels=labels,
        label_map=label_map,
    )
    if student.vocabulary is not None:
        built = with_vocabulary(built, student.vocabulary, texts, pieces)
    logger.info("Student: the teacher's layers %s.", ", ".join(str(layer) for _, layer in built.layer_map))
    return built
