"""What the arguments accept, and what they say of the rest."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from xlkd import arguments
from xlkd.arguments import DataArguments, DistillationArguments, RunArguments, StudentArguments, VocabularyArguments
from xlkd.errors import UserError


def run_arguments(**changes: Any) -> RunArguments:
    """A good run with changes."""
    values: dict[str, Any] = {
        "source_language": "en",
        "target_languages": ["sw", "yo"],
        "data": [DataArguments(role="labelled", path="train.jsonl")],
        "losses": [{"name": "soft-label"}],
        "student": StudentArguments(layers=2),
    }
    return RunArguments(**{**values, **changes})


def test_every_field_has_help_when_the_dataclass_is_ours() -> None:
    classes = [
        kind
        for kind in vars(arguments).values()
        if isinstance(kind, type) and kind.__module__.startswith("xlkd.arguments.")
    ]
    inherited = {entry.name for entry in dataclasses.fields(TrainingArguments)} - {"ddp_find_unused_parameters"}
    looked_at = 0
    for kind in classes:
        for entry in dataclasses.fields(kind):
            if kind is DistillationArguments and entry.name in inherited:
                continue
            assert entry.metadata["help"].endswith("."), f"{kind.__name__}.{entry.name}"
            looked_at += 1
    assert len(classes) == 10
    assert looked_at >= 56


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_precision_follows_the_processor_when_auto(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_bfloat16: bool
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16, "amx_bf16": False})
    args = DistillationArguments(output_dir=str(tmp_path))
    assert args.bf16 is has_bfloat16
    assert args.fp16 is False


def test_precision_is_bfloat16_when_said(tmp_path: Path) -> None:
    assert DistillationArguments(output_dir=str(tmp_path), precision="bfloat16").bf16


def test_precision_is_float32_when_said(tmp_path: Path) -> None:
    args = DistillationArguments(output_dir=str(tmp_path), precision="float32")
    assert not args.bf16 and not args.fp16


def test_bf16_goes_on_working_when_set_as_in_training_arguments(tmp_path: Path) -> None:
    assert DistillationArguments(output_dir=str(tmp_path), bf16=True, use_cpu=True).bf16


def test_precision_is_refused_when_unknown(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="precision 'bf16' is unknown .*; it is one of auto, float32, bfloat16, float16"
    ):
        DistillationArguments(output_dir=str(tmp_path), precision="bf16")  # type: ignore[arg-type]


@pytest.mark.parametrize("max_length", [0, -1])
def test_max_length_is_refused_when_not_above_zero(tmp_path: Path, max_length: int) -> None:
    with pytest.raises(UserError, match=f"max_length {max_length} must be above 0: 128 is usual"):
        DistillationArguments(output_dir=str(tmp_path), max_length=max_length)


def test_unused_parameters_are_refused_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ddp_find_unused_parameters: true breaks losses with projectors: leave it out"):
        DistillationArguments(output_dir=str(tmp_path), ddp_find_unused_parameters=True)


DATA_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown role": (
        {"role": "labeled"},
        r"Unknown role 'labeled' \(did you mean labelled\?\); known are labelled, unl",
    ),
    "bad language": ({"language": "swahili"}, "'swahili' is not a language code"),
    "bad language in a list": ({"language": ["sw", "../x"]}, "'../x' is not a language code"),
    "bad code": ({"codes": {"sw": "../x"}}, "The code '../x' under `codes`"),
    "three columns": ({"text": ["a", "b", "c"]}, "must be one column or two"),
    "label without labels": (
        {"role": "unlabelled", "label": "topic"},
        "label 'topic' of train.jsonl would not be read, since role unlabelled has no labels",
    ),
    "teacher_text elsewhere": ({"teacher_text": "en"}, "teacher_text belongs to role parallel, not to labelled"),
    "pair and single": (
        {"role": "parallel", "text": ["a", "b"], "teacher_text": "en"},
        "must be one column each, or two each",
    ),
}


@pytest.mark.parametrize("case", DATA_MISTAKES)
def test_data_entry_is_refused_when(case: str) -> None:
    changes, message = DATA_MISTAKES[case]
    with pytest.raises(UserError, match=message):
        DataArguments(**{"role": "labelled", "path": "train.jsonl", **changes})


def test_languages_are_a_list_when_one_is_named() -> None:
    assert DataArguments(role="unlabelled", path="x.txt", language="sw").languages == ["sw"]
    assert DataArguments(role="unlabelled", path="x.txt").languages == []


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({}, "give `layers`, `feed_forward` or `vocabulary` .*, or `model`"),
        ({"layers": 2, "model": "some/student"}, "layers cut it from the teacher, but `model` names one of its own"),
        ({"feed_forward": 8, "heads": 2, "model": "x"}, "heads, feed_forward cut it from the teacher"),
        ({"keep": [1, 2], "model": "x"}, "keep cut it from the teacher"),
    ],
)
def test_student_is_refused_when_it_is_both_or_neither(student: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        StudentArguments(**student)


VOCABULARY_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"size": 0}, "size 0 must be 1 or more"),
    ({"coverage": 0.0}, "coverage 0.0 must be above 0"),
    ({"coverage": 1.5}, "coverage 1.5 must be above 0"),
    ({"size": 5, "coverage": 0.5}, "give one"),
    ({"max_unknown_rise": -0.1}, "max_unknown_rise -0.1 must lie between 0 and 1"),
    ({"languages": []}, "must name one or more"),
    ({"languages": ["sw", "sw"]}, "each once"),
    ({"languages": ["../sw"]}, "../sw"),
]


@pytest.mark.parametrize(("vocabulary", "message"), VOCABULARY_MISTAKES)
def test_vocabulary_is_refused_when(vocabulary: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VocabularyArguments(**vocabulary)


RUN_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "source among targets": (
        {"target_languages": ["sw", "en"]},
        "target_languages holds the source language en: leave",
    ),
    "target twice": ({"target_languages": ["sw", "sw"]}, "names a language twice"),
    "bad target": ({"target_languages": ["Swahili"]}, "'Swahili' is not a language code"),
    "bad source": ({"source_language": "english"}, "'english' is not a language code"),
    "group of unknown": ({"groups": {"low": ["sw", "ha"]}}, "groups: low holds ha, which the run does not score"),
    "no threads": ({"num_threads": 0}, "num_threads 0 must be 1 or more"),
}


@pytest.mark.parametrize("case", RUN_MISTAKES)
def test_run_is_refused_when(case: str) -> None:
    changes, message = RUN_MISTAKES[case]
    with pytest.raises(UserError, match=message):
        run_arguments(**changes)


def test_group_may_hold_the_source_when_named() -> None:
    assert run_arguments(groups={"all": ["en", "sw", "yo"]}).groups == {"all": ["en", "sw", "yo"]}
