"""What columns of rows say without being read value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray


def lengths_of(dataset: Any, column: str) -> NDArray[np.int64]:
    """How long the list is that each row has in a column.

    Args:
        dataset (`datasets.Dataset`): The rows.
        column (`str`): The column.
    """
    values = dataset.select_columns([column]).with_format("arrow")[:].column(column)
    lengths: NDArray[np.int64] = pc.list_value_length(values).to_numpy().astype(np.int64)
    return lengths
