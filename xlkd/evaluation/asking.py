"""Asking a model about rows, once and for all: its answers, and how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm

from xlkd.columns import lengths_of
from xlkd.data.collator import DistillationCollator
from xlkd.errors import UserError
from xlkd.evaluation.answers import by_word, is_by_word
from xlkd.outputs import Batch
from xlkd.tasks import Task
from xlkd.teachers import Teacher

Ask = Callable[[Batch], Tensor]
"""A batch gives answers, see [`~tasks.Task.answers_in`]."""


TIMED, WARM_UP = 20, 3
"""How many texts are timed alone, and how many passes come before."""


def asking(teacher: Teacher, task: Task) -> Ask:
    """What asks a teacher for its answers.

    Args:
        teacher ([`~teachers.Teacher`]): The teacher.
        task ([`~tasks.Task`]): The task.
    """
    needs = task.asks(teacher.shape)
    return lambda batch: task.answers_in(teacher.outputs(batch, needs))


@dataclass(frozen=True)
class AskedRows:
    """Rows that models are asked about, and what that takes.

    Args:
        rows (`datasets.Dataset`): Preprocessed rows.
        collator ([`~data.collator.DistillationCollator`]): Makes batches of them.
        device (`torch.device`): Where the models compute.
        batch_size (`int`): Rows at a time.
        bfloat16 (`bool`): Whether to compute in bfloat16.
    """

    rows: Dataset
    collator: DistillationCollator
    device: torch.device
    batch_size: int
    bfloat16: bool

    def answers(self, ask: Ask, what: str | None = None) -> np.ndarray:
        """Answers to all rows, in their order; with a progress bar that says what this is.

        Returns:
            `np.ndarray` of shape `(rows, classes)`, or `(rows, width)` of vectors; where rows are labelled word by word
            an object array `(rows,)` of arrays `(words, classes)`.

        Raises:
            [`UserError`]: If some of them are no numbers: a class would be read out of these too.
        """
        answers = self._all_answers(ask, what)
        _check_numbers(answers, what)
        return answers

    def timed_answers(self, ask: Ask, what: str | None = None) -> tuple[np.ndarray, float]:
        """Answers to all rows, as `answers` gives them, and how many rows a second that was.

        Raises:
            [`UserError`]: If some of the answers are no numbers.
        """
        # The shortest rows before, for nothing: a device takes its time before it computes for the first time.
        self._answer(ask, self._by_length()[: self.batch_size])
        start = time.perf_counter()
        answers = self._all_answers(ask, what)
        seconds = time.perf_counter() - start
        _check_numbers(answers, what)
        return answers, len(self.rows) / seconds

    def latency(self, ask: Ask) -> float:
        """The median time in milliseconds that a text takes alone, over texts of all lengths."""
        order = self._by_length()
        chosen = np.linspace(0, len(order) - 1, min(TIMED, len(order))).astype(int)
        for _ in range(WARM_UP):
            self._answer(ask, [order[chosen[-1]]])
        times = []
        for place in chosen:
            start = time.perf_counter()
            self._answer(ask, [order[place]])
            times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times)

    def _all_answers(self, ask: Ask, what: str | None) -> np.ndarray:
        # Texts of like length together: hardly any padding, and the answers do not depend on it.
        order = self._by_length()
        starts = tqdm(range(0, len(order), self.batch_size), desc=what, disable=what is None)
        answers = [self._answer(ask, order[start : start + self.batch_size]) for start in starts]
        return np.asarray(np.concatenate(answers)[np.argsort(order)])

    def _by_length(self) -> list[int]:
        order: list[int] = np.argsort(lengths_of(self.rows, "input_ids"), kind="stable").tolist()
        return order

    @torch.no_grad()
    def _answer(self, ask: Ask, indices: Sequence[int]) -> np.ndarray:
        columns = self.rows[list(indices)]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        inputs = self.collator(rows)
        batch = Batch.from_inputs({name: value.to(self.device) for name, value in inputs.items()})
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            answers = ask(batch).float().cpu()
        if batch.word_spans is None:
            return answers.numpy()
        words = batch.item_mask.cpu()
        return by_word([own[is_word] for own, is_word in zip(answers.numpy(), words.numpy(), strict=True)])


def _check_numbers(answers: np.ndarray, what: str | None) -> None:
    wrong = [_is_wrong(row).any() for row in answers] if is_by_word(answers) else _is_wrong(answers).any(axis=-1)
    if count := int(np.sum(wrong)):
        raise UserError(
            f"{what or 'Asking a model'}: its answers to {count} of {len(answers)} texts are not finite numbers, as"
            " after a training that diverged: train it again with a lower `learning_rate`, or in float32 (`precision`)."
        )


def _is_wrong(answers: np.ndarray) -> np.ndarray:
    # Minus infinity is an answer: a class that a label map leaves out.
    return np.asarray(np.isnan(answers) | np.isposinf(answers))
