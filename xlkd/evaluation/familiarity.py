"""How well a teacher knows each language, on a few texts of it: seconds, before anything is learnt from it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from scipy.stats import binomtest
from torch import Tensor
from transformers import PreTrainedModel

from xlkd.data.collator import DistillationCollator
from xlkd.evaluation.asking import AskedRows, asking
from xlkd.outputs import NO_LABEL
from xlkd.tasks import Task
from xlkd.teachers import Teacher
from xlkd.teachers.ensemble import base_of

TEXTS = 32
TEXTS_A_TURN = 8
SECONDS = 10.0
BATCH_SIZE = 64


@dataclass(frozen=True)
class Familiarity:
    """What a teacher made of a few texts of one language.

    Args:
        texts (`int`): How many texts it read.
        confidence (`float`): The mean probability of its first choice.
        accuracy (`float`, *optional*): The share that it got right, where there are labels.
        low (`float`, *optional*): Lower end of the 95 % interval of that (Wilson).
        high (`float`, *optional*): Upper end.
        chance (`float`, *optional*): What one answer to all of them would get, at best.
        agreement (`float`, *optional*):
            Without labels, the share of texts of which it says the same under dropout; of a model that has some.
    """

    texts: int
    confidence: float
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    agreement: float | None = None

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor, disturbed: Tensor | None = None) -> Familiarity:
        """Make it of answers.

        Args:
            logits (`torch.Tensor` of shape `(texts, classes)`): The answers.
            labels (`torch.Tensor` of shape `(texts,)`): Class ids; -100 for a text without a label.
            disturbed (`torch.Tensor` of shape `(texts, classes)`, *optional*): The answers under dropout.
        """
        texts, answers = len(logits), logits.argmax(-1)
        confidence = logits.softmax(-1).amax(-1).mean().item()
        if disturbed is not None:
            # To the last digit: the model has no dropout, and its agreement says nothing.
            same = None if torch.equal(logits, disturbed) else (answers == disturbed.argmax(-1)).float().mean().item()
            return cls(texts, confidence, agreement=same)
        right = int((answers == labels).sum())
        low, high = binomtest(right, texts).proportion_ci(0.95, method="wilson")
        chance = labels.bincount().max().item() / texts
        return cls(texts, confidence, right / texts, float(low), float(high), chance)


def familiarity(
    teacher: Teacher,
    datasets: Mapping[str, Dataset],
    task: Task,
    *,
    device: torch.device,
    max_length: int = 128,
    bfloat16: bool = False,
    seconds: float = SECONDS,
) -> dict[str, Familiarity]:
    """Let a teacher read up to 32 texts of each language, in turns of 8, as long as there is time.

    With labels it is scored. Without, its confidence is measured, and how often it says the same under dropout: of a
    language that it does not know it is less sure. Random numbers of the caller are left as they were.

    Args:
        teacher ([`~teachers.Teacher`]): A teacher that computes its answers.
        datasets (`Mapping[str, datasets.Dataset]`): Rows with `text`, and `label` where there are labels, by language.
        task ([`~tasks.Task`]): The task.
        device (`torch.device`): Where it computes.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        bfloat16 (`bool`, *optional*, defaults to `False`): Whether to compute in bfloat16.
        seconds (`float`, *optional*, defaults to 10): No turn begins later, but the first.

    Returns:
        `dict` from language to [`Familiarity`].

    Example:

    ```python
    >>> familiarity(teacher, {"sw": swahili}, task, device=torch.device("cpu"))["sw"].accuracy
    ```
    """
    teacher = teacher.copy()
    teacher.match_labels(task.labels)
    teacher.to(device)
    tokenizer = base_of(teacher).processing_class
    chosen = concatenate_datasets([_some(dataset, language) for language, dataset in datasets.items()])
    rows = teacher.prepare(task.preprocess(chosen, {"": tokenizer, **teacher.readers}, max_length))
    collator = DistillationCollator(tokenizer, teacher.collator)
    labels, languages = np.array(rows["labels"][:]), np.array(rows["language"][:])
    turns = _turns(languages)

    def read(places: np.ndarray) -> np.ndarray:
        return AskedRows(rows.select(places), collator, device, BATCH_SIZE, bfloat16).logits(asking(teacher))

    logits = np.full((len(rows), len(task.labels)), np.nan, np.float32)
    disturbed = logits.copy()
    end = time.perf_counter() + seconds
    for turn in range(turns.max() + 1):
        if turn and time.perf_counter() > end:
            break
        now = np.flatnonzero(turns == turn)
        logits[now] = read(now)
        if len(unlabelled := now[labels[now] == NO_LABEL]):
            with dropout(teacher.models):
                disturbed[unlabelled] = read(unlabelled)
    answered = ~np.isnan(logits[:, 0])
    return {own: _of_rows(logits, labels, disturbed, answered & (languages == own)) for own in datasets}


def _some(dataset: Dataset, language: str) -> Dataset:
    """Rows from all over the data of one language: its labelled ones, or all without their labels."""
    labels = dataset["label"] if "label" in dataset.column_names else [None] * len(dataset)
    labelled = [place for place, label in enumerate(labels) if label is not None]
    places = labelled or range(len(dataset))
    step = max(len(places) // TEXTS, 1)
    columns = [name for name in ("text", "text_pair", "label") if name in dataset.column_names]
    some = dataset.select([places[place] for place in range(0, len(places), step)][:TEXTS])
    return some.select_columns(columns).add_column("language", [language] * len(some))  # type: ignore[call-arg]


def _turns(languages: np.ndarray) -> np.ndarray:
    """In which turn each row is read: eight rows of every language in each."""
    turns = np.zeros(len(languages), np.int64)
    for language in np.unique(languages):
        own = np.flatnonzero(languages == language)
        turns[own] = np.arange(len(own)) // TEXTS_A_TURN
    return turns


def _of_rows(logits: np.ndarray, labels: np.ndarray, disturbed: np.ndarray, own: np.ndarray) -> Familiarity:
    unlabelled = labels[own][0] == NO_LABEL
    parts = [torch.tensor(values[own]) for values in (logits, labels, disturbed)]
    return Familiarity.of(parts[0], parts[1], parts[2] if unlabelled else None)


@contextlib.contextmanager
def dropout(models: Sequence[PreTrainedModel]) -> Iterator[None]:
    """Let models drop out what they drop in training, whatever mode they are asked in; without moving random numbers.

    Args:
        models (`Sequence[PreTrainedModel]`): The models.
    """
    # A teacher sets evaluation mode before it asks its model; the hook comes after that.
    handles = [model.register_forward_pre_hook(lambda own, _: _train(own)) for model in models]
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            yield
    finally:
        for model, handle in zip(models, handles, strict=True):
            handle.remove()
            model.eval()


def _train(model: torch.nn.Module) -> None:
    model.train()
