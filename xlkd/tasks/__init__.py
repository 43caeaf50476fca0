"""Tasks, one per file.

To add one: its file, one line in `TASKS`, one row in the tests' table.
"""

from __future__ import annotations

from collections.abc import Sequence

from xlkd.errors import UserError, did_you_mean
from xlkd.tasks.base import Task
from xlkd.tasks.multi_label_classification import MultiLabelClassification
from xlkd.tasks.regression import Regression
from xlkd.tasks.sentence_embedding import SentenceEmbedding
from xlkd.tasks.sequence_classification import SequenceClassification
from xlkd.tasks.token_classification import TokenClassification

TASKS: dict[str, type[Task]] = {
    "sequence-classification": SequenceClassification,
    "token-classification": TokenClassification,
    "multi-label-classification": MultiLabelClassification,
    "regression": Regression,
    "sentence-embedding": SentenceEmbedding,
}


def get_task(name: str, labels: Sequence[str], metric: str | None = None) -> Task:
    """Get a task by its name in a YAML file.

    Args:
        name (`str`): One of `TASKS`.
        labels (`Sequence[str]`):
            Names of the classes, in the order of ids; one name for a regression, none for a task without classes.
        metric (`str`, *optional*): The score that is reported first; defaults to the first of the task's metrics.

    Raises:
        [`UserError`]: If the task is unknown, or does not have the metric; the message names the nearest known one.

    Example:

    ```python
    >>> task = get_task("sequence-classification", labels=["negative", "positive"])
    ```
    """
    return task_class(name)(labels, metric)


def task_class(name: str) -> type[Task]:
    """Get the class of a task by its name.

    Raises:
        [`UserError`]: If the task is unknown; the message names the nearest known one.
    """
    if name not in TASKS:
        raise UserError(f"Unknown task {name!r}{did_you_mean(name, TASKS)}; known are {', '.join(TASKS)}.")
    return TASKS[name]


__all__ = [
    "TASKS",
    "MultiLabelClassification",
    "Regression",
    "SentenceEmbedding",
    "SequenceClassification",
    "Task",
    "TokenClassification",
    "get_task",
    "task_class",
]
