"""The answers of a model to many rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm

from xlkd.data.collator import DistillationCollator
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.teachers import Teacher

Ask = Callable[[Batch], Tensor]
"""Gives logits of shape `(batch, classes)`."""


def asking(teacher: Teacher) -> Ask:
    """What asks a teacher for its logits.

    Args:
        teacher ([`~teachers.Teacher`]): The teacher.
    """

    def ask(batch: Batch) -> Tensor:
        logits = teacher.outputs(batch, Needs(logits=True)).logits
        assert logits is not None
        return logits

    return ask


@torch.no_grad()
def logits_of(
    ask: Ask,
    rows: Dataset,
    collator: DistillationCollator,
    device: torch.device,
    batch_size: int,
    bfloat16: bool,
    what: str | None = None,
) -> np.ndarray:
    """Ask about all rows, texts of like length together: hardly any padding, and the answers do not depend on it.

    Args:
        ask (`Callable`): Gives the logits of a batch.
        rows (`datasets.Dataset`): Preprocessed rows.
        collator ([`~data.collator.DistillationCollator`]): Makes batches of them.
        device (`torch.device`): Where the model is.
        batch_size (`int`): Rows at a time.
        bfloat16 (`bool`): Whether to compute in bfloat16.
        what (`str`, *optional*): What a progress bar says; without it there is none.

    Returns:
        `np.ndarray` of shape `(rows, classes)`, in the order of the rows.
    """
    lengths = [len(ids) for ids in rows["input_ids"]]
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    answers: list[Tensor] = []
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for start in tqdm(range(0, len(order), batch_size), desc=what, disable=what is None):
            inputs = collator([rows[index] for index in order[start : start + batch_size]])
            batch = Batch.from_inputs({name: value.to(device) for name, value in inputs.items()})
            answers.append(ask(batch).float().cpu())
    return np.asarray(torch.cat(answers).numpy()[np.argsort(order)])
