"""The data that a step of a run reads."""

from __future__ import annotations

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.data.checks import settle_overlap
from xlkd.data.sources import Sources, load_sources
from xlkd.steps.selection import is_validated
from xlkd.tasks import task_class


def read_sources(run: RunArguments, args: DistillationArguments, complete: bool = True) -> Sources:
    """Load the data of a run, without training rows that are in its evaluation data.

    Args:
        run ([`RunArguments`]): The run.
        args ([`DistillationArguments`]): Its training arguments.
        complete (`bool`, *optional*, defaults to `True`): Whether there must be data to train and to evaluate on.

    Returns:
        `dict` from role and language to `datasets.Dataset`.

    Raises:
        [`UserError`]: If data cannot be read or do not fit the run, or training and evaluation data share sentences and
            `overlap` does not say what to do.
    """
    kind = task_class(run.task).answer_kind
    sources = load_sources(run, complete=complete, answer_kind=kind, validated=is_validated(run, args))
    return settle_overlap(sources, run.overlap)
