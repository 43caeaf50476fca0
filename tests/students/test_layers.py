"""Which blocks a student keeps, what is carried over, and what is frozen, family by family."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, LAYERS, answer, classifier
from transformers import AutoModelForSequenceClassification, DebertaV2Config, EsmConfig, PreTrainedModel

from xlkd.errors import UserError
from xlkd.needs import ModelShape
from xlkd.students.layers import (
    RULES,
    block_ends,
    blocks_of,
    cut_layers,
    freeze,
    has_special_first_layer,
    kept_layers,
    names_before_blocks,
)


@pytest.fixture(params=FAMILIES)
def teacher(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny classifier of one family, with four layers."""
    return classifier(request.param)


def test_answers_are_the_teachers_when_all_layers_are_kept(teacher: PreTrainedModel) -> None:
    student = cut_layers(teacher, [1, 2, 3, 4])
    assert torch.equal(answer(student).logits, answer(teacher).logits)


def test_first_states_are_the_teachers_when_the_first_layers_are_kept(teacher: PreTrainedModel) -> None:
    student = cut_layers(teacher, [1, 2])
    for layer in (0, 1):
        assert torch.equal(answer(student).hidden_states[layer], answer(teacher).hidden_states[layer])


def test_weights_are_the_teachers_when_layers_are_cut(teacher: PreTrainedModel) -> None:
    student = cut_layers(teacher, [1, 3])
    prefix, _ = blocks_of(teacher)
    theirs, compared = teacher.state_dict(), 0
    for name, weight in student.state_dict().items():
        for own, kept in ((0, 0), (1, 2)):
            name = name.replace(f"{prefix}.{own}.", f"{prefix}.<{kept}>.")
        assert torch.equal(weight, theirs[name.replace("<", "").replace(">", "")]), name
        compared += 1
    assert compared > 15
    assert ModelShape.of(student.config).layers == 2


def test_answers_are_the_same_when_a_cut_student_is_saved_and_loaded(teacher: PreTrainedModel, tmp_path: Path) -> None:
    student = cut_layers(teacher, [1, 4])
    student.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert set(loaded.state_dict()) == set(student.state_dict())
    assert torch.equal(answer(loaded).logits, answer(student).logits)


@pytest.mark.parametrize("keep", RULES)
def test_every_family_can_be_cut_when_layers_are_a_number(teacher: PreTrainedModel, keep: str) -> None:
    kept = kept_layers(2, LAYERS, keep, has_special_first_layer(teacher))
    assert answer(cut_layers(teacher, kept)).logits.shape == (2, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_modernbert_has_a_special_first_layer_when_families_are_asked(family: str) -> None:
    assert has_special_first_layer(classifier(family)) is (family == "modernbert")


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "modernbert"])
def test_kind_of_attention_stays_with_the_layer_when_layers_are_cut(family: str) -> None:
    teacher = classifier(family)
    student = cut_layers(teacher, [1, 4])
    assert teacher.config.layer_types[0] != teacher.config.layer_types[3]
    assert student.config.layer_types == [teacher.config.layer_types[0], teacher.config.layer_types[3]]


def test_other_lists_stay_whole_when_they_are_as_long_as_the_layers() -> None:
    config = DebertaV2Config(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
    )
    student = cut_layers(AutoModelForSequenceClassification.from_config(config), [2])
    assert student.config.pos_att_type == ["p2c", "c2p"]


def test_student_is_in_float32_when_the_teacher_is_not(teacher: PreTrainedModel) -> None:
    teacher.to(torch.bfloat16)
    teacher.config.dtype = torch.bfloat16
    student = cut_layers(teacher, [1, 2])
    assert {weight.dtype for weight in student.parameters()} == {torch.float32}
    assert student.config.dtype == torch.float32 and teacher.config.dtype == torch.bfloat16
    assert answer(student).logits.isfinite().all()


def test_teacher_is_unchanged_when_layers_are_cut(teacher: PreTrainedModel) -> None:
    before, config = {name: value.clone() for name, value in teacher.state_dict().items()}, teacher.config.to_dict()
    student = cut_layers(teacher, [1, 3])
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert teacher.config.to_dict() == config


def frozen_names(model: PreTrainedModel) -> set[str]:
    """The parameters that will not be trained."""
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def test_only_what_comes_before_the_blocks_is_kept_when_embeddings_are_frozen(teacher: PreTrainedModel) -> None:
    freeze(teacher, "embeddings")
    assert frozen_names(teacher)
    # An `embeddings` module in encoders, `embed_tokens` in decoders.
    assert all("embed" in name for name in frozen_names(teacher))
    assert teacher.get_input_embeddings().weight.requires_grad is False


def test_names_are_those_of_the_embeddings_when_blocks_follow(teacher: PreTrainedModel) -> None:
    table = teacher.get_input_embeddings().weight
    names = names_before_blocks(teacher)
    assert any(teacher.get_parameter(name) is table for name in names) and all("embed" in name for name in names)
    assert len(names_before_blocks(teacher, 2)) > len(names)


def test_first_blocks_are_kept_when_a_number_is_frozen(teacher: PreTrainedModel) -> None:
    freeze(teacher, "embeddings")
    embeddings = frozen_names(teacher)
    freeze(teacher, 2)
    prefix, blocks = blocks_of(teacher)
    of_blocks = {f"{prefix}.{index}.{name}" for index in (0, 1) for name, _ in blocks[index].named_parameters()}
    assert frozen_names(teacher) == embeddings | of_blocks


def test_head_stays_free_when_all_layers_are_frozen(teacher: PreTrainedModel) -> None:
    freeze(teacher, LAYERS)
    prefix, blocks = blocks_of(teacher)
    assert not any(parameter.requires_grad for parameter in blocks.parameters())
    head = [name for name, _ in teacher.named_parameters() if not name.startswith(teacher.base_model_prefix + ".")]
    assert head and not set(head) & frozen_names(teacher)


MakeModel = Callable[..., PreTrainedModel]


@pytest.mark.parametrize("what", ["head", "2", -1, 3, 1.5, True])
def test_freeze_is_refused_when_it_is_no_number_of_layers(make_model: MakeModel, what: Any) -> None:
    with pytest.raises(UserError) as caught:
        freeze(make_model(layers=2), what)
    assert f"freeze: {what!r} must be `embeddings` or a number of layers, at most 2." in str(caught.value)


@pytest.mark.parametrize(
    ("kept", "total", "ends"),
    [(3, 12, [4, 8, 12]), (1, 12, [12]), (12, 12, [*range(1, 13)]), (4, 6, [1, 3, 4, 6]), (5, 12, [2, 4, 7, 9, 12])],
)
def test_blocks_end_evenly_when_a_number_is_kept(kept: int, total: int, ends: list[int]) -> None:
    assert block_ends(kept, total) == ends


@pytest.mark.parametrize(
    ("kept", "keep", "layers"),
    [
        (3, "block-ends", [4, 8, 12]),
        (3, "alternate", [8, 10, 12]),
        (6, "alternate", [2, 4, 6, 8, 10, 12]),
        (3, "first", [1, 2, 3]),
        (3, "last", [10, 11, 12]),
        (3, [4, 8, 12], [4, 8, 12]),
        ([4, 8, 12], "block-ends", [4, 8, 12]),
    ],
)
def test_layers_are_those_of_the_rule_when_it_is_named(kept: Any, keep: Any, layers: list[int]) -> None:
    assert kept_layers(kept, 12, keep) == layers


@pytest.mark.parametrize(
    ("kept", "keep", "layers"),
    [
        (1, "last", [1]),
        (3, "block-ends", [1, 11, 22]),
        (3, "alternate", [1, 20, 22]),
        (3, "first", [1, 2, 3]),
        (3, "last", [1, 21, 22]),
        (3, [4, 8, 12], [4, 8, 12]),
    ],
)
def test_first_layer_is_kept_when_it_is_special(kept: int, keep: Any, layers: list[int]) -> None:
    assert kept_layers(kept, 22, keep, first_is_special=True) == layers


@pytest.mark.parametrize(("special", "most"), [(False, 6), (True, 7)])
def test_possible_number_is_named_when_too_many_alternate(special: bool, most: int) -> None:
    with pytest.raises(UserError, match=f"layers 8 is too many for `keep: alternate`: .* 12 layers .* at most {most};"):
        kept_layers(8, 12, "alternate", special)
    assert len(kept_layers(most, 12, "alternate", special)) == most


def test_known_rules_are_named_when_keep_is_unknown() -> None:
    with pytest.raises(
        UserError, match=r"keep 'alternat' is unknown \(did you mean alternate\?\): use one of block-ends, .*, last"
    ):
        kept_layers(3, 12, "alternat")


def test_both_are_named_when_number_and_list_disagree() -> None:
    with pytest.raises(UserError, match=r"layers 3 is not the number of layers in `keep: \[4, 8\]`, which names 2"):
        kept_layers(3, 12, [4, 8])


@pytest.mark.parametrize("keep", ["alternate", [4, 8]])
def test_keep_is_to_be_left_out_when_layers_are_named(keep: Any) -> None:
    with pytest.raises(UserError, match=r"layers \[4, 8\] names the layers, .*: leave out `keep`, or give"):
        kept_layers([4, 8], 12, keep)


def test_list_is_refused_when_keep_names_an_unknown_layer() -> None:
    with pytest.raises(UserError, match=r"keep \[4, 13\] must name layers 1 to 12"):
        kept_layers(2, 12, [4, 13])


@pytest.mark.parametrize("kept", [0, 13, -1])
def test_number_is_refused_when_the_teacher_has_not_that_many(kept: int) -> None:
    with pytest.raises(UserError, match=f"layers {kept} is out of range: the teacher has 12 layers, keep 1 to 12"):
        kept_layers(kept, 12)


@pytest.mark.parametrize("layers", [[], [0, 1], [4, 13], [4, 4], [8, 4]])
def test_list_is_refused_when_a_layer_is_unknown_repeated_or_unordered(layers: list[int]) -> None:
    with pytest.raises(UserError) as caught:
        kept_layers(layers, 12)
    assert f"layers {layers} must name layers 1 to 12 of the teacher, each once, in order" in str(caught.value)


def test_cutting_is_refused_when_the_blocks_cannot_be_found(make_model: MakeModel) -> None:
    model = make_model(layers=2)
    model.second = torch.nn.ModuleList([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)])
    message = r"BertForSequenceClassification has 2 lists of 2 blocks, so its layers cannot be cut .*student: {model"
    with pytest.raises(UserError, match=message):
        cut_layers(model, [1])


def test_first_layer_is_asked_for_when_the_others_do_not_fit_its_place() -> None:
    teacher = classifier("modernbert")
    with pytest.raises(
        UserError, match=r"The layers \[2, 4\] of ModernBert.* cannot be cut, .* keep it first, `layers: \[1"
    ):
        cut_layers(teacher, [2, 4])


def test_student_of_its_own_is_asked_for_when_other_weights_go_with_the_number_of_layers() -> None:
    config = EsmConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    )
    with pytest.raises(UserError, match=r"layers \[2\] of EsmFor.* go with the number .* of a layer: use a student"):
        cut_layers(AutoModelForSequenceClassification.from_config(config), [2])
