"""One class for every word: named entities, parts of speech."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForTokenClassification, EvalPrediction, PreTrainedTokenizerBase

from xlkd.columns import lengths_of
from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers, by_word
from xlkd.outputs import NO_LABEL
from xlkd.padding import Readers
from xlkd.tasks.base import KEPT_COLUMNS, Task
from xlkd.tasks.cutting import CutText, Span, agreed_words, cut_texts, found_words, given_words, token_spans
from xlkd.tasks.reading import check_text, cut_once, kinds_of
from xlkd.text.tag_scheme import OUTSIDE, is_written_otherwise
from xlkd.text.words import WORD_CONTEXT, WORD_LABELS, WORD_SPANS, context_of, joined

logger = logging.getLogger(__name__)

WORD_PLACES = "word_places"
"""A column: which words of the text the labels of a row are of. Words that a reader does not see have none."""

ALIGNMENT = "alignment"
"""A column of parallel rows: where in either text two words are that mean the same, as `align_words` gives them."""

_TEXTS = ("text", "teacher_text")


class TokenClassification(Task):
    """One class for every word: named entities, parts of speech.

    Labelled text is words joined by single spaces, with a list of one label per word. Running text, which has none, is
    cut at spaces and around punctuation; where a script has no spaces, into the pieces that all readers agree on.

    Each reader cuts the words in its own way and answers for a word at its first token, so teacher and student may have
    different tokenizers: they are matched word by word. Words that one of them does not see, because the text is too
    long for it or its tokenizer drops them, are left out and counted; in evaluation, where each reads for itself, they
    are predicted to be outside.

    Example:

    ```python
    >>> task = TokenClassification(["O", "B-PER", "I-PER"])
    >>> dataset = task.preprocess(dataset, {"": tokenizer}, max_length=128)
    ```
    """

    name = "token-classification"
    auto_class = AutoModelForTokenClassification
    architecture_suffix = "ForTokenClassification"
    by_word = True
    metrics = ("span-f1", "tag-accuracy")

    @classmethod
    def check_labels(cls, labels: Sequence[str]) -> None:
        """Refuse labels that the task cannot have.

        Raises:
            [`UserError`]: If there are fewer than two, one stands twice, or they mark spans, but not as `B-PER` does.
        """
        super().check_labels(labels)
        if is_written_otherwise(labels):
            raise UserError(
                f"The labels ({', '.join(labels)}) mark spans, but not as B-PER and I-PER do: write them so, or rename"
                " them where they are read, `label_map: {B_PER: B-PER}` of the data entry."
            )

    def preprocess(
        self,
        dataset: Dataset,
        readers: Readers,
        max_length: int,
    ) -> Dataset:
        """See [`Task.preprocess`].

        Raises:
            [`UserError`]: If a label is not one of the task's, there are not as many as words, there is no column
                `text`, or parallel text is not aligned, or has labels.
        """
        check_text(dataset)
        dataset = self.with_label_names(dataset)
        kinds = kinds_of(readers)

        def encode(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            rows = {name: joined(values) if name in _TEXTS else values for name, values in rows.items()}
            readings = _read(rows, readers, kinds, max_length)
            encoded: dict[str, list[Any]] = {}
            for row in range(len(rows["text"])):
                own = {name: values[row] for name, values in rows.items()}
                columns = self._encode(own, {prefix: reading[row] for prefix, reading in readings.items()})
                for name, value in columns.items():
                    encoded.setdefault(name, []).append(value)
            return encoded

        removed = [name for name in dataset.column_names if name not in KEPT_COLUMNS]
        encoded = dataset.map(encode, batched=True, remove_columns=removed, desc="Cutting words into tokens")
        self._warn_of_unread(encoded, readers, max_length)
        return encoded

    def _encode(self, row: Mapping[str, Any], readings: Mapping[str, CutText]) -> dict[str, Any]:
        """The columns of a row."""
        labels = row.get("label")
        if _is_translated(row):
            _refuse_labels(row)
            source, target = _aligned_words(row)
            sides = {prefix: source if prefix else target for prefix in readings}
        else:
            words = _words_of(row["text"], labels, list(readings.values()))
            sides = dict.fromkeys(readings, words)
        spans = {prefix: token_spans_of(sides[prefix], reading) for prefix, reading in readings.items()}
        total = len(sides[""])
        kept = [place for place in range(total) if all(own[place] is not None for own in spans.values())]
        columns: dict[str, Any] = {WORD_PLACES: kept}
        columns[WORD_CONTEXT] = context_of(row["text"], [sides[""][place] for place in kept])
        columns[WORD_LABELS] = [self.label_id(label) for label in labels or [None] * total]
        columns["labels"] = [columns[WORD_LABELS][place] for place in kept]
        for prefix, reading in readings.items():
            columns |= {prefix + name: values for name, values in reading.inputs.items()}
            columns[prefix + WORD_SPANS] = [token for place in kept for token in spans[prefix][place] or ()]
        return columns

    def check_labelled(self, dataset: Dataset) -> None:
        """Refuse labels that do not fit their texts.

        Raises:
            [`UserError`]: If a row has one label for its whole text, or not as many as words, or there is no label.
        """
        if "label" not in dataset.column_names:
            columns = ", ".join(dataset.column_names)
            raise UserError(f"The rows have no column `label` (only {columns}): rename the column that holds the tags.")
        for text, labels in zip(joined(dataset["text"]), dataset["label"], strict=True):
            _words_of(text, labels, [])

    def check_evaluation(self, datasets: Mapping[str, Dataset], source_language: str) -> None:
        """Refuse rows that cannot be scored.

        Raises:
            [`UserError`]: If a row has not as many labels as words, or a word has none.
        """
        for language, dataset in datasets.items():
            self.check_labelled(dataset)
            named = self.with_label_names(dataset)
            for text, labels in zip(joined(named["text"]), named["label"], strict=True):
                if labels is None or None in labels:
                    raise UserError(
                        f"The text {text[:60]!r} in {language} has a word without a label: give it one, or leave the"
                        " text out of evaluation."
                    )

    def predictions(self, logits: np.ndarray) -> Answers:
        return by_word(own.argmax(-1) for own in logits)

    def predictions_of(self, rows: Dataset, logits: np.ndarray) -> Answers:
        """The tags of all words; those that were not read are outside, or of no class where there is no outside."""
        outside = NO_LABEL if self.outside is None else self.outside
        found = []
        for read, places, gold in zip(self.predictions(logits), rows[WORD_PLACES], rows[WORD_LABELS], strict=True):
            tags = np.full(len(gold), outside)
            tags[places] = read
            found.append(tags)
        return by_word(found)

    @property
    def outside(self) -> int | None:
        return self.label2id.get(OUTSIDE)

    def unread(self, rows: Dataset) -> NDArray[np.integer[Any]]:
        return lengths_of(rows, WORD_LABELS) - lengths_of(rows, WORD_PLACES)

    def gold(self, rows: Dataset) -> Answers:
        return by_word(rows[WORD_LABELS])

    def compute_metrics(self, evaluation: EvalPrediction) -> Mapping[str, float]:
        """All metrics of the words that were read, for `Trainer`."""
        logits, labels = (np.asarray(values) for values in (evaluation.predictions, evaluation.label_ids))
        labelled = labels != NO_LABEL
        predicted = by_word(own[kept].argmax(-1) for own, kept in zip(logits, labelled, strict=True))
        return self.scores(predicted, by_word(own[kept] for own, kept in zip(labels, labelled, strict=True)))

    def validation_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), ignore_index=NO_LABEL)

    def _warn_of_unread(self, rows: Dataset, readers: Readers, max_length: int) -> None:
        """Say how many words are not seen by all readers, behind a cut of a text or without a piece."""
        words, unread = lengths_of(rows, WORD_LABELS), self.unread(rows)
        is_cut = np.max([lengths_of(rows, prefix + "input_ids") for prefix in readers], axis=0) >= max_length
        for lost, why in ((unread[is_cut], f"texts are cut to {max_length} tokens"), (unread[~is_cut], _NO_PIECE)):
            if lost.sum():
                logger.warning("%d of %d words are not seen by all models: %s.", lost.sum(), words.sum(), why)


_NO_PIECE = "a tokenizer has no piece for them"


def token_spans_of(words: Sequence[Span], reading: CutText) -> list[Span | None]:
    """The tokens of words that may stand in any order, and twice, as aligned ones do."""
    ordered = sorted(set(words))
    found = dict(zip(ordered, token_spans(ordered, reading.visible), strict=True))
    return [found[word] for word in words]


def _read(
    rows: Mapping[str, list[Any]], readers: Readers, kinds: Mapping[str, int], max_length: int
) -> dict[str, list[CutText]]:
    """What every reader makes of its texts: the student of `text`, all others of `teacher_text`."""
    own, theirs = rows["text"], rows.get("teacher_text", rows["text"])
    theirs = [text if other is None else other for text, other in zip(own, theirs, strict=True)]

    def cut(tokenizer: PreTrainedTokenizerBase, others: bool) -> list[CutText]:
        return cut_texts(tokenizer, theirs if others else own, max_length)

    return cut_once(readers, kinds, theirs != own, cut)


def _is_translated(row: Mapping[str, Any]) -> bool:
    return row.get("teacher_text") not in (None, row["text"])


def _refuse_labels(row: Mapping[str, Any]) -> None:
    if row.get("label") is not None:
        raise UserError(
            f"The text {row['text'][:60]!r} has labels for its words, and another `teacher_text`: the two meet at"
            " aligned words, which are not the labelled ones. Leave the labels, or `teacher_text`, out."
        )


def _words_of(text: str, labels: Sequence[Any] | None, readings: Sequence[CutText]) -> list[Span]:
    if labels is None:
        return agreed_words(found_words(text), readings)
    if isinstance(labels, str):
        raise UserError(
            f"The text {text[:60]!r} has the label {labels!r}, which is one for the whole text; token-classification"
            " needs a list with one for each word: name another column as `label`, or take sequence-classification."
        )
    words = given_words(text)
    if len(words) != len(labels):
        raise UserError(
            f"The text {text[:60]!r} has {len(words)} words and {len(labels)} labels: give one label a word, and part"
            " words by single spaces."
        )
    return words


def _aligned_words(row: Mapping[str, Any]) -> tuple[list[Span], list[Span]]:
    """The characters of aligned words in the source text and in the target text, in the order of the target's."""
    flat = row.get(ALIGNMENT)
    if flat is None:
        raise UserError(
            f"The words of parallel text ({row['text'][:60]!r}) say nothing of one another until they are aligned: add"
            " the column `alignment` with `xlkd.steps.word_alignment.align_words(dataset, teacher)`."
        )
    pairs = sorted(zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True), key=lambda pair: pair[2])
    return [(start, end) for start, end, _, _ in pairs], [(start, end) for _, _, start, end in pairs]
