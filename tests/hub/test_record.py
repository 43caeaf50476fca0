"""`training.json`: what the trainer knows, whole or not at all, and read back as it was."""

import json
from pathlib import Path

import pytest
from folders import lay, record
from tiny_training import arguments

from xlkd import LiveTeacher, UserError
from xlkd.hub.record import (
    ARGUMENTS,
    Provenance,
    TrainingRecord,
    describe_arguments,
    describe_hardware,
    describe_losses,
    versions,
    without_secrets,
)
from xlkd.losses.weighted_sum import WeightedSum


def test_record_is_the_same_when_it_is_read_back(tmp_path: Path) -> None:
    read = TrainingRecord.load(lay(tmp_path, training=record()))
    assert read.losses == record()["losses"] and read.schema == 1
    again = TrainingRecord.load(read.save(tmp_path / "..").parent)
    assert again == read


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"schema": 2}'])
def test_record_is_refused_when_it_is_of_another_version(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(UserError, match=r"The record .*training\.json (is not of schema 1|cannot be read)"):
        TrainingRecord.load(tmp_path)


def test_record_is_refused_when_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Name the folder of a finished run"):
        TrainingRecord.load(tmp_path)


def test_loss_has_options_and_papers_when_it_is_described() -> None:
    losses = WeightedSum.from_config([{"name": "soft-label", "temperature": 4.0, "weight": 0.5}])
    described = describe_losses(losses)[0]
    assert (described["name"], described["weight"], described["temperature"]) == ("soft-label", 0.5, 4.0)
    assert "arXiv:1503.02531" in described["citation"]


def test_arguments_are_those_that_decide_when_they_are_described(tmp_path: Path) -> None:
    args = arguments(tmp_path, gradient_accumulation_steps=2, hub_token="hf_secret", mixture={"exponent": 0.5})
    described = describe_arguments(args)
    assert set(described) == {*ARGUMENTS, "precision", "rows_per_update"}
    assert (described["precision"], described["rows_per_update"], described["max_length"]) == ("float32", 16, 32)
    assert described["mixture"]["exponent"] == 0.5
    assert "hf_secret" not in json.dumps(described, default=str) and str(tmp_path) not in json.dumps(described)
    assert describe_hardware(args)["processes"] == 1


def test_versions_are_of_all_that_decides_a_number() -> None:
    assert set(versions()) == {"xlkd", "python", "torch", "transformers", "datasets", "accelerate", "huggingface_hub"}


def test_tokens_are_left_out_however_deep_they_lie() -> None:
    assert without_secrets({"a": [{"hub_token": "x", "seed": 1}], "push_to_hub_token": "y"}) == {"a": [{"seed": 1}]}
    assert without_secrets(None) is None


def test_models_are_asked_when_there_is_no_run(student, teacher, tokenizer, save_model, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "home/teacher", teacher, tokenizer)
    student.config.name_or_path, teacher.config.name_or_path = "", str(folder)
    found = Provenance.of_models(student, LiveTeacher(teacher, tokenizer).models)
    assert found.student["name"] == "a BertForSequenceClassification" and found.student["repo"] is None
    assert found.teachers[0]["name"] == "teacher" and found.teachers[0]["parameters"] == teacher.num_parameters()
    assert found.data is None and found.setting is None and found.rows == {}


@pytest.mark.parametrize(("smoothing", "papers"), [(0.0, 0), (0.1, 1)])
def test_paper_of_label_smoothing_is_cited_when_labels_are_smoothed(smoothing: float, papers: int) -> None:
    losses = WeightedSum.from_config([{"name": "hard-label", "label_smoothing": smoothing}])
    (described,) = describe_losses(losses)
    assert described["citation"].count("arXiv") == papers
