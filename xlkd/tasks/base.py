"""What the trainer knows of a task."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor
from transformers import EvalPrediction

from xlkd.columns import with_names
from xlkd.errors import UserError, did_you_mean, is_whole_number
from xlkd.evaluation.answers import Answers, unlabelled_rows
from xlkd.evaluation.metrics import ByClass, Metric, build_metrics, by_class, check_metric
from xlkd.folders import write_json
from xlkd.needs import PROBLEM_TYPES, AnswerKind, ModelShape, Needs, labels_of
from xlkd.outputs import NO_LABEL, TeacherOutput
from xlkd.padding import Readers

TRANSLATION_COLUMN = "translation"
"""A column with the place of a scored row's translation in the source language; -1 where there is none."""

KEPT_COLUMNS = ("role", "language", "teacher_language", "content_id", "key", TRANSLATION_COLUMN)
"""What preprocessing keeps of a row beside what the models read."""


class Task(ABC):
    """What the models do: how rows become inputs, what a prediction is, how it is scored.

    Args:
        labels (`Sequence[str]`): Names of the classes, in the order of ids.
        metric (`str`, *optional*):
            The score that is reported first; defaults to the first of the task's metrics that these labels have.

    Attributes:
        metrics (`tuple[str, ...]`): Names of the task's metrics.
        answer_kind (`str`): What models answer ([`~needs.AnswerKind`]); the losses, label maps and ensembles go by it.
        by_word (`bool`): Whether words are answered one by one, and not whole rows.
        default_labels (`tuple[str, ...]`): Its labels where neither the user nor the data name any.
        default_loss (`str`): The loss, one of `LOSSES`, that is used where the user names none.
        has_labels (`bool`): Whether there are classes; without them, models have no head, and rows no labels.
        scores_source (`bool`): Whether the source language has a score of its own; if not, others are compared with it.
        says_confidence (`bool`): Whether the answers say how sure a model is of them ([`Task.confidence`]).

    Raises:
        [`UserError`]: If there are too few labels, one stands twice, or the task does not have the metric.
    """

    name: ClassVar[str]
    auto_class: ClassVar[Any]
    architecture_suffix: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    has_labels: ClassVar[bool] = True
    says_confidence: ClassVar[bool] = True
    answer_kind: ClassVar[AnswerKind] = "one-of"
    by_word: ClassVar[bool] = False
    default_labels: ClassVar[tuple[str, ...]] = ()
    default_loss: ClassVar[str] = "soft-label"
    scores_source: ClassVar[bool] = True

    def __init__(self, labels: Sequence[str], metric: str | None = None) -> None:
        self.check_labels(labels)
        self.labels = list(labels)
        self.metric = self._default_metric() if metric is None else check_metric(metric, self.metrics)
        self._check_classes()

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
            [`UserError`]: If the label is not one of the task's.
        """
        if label is None:
            return NO_LABEL
        if is_whole_number(label) and 0 <= label < len(self.labels):
            return label
        if isinstance(label, str) and label in self.label2id:
            return self.label2id[label]
        known = ", ".join(self.labels)
        nameless = all(re.fullmatch(r"LABEL_\d+", own) for own in self.labels)
        raise UserError(
            f"The label {label!r}{did_you_mean(label, self.labels)} is not one of the task's: {known}."
            + (" The model has no names for its classes: write them into its configuration (`id2label`)." * nameless)
        )

    def with_label_names(self, dataset: Dataset) -> Dataset:
        """Raw rows with the names of their labels, where the data set has some: its order of them may be another.

        Args:
            dataset (`datasets.Dataset`): Raw rows.

        Raises:
            [`UserError`]: If the labels stand in a column where nobody looks for them.
        """
        if not self.has_labels or self.answer_kind == "number":
            return dataset
        if "label" in dataset.column_names:
            return with_names(dataset, "label")
        if "labels" in dataset.column_names:
            raise UserError("The rows have a column `labels`, and their labels are looked for in `label`: rename it.")
        return dataset

    def word_label_ids(self, rows: Dataset) -> Iterator[list[int]]:
        """The class ids of the labels of each raw row with one for every word; none of a row without labels.

        Raises:
            [`UserError`]: If a label is not one of the task's.
        """
        return ([self.label_id(label) for label in labels or []] for labels in self.with_label_names(rows)["label"])

    @classmethod
    def check_labels(cls, labels: Sequence[str]) -> None:
        """Refuse labels that the task cannot have.

        Raises:
            [`UserError`]: If there are fewer than two, or one stands twice.
        """
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise UserError(f"The labels [{', '.join(labels)}] must be two or more different names.")

    @classmethod
    def is_head_of(cls, config: Any) -> bool:
        """Whether a model's configuration says that it has been trained for this task."""
        return any(name.endswith(cls.architecture_suffix) for name in config.architectures or [])

    def shape_of(self, config: Any) -> ModelShape:
        """The shape of a student with this configuration, with the labels of the task."""
        return ModelShape.of(config, self.labels, self.by_word, self.answer_kind)

    @classmethod
    def check_answers(cls, config: Any, who: str) -> None:
        """Refuse a model whose configuration says that its logits mean something else than the task's.

        Args:
            config (`PreTrainedConfig`): The configuration; one that says nothing is not refused.
            who (`str`): Whose it is, in the error.

        Raises:
            [`UserError`]: If its `problem_type` is that of another task.
        """
        if cls.has_labels and config.problem_type not in (None, PROBLEM_TYPES[cls.answer_kind]):
            raise UserError(
                f"{who} is a model for {config.problem_type} (`problem_type` in its config.json), and the task"
                f" {cls.name} is {PROBLEM_TYPES[cls.answer_kind]}: choose the other task, or another model."
            )

    @classmethod
    def say_answers(cls, config: Any) -> None:
        """Write into a model's configuration what its logits mean, where that is any number of classes or a number.

        Args:
            config (`PreTrainedConfig`): The configuration; it is changed.
        """
        if cls.answer_kind in ("any-of", "number"):
            config.problem_type = PROBLEM_TYPES[cls.answer_kind]

    def check_student(self, config: Any) -> None:
        """Refuse a student whose classes are not the task's, in the order of ids, or whose logits mean something else.

        Raises:
            [`UserError`]: If its labels are others or in another order, or its `problem_type` is that of another task.
        """
        self.check_answers(config, "The student")
        own = labels_of(config)
        if self.has_labels and own != self.labels:
            raise UserError(
                f"The student's labels ({', '.join(own)}) are not the task's ({', '.join(self.labels)}), in that order:"
                " build the student with id2label and label2id of the task."
            )

    def asks(self, model: ModelShape) -> Needs:
        """What a model must be asked for to get its answers.

        Args:
            model ([`ModelShape`]): The model.
        """
        return Needs(logits=True)

    def answers_in(self, output: TeacherOutput) -> Tensor:
        """The answers in the output of a model that was asked for [`Task.asks`].

        Args:
            output ([`~outputs.TeacherOutput`]): What student or teacher said.

        Returns:
            `torch.Tensor` of shape `(rows, classes)`, or `(rows, words, classes)` where rows are labelled word by word.
        """
        assert output.logits is not None
        return output.logits

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
            `datasets.Dataset` with the columns of every reader, and `labels` (as [`~outputs.has_label`] knows them).
        """

    @abstractmethod
    def predictions(self, logits: np.ndarray) -> Answers:
        """Answers, in a form of [`~evaluation.answers`], from logits.

        Args:
            logits (`np.ndarray`): Of shape `(rows, classes)`; where rows are labelled word by word an object array
                `(rows,)` of arrays `(words, classes)`.
        """

    def predictions_of(self, rows: Dataset, logits: np.ndarray) -> Answers:
        """Answers to preprocessed rows, for a task whose answers depend on more than the logits.

        Args:
            rows (`datasets.Dataset`): Preprocessed rows, of one language or several (`language`).
            logits (`np.ndarray`): See [`Task.predictions`].
        """
        return self.predictions(logits)

    def check_labelled(self, dataset: Dataset) -> None:
        """Refuse labels that do not fit their texts, before anything is trained.

        Args:
            dataset (`datasets.Dataset`): Raw rows.

        Raises:
            [`UserError`]: If a row's labels do not fit its text.
        """
        return

    def check_evaluation(self, datasets: Mapping[str, Dataset], source_language: str) -> None:
        """Refuse rows that cannot be scored, before anything is trained.

        Args:
            datasets (`Mapping[str, datasets.Dataset]`): Raw rows by language.
            source_language (`str`): The source language.

        Raises:
            [`UserError`]: If a row cannot be scored.
        """
        return

    def check_validation(self) -> None:
        """Refuse to be scored while a student trains, for a task that cannot be.

        Raises:
            [`UserError`]: If the task is not scored while a student trains.
        """
        return

    @classmethod
    def companions(cls, config: Any, max_length: int) -> Mapping[str, Any]:
        """What lies beside a saved student for other libraries: content of JSON files, by path in its folder.

        Args:
            config (`PreTrainedConfig`): The student's configuration.
            max_length (`int`): Texts were cut to this many tokens.
        """
        return {}

    @classmethod
    def check_companions(cls, read: Callable[[str], Any], who: str) -> None:
        """Refuse a model whose files for another library say that its answers are made in another way.

        Args:
            read (`Callable[[str], Any]`): Gives what a JSON file beside the model holds, by its path, or `None`.
            who (`str`): Whose it is, in the error.

        Raises:
            [`UserError`]: If the files say so.
        """
        return

    @classmethod
    def save_companions(cls, folder: Path, config: Any, max_length: int) -> None:
        """Write [`Task.companions`] into the folder of a student."""
        for name, content in cls.companions(config, max_length).items():
            write_json(folder / name, content)

    @property
    def outside(self) -> int | None:
        """The id of the class that stands for nothing, such as words outside names; `None` where there is none."""
        return None

    def unread(self, rows: Dataset) -> NDArray[np.integer[Any]] | None:
        """How many answers of each row nobody could give, since its text was cut; `None` where a row has one answer.

        Args:
            rows (`datasets.Dataset`): Preprocessed rows.
        """
        return None

    def gold(self, rows: Dataset) -> Answers:
        """The gold answers of preprocessed rows, in the same form as the predictions."""
        return self.as_answers(np.array(rows["labels"][:]))

    def as_answers(self, labels: NDArray[Any]) -> Answers:
        """Hard labels, as batches hold them, in the form of the predictions."""
        return labels

    def confidence(self, logits: np.ndarray) -> NDArray[np.floating[Any]]:
        """How sure a model is of each of its answers: the probability of its first choice.

        Args:
            logits (`np.ndarray` of shape `(answers, classes)`): Of rows, or of words.

        Returns:
            `np.ndarray` of shape `(answers,)`.
        """
        return np.asarray(softmax(logits, axis=-1).max(axis=-1))

    @abstractmethod
    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss that in-training evaluation reports as `eval_loss`: a scalar, against hard labels."""

    def compute_metrics(self, evaluation: EvalPrediction) -> Mapping[str, float]:
        """All metrics of predictions, for `Trainer`."""
        logits, labels = np.asarray(evaluation.predictions), np.asarray(evaluation.label_ids)
        labelled = ~unlabelled_rows(labels)
        return self.scores(self.predictions(logits[labelled]), self.as_answers(labels[labelled]))

    def scores(self, predictions: Answers, labels: Answers) -> dict[str, float]:
        """All metrics of predicted answers against gold ones; NaN where one is undefined."""
        return {name: metric.of(predictions, labels) for name, metric in self.build_metrics().items()}

    def build_metrics(self) -> dict[str, Metric]:
        """The task's metrics, by name."""
        return build_metrics(self.metrics, self.labels)

    def _default_metric(self) -> str:
        """The first metric that these labels have: parts of speech mark no spans."""
        known = [name for name, own in self.build_metrics().items() if not isinstance(own, ByClass) or own.classes]
        return known[0]

    def _check_classes(self) -> None:
        metric = self.build_metrics()[self.metric]
        if isinstance(metric, ByClass) and not metric.classes:
            others = [name for name, own in self.build_metrics().items() if not isinstance(own, ByClass)]
            raise UserError(
                f"metric {metric.name!r}: the labels ({', '.join(self.labels)}) mark no spans, as B-PER and I-PER do:"
                f" choose {' or '.join(others)}."
            )

    def check_per_class(self) -> None:
        """Refuse to score classes one by one where there are none.

        Raises:
            [`UserError`]: If the task has no classes to score one by one.
        """
        by_class(self.build_metrics().values())
