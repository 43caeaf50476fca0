"""Checks between data of different roles."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Literal

from datasets import Dataset

from xlkd.data.sources import Sources, content_id, names_of
from xlkd.errors import UserError

logger = logging.getLogger(__name__)

Setting = Literal["source-only", "unlabelled-target", "parallel", "translated-labels"]

_TRAINING = ("labelled", "unlabelled", "parallel", "validation", "vocabulary")


def overlap(sources: Sources) -> dict[str, int]:
    """Count, by language, the evaluation rows whose text is in the training, validation or vocabulary text too."""
    seen = {
        row_id
        for (role, _), dataset in sources.items()
        if role in _TRAINING
        for row_id in (*dataset["content_id"], *_teacher_ids(dataset))
    }
    counts = {
        language: sum(not seen.isdisjoint(own) for own in _ids(dataset))
        for (role, language), dataset in sources.items()
        if role == "evaluation"
    }
    return {language: count for language, count in counts.items() if count}


def _ids(dataset: Dataset) -> Iterator[set[str]]:
    """What the rows are known by: as a whole and, since text for a vocabulary has no pairs, each side of a pair."""
    sides = [dataset[name] for name in ("text", "text_pair") if "text_pair" in dataset.column_names]
    for whole, *texts in zip(dataset["content_id"], *sides, strict=True):
        yield {whole, *(content_id(text, None) for text in texts)}


def refuse_overlap(sources: Sources, allowed: bool) -> None:
    """Refuse training and evaluation data that share sentences, unless that is allowed; then say how many.

    Raises:
        [`UserError`]: If they do.
    """
    counts = overlap(sources)
    if not counts:
        logger.info("No evaluation row is in the training data.")
        return
    total = sum(counts.values())
    where = ", ".join(f"{language} {count}" for language, count in counts.items())
    if not allowed:
        raise UserError(
            f"{total} evaluation rows are in the training data too ({where}): take them out of one, or set"
            " `allow_overlap: true` and say so where you report the scores."
        )
    logger.warning("%d evaluation rows are in the training data too (%s).", total, where)


def setting_of(sources: Sources, source_language: str) -> Setting:
    """What the training knows of the target languages, from what the data are."""
    parallel = [dataset for (role, _), dataset in sources.items() if role == "parallel"]
    if parallel:
        labelled = sources.get(("labelled", source_language))
        labelled_ids = set() if labelled is None else set(labelled["content_id"])
        translated = any(labelled_ids & set(_teacher_ids(dataset)) for dataset in parallel)
        return "translated-labels" if translated else "parallel"
    unlabelled = any(role == "unlabelled" and language != source_language for role, language in sources)
    return "unlabelled-target" if unlabelled else "source-only"


def labels_in(sources: Sources, *roles: str) -> set[str]:
    """The labels that rows of some roles have."""
    return {label for (role, _), dataset in sources.items() if role in roles for label in names_of(dataset)}


def _teacher_ids(dataset: Dataset) -> list[str]:
    columns = dataset.column_names
    if "teacher_text" not in columns:
        return []
    texts = dataset["teacher_text"]
    pairs = dataset["teacher_text_pair"] if "teacher_text_pair" in columns else [None] * len(texts)
    return [content_id(text, pair) for text, pair in zip(texts, pairs, strict=True)]
