"""Checks between data of different roles."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Literal

from datasets import Dataset

from xlkd.arguments import MixtureArguments
from xlkd.arguments.mixture import TRAINING_ROLES
from xlkd.arguments.run import Overlap
from xlkd.data.entries import content_id, content_ids
from xlkd.data.labels import names_of
from xlkd.data.planned import drawn
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.outputs import TEACHER_PREFIX

logger = logging.getLogger(__name__)

Setting = Literal["source-only", "unlabelled-target", "parallel", "translated-labels"]

_TRAINING = (*TRAINING_ROLES, "validation", "vocabulary")


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


def settle_overlap(sources: Sources, policy: Overlap) -> Sources:
    """Make sure that training and evaluation data share no sentences, unless that is allowed; then say how many.

    Args:
        sources (`dict` from role and language to `datasets.Dataset`): The data.
        policy (`str`): `"refuse"`, `"drop"` (the training rows) or `"allow"`.

    Returns:
        The data, without the training rows that were dropped.

    Raises:
        [`UserError`]: If they share some and that is refused, or all rows of a role and language would be dropped.
    """
    if not any(role in _TRAINING for role, _ in sources):
        return sources
    counts = overlap(sources)
    if not counts:
        logger.info("No evaluation row is in the training data.")
        return sources
    total = sum(counts.values())
    where = ", ".join(f"{language} {count}" for language, count in counts.items())
    if policy == "refuse":
        raise UserError(
            f"{total} evaluation rows are in the training data too ({where}): write `overlap: drop` to leave them out"
            " of the training, take them out yourself, or set `overlap: allow` and say so where you report the scores."
        )
    if policy == "allow":
        logger.warning("%d evaluation rows are in the training data too (%s).", total, where)
        return sources
    return _without_evaluation_text(sources)


def _without_evaluation_text(sources: Sources) -> Sources:
    scored = {
        row_id
        for (role, _), dataset in sources.items()
        if role == "evaluation"
        for own in _ids(dataset)
        for row_id in own
    }
    kept: Sources = {}
    dropped = 0
    for (role, language), dataset in sources.items():
        kept[role, language] = dataset
        if role not in _TRAINING:
            continue
        theirs = _teacher_ids(dataset) or dataset["content_id"][:]
        places = [
            row for row, ids in enumerate(zip(dataset["content_id"], theirs, strict=True)) if scored.isdisjoint(ids)
        ]
        if not places:
            raise UserError(
                f"overlap: drop would leave no {role} rows in {language}, since all are in the evaluation data: give"
                " others."
            )
        dropped += len(dataset) - len(places)
        kept[role, language] = dataset.select(places)
    logger.info("Dropped %d training rows that are in the evaluation data too.", dropped)
    return kept


def setting_of(sources: Sources, source_language: str, mixture: MixtureArguments | str | None = None) -> Setting:
    """What the training knows of the target languages, from the data that its rows are drawn from."""
    trained = drawn(sources, mixture)
    parallel = [dataset for (role, _), dataset in trained.items() if role == "parallel"]
    if parallel:
        # Of labelled rows without a share too: a teacher may have been fine-tuned on them.
        labelled = sources.get(("labelled", source_language))
        labelled_ids = set() if labelled is None else set(labelled["content_id"])
        translated = any(labelled_ids & set(_teacher_ids(dataset)) for dataset in parallel)
        return "translated-labels" if translated else "parallel"
    unlabelled = any(role == "unlabelled" and language != source_language for role, language in trained)
    return "unlabelled-target" if unlabelled else "source-only"


def labels_in(sources: Sources, *roles: str) -> set[str]:
    """The labels that rows of some roles have."""
    return {label for (role, _), dataset in sources.items() if role in roles for label in names_of(dataset)}


def _teacher_ids(dataset: Dataset) -> list[str]:
    return content_ids(dataset, TEACHER_PREFIX) if "teacher_text" in dataset.column_names else []
