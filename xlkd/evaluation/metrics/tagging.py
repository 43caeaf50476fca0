"""Metrics of rows whose words have one tag each: of the spans that the tags mark, and of the tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xlkd.evaluation.answers import Answers, words_of
from xlkd.evaluation.metrics.base import ByClass, Floats, Share
from xlkd.outputs import NO_LABEL
from xlkd.text.tag_scheme import OUTSIDE, place_and_type


class _Spans(NamedTuple):
    """Spans of words, counted over all rows: where each begins and ends, and the number of its type."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    kind: NDArray[np.int64]


class SpanF1(ByClass):
    r"""The F1 score of whole spans, as conlleval has it: boundaries and type must be right.

    A tag is a place and a type, `B-PER`: `B` begins a span, `I` (or `M`) is inside of one, `E` (or `L`) ends one, `S`
    (or `U`, `W`) is one; any other tag is outside. IOB1, IOB2, IOE, IOBES, BILOU and BMES need not be told from one
    another, and no sequence of tags is refused: a word goes on with the span of the word before where its place is `I`
    or `E`, that of the word before is `B` or `I`, and the types are the same. All other words with a place begin a
    span, so that `I-PER` after `O`, or `I-LOC` after `B-PER`, begins one too.

    With \\(t\\) spans that are right, \\(p\\) that are predicted and \\(l\\) that are gold, over all types,
    $$ F_1 = \frac{2 t}{p + l} $$

    Citation: Tjong Kim Sang and Buchholz (2000), Introduction to the CoNLL-2000 Shared Task: Chunking.

    Attributes:
        classes (`list[str]`): The types.

    Example:

    ```python
    >>> metric = SpanF1(["O", "B-PER", "I-PER"])
    >>> metric.of(by_word([[1, 2, 0, 1]]), by_word([[1, 2, 0, 0]]))
    0.6666666666666666
    ```
    """

    name = "span-f1"

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        tags = [place_and_type(label) for label in self.labels]
        self.classes = sorted({kind for place, kind in tags if place != OUTSIDE})
        tags.append((OUTSIDE, ""))
        self._kinds = np.array([self.classes.index(kind) if place != OUTSIDE else -1 for place, kind in tags])
        self._goes_on, self._may_be_followed = (
            np.array([place in places for place, _ in tags], bool) for places in ("IE", "BI")
        )

    def counts(self, predictions: Answers, labels: Answers) -> Floats:
        gold_tags, lengths = words_of(labels)
        row_of_word = np.repeat(np.arange(len(lengths)), lengths)
        found, gold = (self._spans(tags, row_of_word) for tags in (words_of(predictions)[0], gold_tags))
        # Spans do not overlap, so that no two of one system have the same first word.
        _, in_found, in_gold = np.intersect1d(found.first, gold.first, assume_unique=True, return_indices=True)
        is_right = np.zeros(len(found.first), bool)
        is_right[in_found] = (found.last[in_found] == gold.last[in_gold]) & (found.kind[in_found] == gold.kind[in_gold])
        both = _Spans(*(column[is_right] for column in found))
        counts = np.zeros((len(lengths), len(self.classes), 3))
        for column, own in enumerate((both, found, gold)):
            np.add.at(counts[..., column], (row_of_word[own.first], own.kind), 1)
        return counts

    def score(self, sums: Floats) -> Floats:
        return self.pooled_f1(sums)

    def _spans(self, tags: NDArray[np.int64], row_of_word: NDArray[np.int64]) -> _Spans:
        # A word without an answer is outside, by the entry behind those of the labels.
        tags = np.where(tags == NO_LABEL, len(self.labels), tags)
        kinds = self._kinds[tags]
        goes_on = np.zeros(len(tags) + 1, bool)
        goes_on[1:-1] = (
            self._goes_on[tags[1:]]
            & self._may_be_followed[tags[:-1]]
            & (kinds[1:] == kinds[:-1])
            & (row_of_word[1:] == row_of_word[:-1])
        )
        inside = kinds >= 0
        first, last = np.flatnonzero(inside & ~goes_on[:-1]), np.flatnonzero(inside & ~goes_on[1:])
        return _Spans(first, last, kinds[first])


class TagAccuracy(Share):
    """The share of words whose predicted tag is the label.

    Example:

    ```python
    >>> TagAccuracy(["NOUN", "VERB"]).of(by_word([[0, 1, 1], [0]]), by_word([[0, 1, 0], [0]]))
    0.75
    ```
    """

    name = "tag-accuracy"

    def tally(self, predictions: Answers, labels: Answers) -> Floats:
        right = [int(np.sum(own == gold)) for own, gold in zip(predictions, labels, strict=True)]
        return np.stack([right, words_of(labels)[1]], axis=1).astype(np.float64)
