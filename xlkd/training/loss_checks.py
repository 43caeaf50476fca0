"""Whether losses can be computed on these models, these rows and this batch."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.students.attention import provides_of
from xlkd.teachers.base import Teacher

WHY_OTHER_TOKENS = "another tokenizer or vocabulary, or parallel text"
"""Where teacher and student do not read the same tokens, in errors and warnings."""


def check_provides(losses: WeightedSum, student: Needs, teacher: Needs | None, title: str = "the teacher") -> None:
    """Refuse losses that need what the models do not give.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses, attached.
        student ([`Needs`]): What the student gives.
        teacher ([`Needs`], *optional*): What the teacher gives; `None` without one.
        title (`str`, *optional*): Who the teacher is, in the error.

    Raises:
        [`UserError`]: If a model does not give what a loss needs; the message names the loss and what to do instead.
    """
    for name, loss in losses.items():
        for who, needs, provided in (("the student", loss.student_needs, student), (title, loss.needs, teacher)):
            if provided is not None and (missing := needs.missing_from(provided)):
                raise UserError(
                    f"The loss {name} needs {' and '.join(missing)}, which {who} does not give: use {loss.alternative}."
                )
    if losses.example_weights and not (student.logits and (teacher is None or teacher.logits)):
        name, kind = next(iter(losses.example_weights.items()))
        raise UserError(
            f"The loss {name} has example_weight {kind}, which needs logits, and the models give none: leave it out."
        )


def check_teaching(losses: WeightedSum) -> None:
    """Refuse penalties alone: losses of which none looks at what the student makes of a text.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses, attached.

    Raises:
        [`UserError`]: If no loss looks at what the student makes of a text.
    """
    if not losses.student_needs:
        names = " and ".join(name for name, _ in losses.items())
        raise UserError(f"{names} is a penalty and teaches nothing alone: add soft-label or another loss.")


def check_losses(
    losses: WeightedSum,
    student: PreTrainedModel,
    teacher: Teacher | None,
    dataset: object,
    args: DistillationArguments,
) -> None:
    """Refuse losses that teach nothing, or that need what the models do not give, or not in this training.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses, attached.
        student (`PreTrainedModel`): The student.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.
        dataset (`datasets.Dataset`): The preprocessed rows that can be drawn; anything else is not looked at.
        args ([`DistillationArguments`]): The options of the training.

    Raises:
        [`UserError`]: If no loss teaches anything, or one needs what a model, this training or its batches do not give.
    """
    check_teaching(losses)
    if teacher is not None:
        teacher.check_rows(losses.needs, dataset)
        check_provides(losses, provides_of(student), teacher.provides, teacher.title)
    else:
        check_provides(losses, provides_of(student), None)
    _check_checkpointing(losses, args)
    check_batch_size(losses, args.train_batch_size * args.world_size)


def check_batch_size(losses: WeightedSum, rows: int) -> None:
    """Refuse a batch in which rows have too few others to be compared with.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        rows (`int`): The rows of a batch, of all processes.

    Raises:
        [`UserError`]: If a batch has fewer rows than a loss needs.
    """
    for name, loss in losses.items():
        if rows < loss.least_rows:
            raise UserError(
                f"The loss {name} compares the rows of a batch with one another and needs {loss.least_rows} or more,"
                f" but a batch has {rows}: raise per_device_train_batch_size (accumulation does not help), or leave the"
                " loss out."
            )


def _check_checkpointing(losses: WeightedSum, args: DistillationArguments) -> None:
    if not losses.student_needs.attention_vectors:
        return
    options: Any = args.gradient_checkpointing_kwargs or {}
    if args.gradient_checkpointing and options.get("use_reentrant"):
        raise UserError(
            "gradient_checkpointing with use_reentrant makes queries, keys and values without a gradient, which"
            " attention-relation needs: write `gradient_checkpointing_kwargs: {use_reentrant: false}`."
        )


def check_counts(losses: WeightedSum, rows: Batch) -> None:
    """Refuse losses that no row counts for.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses, attached.
        rows ([`Batch`]): All rows that can be drawn, or one of each kind.

    Raises:
        [`UserError`]: If no row counts for a loss.
    """
    for (name, loss), count in zip(losses.items(), losses.counts(rows).tolist(), strict=True):
        if not count and loss.needs.tokens:
            raise UserError(
                f"The loss {name} compares token by token, but teacher and student read different tokens in every row"
                f" that is drawn ({WHY_OTHER_TOKENS}): use hidden-state with `pool: mean`, or leave the loss out."
            )
        if not count:
            raise UserError(
                f"No row that is drawn from the training data counts for the loss {name}: give labels (with `mixture`,"
                " also a share to their role), or leave the loss out."
            )
