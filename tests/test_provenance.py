"""What a run says of its student: data as given, commits, how it was made; no path of the user's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from xlkd.arguments import (
    CacheArguments,
    DataArguments,
    RunArguments,
    StudentArguments,
    TeacherArguments,
    VocabularyArguments,
)
from xlkd.steps.record import provenance_of
from xlkd.students.build import Student
from xlkd.teachers import LiveTeacher, TeacherEnsemble

SOURCES: Any = {
    ("labelled", "en"): Dataset.from_dict({"text": ["a", "b"]}),
    ("validation", "en"): Dataset.from_dict({"text": ["a"]}),
    ("unlabelled", "sw"): Dataset.from_dict({"text": ["a", "b", "c"]}),
    ("unlabelled", "am"): Dataset.from_dict({"text": ["a"]}),
    ("evaluation", "sw"): Dataset.from_dict({"text": ["a"]}),
    ("evaluation", "am"): Dataset.from_dict({"text": ["a"]}),
}
UNLABELLED = {
    "role": "unlabelled",
    "path": "/home/me/raw.{language}.txt",
    "license": "CC0-1.0",
    "made_up_words": 0.5,
}
EVALUATION = {"role": "evaluation", "path": "somebody/sib-{code}", "name": "{code}", "split": "test"}
EVALUATION |= {
    "codes": {"sw": "swh_Latn", "am": "amh_Ethi"},
    "text": ["premise", "hypothesis"],
    "language": ["sw", "am"],
}
SOURCE_EVALUATION = {"role": "evaluation", "path": "/home/me/test.en.jsonl", "language": "en"}


@pytest.fixture
def described(tmp_path: Path, make_model, tokenizer):
    """Describes a run with some teachers, and a student of one layer."""

    def describe(teachers: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        entries = [{"role": "labelled", "path": "/home/me/train.jsonl"}, UNLABELLED, EVALUATION, SOURCE_EVALUATION]
        named = [TeacherArguments(**{"model": str(tmp_path / "teacher"), **teacher}) for teacher in teachers]
        (tmp_path / "teacher").mkdir(exist_ok=True)
        run = RunArguments(
            source_language="en",
            target_languages=["sw", "am"],
            data=[DataArguments(**entry) for entry in entries],
            teacher=named or None,
            **{"student": StudentArguments(layers=1), **options},
        )
        members = [LiveTeacher(make_model(seed=seed), tokenizer) for seed in range(len(named))]
        teacher = members[0] if len(members) == 1 else None
        if len(members) > 1:
            teacher = TeacherEnsemble(dict(zip(run.teacher_names, members, strict=True)))
        student = Student(make_model(layers=1), tokenizer, [(1, 2)])
        return vars(provenance_of(run, "unlabelled-target", "last step", SOURCES, teacher, student))

    return describe


def test_data_are_called_what_their_entry_calls_them(described, monkeypatch) -> None:
    monkeypatch.setitem(UNLABELLED, "title", "News of 2020")
    assert [entry["name"] for entry in described([{}])["data"]][:2] == ["train.jsonl", "News of 2020"]


def test_data_are_described_when_they_come_from_files_and_the_hub(described) -> None:
    labelled, unlabelled, *evaluation, source = described([{}])["data"]
    assert (labelled["name"], labelled["languages"], labelled["licence"]) == ("train.jsonl", ["en"], None)
    assert (unlabelled["name"], unlabelled["licence"]) == ("raw.{language}.txt", "CC0-1.0")
    assert unlabelled["languages"] == ["sw", "am"] and unlabelled["repo"] is None and not unlabelled["pairs"]
    assert labelled["made_up_words"] is None and unlabelled["made_up_words"] == 0.5
    assert [entry["repo"] for entry in evaluation] == ["somebody/sib-swh_Latn", "somebody/sib-amh_Ethi"]
    assert [entry["configs"] for entry in evaluation] == [{"sw": "swh_Latn"}, {"am": "amh_Ethi"}]
    assert [(entry["split"], entry["pairs"]) for entry in evaluation] == [("test", True)] * 2
    assert (source["name"], source["languages"]) == ("test.en.jsonl", ["en"])


def test_entry_has_the_languages_of_its_role_when_others_of_that_role_name_theirs(described, monkeypatch) -> None:
    monkeypatch.setitem(SOURCES, ("unlabelled", "en"), SOURCES["unlabelled", "sw"])
    assert described([{}])["data"][1]["languages"] == ["sw", "am"]


def test_rows_are_counted_when_they_are_of_a_role_and_a_language(described) -> None:
    rows = described([{}])["rows"]
    assert rows["unlabelled"] == {"sw": 3, "am": 1} and rows["validation"] == {"en": 1} and len(rows) == 4


def test_teacher_is_described_without_tokens_when_it_was_fine_tuned(described, make_model) -> None:
    teacher = described([{"finetune": {"num_train_epochs": 6, "hub_token": "hf_secret"}}])["teachers"][0]
    assert teacher["name"] == "teacher" and teacher["finetune"] == {"num_train_epochs": 6}
    assert teacher["parameters"] == make_model().num_parameters()


def test_every_teacher_and_its_weight_is_described_when_there_are_several(described) -> None:
    found = described([{"weight": 2.0}, {"languages": ["sw"], "revision": "other"}])
    assert [teacher["languages"] for teacher in found["teachers"]] == [None, ["sw"]]
    assert found["ensemble"]["weights"] == "fixed" and found["ensemble"]["of_teachers"] == [2.0, None]
    assert described([{}])["ensemble"] is None


def test_student_is_described_when_it_is_cut(described, make_model) -> None:
    student = described([{}], student=StudentArguments(layers=1, vocabulary=VocabularyArguments(size=9)))["student"]
    assert student["is_cut"] and student["name"] == "teacher" and student["layers"] == [2]
    assert student["parameters"] == make_model(layers=1).num_parameters()


def test_student_is_described_when_it_is_a_model_of_its_own(described) -> None:
    student = described([], student=StudentArguments(model="somebody/small", revision="v1", freeze="embeddings"))[
        "student"
    ]
    assert not student["is_cut"] and (student["repo"], student["revision"]) == ("somebody/small", "v1")
    assert student["freeze"] == "embeddings"


def test_teacher_is_unknown_when_only_its_answers_are_there(described, tmp_path: Path) -> None:
    options = {"student": StudentArguments(model="somebody/small"), "teacher_cache": CacheArguments(str(tmp_path))}
    assert [teacher["name"] for teacher in described([], **options)["teachers"]] == [
        "a teacher whose answers were kept"
    ]


def test_no_path_of_the_user_is_described_when_data_and_teacher_are_local(described, tmp_path: Path) -> None:
    text = json.dumps(described([{}]))
    assert "/home/me" not in text and str(tmp_path) not in text
