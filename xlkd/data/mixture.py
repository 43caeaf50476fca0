"""One training set of all roles and languages, and the text in it by language."""

from __future__ import annotations

from datasets import Dataset, Features, Value, concatenate_datasets

from xlkd.data.sources import Sources

_COLUMNS = (
    "text",
    "text_pair",
    "teacher_text",
    "teacher_text_pair",
    "label",
    "language",
    "teacher_language",
    "content_id",
)
_TRAINING_ROLES = ("labelled", "unlabelled", "parallel")


def mix(sources: Sources, source_language: str) -> Dataset:
    """Put the labelled, unlabelled and parallel rows of all languages together, in one order.

    Returns:
        `datasets.Dataset`; every row has `teacher_text` (its own text unless given), `label` (`None` without one) and
        `teacher_language`, the language that the teacher reads: the source's in parallel text, else its own.
    """
    chosen = [
        dataset.add_column("teacher_language", [source_language if role == "parallel" else language] * len(dataset))
        for (role, language), dataset in sorted(sources.items())
        if role in _TRAINING_ROLES
    ]
    columns = [name for name in _COLUMNS if any(name in dataset.column_names for dataset in chosen)]
    for name in ("teacher_text", "label"):
        if name not in columns:
            columns.append(name)
    if "text_pair" in columns and "teacher_text_pair" not in columns:
        columns.append("teacher_text_pair")
    return concatenate_datasets([_complete(dataset, columns) for dataset in chosen])


def texts_by_language(sources: Sources, source_language: str) -> dict[str, list[str]]:
    """The text to train on, and text named for the vocabulary, by language; no validation or evaluation text.

    What a teacher reads of parallel text is of the source language.
    """
    texts: dict[str, list[str]] = {source_language: []}
    for (role, language), dataset in sources.items():
        if role not in (*_TRAINING_ROLES, "vocabulary"):
            continue
        for name in ("text", "text_pair", "teacher_text", "teacher_text_pair"):
            if name in dataset.column_names:
                own = texts.setdefault(source_language if name.startswith("teacher_") else language, [])
                own += [text for text in dataset[name] if text]
    return {language: list(dict.fromkeys(own)) for language, own in texts.items() if own}


def _complete(dataset: Dataset, columns: list[str]) -> Dataset:
    values = {}
    for name in columns:
        own = name.removeprefix("teacher_")
        if name in dataset.column_names:
            values[name] = dataset[name][:]
        else:
            values[name] = dataset[own][:] if name.startswith("teacher_") else [None] * len(dataset)
    return Dataset.from_dict(values, features=Features({name: Value("string") for name in columns}))
