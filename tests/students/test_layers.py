"""Which blocks a student keeps, what is carried over, and what is frozen, family by family."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedModel,
    RobertaConfig,
    XLMRobertaConfig,
)

from xlkd.errors import UserError
from xlkd.outputs import ModelShape
from xlkd.students.layers import block_ends, blocks_of, cut_layers, freeze, kept_layers

LAYERS = 4
SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "num_labels": 3,
    "pad_token_id": 0,
}
DISTILBERT = {"vocab_size": 50, "dim": 16, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 32, "num_labels": 3}
FAMILIES: dict[str, Any] = {
    "bert": lambda: BertConfig(**SIZES),
    "roberta": lambda: RobertaConfig(**SIZES),
    "xlm-roberta": lambda: XLMRobertaConfig(**SIZES),
    "distilbert": lambda: DistilBertConfig(**DISTILBERT),
    "electra": lambda: ElectraConfig(**SIZES, embedding_size=8),
    "deberta-v2": lambda: DebertaV2Config(
        **SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8, norm_rel_ebd="layer_norm"
    ),
    "modernbert": lambda: ModernBertConfig(
        **SIZES,
        global_attn_every_n_layers=2,
        local_attention=4,
        cls_token_id=1,
        sep_token_id=2,
        bos_token_id=1,
        eos_token_id=2,
    ),
    "mpnet": lambda: MPNetConfig(**SIZES),
}


@pytest.fixture(params=FAMILIES)
def teacher(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny classifier of one family, with four layers."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(FAMILIES[request.param]())
    return model.eval()


@torch.no_grad()
def answer(model: PreTrainedModel) -> Any:
    """What a model says of two rows, one of them padded."""
    ids = torch.tensor([[1, 7, 8, 9, 2], [1, 5, 2, 0, 0]])
    return model.eval()(input_ids=ids, attention_mask=(ids != 0).long(), output_hidden_states=True)


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
    assert all("embeddings" in name for name in frozen_names(teacher))
    assert teacher.get_input_embeddings().weight.requires_grad is False


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
    teacher = AutoModelForSequenceClassification.from_config(FAMILIES["modernbert"]())
    with pytest.raises(
        UserError, match=r"The layers \[2, 4\] of ModernBert.* cannot be cut, .* keep it first, `layers: \[1"
    ):
        cut_layers(teacher, [2, 4])
