"""One class per text, or per pair of texts."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from datasets import Dataset
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from xlkd.outputs import NO_LABEL
from xlkd.padding import Readers
from xlkd.tasks.base import Task
from xlkd.tasks.reading import Rows, read_texts


class SequenceClassification(Task):
    """One class per text (`text`), or per pair of texts (`text` and `text_pair`): topics, sentiment, entailment.

    Example:

    ```python
    >>> task = SequenceClassification(["sports", "politics"])
    >>> dataset = task.preprocess(dataset, {"": tokenizer}, max_length=128)
    ```
    """

    name = "sequence-classification"
    auto_class = AutoModelForSequenceClassification
    architecture_suffix = "ForSequenceClassification"
    metrics = ("accuracy", "macro-f1")

    def preprocess(
        self,
        dataset: Dataset,
        readers: Readers,
        max_length: int,
    ) -> Dataset:
        """See [`Task.preprocess`].

        Raises:
            [`UserError`]: If a label is not one of the task's, or there is no column `text`.
        """
        return read_texts(dataset, readers, max_length, self._labels_of)

    def _labels_of(self, rows: Rows) -> Rows:
        return {"labels": [self.label_id(label) for label in rows.get("label", [None] * len(rows["text"]))]}

    def predictions(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(logits.argmax(-1))

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, ignore_index=NO_LABEL)
