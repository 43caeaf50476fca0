"""What columns of rows say without being read value by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, List, Value
from numpy.typing import NDArray


def lengths_of(dataset: Dataset, column: str) -> NDArray[np.int64]:
    """How long the list is that each row has in a column, of shape `(rows,)`.

    Args:
        dataset (`datasets.Dataset`): The rows.
        column (`str`): The column; no row is without a list in it.

    Example:

    ```python
    >>> lengths_of(Dataset.from_dict({"input_ids": [[0, 5, 2], [0, 2]]}), "input_ids")
    array([3, 2])
    ```
    """
    table: Any = dataset.select_columns([column]).with_format("arrow")[:]
    lengths: NDArray[np.int64] = pc.list_value_length(table.column(column)).to_numpy().astype(np.int64)
    return lengths


def class_names(dataset: Dataset, column: str) -> Sequence[str]:
    """The names that a data set has for the integers of a column (`ClassLabel`), of rows or in lists; none elsewhere.

    Args:
        dataset (`datasets.Dataset`): The rows.
        column (`str`): The column.
    """
    kind = dataset.features[column]
    kind = kind.feature if isinstance(kind, List) else kind
    names: Sequence[str] = kind.names if isinstance(kind, ClassLabel) else ()
    # Where nobody named the classes, `datasets` calls them by their numbers.
    return () if list(names) == [str(number) for number in range(len(names))] else names


def with_names(dataset: Dataset, column: str) -> Dataset:
    """The rows with the names of integers in place of these, where the data set has names; -1 is no label.

    Args:
        dataset (`datasets.Dataset`): The rows.
        column (`str`): The column.

    Example:

    ```python
    >>> features = Features({"label": ClassLabel(names=["no", "yes"])})
    >>> with_names(Dataset.from_dict({"label": [1, -1]}, features=features), "label")["label"][:]
    ['yes', None]
    ```
    """
    names = class_names(dataset, column)
    if not names:
        return dataset
    kind, features = Value("string"), dataset.features.copy()
    features[column] = List(kind) if isinstance(features[column], List) else kind
    options = {"column": column, "names": names}
    return dataset.map(_named, batched=True, fn_kwargs=options, features=features, desc="Naming labels")


def _named(rows: dict[str, list[Any]], column: str, names: Sequence[str]) -> dict[str, list[Any]]:
    return {column: [_name_of(label, names) for label in rows[column]]}


def _name_of(label: Any, names: Sequence[str]) -> Any:
    if isinstance(label, list):
        return [_name_of(one, names) for one in label]
    return None if label is None or label < 0 else names[label]
