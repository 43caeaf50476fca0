"""Which class of a word stands behind which in training rows, for losses that ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from xlkd.errors import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.text.words import WORD_LABELS


def transitions_of(losses: WeightedSum, dataset: object, classes: int) -> Tensor | None:
    """Count the transitions in the labelled rows among the training rows.

    Args:
        losses ([`~losses.weighted_sum.WeightedSum`]): The losses.
        dataset (`datasets.Dataset`, *optional*): The training data, preprocessed; anything else is not looked at.
        classes (`int`): How many classes there are.

    Returns:
        `torch.Tensor` of shape `(classes + 1, classes + 1)`: How often the second class stands right behind the first,
        the last being the edge of a text; `None` where no loss asks, nothing is trained, or nobody
        knows.

    Raises:
        [`UserError`]: If a loss needs them, and the rows come as a stream, or none has labels.
    """
    if dataset is None or not any(loss.reads_transitions for _, loss in losses.items()):
        return None
    if not isinstance(dataset, Dataset):
        for name, loss in losses.items():
            if loss.needs_transitions:
                raise UserError(
                    f"The loss {name} asks for the transitions between the labels of all rows, and of a stream nobody"
                    " knows them beforehand: give a datasets.Dataset, or leave `transitions` out."
                )
        return None
    counts = count_transitions(dataset[WORD_LABELS] if WORD_LABELS in dataset.column_names else [], classes)
    if not counts.any():
        refuse_transitions(losses)
    return counts


def refuse_transitions(losses: WeightedSum) -> None:
    """Refuse losses that need transitions, where no row has labels.

    Raises:
        [`UserError`]: If a loss needs transitions.
    """
    for name, loss in losses.items():
        if loss.needs_transitions:
            raise UserError(
                f"The loss {name} has transitions, which are counted in labelled rows, and there are none: give some,"
                " or leave `transitions` out."
            )


def count_transitions(rows: Iterable[Sequence[int] | None], classes: int) -> Tensor:
    """How often each class stands right behind each other one; the last is the edge of a text.

    Args:
        rows (`Iterable[Sequence[int]]`): The class ids of the words of each row, below 0 of a word without a label.
        classes (`int`): How many classes there are.

    Returns:
        `torch.Tensor` of shape `(classes + 1, classes + 1)`, as of [`transitions_of`].
    """
    counts = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for row in rows:
        labels = np.array([classes, *row, classes] if row else [], dtype=np.int64)
        before, behind = labels[:-1], labels[1:]
        known = (before >= 0) & (behind >= 0)
        np.add.at(counts, (before[known], behind[known]), 1)
    return torch.from_numpy(counts)
