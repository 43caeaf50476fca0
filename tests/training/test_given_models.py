"""What a trainer makes of models that it is given without saying more."""

import pytest
from made_taggers import TAGS, tagger
from transformers import BertModel

from xlkd.errors import UserError
from xlkd.tasks import MultiLabelClassification, Regression, SequenceClassification
from xlkd.teachers import LiveTeacher
from xlkd.training.given_models import as_student, as_teacher, task_of_head


@pytest.mark.parametrize(
    ("problem_type", "labels", "task"),
    [
        (None, ["a", "b"], SequenceClassification),
        ("single_label_classification", ["a", "b"], SequenceClassification),
        ("multi_label_classification", ["a", "b"], MultiLabelClassification),
        ("regression", ["grade"], Regression),
    ],
)
def test_task_is_what_the_model_says_that_its_head_is_for(make_model, problem_type, labels, task) -> None:
    model = make_model(labels=labels)
    model.config.problem_type = problem_type
    found = task_of_head(model)
    assert (type(found), found.labels) == (task, labels)


def test_vectors_are_the_task_of_a_model_without_a_head(make_model) -> None:
    assert task_of_head(make_model().base_model).name == "sentence-embedding"


def test_student_has_the_head_of_its_folder_when_no_task_is_named(make_model, tokenizer, save_model, tmp_path) -> None:
    save_model(tmp_path, tagger(tokenizer), tokenizer)
    student = as_student(str(tmp_path), None)
    assert type(student).__name__ == "BertForTokenClassification"
    assert (task_of_head(student).name, task_of_head(student).labels) == ("token-classification", TAGS)


def test_folder_of_an_encoder_is_refused_as_a_teacher_of_classes(make_model, tokenizer, save_model, tmp_path) -> None:
    model = make_model(labels=["a", "b"])
    save_model(tmp_path, model, tokenizer)
    BertModel.from_pretrained(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is not a model for sequence-classification: fine-tune one first"):
        as_teacher(str(tmp_path), SequenceClassification(["a", "b"]))


@pytest.mark.parametrize("given", ["model", "teacher", "folder"])
def test_teacher_is_refused_when_its_logits_mean_something_else(
    make_model, tokenizer, save_model, tmp_path, given
) -> None:
    model = make_model(labels=["a", "b"])
    model.config.problem_type = "single_label_classification"
    save_model(tmp_path, model, tokenizer)
    teacher = {"model": model, "teacher": LiveTeacher(model, tokenizer), "folder": str(tmp_path)}[given]
    with pytest.raises(UserError, match="The teacher is a model for single_label_classification"):
        as_teacher(teacher, MultiLabelClassification(["a", "b"]))
