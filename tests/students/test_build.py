"""A student cut from a teacher, as a program sees it."""

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from xlkd import build_student
from xlkd.errors import UserError

MakeModel = Callable[..., PreTrainedModel]


def test_map_leads_to_the_block_ends_when_a_number_is_given(make_model: MakeModel) -> None:
    student, layer_map = build_student(make_model(layers=6), 3)
    assert layer_map == [(1, 2), (2, 4), (3, 6)]
    assert student.config.num_hidden_layers == 3


def test_map_leads_to_the_named_layers_when_a_list_is_given(make_model: MakeModel) -> None:
    _, layer_map = build_student(make_model(layers=6), [1, 6])
    assert layer_map == [(1, 1), (2, 6)]


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_embeddings_head_and_labels_are_the_teachers_when_cut(make_model: MakeModel, kind: str) -> None:
    teacher = make_model(layers=4, kind=kind, labels=("no", "yes"))
    student, _ = build_student(teacher, 2)
    theirs = teacher.state_dict()
    outside = {name: value for name, value in student.state_dict().items() if ".layer." not in name}
    assert len(outside) > 5
    assert all(torch.equal(value, theirs[name]) for name, value in outside.items())
    assert student.config.id2label == {0: "no", 1: "yes"}
    assert student.config.label2id == {"no": 0, "yes": 1}


def test_every_parameter_can_be_trained_when_the_teachers_cannot(make_model: MakeModel) -> None:
    teacher = make_model(layers=2).requires_grad_(False)
    student, _ = build_student(teacher, 1)
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_range_is_named_when_there_are_not_that_many_layers(make_model: MakeModel) -> None:
    with pytest.raises(UserError, match="student: layers 3 is out of range: the teacher has 2 layers, keep 1 to 2"):
        build_student(make_model(layers=2), 3)
