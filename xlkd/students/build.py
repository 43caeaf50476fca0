"""Build a student from a teacher: fewer layers, narrower layers, a smaller vocabulary."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd.arguments import VocabularyArguments
from xlkd.errors import UserError
from xlkd.needs import answer_kind_of, labels_of
from xlkd.students.choice import ChosenPieces, choose_pieces
from xlkd.students.head import with_labels
from xlkd.students.layers import cut_layers, has_special_first_layer, kept_layers
from xlkd.students.report import StudentReport
from xlkd.students.verification import compare_tokenizers
from xlkd.students.vocabulary import TrimmedVocabulary, trim_to
from xlkd.students.width import cut_width, unit_importance
from xlkd.teachers.label_map import LabelMap

Texts = Mapping[str, Sequence[str]]
"""Text by language."""

COMPARED_TEXTS = 500
_NO_TEXT = "There is no text in this run, so its speed is measured on this sentence."
IMPORTANCE_TEXTS = 256
IMPORTANCE_BATCH = 8
IMPORTANCE_LENGTH = 128


@dataclass
class Student:
    """A student, ready to be trained.

    Args:
        model (`PreTrainedModel`): The model.
        processing_class (`PreTrainedTokenizerBase`, *optional*): Its tokenizer, where one was given.
        layer_map (`list[tuple[int, int]]`):
            Pairs of a layer of the student and the layer of the teacher that it comes from, both counted from 1.
        vocabulary ([`TrimmedVocabulary`], *optional*): What was done to its vocabulary, and what that changed.
    """

    model: PreTrainedModel
    processing_class: PreTrainedTokenizerBase | None
    layer_map: list[tuple[int, int]]
    vocabulary: TrimmedVocabulary | None = None

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that `AutoModelFor...` and `AutoTokenizer` read, without xlkd."""
        self.model.save_pretrained(folder)
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)
        if self.vocabulary is not None:
            self.vocabulary.save_sentencepiece(Path(folder))

    def report(self, teacher: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None, texts: Texts) -> StudentReport:
        """Measure it beside its teacher: size, time, and how it cuts text.

        Args:
            teacher (`tuple[PreTrainedModel, PreTrainedTokenizerBase]`, *optional*): The teacher and its tokenizer.
            texts (`Mapping[str, Sequence[str]]`): Text by language.
        """
        own = self.processing_class
        assert own is not None
        if self.vocabulary is not None:
            checks = self.vocabulary.languages
        else:
            before = own if teacher is None else teacher[1]
            checks = {name: compare_tokenizers(before, own, some[:COMPARED_TEXTS]) for name, some in texts.items()}
        some = [text for turn in zip(*(own[:8] for own in texts.values()), strict=False) for text in turn]
        return StudentReport.measure((self.model, own), teacher, checks, some or [_NO_TEXT])


def build_student(
    teacher: PreTrainedModel,
    processing_class: PreTrainedTokenizerBase | None = None,
    *,
    layers: int | list[int] | None = None,
    keep: str | list[int] = "block-ends",
    heads: int | None = None,
    feed_forward: int | None = None,
    vocabulary: VocabularyArguments | None = None,
    texts: Texts | None = None,
    labels: Sequence[str] | None = None,
    label_map: Mapping[str, str | None] | None = None,
) -> Student:
    """Cut a student from a teacher: layers, then heads and feed-forward units, then pieces of the vocabulary.

    Whatever is not named stays as it is, head and pooler included. With other `labels`, the rows of the head are taken
    by name: each is the mean of the rows that teach its label, or freshly initialised where none does. The student is
    of the teacher's class and loads with `from_pretrained` as the teacher does.

    Args:
        teacher (`PreTrainedModel`): The teacher; it is not changed.
        processing_class (`PreTrainedTokenizerBase`, *optional*):
            Its tokenizer; needed for `heads`, `feed_forward` and `vocabulary`.
        layers (`int` or `list[int]`, *optional*): How many layers to keep, or which ones, counted from 1.
        keep (`str` or `list[int]`, *optional*, defaults to `"block-ends"`):
            Which layers a number means: `"block-ends"` (3 of 12 are 4, 8 and 12), `"alternate"` (every second one,
            counted back from the last), `"first"`, `"last"`, or the layers themselves.
        heads (`int`, *optional*): How many attention heads each layer keeps, by importance.
        feed_forward (`int`, *optional*): How many feed-forward units each layer keeps, by importance.
        vocabulary ([`VocabularyArguments`], *optional*): How many pieces of the vocabulary to keep.
        texts (`Mapping[str, Sequence[str]]`, *optional*):
            Training text by language, by which the vocabulary is chosen and heads and units are ranked.
        labels (`Sequence[str]`, *optional*):
            Names of the student's classes, in the order of ids; defaults to the teacher's.
        label_map (`Mapping[str, str | None]`, *optional*):
            The student's label for each label of the teacher whose name differs ([`~teachers.LabelMap`]).

    Returns:
        [`Student`].

    Raises:
        [`UserError`]: If the architecture, the tokenizer, the text or the labels do not allow it.

    Example:

    ```python
    >>> student = build_student(
    ...     teacher,
    ...     tokenizer,
    ...     layers=3,
    ...     vocabulary=VocabularyArguments(size=30_000),
    ...     texts={"en": english, "sw": swahili},
    ... )
    >>> student.layer_map
    [(1, 4), (2, 8), (3, 12)]
    ```
    """
    kept = layers_to_keep(teacher, layers, keep)
    everything = kept == list(range(1, teacher.config.num_hidden_layers + 1))
    model = _copied(teacher) if everything else cut_layers(teacher, kept)
    if heads is not None or feed_forward is not None:
        batches = _batches(*_given(processing_class, texts, "heads and feed_forward are"))
        importance = unit_importance(teacher, batches, kept, heads=heads, feed_forward=feed_forward)
        model = cut_width(model, importance, heads=heads, feed_forward=feed_forward)
    if labels is not None or label_map:
        model = _with_head(model, labels, label_map)
    student = Student(model, processing_class, list(enumerate(kept, start=1)))
    return student if vocabulary is None else with_vocabulary(student, vocabulary, texts)


def with_vocabulary(
    student: Student, vocabulary: VocabularyArguments, texts: Texts | None, pieces: ChosenPieces | None = None
) -> Student:
    """A student with a smaller vocabulary.

    Args:
        student ([`Student`]): The student; it is not changed.
        vocabulary ([`VocabularyArguments`]): How many pieces to keep, and for which languages.
        texts (`Mapping[str, Sequence[str]]`, *optional*): Training text by language.
        pieces ([`~students.choice.ChosenPieces`], *optional*): Those to keep, where they are chosen already.

    Raises:
        [`UserError`]: If there is no text of a language, or as [`~students.vocabulary.trim_vocabulary`] says.
    """
    tokenizer, texts = _given(student.processing_class, texts, "vocabulary is")
    if pieces is None:
        pieces = choose_pieces(student.model, tokenizer, texts, **choice_of(vocabulary))
    trimmed = trim_to(student.model, pieces, texts)
    return Student(trimmed.model, trimmed.processing_class, student.layer_map, trimmed)


def _copied(teacher: PreTrainedModel) -> PreTrainedModel:
    """The same model, free to be trained; of any architecture, since nothing is cut."""
    model = copy.deepcopy(teacher)
    model.config.dtype = torch.float32
    nn.Module.float(model).requires_grad_(True)
    return model


def _with_head(
    model: PreTrainedModel, labels: Sequence[str] | None, label_map: Mapping[str, str | None] | None
) -> PreTrainedModel:
    if labels is None:
        raise UserError("student: label_map says which labels teach which, but not in which order: give `labels` too.")
    matched = LabelMap(labels_of(model.config), labels, label_map, answer_kind_of(model.config))
    # Same rows under new names are another head too: the names are saved with it.
    unchanged = matched.is_identity and matched.teacher_labels == matched.student_labels
    return model if unchanged else with_labels(model, labels, matched.sources)


def choice_of(vocabulary: VocabularyArguments) -> dict[str, Any]:
    """What the arguments say to [`~students.choice.choose_pieces`]."""
    names = ("languages", "size", "coverage", "max_unknown_rise")
    return {name: getattr(vocabulary, name) for name in names}


def layers_to_keep(
    teacher: PreTrainedModel, layers: int | list[int] | None, keep: str | list[int] = "block-ends"
) -> list[int]:
    """The layers of a teacher, counted from 1, that a student keeps: all of them when nothing is said.

    Args:
        teacher (`PreTrainedModel`): The teacher; its weights are not read.
        layers (`int` or `list[int]`, *optional*): How many, or which ones.
        keep (`str` or `list[int]`, *optional*, defaults to `"block-ends"`): Which layers a number means.

    Raises:
        [`UserError`]: As [`~students.layers.kept_layers`] says.
    """
    total: int = teacher.config.num_hidden_layers
    if layers is None and not isinstance(keep, list):
        return list(range(1, total + 1))
    if layers is None:
        layers = len(keep)
    return kept_layers(layers, total, keep, has_special_first_layer(teacher))


def _given(
    processing_class: PreTrainedTokenizerBase | None, texts: Texts | None, what: str
) -> tuple[PreTrainedTokenizerBase, Texts]:
    if processing_class is None or not texts:
        missing = "no tokenizer" if processing_class is None else "no text"
        raise UserError(f"student: {what} chosen by what the languages' text uses, but {missing} was given.")
    return processing_class, texts


def _batches(tokenizer: PreTrainedTokenizerBase, texts: Texts) -> Iterator[Mapping[str, Tensor]]:
    """A few hundred texts, as many of each language, of one language at a time."""
    length = min(IMPORTANCE_LENGTH, tokenizer.model_max_length)
    share = -(-IMPORTANCE_TEXTS // (IMPORTANCE_BATCH * len(texts))) * IMPORTANCE_BATCH
    for own in texts.values():
        for start in range(0, min(share, len(own)), IMPORTANCE_BATCH):
            some: Any = list(own[start : min(start + IMPORTANCE_BATCH, share)])
            yield tokenizer(some, padding=len(some) > 1, truncation=True, max_length=length, return_tensors="pt")
