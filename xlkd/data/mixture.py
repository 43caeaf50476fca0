"""One training set of all roles and languages, and the text in it by language."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from datasets import Dataset
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from xlkd.arguments.mixture import TRAINING_ROLES, MixtureArguments
from xlkd.data.sources import Sources

_COLUMNS = ("text", "text_pair", "teacher_text", "teacher_text_pair", "label", "content_id")


def mix(sources: Sources, source_language: str) -> Dataset:
    """Put the labelled, unlabelled and parallel rows of all languages together, in one order.

    Args:
        sources (`dict` from role and language to `datasets.Dataset`): The data.
        source_language (`str`): The language that a teacher reads of parallel text.

    Returns:
        `datasets.Dataset`; every row has `teacher_text` (its own text unless given), `label` (`None` without one),
        `role`, `language`, and `teacher_language`, the language of what the teacher reads.
    """
    chosen = {key: dataset for key, dataset in sorted(sources.items()) if key[0] in TRAINING_ROLES}
    columns = [name for name in _COLUMNS if any(name in dataset.column_names for dataset in chosen.values())]
    for name in ("teacher_text", "label"):
        if name not in columns:
            columns.append(name)
    if "text_pair" in columns and "teacher_text_pair" not in columns:
        columns.append("teacher_text_pair")
    kinds = dict.fromkeys(columns, pa.string())
    kinds["label"] = _kind_of_labels(chosen.values())
    parts = []
    for (role, language), dataset in chosen.items():
        read = source_language if role == "parallel" else language
        parts.append(_complete(dataset, kinds, {"role": role, "language": language, "teacher_language": read}))
    # A fingerprint of its own would be a hash of all text, copied for it; it names cache files, and there are none.
    return Dataset(InMemoryTable(pa.concat_tables(parts)), fingerprint=generate_random_fingerprint())


def check_mixture(mixture: MixtureArguments | str | None, sources: Sources) -> None:
    """Refuse a mixture whose roles are not those of the training data; costs nothing, so that it can come first.

    Raises:
        [`UserError`]: If a role of the data has no ratio, or a role with a ratio above 0 has no rows.
    """
    if isinstance(mixture, MixtureArguments):
        mixture.check_roles(sorted({role for role, _ in sources if role in TRAINING_ROLES}))


def texts_by_language(sources: Sources, source_language: str) -> dict[str, list[str]]:
    """The text to train on, and text named for the vocabulary, by language; no validation or evaluation text.

    What a teacher reads of parallel text is of the source language.
    """
    found: dict[str, list[pa.Array]] = {source_language: []}
    for (role, language), dataset in sources.items():
        if role not in (*TRAINING_ROLES, "vocabulary"):
            continue
        for name in ("text", "text_pair", "teacher_text", "teacher_text_pair"):
            if name in dataset.column_names:
                own = found.setdefault(source_language if name.startswith("teacher_") else language, [])
                own += _table(dataset, [name]).column(name).cast(pa.string()).chunks
    # Equal texts are dropped before they become Python strings.
    unique = {language: pa.chunked_array(chunks, pa.string()).unique() for language, chunks in found.items()}
    texts = {language: [text for text in own.to_pylist() if text] for language, own in unique.items()}
    return {language: own for language, own in texts.items() if own}


def _kind_of_labels(datasets: Iterable[Dataset]) -> pa.DataType:
    """Names, lists of names where any rows have lists, or numbers where any have numbers."""
    kinds = [dataset.data.column("label").type for dataset in datasets if "label" in dataset.column_names]
    if any(map(pa.types.is_list, kinds)):
        return pa.list_(pa.string())
    return pa.float64() if any(map(pa.types.is_floating, kinds)) else pa.string()


def _complete(dataset: Dataset, kinds: dict[str, pa.DataType], same: dict[str, str]) -> pa.Table:
    """All columns, those that the dataset lacks too, and some that are the same in every row; without copying text."""
    table = _table(dataset, [name for name in kinds if name in dataset.column_names])
    values = {}
    for name, kind in kinds.items():
        own = name.removeprefix("teacher_") if name not in dataset.column_names else name
        # The text of a teacher that reads the same is the same memory.
        known = own in table.column_names
        values[name] = table.column(own).cast(kind) if known else pa.nulls(len(table), kind)
    return pa.table(values | {name: pa.repeat(value, len(table)) for name, value in same.items()})


def _table(dataset: Dataset, columns: list[str]) -> pa.Table:
    table: pa.Table = dataset.select_columns(columns).with_format("arrow")[:]
    return table
