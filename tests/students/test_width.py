"""Which heads and feed-forward units a student keeps, family by family, and that the rest is carried over whole."""

from pathlib import Path

import pytest
import torch
from families import BATCH, FAMILIES, GROUPED, LAYERS, UNITS, answer, classifier
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForTokenClassification,
    DebertaV2Config,
    FalconConfig,
    GPT2Config,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
)

from xlkd.errors import UserError
from xlkd.students.layers import blocks_of, cut_layers
from xlkd.students.width import UnitImportance, check_width, cut_width, unit_importance

ALL = [*range(1, LAYERS + 1)]
# The families whose heads have a size of their own, with the number of heads that share keys.
HEADS = {"eurobert": 2, "llama": 1, "qwen2": 2, "qwen3": 2}
KINDS = [(family, "feed_forward") for family in FAMILIES] + [(family, "heads") for family in HEADS]
OTHER = {"input_ids": BATCH["input_ids"].flip(0) + 9, "attention_mask": torch.ones(2, 5, dtype=torch.long)}

each_kind = pytest.mark.parametrize(("family", "kind"), KINDS)


def half(model: PreTrainedModel, kind: str) -> dict[str, int]:
    """Half of the width of a model."""
    return {kind: UNITS // 2 if kind == "feed_forward" else model.config.num_attention_heads // 2}


def outgoing(model: PreTrainedModel, family: str, kind: str) -> list[Tensor]:
    """The weights that lead out of the units of each layer, of shape `(16, units, rows of a unit)`."""
    found = []
    for block in blocks_of(model)[1]:
        if kind == "feed_forward":
            (weight,) = (weight for weight in block.parameters() if weight.shape == (16, UNITS))
            found.append(weight.data.view(16, UNITS, 1))
        else:
            groups = model.config.num_attention_heads // HEADS[family]
            found.append(block.self_attn.o_proj.weight.data.view(16, groups, -1))
    return found


def silence_half(model: PreTrainedModel, family: str, kind: str) -> None:
    """Cut off every second unit of each layer, other ones in odd layers than in even ones."""
    for index, weight in enumerate(outgoing(model, family, kind)):
        weight[:, index % 2 :: 2] = 0


@each_kind
def test_answers_are_the_teachers_when_only_silent_units_are_cut(family: str, kind: str) -> None:
    teacher = classifier(family)
    silence_half(teacher, family, kind)
    width = half(teacher, kind)
    student = cut_width(teacher, unit_importance(teacher, [BATCH, OTHER], ALL, **width), **width)
    assert student.num_parameters() < teacher.num_parameters()
    assert torch.allclose(answer(student).logits, answer(teacher).logits, atol=1e-5)


@each_kind
def test_answers_change_when_the_units_that_matter_are_cut(family: str, kind: str) -> None:
    teacher = classifier(family)
    silence_half(teacher, family, kind)
    width = half(teacher, kind)
    importance = unit_importance(teacher, [BATCH], ALL, **width)
    wrong = UnitImportance(**{kind: -vars(importance)[kind]})
    assert (answer(cut_width(teacher, wrong, **width)).logits - answer(teacher).logits).abs().max() > 1e-3


@each_kind
def test_silent_units_matter_nothing_when_importance_is_measured(family: str, kind: str) -> None:
    teacher = classifier(family)
    silence_half(teacher, family, kind)
    importance = vars(unit_importance(teacher, [BATCH], ALL, **half(teacher, kind)))[kind]
    for index, of_layer in enumerate(importance):
        assert (of_layer[index % 2 :: 2] == 0).all()
        assert (of_layer[1 - index % 2 :: 2] > 0).all()


@each_kind
def test_answers_are_the_teachers_when_the_full_width_is_kept(family: str, kind: str) -> None:
    teacher = classifier(family)
    width = {kind: 2 * half(teacher, kind)[kind]}
    student = cut_width(teacher, unit_importance(teacher, [BATCH], ALL, **width), **width)
    assert torch.equal(answer(student).logits, answer(teacher).logits)


@each_kind
def test_answers_are_the_same_when_a_narrow_student_is_saved_and_loaded(family: str, kind: str, tmp_path: Path) -> None:
    teacher = classifier(family)
    width = half(teacher, kind)
    importance = unit_importance(teacher, [BATCH], [1, 4], **width)
    student = cut_width(cut_layers(teacher, [1, 4]), importance, **width)
    student.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(answer(loaded).logits, answer(student).logits)


@each_kind
def test_teacher_is_unchanged_when_importance_is_measured(family: str, kind: str) -> None:
    teacher = classifier(family).train()
    blocks_of(teacher)[1][1].eval()
    blocks_of(teacher)[1][2].requires_grad_(False)
    before = {name: (weight.clone(), weight.requires_grad) for name, weight in teacher.named_parameters()}
    modes = [module.training for module in teacher.modules()]
    width = half(teacher, kind)
    cut_width(teacher, unit_importance(teacher, [BATCH], ALL, **width), **width)
    assert [module.training for module in teacher.modules()] == modes
    for name, weight in teacher.named_parameters():
        assert weight.grad is None
        assert torch.equal(weight, before[name][0]) and weight.requires_grad == before[name][1]


def gradients(family: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """|gradient * weight| of everything, by a plain backward pass on the model's own loss."""
    model = classifier(family)
    model(**batch, labels=model(**batch).logits.argmax(-1)).loss.backward()
    weights = {name: weight for name, weight in model.named_parameters() if weight.grad is not None}
    return {name: (weight * weight.grad).detach().abs() for name, weight in weights.items()}


def test_importance_is_gradient_times_weight_when_bert_has_feed_forward_units() -> None:
    expected = torch.zeros(LAYERS, UNITS)
    for batch in (BATCH, OTHER):
        found = gradients("bert", batch)
        for layer in range(LAYERS):
            start = f"bert.encoder.layer.{layer}."
            for unit in range(UNITS):
                expected[layer, unit] += found[start + "intermediate.dense.weight"][unit].sum()
                expected[layer, unit] += found[start + "intermediate.dense.bias"][unit]
                expected[layer, unit] += found[start + "output.dense.weight"][:, unit].sum()
    importance = unit_importance(classifier("bert"), [BATCH, OTHER], ALL, feed_forward=8).feed_forward
    torch.testing.assert_close(importance, expected)


def test_importance_is_gradient_times_weight_when_modernbert_fuses_two_halves() -> None:
    found, expected = gradients("modernbert", BATCH), torch.zeros(LAYERS, UNITS)
    for layer in range(LAYERS):
        for unit in range(UNITS):
            expected[layer, unit] += found[f"model.layers.{layer}.mlp.Wi.weight"][[unit, UNITS + unit]].sum()
            expected[layer, unit] += found[f"model.layers.{layer}.mlp.Wo.weight"][:, unit].sum()
    importance = unit_importance(classifier("modernbert"), [BATCH], ALL, feed_forward=8).feed_forward
    torch.testing.assert_close(importance, expected)


def test_importance_is_of_whole_groups_when_queries_share_keys() -> None:
    found, expected = gradients("qwen2", BATCH), torch.zeros(LAYERS, 2)
    for layer in range(LAYERS):
        start = f"model.layers.{layer}.self_attn."
        for group in range(2):
            queries, keys = slice(8 * group, 8 * group + 8), slice(4 * group, 4 * group + 4)
            for name, rows in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
                expected[layer, group] += found[start + name + ".weight"][rows].sum()
                expected[layer, group] += found[start + name + ".bias"][rows].sum()
            expected[layer, group] += found[start + "o_proj.weight"][:, queries].sum()
    torch.testing.assert_close(unit_importance(classifier("qwen2"), [BATCH], ALL, heads=2).heads, expected)


def test_importance_is_of_the_kept_layers_when_not_all_are_kept() -> None:
    teacher = classifier("bert")
    whole = unit_importance(teacher, [BATCH], ALL, feed_forward=8).feed_forward
    kept = unit_importance(teacher, [BATCH], [2, 4], feed_forward=8)
    assert whole is not None and kept.feed_forward is not None and kept.heads is None
    assert torch.equal(kept.feed_forward, whole[[1, 3]])


def test_importance_is_the_same_when_the_teacher_is_in_training() -> None:
    expected = unit_importance(classifier("bert"), [BATCH], ALL, feed_forward=8).feed_forward
    assert classifier("bert").config.hidden_dropout_prob > 0
    found = unit_importance(classifier("bert").train(), [BATCH], ALL, feed_forward=8).feed_forward
    assert found is not None and expected is not None and torch.equal(found, expected)


def test_units_stay_in_order_when_a_layer_keeps_its_own_best() -> None:
    teacher = cut_layers(classifier("bert"), [1, 2])
    importance = torch.zeros(2, UNITS)
    importance[0, [5, 2]] = torch.tensor([1.0, 2.0])
    importance[1, [30, 39]] = torch.tensor([2.0, 1.0])
    student = cut_width(teacher, UnitImportance(feed_forward=importance), feed_forward=2)
    name = "bert.encoder.layer.{}.intermediate.dense.weight"
    for layer, kept in ((0, [2, 5]), (1, [30, 39])):
        weight = teacher.get_parameter(name.format(layer))
        assert torch.equal(student.get_parameter(name.format(layer)), weight[kept])


def test_both_are_narrower_when_heads_and_units_are_cut() -> None:
    teacher, width = classifier("qwen3"), {"heads": 2, "feed_forward": 8}
    student = cut_width(teacher, unit_importance(teacher, [BATCH], ALL, **width), **width)
    layer = blocks_of(student)[1][3]
    assert layer.self_attn.q_proj.weight.shape == (2 * 8, 16) and layer.self_attn.k_proj.weight.shape == (8, 16)
    assert layer.mlp.gate_proj.weight.shape == (8, 16)
    assert answer(student).logits.shape == (2, 3)


@pytest.mark.parametrize("count", [0, UNITS + 1, -3])
def test_range_is_named_when_there_are_not_that_many_units(count: int) -> None:
    with pytest.raises(
        UserError, match=f"feed_forward {count} is out of range: the layers of BertFor.* 40 units.*1 to 40"
    ):
        check_width(classifier("bert"), feed_forward=count)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_multiples_are_named_when_heads_that_share_keys_would_be_parted(count: int) -> None:
    message = f"heads {count} is not possible: the layers of Qwen2For.* have 4 heads in groups of 2 .* keep one of 2, 4"
    with pytest.raises(UserError, match=message):
        check_width(classifier("qwen2"), heads=count)


def test_divisors_are_named_when_the_configuration_accepts_no_others() -> None:
    with pytest.raises(UserError, match="heads 3 is not possible: .* have 4 heads, keep one of 1, 2, 4"):
        check_width(classifier("llama"), heads=3)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in HEADS])
def test_another_way_is_named_when_heads_have_no_size_of_their_own(family: str) -> None:
    with pytest.raises(
        UserError, match="heads cannot be cut: in .* could not be loaded. Cut `feed_forward` or `layers`"
    ):
        check_width(classifier(family), heads=1)


@pytest.mark.parametrize(
    "config",
    [
        # The query has a number of heads of its own here, but the output has not.
        DebertaV2Config(**{**FAMILIES["deberta-v2"]().to_dict(), "attention_head_size": 8}),
        # Query, key and value are one weight, whose rows are another number than those of the heads.
        Phi3Config(**GROUPED),
        # The size of a head is computed.
        FalconConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=4),
    ],
    ids=["deberta-v2", "phi3", "falcon"],
)
def test_another_way_is_named_when_heads_are_not_told_apart(config: PreTrainedConfig) -> None:
    with pytest.raises(UserError, match="heads cannot be cut: in .* Cut `feed_forward` or `layers` instead"):
        check_width(AutoModelForSequenceClassification.from_config(config), heads=2)


def test_layers_are_to_be_cut_when_the_configuration_has_no_size_of_feed_forward() -> None:
    config = GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2)
    with pytest.raises(UserError, match="feed_forward cannot be cut: GPT2Config has none of .* Cut `layers` instead"):
        check_width(AutoModelForSequenceClassification.from_config(config), feed_forward=8)


def test_texts_are_asked_for_when_there_is_no_batch() -> None:
    with pytest.raises(UserError, match="student: its units are chosen by what the teacher makes of texts"):
        unit_importance(classifier("bert"), [], ALL, feed_forward=8)


@pytest.mark.parametrize("scale", [1e6, float("nan")])
def test_harder_texts_are_asked_for_when_no_unit_matters(scale: float) -> None:
    teacher = classifier("bert")
    teacher.classifier.weight.data *= scale
    with pytest.raises(UserError, match="its units cannot be chosen, .* in 1 batches of texts: give more or harder"):
        unit_importance(teacher, [BATCH], ALL, feed_forward=8)


@pytest.mark.parametrize("importance", [UnitImportance(), UnitImportance(feed_forward=torch.ones(2, UNITS))])
def test_cutting_is_refused_when_importance_is_of_other_layers(importance: UnitImportance) -> None:
    with pytest.raises(ValueError, match="a row for each layer of the model"):
        cut_width(classifier("bert"), importance, feed_forward=8)


def test_units_of_a_tagger_do_not_depend_on_padding() -> None:
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8, num_labels=5
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForTokenClassification(config).eval()
        ids = torch.randint(1, 40, (4, 9))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    padded = {name: functional.pad(value, (0, 3)) for name, value in batch.items()}
    plain, wide = (unit_importance(model, [own], [1, 2], feed_forward=4) for own in (batch, padded))
    assert (plain.feed_forward > 0).all()
    torch.testing.assert_close(plain.feed_forward, wide.feed_forward)
