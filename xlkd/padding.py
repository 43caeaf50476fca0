"""Rows to tensors, each reader with its own columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xlkd.text.words import WORD_SPANS, padded_spans

Readers = Mapping[str, PreTrainedTokenizerBase]
"""The tokenizer of everyone who reads a row, by the prefix of its columns: none for the student, `teacher_` for a
teacher, `teacher_0_`, `teacher_1_`, ... for those of an ensemble."""

NOBODY: Readers = MappingProxyType({})


class RowCollator(ABC):
    """Makes of rows the tensors that one reader of them takes. Small enough to be sent to the workers of a loader.

    Attributes:
        columns (`list[str]`): The columns of a row that it looks at.
    """

    columns: list[str]

    @abstractmethod
    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Collate rows; the names of the tensors begin with the reader's prefix."""


class Padding(RowCollator):
    """Pads what a reader reads with its tokenizer.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The reader's.
        prefix (`str`, *optional*, defaults to `""`): What the names of its columns begin with.

    Example:

    ```python
    >>> Padding(tokenizer)([{"input_ids": [0, 7, 2]}, {"input_ids": [0, 2]}])["input_ids"].shape
    torch.Size([2, 3])
    ```
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prefix: str = "") -> None:
        self.tokenizer = tokenizer
        self.prefix = prefix
        self.columns = columns_read(tokenizer, prefix)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Pad rows to the longest of them; rows without this reader's columns give nothing."""
        present = [name for name in self.columns if name in rows[0]]
        if not present:
            return {}
        read = [{name.removeprefix(self.prefix): row[name] for name in present} for row in rows]
        spans = [row.pop(WORD_SPANS) for row in read] if WORD_SPANS in read[0] else None
        padded = dict(self.tokenizer.pad(read, return_tensors="pt"))
        if spans is not None:
            width = padded["input_ids"].shape[1]
            left = self.tokenizer.padding_side == "left"
            padded[WORD_SPANS] = padded_spans(spans, [width - len(row["input_ids"]) if left else 0 for row in read])
        return {self.prefix + name: values for name, values in padded.items()}


def columns_read(tokenizer: PreTrainedTokenizerBase, prefix: str) -> list[str]:
    """The columns of preprocessed rows that a reader may have.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The reader's.
        prefix (`str`): What the names of its columns begin with.
    """
    return [prefix + name for name in (*tokenizer.model_input_names, WORD_SPANS)]
