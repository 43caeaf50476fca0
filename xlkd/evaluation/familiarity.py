"""How well a teacher knows each language, on a few texts of it: seconds, before anything is learnt from it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from numpy.typing import NDArray
from scipy.stats import binomtest
from transformers import PreTrainedModel

from xlkd.data.collator import DistillationCollator
from xlkd.evaluation.answers import by_word, is_by_word, unlabelled_rows
from xlkd.evaluation.asking import AskedRows, asking
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
        accuracy (`float`, *optional*):
            The share of texts that it got right, where each has one label; or of words, of those that are not outside.
        low (`float`, *optional*): Lower end of the 95 % interval of that (Wilson).
        high (`float`, *optional*): Upper end.
        chance (`float`, *optional*): What one answer to all of them would get, at best.
        agreement (`float`, *optional*):
            Without labels, the share of answers that are the same under dropout; of a model that has some.
    """

    texts: int
    confidence: float
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    agreement: float | None = None

    def scored(self, labels: NDArray[np.integer[Any]], is_right: NDArray[np.bool_]) -> Familiarity:
        """The same, with what is known by labels.

        Args:
            labels (`np.ndarray`): The class id of each text, or of each word of all texts.
            is_right (`np.ndarray` of booleans, of the same shape): Where the teacher gave it.
        """
        right, chance = int(is_right.sum()), float(np.unique(labels, return_counts=True)[1].max() / len(labels))
        low, high = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
        return replace(self, accuracy=right / len(labels), low=float(low), high=float(high), chance=chance)


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
    teacher.match_labels(task.labels, task.answer_kind)
    teacher.to(device)
    tokenizer = base_of(teacher).processing_class
    chosen = concatenate_datasets([_some(dataset, language, task) for language, dataset in datasets.items()])
    rows = teacher.prepare(task.preprocess(chosen, {"": tokenizer, **teacher.readers}, max_length))
    collator = DistillationCollator(tokenizer, teacher.collator)

    def read(places: np.ndarray) -> list[np.ndarray]:
        asked = AskedRows(rows.select(places), collator, device, BATCH_SIZE, bfloat16)
        return list(asked.answers(asking(teacher, task)))

    logits: dict[int, np.ndarray] = {}
    disturbed: dict[int, np.ndarray] = {}
    languages, is_labelled = np.array(rows["language"][:]), _is_labelled(chosen)
    for now in _in_time(_turns(languages), seconds):
        logits |= dict(zip(now.tolist(), read(now), strict=True))
        if len(unlabelled := now[~is_labelled[now]]):
            with dropout(teacher.models):
                disturbed |= dict(zip(unlabelled.tolist(), read(unlabelled), strict=True))
    found = {}
    for language in datasets:
        places = [place for place in logits if languages[place] == language]
        answers = _together([logits[place] for place in places])
        again = _together([disturbed[place] for place in places if place in disturbed])
        found[language] = _of_rows(task, rows.select(places), answers, again)
    return found


def _is_labelled(rows: Dataset) -> NDArray[np.bool_]:
    if "label" not in rows.column_names:
        return np.zeros(len(rows), bool)
    return np.array([label is not None for label in rows["label"]])


def _together(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Answers to rows as one array, see [`~evaluation.asking.AskedRows.answers`]."""
    return by_word(rows) if rows and rows[0].ndim == 2 else np.array(rows)


def _some(dataset: Dataset, language: str, task: Task) -> Dataset:
    """Rows from all over the data of one language: those with labels that tell something, or any."""
    labels = dataset["label"] if "label" in dataset.column_names else [None] * len(dataset)
    labelled = [place for place, label in enumerate(labels) if label is not None]
    places = labelled or range(len(dataset))
    places = [place for place in labelled if _tells(task, labels[place])] or places
    chosen = np.linspace(0, len(places) - 1, min(TEXTS, len(places))).astype(int)
    columns = [name for name in ("text", "text_pair", "label") if name in dataset.column_names]
    some = dataset.select([places[place] for place in chosen])
    return some.select_columns(columns).add_column("language", [language] * len(some))  # type: ignore[call-arg]


def _tells(task: Task, label: Any) -> bool:
    """Whether a label is more than outside, and outside again."""
    return task.outside is None or any(task.label_id(own) != task.outside for own in label)


def _turns(languages: np.ndarray) -> np.ndarray:
    """In which turn each row is read: eight rows of every language in each."""
    turns = np.zeros(len(languages), np.int64)
    for language in np.unique(languages):
        own = np.flatnonzero(languages == language)
        turns[own] = np.arange(len(own)) // TEXTS_A_TURN
    return turns


def _in_time(turns: np.ndarray, seconds: float) -> Iterator[NDArray[np.intp]]:
    """The rows of one turn after the other, until the time is up; those of the first in any case."""
    end = time.perf_counter() + seconds
    for turn in range(turns.max() + 1):
        if turn and time.perf_counter() > end:
            return
        yield np.flatnonzero(turns == turn)


def _of_rows(task: Task, rows: Dataset, logits: np.ndarray, disturbed: np.ndarray) -> Familiarity:
    """What rows of one language tell; `disturbed` has no rows where they are labelled."""
    known = Familiarity(len(rows), float(task.confidence(_one_by_one(logits)).mean()))
    if len(disturbed):
        # To the last digit: the model has no dropout, and its agreement says nothing.
        if np.array_equal(_one_by_one(logits), _one_by_one(disturbed)):
            return known
        answers, others = (_one_by_one(task.predictions(own)) for own in (logits, disturbed))
        return replace(known, agreement=float((answers == others).mean()))
    gold = _one_by_one(task.gold(rows))
    # Of any number of classes nobody knows what one answer to all of them would get.
    if gold.ndim > 1:
        return known
    # Who always answers outside is right about most words, and knows nothing.
    telling = ~unlabelled_rows(gold)
    if task.outside is not None:
        telling &= gold != task.outside
    if not telling.any():
        return known
    is_right = _one_by_one(task.predictions_of(rows, logits)) == gold
    return known.scored(gold[telling], is_right[telling])


def _one_by_one(answers: np.ndarray) -> NDArray[Any]:
    """Answers to rows as they are; answers to words one behind the other."""
    return np.concatenate(answers) if is_by_word(answers) else answers


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
