"""A student's head with other labels: rows by name, means of several, fresh ones where none teaches a label."""

from pathlib import Path

import pytest
import torch
from families import BATCH, FAMILIES, answer, classifier
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from xlkd import build_student
from xlkd.errors import UserError
from xlkd.students.head import label_dimensions, with_labels

LABELS = ["a", "b", "c"]


def teacher_of(family: str) -> PreTrainedModel:
    """A tiny classifier with the labels a, b and c."""
    model = classifier(family)
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {label: index for index, label in enumerate(LABELS)}
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_rows_when_labels_are_merged_and_dropped(family: str) -> None:
    teacher = teacher_of(family)
    own = answer(teacher).logits
    student = with_labels(teacher, ["y", "x"], [[2], [0, 1]])
    expected = torch.stack([own[:, 2], (own[:, 0] + own[:, 1]) / 2], dim=-1)
    torch.testing.assert_close(answer(student).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_exact_when_labels_are_permuted(family: str) -> None:
    teacher = teacher_of(family)
    student = with_labels(teacher, ["c", "a", "b"], [[2], [0], [1]])
    torch.testing.assert_close(answer(student).logits, answer(teacher).logits[:, [2, 0, 1]], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("bert", {"classifier.weight", "classifier.bias"}),
        ("xlm-roberta", {"classifier.out_proj.weight", "classifier.out_proj.bias"}),
        ("qwen2", {"score.weight"}),
    ],
)
def test_last_layer_alone_has_a_row_for_each_label(family: str, names: set[str]) -> None:
    assert label_dimensions(teacher_of(family)) == dict.fromkeys(names, 0)


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "qwen2"])
def test_row_is_fresh_when_no_label_teaches_it(family: str) -> None:
    teacher = teacher_of(family)
    name = next(name for name in label_dimensions(teacher) if name.endswith("weight"))
    torch.manual_seed(1)
    rows = with_labels(teacher, ["b", "new"], [[1], []]).state_dict()[name]
    old = teacher.state_dict()[name]
    assert torch.equal(rows[0], old[1])
    assert rows[1].abs().sum() > 0 and not any(torch.equal(rows[1], row) for row in old)


def test_all_else_is_the_teachers_when_the_head_is_another() -> None:
    teacher = teacher_of("xlm-roberta")
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = with_labels(teacher, ["a", "c"], [[0], [2]]).state_dict()
    head = label_dimensions(teacher)
    assert student.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in student.items() if name not in head)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "qwen2"])
def test_student_has_the_labels_by_name_when_it_is_built_with_them(family: str, tmp_path: Path) -> None:
    built = build_student(
        teacher_of(family), layers=2, labels=["new", "b", "rest"], label_map={"a": "rest", "c": "rest"}
    )
    built.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert loaded.config.id2label == {0: "new", 1: "b", 2: "rest"}
    assert loaded.config.label2id == {"new": 0, "b": 1, "rest": 2}
    assert torch.equal(answer(loaded).logits, answer(built.model).logits)
    cut = answer(build_student(teacher_of(family), layers=2).model).logits
    expected = torch.stack([cut[:, 1], (cut[:, 0] + cut[:, 2]) / 2], dim=-1)
    torch.testing.assert_close(answer(loaded).logits[:, 1:], expected, rtol=1e-4, atol=1e-5)


def test_loss_is_that_of_two_classes_when_a_label_is_dropped() -> None:
    student = build_student(teacher_of("bert"), layers=2, labels=["a", "b"]).model
    assert student(**BATCH, labels=torch.tensor([0, 1])).loss.isfinite()


def test_parameters_can_be_trained_when_the_teachers_cannot() -> None:
    teacher = teacher_of("bert").requires_grad_(False).to(torch.bfloat16)
    student = build_student(teacher, layers=2, labels=["a", "b"]).model
    assert {(weight.requires_grad, weight.dtype) for weight in student.parameters()} == {(True, torch.float32)}


def test_head_is_the_teachers_when_the_labels_are_its_own() -> None:
    teacher = teacher_of("bert")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    student = build_student(teacher, labels=LABELS).model
    assert torch.equal(student.classifier.weight, teacher.classifier.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_map_is_refused_when_no_labels_are_given() -> None:
    with pytest.raises(UserError, match="not in which order: give `labels` too"):
        build_student(teacher_of("bert"), layers=2, label_map={"a": "b"})


def test_model_is_refused_when_it_has_no_head() -> None:
    with pytest.raises(UserError, match="no weight of a BertModel has a row for each label"):
        with_labels(teacher_of("bert").base_model, ["a", "b"], [[0], [1]])
