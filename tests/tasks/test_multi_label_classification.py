"""Rows with any number of classes: what their labels become, and what is an answer."""

import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from sklearn.metrics import f1_score
from transformers import EvalPrediction

from xlkd import LiveTeacher, UserError
from xlkd.data.collator import DistillationCollator
from xlkd.students.build import build_student
from xlkd.tasks import MultiLabelClassification
from xlkd.tasks.sequence_classification import SequenceClassification

TASK = MultiLabelClassification(["a", "b", "c"])
LOGITS = np.array([[2.0, -1.0, 0.5], [-0.5, -3.0, 4.0], [1.0, 1.0, -1.0]])
LABELS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("label", "expected"), [([], [0.0, 0.0, 0.0]), (["c", "a"], [1.0, 0.0, 1.0]), ([1], [0.0, 1.0, 0.0])]
)
def test_label_is_a_flag_for_each_class(label, expected):
    assert TASK.encode_label(label) == expected


def test_label_is_nan_when_nobody_knows_it(tokenizer):
    rows = Dataset.from_dict({"text": ["x", "y"], "label": [None, ["b"]]})
    encoded = TASK.preprocess(rows, {"": tokenizer}, 8)
    batch = DistillationCollator(tokenizer)([encoded[0], encoded[1]])
    assert batch["labels"].isnan().tolist() == [[True] * 3, [False] * 3]
    assert batch["labels"][1].tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("label", ["a", ["x"], [3], ["a", None], [["a"]], ["a", "a"], [1, 0, 1], [True, False, True]])
def test_label_is_refused_when_it_is_no_list_of_the_tasks(label):
    with pytest.raises(UserError, match="The label"):
        TASK.encode_label(label)


def test_list_is_refused_when_the_task_has_one_class_a_row():
    with pytest.raises(UserError, match="use the task multi-label-classification"):
        SequenceClassification(["a", "b"]).encode_label(["a"])


@pytest.mark.parametrize("labels", [[], ["a", "a"]])
def test_labels_are_refused_when_there_is_none_or_one_twice(labels):
    with pytest.raises(UserError, match="must be one or more different names"):
        MultiLabelClassification(labels)
    assert MultiLabelClassification(["toxic"]).labels == ["toxic"]


def test_answer_is_yes_from_a_probability_of_a_half_on():
    assert TASK.predictions(np.array([[0.0, -1e-6, 3.0]])).tolist() == [[True, False, True]]


def test_scores_are_those_of_scikit_learn_without_rows_that_have_no_label():
    logits, labels = np.vstack([LOGITS, LOGITS[:1]]), np.vstack([LABELS, np.full((1, 3), np.nan)])
    found = TASK.compute_metrics(EvalPrediction(logits, labels))
    expected = {
        f"{kind}-f1": f1_score(LABELS, LOGITS >= 0, average=kind, zero_division=np.nan) for kind in ("micro", "macro")
    }
    assert found == pytest.approx(expected)


def test_gold_is_refused_when_a_row_has_no_label():
    with pytest.raises(UserError, match="1 of 2 rows have no label"):
        TASK.gold(Dataset.from_dict({"labels": [[1.0, 0.0, 0.0], [math.nan] * 3]}))


def test_validation_loss_is_the_mean_over_rows_with_a_label():
    labels = torch.tensor(LABELS)
    labels[1] = torch.nan
    terms = []
    for row in (0, 2):
        for logit, label in zip(LOGITS[row], LABELS[row], strict=True):
            yes = 1 / (1 + math.exp(-logit))
            terms.append(-math.log(yes if label else 1 - yes))
    found = TASK.validation_loss(torch.tensor(LOGITS), labels.float())
    assert found.item() == pytest.approx(sum(terms) / len(terms))


def test_confidence_is_the_mean_probability_of_what_is_said():
    expected = [np.mean([max(p, 1 - p) for p in 1 / (1 + np.exp(-row))]) for row in LOGITS]
    assert TASK.confidence(LOGITS).tolist() == pytest.approx(expected)


def test_student_has_the_rows_of_the_teachers_head_by_name(make_model, tokenizer):
    teacher = make_model(labels=["a", "b", "c"])
    teacher.config.problem_type = "multi_label_classification"
    student = build_student(teacher, tokenizer, layers=1, labels=["c"]).model
    torch.testing.assert_close(student.classifier.weight[0], teacher.classifier.weight[2])
    assert student.config.problem_type == "multi_label_classification"


@pytest.mark.parametrize(
    ("labels", "answers"), [(["a", "b", "c"], "multi_label_classification"), (["a"], "regression")]
)
def test_units_of_a_width_are_chosen_when_answers_are_of_any_kind(make_model, tokenizer, words, labels, answers):
    teacher = make_model(labels=labels)
    teacher.config.problem_type = answers
    student = build_student(teacher, tokenizer, feed_forward=8, texts={"en": words["en"]}).model
    assert student.config.intermediate_size == 8


def test_student_is_refused_when_its_logits_mean_something_else(make_model):
    model = make_model()
    model.config.problem_type = "single_label_classification"
    with pytest.raises(UserError, match="The student is a model for single_label_classification"):
        TASK.check_student(model.config)


def test_teacher_answers_in_the_students_order_when_labels_are_matched(make_model, tokenizer):
    teacher = LiveTeacher(make_model(labels=["a", "b", "c"]), tokenizer)
    teacher.match_labels(["c", "z"], "any-of")
    assert teacher.matched.apply(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[3.0, -math.inf]]
