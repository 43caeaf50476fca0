"""Options of the losses on states and attention, and what they refuse."""

from dataclasses import replace

import pytest
import torch
from families import BATCH, FAMILIES, IDS, SIZES, classifier
from transformers import LlamaConfig, XLMRobertaConfig, XLNetConfig

from xlkd.errors import UserError
from xlkd.losses import AttentionMapLoss, AttentionRelationLoss, EmbeddingLoss, HiddenStateLoss
from xlkd.losses.states import cosine_distance, normalised_mse
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape, Needs, reads_one_way

STUDENT, TEACHER = ModelShape(3, 8, 2), ModelShape(12, 16, 4)


@pytest.mark.parametrize(
    ("rule", "pairs"),
    [
        ("uniform", [(1, 4), (2, 8), (3, 12)]),
        ("last", [(1, 10), (2, 11), (3, 12)]),
        ("first", [(1, 1), (2, 2), (3, 3)]),
        (None, [(3, 12)]),
    ],
)
def test_layers_are_those_of_the_rule_when_one_is_named(rule, pairs):
    loss = HiddenStateLoss(rule)
    assert loss.config()["layer_map"] == rule
    loss.attach(STUDENT, TEACHER)
    assert loss.layer_map == pairs and len(loss.projectors) == len(pairs)
    blocks = AttentionMapLoss(rule)
    blocks.attach(STUDENT, ModelShape(12, 16, 2))
    assert blocks.needs == Needs(attention_maps=frozenset(teacher for _, teacher in pairs))


def test_layers_are_rounded_to_the_nearest_when_they_do_not_divide():
    loss = HiddenStateLoss("uniform")
    loss.attach(ModelShape(4, 8), ModelShape(6, 8))
    assert loss.layer_map == [(1, 2), (2, 3), (3, 5), (4, 6)]


def test_rule_is_refused_when_the_teacher_has_fewer_layers():
    with pytest.raises(UserError, match="last gives each of the student's 12 layers .* only 3: name the pairs"):
        HiddenStateLoss("last").check(TEACHER, STUDENT)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: HiddenStateLoss("middle"), "list of pairs, .* uniform, last, first"),
        (lambda: HiddenStateLoss([]), "layer_map is empty"),
        (lambda: HiddenStateLoss([(1, 2, 3)]), "must be .student layer, teacher layer."),
        (lambda: HiddenStateLoss(pool="max"), "none, mean, first"),
        (lambda: EmbeddingLoss("normalised-mse"), "embedding: distance .* cosine, mse"),
        (lambda: EmbeddingLoss(pool="none"), "embedding: pool .* mean, first"),
        (lambda: AttentionMapLoss(distance="cosine"), "mse, kl"),
        (lambda: AttentionRelationLoss(relations=[]), "must be a list of queries, keys, values"),
        (lambda: AttentionRelationLoss(relations=["query"]), "did you mean queries"),
        (lambda: AttentionRelationLoss(relations=[["queries"]]), r"relations \['queries'\] is unknown"),
        (lambda: AttentionRelationLoss(relations=["keys", "keys"]), "must be a list of queries, keys, values"),
        (lambda: AttentionRelationLoss(relations=7), "relations 7 must be a list of queries, keys, values"),
        (lambda: AttentionRelationLoss(relation_heads=0), "relation_heads 0 must be a whole number"),
        (lambda: AttentionRelationLoss(teacher_layer=True), "teacher_layer True must be a whole number"),
        (lambda: AttentionMapLoss([(0, 1)]).check(TEACHER, TEACHER), "student layer 0, .* use 1 to 12"),
        (lambda: AttentionRelationLoss(teacher_layer=13).check(STUDENT, TEACHER), "teacher layer 13, .* use 1 to 12"),
        (lambda: AttentionMapLoss().check(STUDENT, TEACHER), "has 2 and the teacher 4: use attention-relation"),
        (lambda: AttentionRelationLoss(3).check(STUDENT, TEACHER), r"\(8\) and teacher \(16\): use one of 1, 2, 4, 8"),
    ],
)
def test_option_is_refused_when_it_is_wrong(build, words):
    with pytest.raises(UserError, match=words):
        build()


@pytest.mark.parametrize("loss", [EmbeddingLoss(), AttentionMapLoss(), AttentionRelationLoss()])
def test_missing_teacher_is_refused_when_a_loss_compares(loss):
    with pytest.raises(UserError, match="needs a teacher"):
        loss.check(STUDENT, None)


def test_relation_heads_must_divide_shared_keys_when_heads_share_them():
    shared = ModelShape(12, 16, 4, query_width=16, key_width=4)
    AttentionRelationLoss().check(STUDENT, shared)
    with pytest.raises(UserError, match=r"teacher \(16, 4\): use one of 1, 2, 4"):
        AttentionRelationLoss(8).check(STUDENT, shared)
    AttentionRelationLoss(8, ["queries"]).check(STUDENT, shared)


def test_widths_of_queries_and_keys_are_read_from_the_configuration():
    shapes = {name: ModelShape.of(FAMILIES[name]()) for name in ("bert", "distilbert", "qwen3")}
    assert [(shape.query_width, shape.key_width) for shape in shapes.values()] == [(16, 16), (16, 16), (32, 16)]


@pytest.mark.parametrize("kind", ["hidden-state", "embedding", "attention-map", "attention-relation"])
def test_projectors_of_attached_losses_build_again_from_their_configuration(kind):
    losses = WeightedSum.from_config([{"name": kind}])
    shapes = ModelShape(3, 8, 2), ModelShape(12, 16, 2)
    losses.attach(*shapes)
    again = WeightedSum.from_config(losses.config())
    again.attach(*shapes)
    assert again.config() == losses.config() and again.needs == losses.needs != Needs()
    assert [weight.shape for weight in again.parameters()] == [weight.shape for weight in losses.parameters()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_divergence_is_finite_when_the_student_cannot_see_what_the_teacher_sees(dtype):
    from xlkd.losses.attention_map import _divergence

    student = torch.eye(3, dtype=dtype).expand(1, 1, 3, 3).clone().requires_grad_()
    teacher = torch.full((1, 1, 3, 3), 1 / 3, dtype=dtype)
    value = _divergence(student, teacher, torch.ones(1, 3).bool())
    value.sum().backward()
    assert value.isfinite().all() and student.grad.isfinite().all()


@pytest.mark.parametrize("distance", [cosine_distance, normalised_mse])
@pytest.mark.parametrize("length", [0.0, 1e-9])
def test_distance_is_constant_when_the_students_vector_has_no_direction(distance, length):
    student, teacher = torch.ones(2, 6), torch.arange(6.0).repeat(2, 1)
    student[1] *= length
    values = distance(student.requires_grad_(), teacher)
    values.sum().backward()
    assert values[1].item() == pytest.approx(1) and student.grad[1].abs().sum() == 0
    assert 0 < student.grad[0].abs().max() < 1


@pytest.mark.parametrize("distance", [cosine_distance, normalised_mse])
def test_distance_of_short_vectors_is_that_of_long_ones_when_they_have_a_direction(distance):
    student, teacher = (torch.randn(4, 6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    torch.testing.assert_close(distance(student * 1e-5, teacher * 1e-5), distance(student, teacher))


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_causal_when_its_first_token_does_not_see_the_others(family):
    model = classifier(family)
    with torch.no_grad():
        first, other = (
            model.base_model(input_ids=ids, attention_mask=BATCH["attention_mask"]).last_hidden_state[0, 0]
            for ids in (IDS, torch.where(IDS == 9, 10, IDS))
        )
    assert ModelShape.of(model.config).is_causal == torch.equal(first, other)


@pytest.mark.parametrize(
    ("config", "is_causal"),
    [
        (LlamaConfig(**SIZES, is_causal=False), False),
        (XLMRobertaConfig(**SIZES, is_decoder=True), True),
        (XLNetConfig(), False),
    ],
)
def test_configuration_says_more_than_its_family_when_it_says_which_way_it_reads(config, is_causal):
    assert reads_one_way(config) == is_causal


@pytest.mark.parametrize("build", [lambda pool: HiddenStateLoss(pool=pool), lambda pool: EmbeddingLoss(pool=pool)])
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_first_token_is_refused_when_a_model_reads_one_way(build, side):
    causal = replace(STUDENT, is_causal=True)
    shapes = {"student": STUDENT, "teacher": STUDENT, side: causal}
    build("first").check(STUDENT, STUDENT)
    build("mean").check(causal, causal)
    with pytest.raises(UserError, match=f"pool first is void, since tokens of the {side} .*: use `pool: mean`"):
        build("first").check(**shapes)
