"""Queries, keys and values, family by family, beside what their own weights make of what the block is given."""

import pytest
import torch
import torch.nn.functional as F
from families import BATCH, FAMILIES, LAYERS, classifier
from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.needs import Needs
from xlkd.outputs import StudentOutput, first_state
from xlkd.students.attention import (
    attention_vectors_of,
    no_attention_dropout,
    projections_of,
    provides_of,
    whole_pass,
)
from xlkd.students.layers import blocks_of
from xlkd.teachers.states import states_of
from xlkd.training.levers import eager_attention

each_family = pytest.mark.parametrize("family", FAMILIES)
NAMES = {
    "bert": "attention.self.{}",
    "roberta": "attention.self.{}",
    "xlm-roberta": "attention.self.{}",
    "electra": "attention.self.{}",
    "deberta-v2": "attention.self.{}_proj",
}
SHORT = {
    "distilbert": "attention.{}_lin",
    "mpnet": "attention.attn.{}",
    "eurobert": "self_attn.{}_proj",
    "llama": "self_attn.{}_proj",
    "qwen2": "self_attn.{}_proj",
    "qwen3": "self_attn.{}_proj",
}


def maps_of(family: str, block: nn.Module) -> list[tuple[Tensor, Tensor | None]]:
    """The weight and bias of queries, keys and values, by the names that the family gives them."""
    if family == "modernbert":
        fused = block.get_parameter("attn.Wqkv.weight")
        return [(part, None) for part in fused.split(len(fused) // 3)]
    names = "qkv" if family in SHORT else ("query", "key", "value")
    modules = [block.get_submodule((SHORT.get(family) or NAMES[family]).format(name)) for name in names]
    return [(module.weight, module.bias) for module in modules]


def read_by(family: str, model: PreTrainedModel, block: int) -> Tensor:
    """What the attention of a block is given: the states before it, through a norm where the family has it in front."""
    states = states_of(model, BATCH, Needs(hidden_states=frozenset({block - 1}))).hidden_states[block - 1]
    norm = {"modernbert": "attn_norm", "eurobert": "input_layernorm"}.get(family)
    if family in ("llama", "qwen2", "qwen3"):
        norm = "input_layernorm"
    return states if norm is None else blocks_of(model)[1][block - 1].get_submodule(norm)(states)


@each_family
@torch.no_grad()
@pytest.mark.parametrize("block", [1, 2, LAYERS])
def test_vectors_are_those_of_the_weights_when_computed_by_hand(family: str, block: int) -> None:
    model = classifier(family)
    found = states_of(model, BATCH, Needs(attention_vectors=frozenset({block}))).attention_vectors[block]
    read = read_by(family, model, block)
    expected = [F.linear(read, *own) for own in maps_of(family, blocks_of(model)[1][block - 1])]
    for own, other in zip((found.queries, found.keys, found.values), expected, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-5)


@each_family
@torch.no_grad()
def test_pass_ends_when_the_vectors_are_there(family: str) -> None:
    model = classifier(family)
    said = states_of(model, BATCH, Needs(attention_vectors=frozenset({2})))
    assert said.logits is None and said.attention_vectors.keys() == {2}
    whole = states_of(model, BATCH, Needs(logits=True, attention_vectors=frozenset({2})))
    torch.testing.assert_close(said.attention_vectors[2].queries, whole.attention_vectors[2].queries)
    assert torch.equal(whole.logits, model(**BATCH).logits)


@each_family
@torch.no_grad()
def test_maps_are_probabilities_over_the_text_when_attention_is_eager(family: str) -> None:
    model = classifier(family)
    before = model.config._attn_implementation
    with eager_attention([model]):
        maps = states_of(model, BATCH, Needs(attention_maps=frozenset({3}))).attentions[2]
    assert model.config._attn_implementation == before
    torch.testing.assert_close(maps.sum(-1)[1, :, :3], torch.ones(maps.shape[1], 3))
    assert maps[1, :, :3, 3:].abs().max() == 0


@each_family
def test_maps_are_whole_when_the_model_trains_with_dropout(family: str) -> None:
    config = FAMILIES[family]()
    for name in ("attention_probs_dropout_prob", "attention_dropout"):
        if name in config.to_dict():
            setattr(config, name, 0.5)
    model = type(classifier(family))(config).train()
    needs = Needs(attention_maps=frozenset(range(1, LAYERS + 1)))

    def sums() -> Tensor:
        return torch.stack([own.sum(-1)[0] for own in whole_pass(model, model, BATCH, needs)[0].attentions])

    with eager_attention([model]):
        with no_attention_dropout(model):
            torch.testing.assert_close(sums(), torch.ones_like(sums()))
        assert (sums() - 1).abs().max() > 0.1


def test_attention_is_provided_for_every_block_when_its_maps_are_known() -> None:
    found = provides_of(classifier("bert"))
    assert found.attention_vectors == found.attention_maps == {1, 2, 3, 4} and found.first_states == {0, 1, 2, 3, 4}
    assert provides_of(classifier("bert"), layers=2).attention_vectors == {1, 2}


def test_attention_is_not_provided_when_its_modules_have_other_names() -> None:
    model = classifier("bert")
    for block in blocks_of(model)[1]:
        attention = block.attention.self
        attention.add_module("unheard_of", attention.query)
        del attention.query
    assert projections_of(blocks_of(model)[1][0]) == []
    assert not provides_of(model).attention and provides_of(model).hidden_states


@pytest.mark.parametrize("wrap", [nn.Identity, nn.DataParallel])
def test_nothing_listens_any_more_when_the_pass_is_over(wrap: type[nn.Module]) -> None:
    model = classifier("llama")
    with attention_vectors_of(model, frozenset({1})) as vectors:
        (model if wrap is nn.Identity else wrap(model))(**BATCH)
    kept = vectors[1].queries
    model(**{name: values[:1] for name, values in BATCH.items()})
    assert vectors[1].queries is kept
    assert not any(module._forward_hooks for module in model.modules())


def test_gradient_is_the_same_when_it_is_computed_again_from_checkpoints() -> None:
    gradients = []
    for checkpointing in (False, True):
        model = classifier("bert").train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        needs = Needs(attention_vectors=frozenset({4}))
        output, vectors = whole_pass(model, model, BATCH, needs)
        own = vectors[4]
        (output.logits.sum() + own.queries.square().sum() + (own.keys * own.values).sum()).backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    assert len(gradients[0]) > 10
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("mask", [[[1, 1, 0], [1, 1, 1]], [[0, 1, 1], [0, 0, 1]]])
def test_first_state_is_that_of_the_first_token_when_padding_is_on_either_side(mask: list[list[int]]) -> None:
    states = torch.arange(12.0).reshape(2, 3, 2)
    expected = torch.stack([states[row, own.index(1)] for row, own in enumerate(mask)])
    assert torch.equal(first_state(states, torch.tensor(mask)), expected)


def test_maps_are_refused_when_attention_is_fused() -> None:
    model, needs = classifier("bert"), Needs(attention_maps=frozenset({1}))
    output, _ = whole_pass(model, model, BATCH, needs)
    with pytest.raises(ValueError, match="its attention is fused"):
        StudentOutput.from_model(output, BATCH["attention_mask"], needs)
