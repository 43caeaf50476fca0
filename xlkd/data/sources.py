"""Data by role and language, from wherever the entries under `data` say."""

from __future__ import annotations

from typing import Literal

from datasets import Dataset, concatenate_datasets

from xlkd.arguments import DataArguments, Role, RunArguments
from xlkd.arguments.mixture import TRAINING_ROLES
from xlkd.data.entries import check_places, languages_of_entry, load_entry
from xlkd.data.labels import check_labels, warn_of_unused_map
from xlkd.errors import UserError
from xlkd.needs import AnswerKind

SourceRole = Role | Literal["vocabulary"]
"""The roles of the entries under `data`, and text that is only counted for the student's vocabulary."""

Sources = dict[tuple[SourceRole, str], Dataset]


def load_sources(
    run: RunArguments, complete: bool = True, answer_kind: AnswerKind = "one-of", validated: bool = True
) -> Sources:
    """Load everything that a run names.

    Args:
        run ([`RunArguments`]): The run.
        complete (`bool`, *optional*, defaults to `True`): Whether a run needs data to train and to evaluate on.
        answer_kind (`str`, *optional*, defaults to `"one-of"`): What the task's answers are, and so the labels.
        validated (`bool`, *optional*, defaults to `True`): Whether rows of role validation are read: where none are
            named, a tenth of the labelled ones are taken from the training for it.

    Returns:
        `dict` from role and language to `datasets.Dataset`.

    Raises:
        [`UserError`]: If a file is missing, empty or not UTF-8, or is to be of several languages; if a column or a
            label does not exist, labels are of another language than the source, a language has no evaluation data, or
            there are no training data.
    """
    wanted = [(entry, languages_of_entry(entry, run)) for entry in run.data]
    for entry, languages in wanted:
        for language in languages:
            _check_language(entry, language, run)
    for entry, languages in wanted:
        check_places(entry, languages)
    sources = _load_vocabulary_text(run)
    for entry, languages in wanted:
        loaded = {language: load_entry(entry, language, run, answer_kind) for language in languages}
        warn_of_unused_map(entry, set().union(*(own.own_labels for own in loaded.values())))
        for language, (rows, _) in loaded.items():
            check_labels(rows, entry, run.labels)
            key: tuple[SourceRole, str] = (entry.role, language)
            sources[key] = concatenate_datasets([sources[key], rows]) if key in sources else rows
    if complete:
        require_evaluation_data(sources, run)
        _require_training_data(sources)
    return split_off_validation(sources, run.source_language) if validated else sources


def _check_language(entry: DataArguments, language: str, run: RunArguments) -> None:
    if language not in (run.source_language, *run.target_languages):
        raise UserError(
            f"data: {entry.path} ({entry.role}) is in {language}, which the run does not have: add it to"
            " target_languages, or take it out of the entry's `language`."
        )
    if entry.role in ("evaluation", "validation") and language in run.unscored_languages:
        raise UserError(
            f"data: {entry.path} has {entry.role} rows in {language}, which is in unscored_languages: take it out of"
            " there, and score it on them (role evaluation); or take it out of the entry's `language`."
        )
    if entry.role == "labelled" and language != run.source_language:
        raise UserError(
            f"data: {entry.path} has labelled rows in {language}, but labels are of the source language"
            f" {run.source_language} only: leave out `language`, or use them as unlabelled."
        )


def _load_vocabulary_text(run: RunArguments) -> Sources:
    vocabulary = run.student.vocabulary
    if vocabulary is None or vocabulary.text is None:
        return {}
    languages = vocabulary.languages or [run.source_language, *run.target_languages]
    if "{language}" not in vocabulary.text and len(languages) > 1:
        raise UserError(
            f"student: vocabulary text {vocabulary.text} is one file for {len(languages)} languages: put {{language}}"
            " into the path, or name the one in `languages`."
        )
    entry = DataArguments(role="unlabelled", path=vocabulary.text)
    return {("vocabulary", language): load_entry(entry, language, run).rows for language in languages}


def split_off_validation(sources: Sources, source_language: str) -> Sources:
    """Make a tenth of the labelled rows the validation data where none are named, chosen by their content.

    Raises:
        [`UserError`]: If there are too few labelled rows for that.
    """
    labelled = sources.get(("labelled", source_language))
    if labelled is None or any(role == "validation" for role, _ in sources):
        return sources
    chosen = [int(content_id[:8], 16) % 10 == 0 for content_id in labelled["content_id"]]
    if not any(chosen) or all(chosen):
        raise UserError(
            f"{len(labelled)} labelled rows are too few to keep a tenth for validation: add rows, or an entry of role"
            " validation."
        )
    return sources | {
        ("validation", source_language): labelled.select([index for index, yes in enumerate(chosen) if yes]),
        ("labelled", source_language): labelled.select([index for index, yes in enumerate(chosen) if not yes]),
    }


def _require_training_data(sources: Sources) -> None:
    training = [dataset for (role, _), dataset in sources.items() if role in TRAINING_ROLES]
    if not training:
        raise UserError("There are no training data: add an entry of role labelled, unlabelled or parallel.")
    read = [dataset for (role, _), dataset in sources.items() if role != "vocabulary"]
    if len({"text_pair" in dataset.column_names for dataset in read}) > 1:
        raise UserError("Some data are pairs of texts and others are not: give `text` two columns everywhere, or one.")


def require_evaluation_data(sources: Sources, run: RunArguments) -> None:
    """Refuse a run with a language that there is nothing to score in.

    Raises:
        [`UserError`]: If a language to be scored has no evaluation data.
    """
    missing = [language for language in run.scored_languages if ("evaluation", language) not in sources]
    if missing:
        targets = [language for language in missing if language != run.source_language]
        instead = (
            f" Or take {', '.join(targets)} out of target_languages; or, where nobody has such rows, name in"
            " unscored_languages, and the report says that there is no score."
        )
        raise UserError(
            f"No evaluation data for {', '.join(missing)}: add an entry of role evaluation.{instead if targets else ''}"
        )
