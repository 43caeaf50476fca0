"""What is said of a student beside its teacher."""

import json
from pathlib import Path

import pytest
from families import FAMILIES, classifier
from tiny_classifiers import classifier_for, training_text
from tiny_tokenizers import texts_of, tiny_tokenizer

from xlkd import build_student
from xlkd.arguments import VocabularyArguments
from xlkd.students import report
from xlkd.students.report import StudentReport, model_size

TEXTS = [text[:30] for text in texts_of("en")[:3]]


@pytest.fixture(scope="module")
def beside() -> StudentReport:
    """A student with half of the layers and of the vocabulary, beside its teacher."""
    tokenizer = tiny_tokenizer("xlm-roberta")
    teacher = classifier_for("xlm-roberta", tokenizer)
    vocabulary = VocabularyArguments(size=1500, max_unknown_rise=1.0)
    student = build_student(teacher, tokenizer, layers=2, vocabulary=vocabulary, texts=training_text())
    assert student.processing_class is not None and student.vocabulary is not None
    return StudentReport.measure(
        (student.model, student.processing_class), (teacher, tokenizer), student.vocabulary.languages, TEXTS
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_sum_to_all_parameters_when_counted(family: str) -> None:
    model = classifier(family)
    size = model_size(model, tiny_tokenizer("bert"), {})
    assert size.parameters == model.num_parameters() == sum(weight.numel() for weight in model.parameters())
    assert size.embeddings >= 50 * 8 and size.encoder > 0 and size.head > 0
    assert (size.vocabulary, size.layers) == (50, model.config.num_hidden_layers)


def test_head_is_empty_when_the_model_is_only_an_encoder() -> None:
    model = classifier("bert").base_model
    size = model_size(model, tiny_tokenizer("bert"), {})
    assert size.head == 0
    assert size.parameters == model.num_parameters()


def test_bytes_are_those_of_the_folder_when_saved(tmp_path: Path) -> None:
    model, tokenizer = classifier("bert"), tiny_tokenizer("bert")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert model_size(model, tokenizer, {}).bytes == pytest.approx(written, rel=0.1)


def test_student_is_smaller_when_it_was_cut(beside: StudentReport) -> None:
    assert beside.teacher is not None
    assert beside.student.parameters < beside.teacher.parameters
    assert beside.student.bytes < beside.teacher.bytes
    assert (beside.student.layers, beside.teacher.layers) == (2, 4)
    assert beside.student.vocabulary == 1500


def test_times_are_measured_when_texts_are_read(beside: StudentReport) -> None:
    assert beside.teacher is not None
    for size in (beside.student, beside.teacher):
        assert set(size.milliseconds) == {"1", "32"}
        assert all(taken > 0 for taken in size.milliseconds.values())


def test_table_has_a_line_for_every_language_when_shown(beside: StudentReport) -> None:
    lines = beside.table().splitlines()
    for language, check in beside.languages.items():
        line = next(line for line in lines if line.startswith(f"{language} "))
        assert f"{100 * check.same:.0f} %" in line and f"{check.pieces_per_word:.2f}" in line
    assert len(beside.languages) == 3
    header = next(line for line in lines if "student" in line and "teacher" in line and "ratio" in line)
    assert lines.index(header) == 0


def test_table_shows_one_column_when_there_is_no_teacher() -> None:
    model, tokenizer = classifier_for("bert", tiny_tokenizer("bert")), tiny_tokenizer("bert")
    alone = StudentReport.measure((model, tokenizer), None, {}, TEXTS)
    assert alone.teacher is None and alone.to_dict()["teacher"] is None
    assert "teacher" not in alone.table() and "ratio" not in alone.table() and "language" not in alone.table()


def test_file_holds_what_was_measured_when_saved(beside: StudentReport, tmp_path: Path) -> None:
    beside.save(tmp_path)
    saved = json.loads((tmp_path / "student.json").read_text(encoding="utf-8"))
    assert saved == json.loads(json.dumps(beside.to_dict()))
    assert saved["student"]["vocabulary"] == 1500
    assert saved["languages"]["am"]["texts"] == beside.languages["am"].texts


def test_models_stay_in_their_modes_when_timed() -> None:
    tokenizer = tiny_tokenizer("bert")
    model = classifier_for("bert", tokenizer).train()
    report.latencies([(model, tokenizer)], TEXTS)
    assert model.training
