"""What the student of a run will be, found out without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PreTrainedModel

from xlkd.arguments import RunArguments, StudentArguments, TeacherArguments
from xlkd.errors import UserError
from xlkd.needs import ModelShape, Needs, labels_of
from xlkd.pretrained import config_of, loading, tokenizer_of
from xlkd.students.attention import provides_of
from xlkd.students.build import choice_of, layers_to_keep
from xlkd.students.choice import ChosenPieces, choose_pieces
from xlkd.students.layers import blocks_to_freeze
from xlkd.students.units import with_heads
from xlkd.students.width import check_width
from xlkd.tasks import Task


@dataclass(frozen=True)
class StudentPlan:
    """What the student will be, found out without weights.

    Args:
        shape ([`ModelShape`]): Its layers and width.
        pieces ([`~students.choice.ChosenPieces`], *optional*): What it keeps of its vocabulary; `None` for all.
        provides ([`Needs`]): What losses can ask of it.
    """

    shape: ModelShape
    pieces: ChosenPieces | None
    provides: Needs


def plan_student(run: RunArguments, task: Task, texts: Mapping[str, Sequence[str]]) -> StudentPlan:
    """Plan the student that a run describes, without loading weights.

    Returns:
        [`StudentPlan`], what it will be.

    Raises:
        [`UserError`]: If its layers, width, vocabulary or frozen part are not possible.
    """
    student = run.student
    source = run.base_teacher if student.is_cut else student
    empty = empty_teacher(run, task) if student.is_cut else _empty(_student_config(student, task), student, task)
    assert source is not None and source.model is not None
    shape = _shape_of_cut(student, empty, task) if student.is_cut else task.shape_of(empty.config)
    if student.freeze is not None:
        blocks_to_freeze(student.freeze, shape.layers)
    pieces = None
    if student.vocabulary is not None:
        tokenizer = tokenizer_of(source)
        pieces = choose_pieces(empty, tokenizer, texts, **choice_of(student.vocabulary))
    return StudentPlan(shape, pieces, provides_of(empty, shape.layers))


def _shape_of_cut(student: StudentArguments, teacher: PreTrainedModel, task: Task) -> ModelShape:
    """What is left of a teacher when its layers and heads are cut."""
    check_width(teacher, heads=student.heads, feed_forward=student.feed_forward)
    config = teacher.config if student.heads is None else with_heads(teacher.config, student.heads)
    return replace(task.shape_of(config), layers=len(layers_to_keep(teacher, student.layers, student.keep)))


def _student_config(student: StudentArguments, task: Task) -> Any:
    assert student.model is not None
    config = config_of(student)
    own = labels_of(config)
    if task.is_head_of(config):
        task.check_answers(config, f"The student {student.model}")
    if task.has_labels and task.is_head_of(config) and own != task.labels:
        raise UserError(
            f"The student {student.model} has the labels {', '.join(own)}, but the task has {', '.join(task.labels)}:"
            " start from a model without this head, or use labels of the same names in the same order."
        )
    return config


def empty_teacher(run: RunArguments, task: Task) -> PreTrainedModel:
    """The teacher without its weights, which says how it is built before anything is loaded."""
    teacher = run.base_teacher
    if teacher is None:
        raise UserError("student: it is cut from the teacher, and there is none: name a teacher, or a `model`.")
    config = config_of(teacher)
    return _empty(config, teacher, task)


def _empty(config: Any, named: TeacherArguments | StudentArguments, task: Task) -> PreTrainedModel:
    with torch.device("meta"), loading(str(named.model)):
        empty: PreTrainedModel = task.auto_class.from_config(config, trust_remote_code=named.trust_remote_code)
    return empty
