"""A student's folder as a run leaves it: in schema 1 of `zero_shot.json`, with values that nobody measured."""

import json
from pathlib import Path
from typing import Any

LABELS = ["animals", "food", "objects", "symbols"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def language(student: float | None, teacher: float | None, **others: Any) -> dict[str, Any]:
    """One entry of `languages`, with an interval of four points each way."""

    def around(score: float | None) -> tuple[float | None, float | None]:
        return (None, None) if score is None else (score - 0.04, score + 0.04)

    (low, high), (teacher_low, teacher_high) = around(student), around(teacher)
    both = student is not None and teacher is not None
    difference = student - teacher if both else None
    difference_low, difference_high = around(difference)
    first = {"student": student, "student_low": low, "student_high": high}
    first |= {"teacher": teacher, "teacher_low": teacher_low, "teacher_high": teacher_high}
    entry = {
        "n": 400,
        "name": None,
        "resource_class": None,
        "chance": 0.25,
        "script": "Latn",
        **first,
        "difference": difference,
        "difference_low": difference_low,
        "difference_high": difference_high,
        "p_value": 0.0004 if both else None,
        "retention": student / teacher if both else None,
        "transfer_gap": None if student is None else 0.8 - student,
        "metrics": {"accuracy": first, "macro-f1": {**first, "student": None if student is None else student - 0.01}},
        "unread_words": None,
        "classes": None,
    }
    return entry | others


def mean(student: float, n: int = 1, **others: Any) -> dict[str, Any]:
    """One entry of `means` or `groups`."""
    entry = {"n_languages": n, "student": student, "student_low": student - 0.01, "student_high": student + 0.01}
    return entry | {"teacher": 0.85, "retention": student / 0.85, "transfer_gap": None} | others


def report() -> dict[str, Any]:
    """A report in four languages: one good, one at chance, one that lost much, one of a few rows."""
    return {
        "schema": 1,
        "task": "sequence-classification",
        "metric": "accuracy",
        "setting": "parallel",
        "selection": "last step",
        "source_language": "en",
        "teacher": "somebody/teacher",
        "student": "runs/topics",
        "seed": 7,
        "labels": LABELS,
        "languages": {
            "en": language(0.8, 0.85, name="English", resource_class=5),
            "qu": language(0.27, 0.6, name="Quechua", resource_class=1, p_value=0.2),
            "zh-Hant": language(0.6, 0.8, script="Hant"),
            "yo": language(0.78, 0.8, name="Yoruba", n=12, student_low=0.5, student_high=0.95),
        },
        "means": {
            "source": mean(0.8),
            "target": mean(0.55, n=3),
            "retention": 0.7,
            "resource_classes": {"1": mean(0.27)},
            "scripts": {"Latn": mean(0.525, n=2)},
        },
        "groups": {"low-resource": mean(0.525, n=2)},
        "size": {
            "student": {"parameters": 17_500_000, "embedding_parameters": 11_520_000},
            "teacher": {"parameters": 117_700_000, "embedding_parameters": 96_000_000},
        },
        "speed": {
            "batch_size": 64,
            "precision": "float32",
            "student": {"texts_per_second": 1234.5, "latency_ms": 3.2},
            "teacher": {"texts_per_second": 210.0, "latency_ms": 14.8},
        },
        "test": "McNemar",
        "oracle": None,
        "selected_on": [],
        "weights": None,
    }


def data_entry(role: str, languages: list[str], **others: Any) -> dict[str, Any]:
    """One entry of `provenance.data`."""
    entry = {"role": role, "languages": languages, "name": "somebody/data", "repo": "somebody/data"}
    entry |= {"revision": COMMIT, "licence": "cc-by-4.0", "configs": None, "split": "train", "pairs": False}
    return entry | others


def record() -> dict[str, Any]:
    """The record of the training of that student."""
    evaluation = data_entry("evaluation", ["en", "qu", "zh-Hant", "yo"], split="test", configs={"qu": "quy_Latn"})
    teacher = {"name": "somebody/teacher", "repo": "somebody/teacher", "revision": COMMIT, "licence": "mit"}
    return {
        "schema": 1,
        "task": "sequence-classification",
        "labels": LABELS,
        "repo": None,
        "seed": 7,
        "losses": [
            {
                "name": "soft-label",
                "weight": 1.0,
                "temperature": 2.0,
                "smoothing": 0.0,
                "standardise": False,
                "class_weights": None,
                "citation": "Hinton et al. (2015), Distilling",
            },
            {"name": "hidden-state", "weight": {"start": 1.0, "end": 0.0}, "citation": "A (2019), X; B (2020), Y"},
            {"name": "own", "weight": 0.5, "citation": ""},
        ],
        "arguments": {"learning_rate": 4e-4, "max_length": 64, "embedding_learning_rate": None},
        "steps": 1600,
        "seconds": 312.4,
        "versions": {"xlkd": "0.1.0", "torch": "2.13.0"},
        "hardware": {"device": "cpu", "name": "x86_64", "system": "Linux", "processes": 1, "threads": 2},
        "provenance": {
            "teachers": [
                {**teacher, "parameters": 117_700_000, "finetune": {"num_train_epochs": 6}, "languages": None}
            ],
            "student": {
                **teacher,
                "parameters": 17_500_000,
                "is_cut": True,
                "layers": [4, 8, 12],
                "heads": None,
                "feed_forward": None,
                "vocabulary": {"kept": 30_000, "before": 250_037},
                "freeze": None,
            },
            "ensemble": None,
            "setting": "parallel",
            "selection": "last step",
            "source_language": "en",
            "data": [
                data_entry("labelled", ["en"]),
                data_entry("parallel", ["qu", "zh-Hant"], name="pairs.jsonl", repo=None, revision=None, licence=None),
                evaluation,
            ],
            "rows": {"labelled": {"en": 540}, "parallel": {"qu": 500, "zh-Hant": 500}},
        },
        "log_history": [{"loss": 1.0, "step": 1}],
    }


def config() -> dict[str, Any]:
    """What a card reads of `config.json`."""
    ids = {str(index): label for index, label in enumerate(LABELS)}
    return {"architectures": ["BertForSequenceClassification"], "id2label": ids}


def lay(folder: Path, **files: Any) -> Path:
    """Write JSON files into a folder: `config`, `training`, `zero_shot`, `student`, those that are not `None`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in files.items():
        if values is not None:
            (folder / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    return folder
