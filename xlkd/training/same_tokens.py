"""Where teacher and student read the same tokens, so that what they hold of each can be compared one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xlkd.outputs import AttentionVectors, StudentOutput, TeacherOutput

_ROWS_AT_A_TIME = 10_000
_NO_PIECE = -1


def same_tokens(
    dataset: Dataset, prefix: str, student: PreTrainedTokenizerBase, teacher: PreTrainedTokenizerBase
) -> np.ndarray:
    """Find the rows of which both read the same pieces, by their names: their ids may differ (a trimmed vocabulary).

    Args:
        dataset (`datasets.Dataset`): Preprocessed rows.
        prefix (`str`): What the names of the teacher's columns begin with.
        student (`PreTrainedTokenizerBase`): The student's tokenizer.
        teacher (`PreTrainedTokenizerBase`): The teacher's.

    Returns:
        `numpy.ndarray` of booleans, of shape `(rows,)`.
    """
    theirs = _ids_of_the_other(student.get_vocab(), teacher.get_vocab())
    columns = ["input_ids", prefix + "input_ids"]
    tables = dataset.select_columns(columns).with_format("arrow").iter(batch_size=_ROWS_AT_A_TIME)
    found = [_same_in(*(table.column(name).combine_chunks() for name in columns), theirs=theirs) for table in tables]
    return np.concatenate([np.empty(0, bool), *found])


def _ids_of_the_other(own: Mapping[str, int], other: Mapping[str, int]) -> np.ndarray:
    theirs = np.full(max(own.values()) + 1, _NO_PIECE)
    for piece, index in own.items():
        theirs[index] = other.get(piece, _NO_PIECE)
    return theirs


def _same_in(own: pa.Array, read: pa.Array, *, theirs: np.ndarray) -> np.ndarray:
    """Compare two columns of lists of ids."""
    lengths, others = (column.value_lengths().to_numpy(zero_copy_only=False) for column in (own, read))
    same: np.ndarray = lengths == others
    # Of rows of one length the ids lie side by side.
    kept = [
        column.flatten().to_numpy(zero_copy_only=False)[np.repeat(same, count)]
        for column, count in ((own, lengths), (read, others))
    ]
    rows = np.repeat(np.flatnonzero(same), lengths[same])
    same[rows[theirs[kept[0]] != kept[1]]] = False
    return same


Output = TypeVar("Output", bound=TeacherOutput)


def cut_to_one_width(student: StudentOutput, teacher: TeacherOutput) -> tuple[StudentOutput, TeacherOutput]:
    """Cut what both hold of every token to the narrower of their batches, on the side where the padding is.

    Rows of which both read the same tokens lose padding only, since they fit into either batch.

    Args:
        student ([`StudentOutput`]): With tokens padded to the longest text that the student reads.
        teacher ([`TeacherOutput`]): With tokens padded to the longest text that the teacher reads, on the same side.
    """
    masks = student.attention_mask, teacher.attention_mask
    assert masks[0] is not None and masks[1] is not None
    if masks[0].shape == masks[1].shape:
        return student, teacher
    width = min(masks[0].shape[1], masks[1].shape[1])
    # A tensor, so that the processor need not wait for the accelerator to know the side.
    padded_left = 1 - torch.minimum(masks[0][:, 0].min(), masks[1][:, 0].min())
    return _cut(student, width, padded_left), _cut(teacher, width, padded_left)


def _cut(output: Output, width: int, padded_left: Tensor) -> Output:
    mask = output.attention_mask
    assert mask is not None
    if mask.shape[1] == width:
        return output
    kept = torch.arange(width, device=mask.device) + padded_left * (mask.shape[1] - width)

    def tokens(values: Tensor) -> Tensor:
        return values.index_select(1, kept)

    vectors = output.attention_vectors.items()
    return replace(
        output,
        attention_mask=tokens(mask),
        hidden_states={layer: tokens(states) for layer, states in output.hidden_states.items()},
        attention_maps={
            block: maps.index_select(2, kept).index_select(3, kept) for block, maps in output.attention_maps.items()
        },
        attention_vectors={
            block: AttentionVectors(tokens(own.queries), tokens(own.keys), tokens(own.values)) for block, own in vectors
        },
    )
