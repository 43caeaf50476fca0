"""One class per text, or per pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from xlkd.errors import UserError, did_you_mean
from xlkd.outputs import NO_LABEL, TEACHER_PREFIX
from xlkd.tasks.base import KEPT_COLUMNS, Task


class SequenceClassification(Task):
    """One class per text (`text`), or per pair of texts (`text` and `text_pair`): topics, sentiment, entailment.

    Example:

    ```python
    >>> task = SequenceClassification(["sports", "politics"])
    >>> dataset = task.preprocess(dataset, tokenizer, tokenizer, max_length=128)
    ```
    """

    name = "sequence-classification"
    auto_class = AutoModelForSequenceClassification
    architecture_suffix = "ForSequenceClassification"

    def preprocess(
        self,
        dataset: Dataset,
        student_tokenizer: PreTrainedTokenizerBase,
        teacher_tokenizer: PreTrainedTokenizerBase | None,
        max_length: int,
    ) -> Dataset:
        """See [`Task.preprocess`].

        Raises:
            [`UserError`]: If a label is not one of the task's, or there is no column `text`.
        """
        if "text" not in dataset.column_names:
            columns = ", ".join(dataset.column_names)
            raise UserError(f"The data have no column `text` (only {columns}): rename the column that holds the text.")
        shared_tokenizer = teacher_tokenizer is not None and _equal(student_tokenizer, teacher_tokenizer)

        def encode(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            encoded = dict(_encode(student_tokenizer, rows, "text", max_length))
            inputs = list(encoded)
            encoded["labels"] = [self._label_id(label) for label in rows.get("label", [None] * len(rows["text"]))]
            if teacher_tokenizer is None:
                return encoded
            # The same text through the same tokenizer need not be cut twice.
            same = shared_tokenizer and rows.get("teacher_text", rows["text"]) == rows["text"]
            read = (
                {name: encoded[name] for name in inputs}
                if same
                else _encode(teacher_tokenizer, rows, "teacher_text" if "teacher_text" in rows else "text", max_length)
            )
            return encoded | {TEACHER_PREFIX + name: values for name, values in read.items()}

        removed = [name for name in dataset.column_names if name not in KEPT_COLUMNS]
        return dataset.map(encode, batched=True, remove_columns=removed, desc="Cutting texts into tokens")

    def predictions(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(logits.argmax(-1))

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, ignore_index=NO_LABEL)

    def _label_id(self, label: Any) -> int:
        if label is None:
            return NO_LABEL
        if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(self.labels):
            return label
        if label in self.label2id:
            return self.label2id[label]
        known = ", ".join(self.labels)
        raise UserError(f"The label {label!r}{did_you_mean(label, self.labels)} is not one of the task's: {known}.")


def _encode(
    tokenizer: PreTrainedTokenizerBase, rows: dict[str, list[Any]], column: str, max_length: int
) -> dict[str, list[Any]]:
    pairs: Sequence[str] | None = rows.get(f"{column}_pair")
    return dict(tokenizer(rows[column], pairs, truncation=True, max_length=max_length))


def _equal(first: PreTrainedTokenizerBase, second: PreTrainedTokenizerBase) -> bool:
    return first is second or (type(first) is type(second) and _description(first) == _description(second))


def _description(tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else repr(id(tokenizer))
