"""What a trainer finds out about its tokenizer, labels and rows before the first step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import AnswerKind
from xlkd.outputs import LANGUAGE_COLUMN, NO_LABEL, SAME_TOKENS_COLUMN, Batch
from xlkd.teachers.base import Teacher
from xlkd.training.loss_checks import WHY_OTHER_TOKENS, check_counts
from xlkd.training.same_tokens import same_tokens

logger = logging.getLogger(__name__)


def check_tokenizer(student: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer with pieces that the student has no rows for: it belongs to another model.

    Args:
        student (`PreTrainedModel`): The student.
        tokenizer (`PreTrainedTokenizerBase`): What it is to read with.

    Raises:
        [`UserError`]: If the tokenizer has more pieces than the student has rows.
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
        [`UserError`]: If the pieces, or their rows, differ.
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


def match_labels(teacher: Teacher, labels: Sequence[str], answer_kind: AnswerKind = "one-of") -> list[str]:
    """Match the labels of a teacher and a student by name, and say what is lost.

    Args:
        teacher ([`~teachers.Teacher`]): The teacher.
        labels (`Sequence[str]`): The student's, in the order of ids.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the logits of both mean.

    Returns:
        `list[str]`: Those of the student's that the teacher knows.

    Raises:
        [`UserError`]: If the teacher's labels teach too few of the student's ([`~teachers.LabelMap`]).
    """
    teacher.match_labels(labels, answer_kind)
    unknown = set(labels)
    for part in teacher.parts:
        matched = part.matched
        if matched is not None and (matched.dropped or matched.unknown):
            logger.warning(matched.describe())
        elif matched is not None and part.label_map:
            logger.info(matched.describe())
        unknown &= set(matched.unknown if matched is not None else [])
    return [label for label in labels if label not in unknown]


def mark_same_tokens(
    losses: WeightedSum, dataset: Any, teacher: Teacher | None, tokenizer: PreTrainedTokenizerBase
) -> Any:
    """Say of every row whether teacher and student read the same tokens, where a loss compares them one by one.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses, attached.
        dataset (`datasets.Dataset`, *optional*): The preprocessed training data.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.
        tokenizer (`PreTrainedTokenizerBase`): The student's.

    Returns:
        `datasets.Dataset` with the column `same_tokens`; the same data where no loss compares tokens.

    Raises:
        [`UserError`]: If the rows come as a stream, or are padded on different sides.
    """
    if teacher is None or dataset is None or not losses.needs.tokens:
        return dataset
    name, alternative = next((name, loss.alternative) for name, loss in losses.items() if loss.needs.tokens)
    if not isinstance(dataset, Dataset):
        raise UserError(
            f"The loss {name} compares token by token, and of a stream nobody knows beforehand whether teacher and"
            f" student read the same tokens: give a datasets.Dataset, or use {alternative}."
        )
    prefix = teacher.states_prefix
    reader = teacher.readers[prefix]
    if reader.padding_side != tokenizer.padding_side:
        raise UserError(
            f"The loss {name} compares token by token, but the teacher's tokenizer pads on the {reader.padding_side}"
            f" and the student's on the {tokenizer.padding_side}: set one `padding_side`."
        )
    if prefix + "input_ids" not in dataset.column_names:
        return dataset
    column: Any = same_tokens(dataset, prefix, tokenizer, reader)
    left = [other for other in dataset.column_names if other != SAME_TOKENS_COLUMN]
    return dataset.select_columns(left).add_column(SAME_TOKENS_COLUMN, column)


def check_rows(losses: WeightedSum, dataset: object, teacher: Teacher | None) -> None:
    """Refuse rows that lack what the teacher reads, and losses that no row counts for.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        dataset (`datasets.Dataset`): The preprocessed rows that can be drawn; anything else is not looked at.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.

    Raises:
        [`UserError`]: If the teacher's columns are missing, or no row counts for a loss.
    """
    if not isinstance(dataset, Dataset):
        return
    read = [] if teacher is None or not losses.needs else [prefix + "input_ids" for prefix in teacher.readers]
    if not set(read) <= set(dataset.column_names):
        raise UserError(
            "The training data were cut into tokens without what the teacher reads: give raw rows (`text`), or make"
            ' them by `task.preprocess(dataset, {"": tokenizer, **teacher.readers}, max_length)`.'
        )
    labels = torch.tensor(_labels_of(dataset))
    languages = torch.tensor(dataset[LANGUAGE_COLUMN][:]) if LANGUAGE_COLUMN in dataset.column_names else None
    every = torch.ones(len(dataset), dtype=torch.bool)
    everything = Batch({}, {}, labels, every, languages, _same_tokens_of(dataset))
    check_counts(losses, everything)
    for (name, loss), count in zip(losses.items(), losses.counts(everything).tolist(), strict=True):
        if loss.scope == "row" and loss.needs.tokens and count < len(dataset):
            logger.warning(
                "Loss %s: counts for %d of %d rows; teacher and student read different tokens in the others (%s).",
                name,
                count,
                len(dataset),
                WHY_OTHER_TOKENS,
            )


def _labels_of(dataset: Dataset) -> list[int | float]:
    """A label of each row; of one whose words, or whose classes, have labels, that of any of them."""
    column = next((name for name in ("labels", "label") if name in dataset.column_names), None)
    labels = [NO_LABEL] * len(dataset) if column is None else dataset[column][:]
    return [max(label, default=NO_LABEL) if isinstance(label, list) else label for label in labels]


def _same_tokens_of(dataset: Dataset) -> Tensor:
    if SAME_TOKENS_COLUMN not in dataset.column_names:
        return torch.tensor(True)
    return torch.tensor(dataset[SAME_TOKENS_COLUMN][:])
