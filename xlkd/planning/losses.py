"""The losses that a run names."""

from __future__ import annotations

from xlkd.arguments import RunArguments
from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.planning.student import empty_teacher
from xlkd.students.build import layers_to_keep
from xlkd.tasks import Task

KEPT = "kept"
"""A `layer_map` of the layers that the student keeps of its teacher."""


def losses_of(run: RunArguments, task: Task) -> WeightedSum:
    """The losses, with the layers that the student will keep where one says `layer_map: kept`.

    Raises:
        [`UserError`]: If a loss or an option is unknown, or the student is not cut from the teacher.
    """
    entries = run.losses if run.losses is not None else [{"name": task.default_loss}]
    if any(entry.get("layer_map") == KEPT for entry in entries):
        if not run.student.is_cut:
            raise UserError(
                f"layer_map: {KEPT} are the layers that are cut from the teacher, but the student is a `model` of its"
                " own: name the pairs, [[3, 12]]."
            )
        layers = layers_to_keep(empty_teacher(run, task), run.student.layers, run.student.keep)
        layer_map = [list(pair) for pair in enumerate(layers, start=1)]
        entries = [{**entry, "layer_map": layer_map} if entry.get("layer_map") == KEPT else entry for entry in entries]
    return WeightedSum.from_config(entries)
