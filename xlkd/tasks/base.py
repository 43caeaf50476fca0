"""What the trainer knows of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from torch import Tensor
from transformers import EvalPrediction

from xlkd.errors import UserError, did_you_mean
from xlkd.evaluation.metrics import METRICS, check_metric, score
from xlkd.needs import ModelShape
from xlkd.outputs import NO_LABEL
from xlkd.padding import Readers

KEPT_COLUMNS = ("role", "language", "teacher_language", "content_id", "key")
"""What preprocessing keeps of a row beside what the models read."""


class Task(ABC):
    """What the models do: how rows become inputs, what a prediction is, how it is scored.

    Args:
        labels (`Sequence[str]`): Names of the classes, in the order of ids.
        metric (`str`, *optional*, defaults to `"accuracy"`): The score that is reported first.

    Raises:
        [`UserError`]: If there are fewer than two labels, one stands twice, or the metric is unknown.
    """

    name: ClassVar[str]
    auto_class: ClassVar[Any]
    architecture_suffix: ClassVar[str]
    by_word: ClassVar[bool] = False

    def __init__(self, labels: Sequence[str], metric: str = "accuracy") -> None:
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise UserError(f"The labels [{', '.join(labels)}] must be two or more different names.")
        check_metric(metric)
        self.labels = list(labels)
        self.metric = metric

    @property
    def label2id(self) -> dict[str, int]:
        """Class ids by label name."""
        return {label: index for index, label in enumerate(self.labels)}

    @property
    def id2label(self) -> dict[int, str]:
        """Label names by class id."""
        return dict(enumerate(self.labels))

    def label_id(self, label: str | int | None) -> int:
        """The class id of a label by its name, or of an id itself; -100 of none.

        Raises:
            [`UserError`]: If it is not one of the task's.
        """
        if label is None:
            return NO_LABEL
        if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(self.labels):
            return label
        if label in self.label2id:
            return self.label2id[str(label)]
        known = ", ".join(self.labels)
        raise UserError(f"The label {label!r}{did_you_mean(label, self.labels)} is not one of the task's: {known}.")

    @classmethod
    def is_head_of(cls, config: Any) -> bool:
        """Whether a model's configuration says that it has been trained for this task."""
        return any(name.endswith(cls.architecture_suffix) for name in config.architectures or [])

    def shape_of(self, config: Any) -> ModelShape:
        """The shape of a student with this configuration, with the labels of the task."""
        return ModelShape.of(config, self.labels, self.by_word)

    def check_student(self, config: Any) -> None:
        """Refuse a student whose classes are not the task's, in the order of ids.

        Raises:
            [`UserError`]: If they are not.
        """
        own = [config.id2label[index] for index in range(config.num_labels)]
        if own != self.labels:
            raise UserError(
                f"The student's labels ({', '.join(own)}) are not the task's ({', '.join(self.labels)}), in that order:"
                " build the student with id2label and label2id of the task."
            )

    @abstractmethod
    def preprocess(
        self,
        dataset: Dataset,
        readers: Readers,
        max_length: int,
    ) -> Dataset:
        """Turn rows of text into what everyone reads.

        Args:
            dataset (`datasets.Dataset`): Rows with `text` and, where there is one, `teacher_text` and `label`.
            readers (`Mapping[str, PreTrainedTokenizerBase]`):
                Tokenizers by the prefix of the columns that they make: `""` is the student's, for `text`; all others
                are for `teacher_text`.
            max_length (`int`): Texts are cut to this many tokens.

        Returns:
            `datasets.Dataset` with the columns of every reader, and `labels` (-100 where there is none).
        """

    @abstractmethod
    def predictions(self, logits: np.ndarray) -> np.ndarray:
        """Class ids from logits."""

    @abstractmethod
    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss that in-training evaluation reports as `eval_loss`: a scalar, against hard labels."""

    def compute_metrics(self, evaluation: EvalPrediction) -> Mapping[str, float]:
        """All metrics of predictions, for `Trainer`."""
        predictions = self.predictions(np.asarray(evaluation.predictions))
        return self.scores(predictions, np.asarray(evaluation.label_ids))

    def scores(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """All metrics of predicted class ids against gold ones."""
        return {name: score(name, predictions, labels) for name in METRICS}
