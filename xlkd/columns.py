"""What columns of rows say without being read value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from datasets import Dataset
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
