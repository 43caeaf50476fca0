"""One class per text, or per pair of texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from xlkd.errors import UserError
from xlkd.outputs import NO_LABEL
from xlkd.tasks.reading import TextTask


class SequenceClassification(TextTask):
    """One class per text (`text`), or per pair of texts (`text` and `text_pair`): topics, sentiment, entailment.

    Example:

    ```python
    >>> task = SequenceClassification(["sports", "politics"])
    >>> dataset = task.preprocess(dataset, {"": tokenizer}, max_length=128)
    ```
    """

    name = "sequence-classification"
    metrics = ("accuracy", "macro-f1")

    def encode_label(self, label: Any) -> int:
        if isinstance(label, list):
            raise UserError(
                f"The label {label!r} is a list, and each text has one class: use the task multi-label-classification,"
                " or token-classification for the labels of words."
            )
        return self.label_id(label)

    def predictions(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(logits.argmax(-1))

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, ignore_index=NO_LABEL)
