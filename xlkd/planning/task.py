"""The task that a run names, with labels that the data have and its teachers can teach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xlkd.arguments import RunArguments, TeacherArguments
from xlkd.data.checks import labels_in
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.needs import labels_of
from xlkd.planning.without_labels import task_without_labels
from xlkd.pretrained import config_of
from xlkd.tasks import TASKS, Task, get_task, task_class
from xlkd.teachers.cache import CacheRecord
from xlkd.teachers.label_map import LabelMap
from xlkd.text.tag_scheme import without_beginning


def task_of(run: RunArguments, sources: Sources) -> Task:
    """The task with its labels: those that the user named, else those of the data.

    Where they are those of a teacher that is a classifier, they have its order.

    Raises:
        [`UserError`]: If no row has a label, the teacher's labels cannot teach these, or the task has none and the run
            speaks of some.
    """
    if not task_class(run.task).has_labels:
        return task_without_labels(run, [role for role, _ in sources])
    named = run.labels or labels_of_data(run, sources, "labelled", "validation", "evaluation")
    task = get_task(run.task, named, run.metric)
    own = [_teacher_labels(teacher, task) for teacher in run.teachers]
    # The student has the head of the teacher that it is cut from, with its order of classes.
    base = own[run.base_position] if own else None
    if base is not None and set(base) == set(named):
        task = get_task(run.task, base, run.metric)
    _check_taught(task, _label_maps(run, task), labels_in(sources, "labelled") | set(run.labels or []))
    return task


def _check_taught(task: Task, maps: Sequence[LabelMap], taught_by_rows: set[str]) -> None:
    """Refuse labels that only data have that are scored: a class that nothing teaches is a mistake, or needs a map."""
    unknown = _unknown_to_all(maps) if maps or not taught_by_rows else set(task.labels)
    if untaught := sorted(unknown - taught_by_rows):
        known = "; ".join(", ".join(own.teacher_labels) for own in maps)
        taught = [label for label in task.labels if label not in untaught]
        if begun := [kind for kind in without_beginning(taught) if f"B-{kind}" in untaught]:
            raise UserError(
                f"Spans of {', '.join(begun)} begin with B- where they are scored, and with I- where they are taught,"
                " as in IOB1: write all data in one scheme, IOB2, IOBES or BILOU."
            )
        raise UserError(
            f"The data have the label {', '.join(untaught)}, which neither the teacher{known and f' ({known})'} nor a"
            f" labelled row teaches: correct it; map it to one that is taught, `label_map: {{{untaught[0]}: ...}}` of"
            " its entry, or one of a teacher's to it, `teacher: {label_map: ...}`; or name all `labels`."
        )


def labels_of_data(run: RunArguments, sources: Sources, *roles: str) -> list[str]:
    """The labels that rows of some roles have, in the order of the alphabet; else those that the task always has."""
    return sorted(labels_in(sources, *roles)) or list(task_class(run.task).default_labels)


def known_labels(run: RunArguments, task: Task) -> list[str]:
    """Those of the task's labels that a teacher teaches; one that is still to be fine-tuned will know all."""
    to_train = any(teacher.finetune is not None for teacher in run.teachers)
    unknown = set() if to_train else _unknown_to_all(_label_maps(run, task))
    return [label for label in task.labels if label not in unknown]


def _label_maps(run: RunArguments, task: Task) -> list[LabelMap]:
    """How the labels of each teacher that has been trained teach the task's."""
    if not task.has_labels:
        return []
    if not run.teachers and run.teacher_cache.named is not None:
        record = CacheRecord.read(run.teacher_cache.named)
        return [LabelMap(record.labels, task.labels, record.label_map, task.answer_kind)]
    own = [(_teacher_labels(teacher, task), teacher.label_map) for teacher in run.teachers]
    return [LabelMap(labels, task.labels, mapping, task.answer_kind) for labels, mapping in own if labels is not None]


def _unknown_to_all(maps: Iterable[LabelMap]) -> set[str]:
    unknown = [set(own.unknown) for own in maps]
    return set.intersection(*unknown) if unknown else set()


def _teacher_labels(teacher: TeacherArguments, task: Task) -> list[str] | None:
    """The labels of a teacher in its own order; `None` of one that is still to be fine-tuned."""
    if teacher.finetune is not None:
        return None
    config = config_of(teacher)
    if not task.is_head_of(config):
        others = [name for name, kind in TASKS.items() if kind.has_labels and kind.is_head_of(config)]
        raise UserError(
            f"The teacher {teacher.model} is not a model for {task.name}: "
            + (f"write `task: {' or '.join(others)}`, or " if others else "")
            + "fine-tune it first on the labelled rows,"
            f" `teacher: {{model: {teacher.model}, finetune: {{num_train_epochs: 6}}}}`."
        )
    task.check_answers(config, f"The teacher {teacher.model}")
    return labels_of(config)


def labels_to_build(run: RunArguments, sources: Sources) -> list[str] | None:
    """The labels of a student that is made alone: those of the task, or `None` where nothing in the run says them.

    Raises:
        [`UserError`]: If the teacher's labels cannot teach these.
    """
    base = run.base_teacher
    if base is None or base.finetune is not None or not task_class(run.task).has_labels:
        return None
    config = config_of(base)
    named = run.labels or base.label_map or labels_in(sources, "labelled", "validation", "evaluation")
    has_labels = base.label_map or task_class(run.task).is_head_of(config)
    return task_of(run, sources).labels if named and has_labels else None
