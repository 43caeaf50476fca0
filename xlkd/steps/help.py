"""What `--help` says: every key of a run's YAML file and of the command line."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

from transformers import TrainingArguments

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.losses import LOSSES
from xlkd.parsing import to_yaml
from xlkd.tasks import TASKS

INDENT, COLUMN, WIDTH = 4, 28, 112


def help_text(more: Mapping[str, type[Any]]) -> str:
    """The keys of a run, nested as in its YAML file, each with what it does.

    Args:
        more (`Mapping[str, type]`): Keys that a program has besides, with the dataclasses that they hold.
    """
    stock = {entry.name for entry in dataclasses.fields(TrainingArguments)}
    own = [entry for entry in dataclasses.fields(DistillationArguments) if entry.name not in stock]
    return "\n".join(
        [
            "The keys of the YAML file; the command line overrides them, --key value, or --outer.inner value.",
            *(line for name, held in more.items() for line in _block(name, held)),
            *_lines(dataclasses.fields(RunArguments), get_type_hints(RunArguments), 0),
            *_lines(own, get_type_hints(DistillationArguments), 0),
            "",
            *_wrapped("task", f"One of {', '.join(TASKS)}.", 0),
            *_wrapped("losses", f"{{name: NAME, weight: 1.0, ...}}, of {', '.join(LOSSES)}.", 0),
            "",
            "Every field of transformers.TrainingArguments is a key too: output_dir, max_steps, learning_rate, ...",
            "(label_smoothing_factor, batch_eval_metrics and ddp_find_unused_parameters are refused).",
        ]
    )


def _block(name: str, held: type[Any]) -> Iterator[str]:
    yield from _wrapped(name, held.__doc__ or "", 0)
    yield from _lines(dataclasses.fields(held), get_type_hints(held), 1)


def _lines(entries: Any, hints: dict[str, Any], depth: int) -> Iterator[str]:
    for entry in entries:
        if "help" in entry.metadata:
            yield from _wrapped(entry.name, entry.metadata["help"] + _default_of(entry), depth)
        for inner in _dataclasses_in(hints[entry.name]):
            yield from _lines(dataclasses.fields(inner), get_type_hints(inner), depth + 1)


def _default_of(entry: dataclasses.Field[Any]) -> str:
    """The default in words, where the help does not say it and there is one that says something."""
    silent = "Default:" in entry.metadata["help"] or entry.default is dataclasses.MISSING or entry.default is None
    return "" if silent else f" Default: {to_yaml({'': entry.default}).partition(':')[2].strip()}."


def _dataclasses_in(hint: Any) -> list[type[Any]]:
    """The dataclasses that a key may hold, whether one, a list of them, or none."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return list(dict.fromkeys(inner for part in get_args(hint) for inner in _dataclasses_in(part)))


def _wrapped(name: str, text: str, depth: int) -> list[str]:
    first = f"{' ' * INDENT * depth}{name}".ljust(COLUMN - 1) + " "
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * COLUMN, break_on_hyphens=False)
