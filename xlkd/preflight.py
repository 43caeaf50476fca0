"""What a trainer finds out about its tokenizer and its rows before the first step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import LANGUAGE_COLUMN, NO_LABEL, NO_LANGUAGE, Batch, Needs
from xlkd.teachers.base import Teacher

logger = logging.getLogger(__name__)


def check_tokenizer(student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer with pieces that the student has no rows for: it belongs to another model.

    Args:
        student (`PreTrainedModel`): The student.
        tokenizer (`PreTrainedTokenizerBase`): What it is to read with.

    Raises:
        [`UserError`]: If it has.
    """
    rows: Any = student.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise UserError(
            f"The tokenizer has {len(tokenizer)} pieces, but the student only {rows} rows for them: give the student's"
            " own as `processing_class` (`build_student(...).processing_class`, where its vocabulary was trimmed)."
        )


def check_same_pieces(tokenizer: PreTrainedTokenizerBase, checkpoint: str) -> None:
    """Refuse a checkpoint whose tokenizer has other pieces, or the same ones in other rows.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The student's tokenizer.
        checkpoint (`str`): The folder of the checkpoint.

    Raises:
        [`UserError`]: If it has.
    """
    if not (Path(checkpoint) / "tokenizer_config.json").is_file():
        return
    saved = AutoTokenizer.from_pretrained(checkpoint).get_vocab()
    if saved != tokenizer.get_vocab():
        raise UserError(
            f"The checkpoint {checkpoint} has another vocabulary ({len(saved)} pieces) than this student"
            f" ({len(tokenizer)} pieces): the text that it was chosen by, or `vocabulary`, has changed since. Undo"
            " that, or train anew."
        )


def match_labels(teacher: Teacher, labels: Sequence[str]) -> list[str]:
    """Match the labels of a teacher and a student by name, and say what is lost.

    Args:
        teacher ([`~teachers.Teacher`]): The teacher.
        labels (`Sequence[str]`): The student's, in the order of ids.

    Returns:
        `list[str]`: Those of the student's that the teacher knows.

    Raises:
        [`UserError`]: If the teacher's labels teach fewer than two of the student's.
    """
    teacher.match_labels(labels)
    unknown = set(labels)
    for part in teacher.parts:
        matched = part.matched
        if matched is not None and (matched.dropped or matched.unknown):
            logger.warning(matched.describe())
        elif matched is not None and part.label_map:
            logger.info(matched.describe())
        unknown &= set(matched.unknown if matched is not None else [])
    return [label for label in labels if label not in unknown]


def languages_of(dataset: object) -> list[str]:
    """The languages of training rows, sorted; none where rows do not say theirs, or come as a stream.

    Args:
        dataset (`datasets.Dataset`): The training data; anything else is not looked at.
    """
    if not isinstance(dataset, Dataset) or "language" not in dataset.column_names:
        return []
    return sorted(language for language in dataset.unique("language") if language is not None)


def with_language_ids(dataset: object, languages: Sequence[str]) -> object:
    """Say of every training row which of the languages it is in, for losses that ask for it.

    Args:
        dataset (`datasets.Dataset`): The training data; anything else stays as it is.
        languages (`Sequence[str]`): The languages, as [`languages_of`] gives them.
    """
    if not isinstance(dataset, Dataset) or not languages:
        return dataset
    places = {language: place for place, language in enumerate(languages)}
    ids = [places.get(language, NO_LANGUAGE) for language in dataset["language"]]
    return dataset.add_column(LANGUAGE_COLUMN, ids)  # type: ignore[arg-type]


def check_needs(needs: Needs, teacher: Teacher, dataset: object, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse losses that ask for more than the teacher gives, or compare tokens that are not the same.

    Args:
        needs ([`Needs`]): What the losses ask of the teacher.
        teacher ([`~teachers.Teacher`]): The teacher.
        dataset (`datasets.Dataset`): The preprocessed training data; anything else is not looked at.
        tokenizer (`PreTrainedTokenizerBase`): The student's.

    Raises:
        [`UserError`]: If they do.
    """
    teacher.check_needs(needs, dataset)
    reader = teacher.readers[teacher.states_prefix]
    if needs.hidden_states and reader.padding_side != tokenizer.padding_side:
        raise UserError(
            f"hidden-state with `pool: none` compares token by token, but the teacher's tokenizer pads on the"
            f" {reader.padding_side} and the student's on the {tokenizer.padding_side}: set one `padding_side`."
        )
    if needs.hidden_states and isinstance(dataset, Dataset) and not _both_read_the_same(dataset, teacher):
        raise UserError(
            "hidden-state with `pool: none` compares token by token, but teacher and student read different tokens"
            " (another tokenizer or vocabulary, or parallel text): use `pool: mean`."
        )


def _both_read_the_same(dataset: Dataset, teacher: Teacher) -> bool:
    pairs = zip(dataset["input_ids"], dataset[teacher.states_prefix + "input_ids"], strict=True)
    return all(own == read for own, read in pairs)


def check_rows(losses: WeightedSum, dataset: object, teacher: Teacher | None) -> None:
    """Refuse rows that lack what the teacher reads, and losses that no row counts for.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        dataset (`datasets.Dataset`): The preprocessed rows that can be drawn; anything else is not looked at.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.

    Raises:
        [`UserError`]: If they do.
    """
    if not isinstance(dataset, Dataset):
        return
    read = [] if teacher is None or not losses.needs else [prefix + "input_ids" for prefix in teacher.readers]
    if not set(read) <= set(dataset.column_names):
        raise UserError(
            "The training data were cut into tokens without what the teacher reads: give raw rows (`text`), or make"
            ' them by `task.preprocess(dataset, {"": tokenizer, **teacher.readers}, max_length)`.'
        )
    column = next((name for name in ("labels", "label") if name in dataset.column_names), None)
    labels = torch.full((len(dataset),), NO_LABEL) if column is None else torch.tensor(dataset[column][:])
    languages = torch.tensor(dataset[LANGUAGE_COLUMN][:]) if LANGUAGE_COLUMN in dataset.column_names else None
    everything = Batch({}, {}, labels, torch.ones(len(dataset), dtype=torch.bool), languages)
    for (name, _), count in zip(losses.items(), losses.counts(everything).tolist(), strict=True):
        if not count:
            raise UserError(
                f"No row that is drawn from the training data counts for the loss {name}: give labels (with `mixture`,"
                " also a share to their role), or leave the loss out."
            )
