"""The task of a run that has no classes, and what such a run cannot have."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from xlkd.arguments import RunArguments
from xlkd.errors import UserError
from xlkd.tasks import Task, get_task


def task_without_labels(run: RunArguments, roles: Collection[str]) -> Task:
    """The task of a run that has no classes.

    Args:
        run ([`RunArguments`]): The run.
        roles (`Collection[str]`): The roles of its data.

    Raises:
        [`UserError`]: If the run has labels, or what only labels are good for.
    """
    if (void := next(_void(run, roles), None)) is not None:
        what, instead = void
        raise UserError(f"{what} needs labels, and {run.task} has none: {instead}.")
    return get_task(run.task, run.labels or [], run.metric)


def _void(run: RunArguments, roles: Collection[str]) -> Iterator[tuple[str, str]]:
    """What a run has that needs labels, and what to do instead."""
    if "labelled" in roles:
        yield "data: the role labelled", "text of the source language is of role unlabelled, with its `language`"
    if "validation" in roles:
        yield "data: the role validation", "leave the entry out; the last step is taken"
    for teacher in run.teachers:
        if teacher.finetune is not None:
            yield "teacher: finetune", f"{teacher.model} is used as it is, leave `finetune` out"
        if teacher.label_map is not None:
            yield "teacher: label_map", "leave it out"
    if len(run.teachers) > 1:
        yield "teacher: averaging several", "name one"
    if run.teacher_cache.top_k is not None:
        yield "teacher_cache: top_k", "leave it out"
