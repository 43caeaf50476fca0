"""A pass that ends after the last layer that is needed, family by family, beside the whole pass."""

from collections.abc import Callable

import pytest
import torch
from families import BATCH, FAMILIES, LAYERS, answer, classifier
from torch import nn
from transformers import PreTrainedModel

from xlkd.needs import Needs
from xlkd.teachers.states import states_of

FIRST_TWO = Needs(hidden_states=frozenset({0, 2}))

each_family = pytest.mark.parametrize("family", FAMILIES)


def blocks_run(model: PreTrainedModel, run: Callable[[], object]) -> int:
    """How many linear layers of a model are computed while something runs."""
    calls: list[nn.Module] = []
    handles = [
        module.register_forward_hook(lambda module, *_: calls.append(module))
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    run()
    for handle in handles:
        handle.remove()
    return len(calls)


@each_family
@torch.no_grad()
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("layers", [{0}, {1, 3}, {LAYERS - 1}, {2, LAYERS}])
def test_states_are_those_of_the_whole_pass_when_some_are_needed(family: str, layers: set[int], logits: bool) -> None:
    model = classifier(family)
    whole = answer(model)
    part = states_of(model, BATCH, Needs(logits=logits, hidden_states=frozenset(layers)))
    assert part.hidden_states.keys() == layers
    for layer in layers:
        assert torch.equal(part.hidden_states[layer], whole.hidden_states[layer]), layer
    if logits:
        assert part.logits is not None
        assert torch.equal(part.logits, whole.logits)


@each_family
@torch.no_grad()
def test_pass_ends_when_the_last_layer_needed_is_reached(family: str) -> None:
    model = classifier(family)
    whole = blocks_run(model, lambda: answer(model))
    part = blocks_run(model, lambda: states_of(model, BATCH, FIRST_TWO))
    assert 0 < part < 0.6 * whole


@each_family
@torch.no_grad()
def test_model_answers_as_before_when_a_pass_was_ended(family: str) -> None:
    model = classifier(family)
    before = answer(model)
    states_of(model, BATCH, FIRST_TWO)
    after = answer(model)
    assert torch.equal(before.logits, after.logits)
    assert len(after.hidden_states) == LAYERS + 1


@torch.no_grad()
def test_no_states_are_kept_when_only_logits_are_needed() -> None:
    model = classifier("bert")
    said = states_of(model, BATCH, Needs(logits=True))
    assert said.hidden_states == {}
    assert said.logits is not None
    assert torch.equal(said.logits, answer(model).logits)


@torch.no_grad()
def test_whole_pass_is_made_when_blocks_cannot_be_found() -> None:
    model = classifier("bert")
    whole = answer(model)
    # A second list of as many modules: nothing says which of the two are the blocks.
    model.add_module("others", nn.ModuleList(nn.Identity() for _ in range(LAYERS)))
    said = states_of(model, BATCH, FIRST_TWO)
    assert torch.equal(said.hidden_states[2], whole.hidden_states[2])


def test_error_of_the_model_is_not_hidden_when_a_pass_may_be_ended() -> None:
    with pytest.raises(IndexError):
        states_of(classifier("bert"), {"input_ids": BATCH["input_ids"] + 1000}, FIRST_TWO)
