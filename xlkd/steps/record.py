"""What a run says of its student, for the record beside it: teachers, data, how the student was made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from xlkd.arguments import DataArguments, EnsembleArguments, RunArguments
from xlkd.data.entries import languages_of_entry
from xlkd.data.sources import Sources
from xlkd.data.tables import fill_in, is_file
from xlkd.hub.origin import data_origin, model_origin
from xlkd.hub.record import Provenance, without_secrets
from xlkd.students.build import Student
from xlkd.teachers import Teacher


def provenance_of(
    run: RunArguments, setting: str, selection: str, sources: Sources, teacher: Teacher | None, student: Student
) -> Provenance:
    """What the run knows of its student, with the commits that names on the Hub mean now.

    Args:
        run ([`RunArguments`]): The run.
        setting (`str`): What training knows of the target languages.
        selection (`str`): How the checkpoint is chosen.
        sources (`dict` from role and language to `datasets.Dataset`): The data.
        teacher ([`~teachers.Teacher`], *optional*): The teacher.
        student ([`~students.build.Student`]): The student.
    """
    return Provenance(
        teachers=_teachers(run, teacher),
        student=_student(run, student),
        ensemble=None if len(run.teachers) < 2 else _ensemble(run),
        setting=setting,
        selection=selection,
        source_language=run.source_language,
        data=[described for entry in run.data for described in _entries(entry, run)],
        rows=_rows(sources),
    )


def _teachers(run: RunArguments, teacher: Teacher | None) -> list[dict[str, Any]]:
    if not run.teachers and run.teacher_cache.named is not None:
        return [{"name": "a teacher whose answers were kept", "repo": None, "revision": None, "licence": None}]
    models = [] if teacher is None else teacher.models
    return [
        {
            **asdict(model_origin(named.model, named.revision)),
            "parameters": model.num_parameters(),
            "finetune": without_secrets(named.finetune),
            "languages": named.languages,
        }
        for named, model in zip(run.teachers, models, strict=True)
    ]


def _ensemble(run: RunArguments) -> dict[str, Any]:
    """How several teachers answer as one, with the weights as they are meant."""
    return asdict(run.ensemble or EnsembleArguments()) | {
        "weights": run.ensemble_weights,
        "of_teachers": [teacher.weight for teacher in run.teachers],
    }


def _student(run: RunArguments, student: Student) -> dict[str, Any]:
    named = run.base_teacher if run.student.is_cut else run.student
    assert named is not None and named.model is not None
    pieces = student.vocabulary
    return {
        **asdict(model_origin(named.model, named.revision)),
        "parameters": student.model.num_parameters(),
        "is_cut": run.student.is_cut,
        "layers": [layer for _, layer in student.layer_map] or None,
        "heads": run.student.heads,
        "feed_forward": run.student.feed_forward,
        "vocabulary": None if pieces is None else {"kept": len(pieces.kept), "before": pieces.size_before},
        "freeze": run.student.freeze,
    }


def _entries(entry: DataArguments, run: RunArguments) -> Iterable[dict[str, Any]]:
    """The entry as the card shows it; a name on the Hub that differs by language becomes one for each."""
    languages = languages_of_entry(entry, run)
    if "{" not in entry.path or is_file(entry.path):
        yield _described(entry, languages)
        return
    for language in languages:
        yield _described(replace(entry, path=fill_in(entry.path, entry, language)), [language])


def _described(entry: DataArguments, languages: list[str]) -> dict[str, Any]:
    local = is_file(entry.path) or os.path.exists(entry.path)
    origin = data_origin(entry.path, entry.revision, entry.license, local)
    name = entry.name
    return {
        "role": entry.role,
        "languages": languages,
        **asdict(origin),
        "name": entry.title or origin.name,
        "configs": None if name is None else {language: fill_in(name, entry, language) for language in languages},
        "split": entry.split,
        "pairs": isinstance(entry.text, list),
        "made_up_words": entry.made_up_words,
    }


def _rows(sources: Sources) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for (role, language), dataset in sources.items():
        rows.setdefault(role, {})[language] = len(dataset)
    return rows
