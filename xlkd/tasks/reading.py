"""Whole texts, or pairs of them, cut into the tokens that student and teacher read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from datasets import Dataset
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.outputs import TEACHER_PREFIX
from xlkd.padding import Readers
from xlkd.tasks.base import KEPT_COLUMNS, Task

Rows = dict[str, list[Any]]
"""Some rows, by column."""

Reading = TypeVar("Reading")
"""What a tokenizer makes of some texts."""


class TextTask(Task):
    """A task of texts (`text`), or of pairs of texts (`text` and `text_pair`), each with one label of its own kind."""

    auto_class = AutoModelForSequenceClassification
    architecture_suffix = "ForSequenceClassification"

    @abstractmethod
    def encode_label(self, label: Any) -> int | float | list[float]:
        """The label of a row as batches hold it; of none, what [`~outputs.has_label`] takes for none.

        Raises:
            [`UserError`]: If the label is not one that the task has.
        """

    def preprocess(self, dataset: Dataset, readers: Readers, max_length: int) -> Dataset:
        """See [`Task.preprocess`].

        Raises:
            [`UserError`]: If a label is not one of the task's, or there is no column `text`, or `labels` in place of
                `label`.
        """
        return read_texts(self.with_label_names(dataset), readers, max_length, self._labels_of)

    def _labels_of(self, rows: Rows) -> Rows:
        labels = rows.get("label", [None] * len(rows["text"]))
        return {"labels": [self.encode_label(label) for label in labels]}


def check_text(dataset: Dataset) -> None:
    """Refuse rows without text.

    Raises:
        [`UserError`]: If there is no column `text`.
    """
    if "text" not in dataset.column_names:
        columns = ", ".join(dataset.column_names)
        raise UserError(f"The data have no column `text` (only {columns}): rename the column that holds the text.")


def read_texts(dataset: Dataset, readers: Readers, max_length: int, more: Callable[[Rows], Rows]) -> Dataset:
    """Turn rows of text into what everyone reads; see [`Task.preprocess`].

    Args:
        dataset (`datasets.Dataset`): Rows with `text`, and where they exist `text_pair`, `teacher_text`.
        readers (`Mapping[str, PreTrainedTokenizerBase]`): Tokenizers by the prefix of the columns that they make.
        max_length (`int`): Texts are cut to this many tokens.
        more (`Callable`): Makes the other columns of some rows, such as `labels`.

    Raises:
        [`UserError`]: If there is no column `text`.
    """
    check_text(dataset)
    kinds = kinds_of(readers)

    def encode(rows: Rows) -> Rows:
        def cut(tokenizer: PreTrainedTokenizerBase, others: bool) -> Rows:
            return _encode(tokenizer, rows, "teacher_text" if others else "text", max_length)

        others = any(
            rows.get(TEACHER_PREFIX + name, rows.get(name)) != rows.get(name) for name in ("text", "text_pair")
        )
        encoded = more(rows)
        for prefix, reading in cut_once(readers, kinds, others, cut).items():
            encoded |= {prefix + name: values for name, values in reading.items()}
        return encoded

    removed = [name for name in dataset.column_names if name not in KEPT_COLUMNS]
    return dataset.map(encode, batched=True, remove_columns=removed, desc="Cutting texts into tokens")


def _encode(tokenizer: PreTrainedTokenizerBase, rows: Rows, column: str, max_length: int) -> Rows:
    texts, pairs = _texts(rows, column, ""), _texts(rows, column, "_pair")
    return dict(tokenizer(texts, pairs, truncation=True, max_length=max_length))


def _texts(rows: Rows, column: str, side: str) -> list[str] | None:
    """One side of some rows: where the teacher has no text of its own, it reads the student's."""
    own = rows.get(f"text{side}")
    if own is None or f"{column}{side}" not in rows:
        return own
    return [text if given is None else given for given, text in zip(rows[f"{column}{side}"], own, strict=True)]


def cut_once(
    readers: Readers,
    kinds: Mapping[str, int],
    others: bool,
    cut: Callable[[PreTrainedTokenizerBase, bool], Reading],
) -> dict[str, Reading]:
    """What every reader makes of its text: the same text is cut once by the same tokenizer.

    Args:
        readers (`Mapping[str, PreTrainedTokenizerBase]`): Tokenizers by the prefix of their columns.
        kinds (`Mapping[str, int]`): Which of them are equal, by [`kinds_of`].
        others (`bool`): Whether the teachers' text is another than the student's.
        cut (`Callable`): Cuts it with a tokenizer; told whether it is to be the other text.
    """
    known: dict[tuple[int, bool], Reading] = {}
    keys = {prefix: (kinds[prefix], others and bool(prefix)) for prefix in readers}
    for prefix, key in keys.items():
        if key not in known:
            known[key] = cut(readers[prefix], key[1])
    return {prefix: known[key] for prefix, key in keys.items()}


def kinds_of(readers: Readers) -> dict[str, int]:
    """A number for each reader; those with equal tokenizers have the same."""
    descriptions = {prefix: _description(tokenizer) for prefix, tokenizer in readers.items()}
    different = list(dict.fromkeys(descriptions.values()))
    return {prefix: different.index(description) for prefix, description in descriptions.items()}


def _description(tokenizer: PreTrainedTokenizerBase) -> tuple[Any, ...]:
    own = str(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else id(tokenizer)
    sides = tokenizer.truncation_side, tokenizer.padding_side
    return type(tokenizer), own, sides, tuple(tokenizer.model_input_names)
