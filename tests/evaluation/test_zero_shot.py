"""Scores do not depend on the order in which models name their classes; another order is matched or refused."""

import copy

import pytest

from xlkd import LiveTeacher, RunRecord, UserError, evaluate_zero_shot
from xlkd.tasks import SequenceClassification

RECORD = RunRecord(source_language="en", student="student", teacher="teacher")


@pytest.fixture
def labelled(rows):
    return rows.filter(lambda label: label is not None, input_columns="label").remove_columns("teacher_text")


def permuted(model, order):
    """The same function with its classes in another order."""
    other = copy.deepcopy(model)
    other.classifier.weight.data = model.classifier.weight.data[order]
    other.classifier.bias.data = model.classifier.bias.data[order]
    names = [model.config.id2label[index] for index in order]
    other.config.id2label = dict(enumerate(names))
    other.config.label2id = {name: index for index, name in enumerate(names)}
    return other


def report_of(student, teacher, tokenizer, labelled):
    task = SequenceClassification(["a", "b", "c"])
    return evaluate_zero_shot(
        student, tokenizer, {"en": labelled}, task, RECORD, teacher=LiveTeacher(teacher, tokenizer)
    )


def test_scores_are_equal_when_the_teachers_classes_are_in_another_order(make_model, tokenizer, labelled):
    student, teacher = make_model(seed=1), make_model(seed=2)
    straight = report_of(student, teacher, tokenizer, labelled)
    other = report_of(student, permuted(teacher, [2, 0, 1]), tokenizer, labelled)
    assert other.languages == straight.languages


def test_student_is_refused_when_its_classes_are_in_another_order(make_model, tokenizer, labelled):
    with pytest.raises(UserError, match="student's labels"):
        report_of(permuted(make_model(), [2, 0, 1]), make_model(seed=2), tokenizer, labelled)


def test_scores_are_those_of_single_rows(make_model, tokenizer, labelled):
    student = make_model(seed=1)
    report = report_of(student, make_model(seed=2), tokenizer, labelled)
    right = 0
    for row in labelled:
        logits = student(**tokenizer(row["text"], return_tensors="pt")).logits
        right += student.config.id2label[logits.argmax().item()] == row["label"]
    assert report.languages["en"]["student"] == pytest.approx(right / len(labelled))
    assert report.languages["en"]["n"] == len(labelled)
