"""What a trainer makes of models that it is given without saying more: a teacher, a task, a student to look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedModel
from transformers.trainer_utils import number_of_arguments

from xlkd.errors import UserError
from xlkd.needs import answer_kind_of, labels_of
from xlkd.pretrained import load_pretrained, read_companion
from xlkd.tasks import TASKS, Task
from xlkd.teachers import LiveTeacher, Teacher


def as_teacher(teacher: Teacher | PreTrainedModel | str, task: Task) -> Teacher:
    """Make a teacher of a Hub id, a folder or a model.

    Raises:
        [`UserError`]: If a model has no head for the task, or one for another, or nothing says which tokenizer it reads
            with.
    """
    if isinstance(teacher, Teacher):
        for member in teacher.models:
            task.check_answers(member.config, "The teacher")
        return teacher.copy()
    if isinstance(teacher, str) and not task.is_head_of(AutoConfig.from_pretrained(teacher)):
        raise UserError(f"The teacher {teacher} is not a model for {task.name}: fine-tune one first.")
    model = load_pretrained(task.auto_class, teacher) if isinstance(teacher, str) else teacher
    if isinstance(teacher, str):
        task.check_companions(partial(read_companion, teacher), f"The teacher {teacher}")
    if not type(model).__name__.endswith(task.architecture_suffix):
        raise UserError(f"The teacher is a {type(model).__name__}, not a model for {task.name}: fine-tune one first.")
    task.check_answers(model.config, "The teacher")
    if not model.config.name_or_path:
        raise UserError("Nothing says which tokenizer the teacher reads with: give LiveTeacher(model, tokenizer).")
    return LiveTeacher(model, AutoTokenizer.from_pretrained(model.config.name_or_path))


def first_of(model_init: Callable[..., PreTrainedModel]) -> PreTrainedModel:
    """A student that `model_init` makes, given a trial where it takes one, as `Trainer` does."""
    return model_init() if number_of_arguments(model_init) == 0 else model_init(None)


def as_student(model: str, task: Task | None) -> PreTrainedModel:
    """Load a student, in full precision as training needs it: with the head of the task, else with its own."""
    auto_class: Any = None if task is None else task.auto_class
    if task is None:
        config = AutoConfig.from_pretrained(model)
        auto_class = _kind_of((config.architectures or [""])[0], config).auto_class
    student: PreTrainedModel = load_pretrained(auto_class, model)
    return student


def task_of_head(model: PreTrainedModel) -> Task:
    """The task that a model has the head of, with its labels; without a head, that of its vectors."""
    kind = _kind_of(type(model).__name__, model.config)
    return kind(labels_of(model.config) if kind.has_labels else [])


def _kind_of(name: str, config: Any) -> type[Task]:
    """The task of an architecture: the first whose head it has, and whose answers its configuration speaks of."""
    tasks = [task for task in TASKS.values() if name.endswith(task.architecture_suffix)]
    return next((task for task in tasks if task.answer_kind == answer_kind_of(config)), tasks[0])
