"""What the relations between rows must be beyond what every loss must: masks, equal vectors, independent formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from answers import (
    BLOCKS,
    HEADS,
    LABEL_NAMES,
    LABELS,
    LENGTHS,
    SHAPE,
    answer_of,
    batch_of,
    leaves_of,
    mask_of,
    output_of,
)
from sklearn.metrics.pairwise import cosine_similarity, linear_kernel
from sklearn.preprocessing import KernelCenterer, normalize

from xlkd.errors import UserError
from xlkd.losses import (
    ContrastiveLoss,
    KernelAlignmentLoss,
    RelationalAngleLoss,
    RelationalDistanceLoss,
    SimilarityPreservingLoss,
)
from xlkd.losses.building import build_loss
from xlkd.losses.gathering import gather_rows
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput

LEAST = {
    "relational-distance": 2,
    "relational-angle": 3,
    "similarity-preserving": 2,
    "kernel-alignment": 4,
    "contrastive": 2,
}
every_relation = pytest.mark.parametrize("name", LEAST)


def vectors(seed, rows=8, width=6):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value_of(loss, student, teacher, counted=None):
    """The loss of text vectors, in their precision."""
    rows = len(student)
    loss.attach(ModelShape(1, student.shape[1]), ModelShape(1, teacher.shape[1]))
    row_mask = torch.ones(rows).bool() if counted is None else torch.tensor(counted)
    batch = Batch({}, {}, torch.zeros(rows), row_mask)
    answers = StudentOutput(pooled_states={1: student}), TeacherOutput(pooled_states={1: teacher})
    return loss.to(student.dtype)(*answers, batch).squeeze()


@every_relation
def test_rows_that_do_not_count_change_nothing_when_they_are_infinite(name):
    student, teacher = vectors(0), vectors(1)
    counted = [True, False, True, True, False, True, True, True]
    expected = value_of(build_loss({"name": name}), student[counted], teacher[counted])
    for side in (student, teacher):
        side[1], side[4] = torch.inf, torch.nan
    student.requires_grad_()
    value = value_of(build_loss({"name": name}), student, teacher, counted)
    value.backward()
    torch.testing.assert_close(value, expected)
    assert expected > 0 and student.grad.isfinite().all() and student.grad[[1, 4]].abs().sum() == 0


@every_relation
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_loss_and_gradient_are_zero_when_too_few_rows_count(name, rows):
    student, teacher = vectors(0).requires_grad_(), vectors(1)
    value = value_of(build_loss({"name": name}), student, teacher, [index < rows for index in range(8)])
    value.backward()
    enough = rows >= LEAST[name]
    # Two rows have one distance, which is the mean distance: there is nothing to compare.
    nothing = name == "relational-distance" and rows == 2
    assert (value.item() > 1e-6) == (student.grad.abs().sum().item() > 1e-6) == (enough and not nothing)
    if not enough:
        assert value.item() == 0 and student.grad.abs().sum().item() == 0


@every_relation
def test_gradient_is_finite_when_vectors_are_equal(name):
    student, teacher = vectors(0), vectors(1)
    student[1], teacher[1], teacher[2] = student[0], teacher[0], teacher[0]
    for side in (student, student[:1].repeat(8, 1)):
        own = side.clone().requires_grad_()
        value = value_of(build_loss({"name": name}), own, teacher)
        value.backward()
        assert value.isfinite() and own.grad.isfinite().all() and own.grad.abs().max() < 100


@every_relation
@pytest.mark.parametrize("length", [0.0, 1e-9])
@pytest.mark.parametrize("side", [0, 1])
def test_gradient_is_of_ordinary_size_when_a_vector_has_no_direction(name, length, side):
    sides = vectors(0).float(), vectors(1).float()
    sides[side][3] *= length
    own = sides[0].requires_grad_()
    value = value_of(build_loss({"name": name}), own, sides[1])
    value.backward()
    assert value.isfinite() and 0 < own.grad.abs().max() < 10


def test_contrast_is_a_guess_when_the_students_vectors_have_no_direction():
    student = torch.zeros(8, 6, dtype=torch.float64).requires_grad_()
    value = value_of(ContrastiveLoss(), student, vectors(1))
    value.backward()
    assert value.item() == pytest.approx(np.log(8)) and student.grad.abs().sum() == 0


@pytest.mark.parametrize("name", [name for name in LEAST if name != "contrastive"])
def test_widths_may_differ_without_a_projector(name):
    loss = build_loss({"name": name})
    assert value_of(loss, vectors(0, width=3), vectors(1, width=6)) > 0
    assert not list(loss.parameters())


@pytest.mark.parametrize("name", ["relational-distance", "relational-angle", "kernel-alignment"])
def test_loss_is_zero_when_the_student_is_the_teacher_turned_scaled_and_shifted(name):
    teacher = vectors(1)
    turn, _ = torch.linalg.qr(vectors(2, rows=6))
    value = value_of(build_loss({"name": name}), 3 * teacher @ turn + 5, teacher)
    torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-12, rtol=0)


def test_distance_agrees_with_pdist_and_huber_loss_of_torch():
    student, teacher = vectors(0), vectors(1, width=9)
    own, wanted = (F.pdist(side) / F.pdist(side).mean() for side in (student, teacher))
    torch.testing.assert_close(value_of(RelationalDistanceLoss(), student, teacher), F.huber_loss(own, wanted))


def test_mean_distance_is_of_those_above_zero():
    student, teacher = vectors(0), vectors(1)
    teacher[1] = teacher[0]
    own, wanted = (F.pdist(side) for side in (student, teacher))
    expected = F.huber_loss(own / own.mean(), wanted / wanted[wanted > 0].mean())
    torch.testing.assert_close(value_of(RelationalDistanceLoss(), student, teacher), expected)


def test_distances_keep_their_digits_when_vectors_share_a_large_part():
    student, teacher = ((vectors(seed) + 100).float() for seed in (0, 1))
    loss = RelationalDistanceLoss(1, 1)
    batch = Batch({}, {}, torch.zeros(8), torch.ones(8).bool())
    value = loss(StudentOutput(pooled_states={1: student}), TeacherOutput(pooled_states={1: teacher}), batch)
    exact = value_of(RelationalDistanceLoss(), student.double(), teacher.double())
    torch.testing.assert_close(value.squeeze().double(), exact, rtol=1e-5, atol=0)


def test_angle_agrees_with_cosine_similarity_of_scikit_learn():
    student, teacher = vectors(0), vectors(1, width=9)
    differences = []
    for vertex in range(8):
        others = [row for row in range(8) if row != vertex]
        own, wanted = (cosine_similarity((side[others] - side[vertex]).numpy()) for side in (student, teacher))
        apart = ~np.eye(7, dtype=bool)
        differences.append(F.huber_loss(torch.tensor(own[apart]), torch.tensor(wanted[apart])))
    expected = torch.stack(differences).mean()
    torch.testing.assert_close(value_of(RelationalAngleLoss(), student, teacher), expected)


def test_similarity_agrees_with_linear_kernel_and_normalize_of_scikit_learn():
    student, teacher = vectors(0), vectors(1, width=9)
    own, wanted = (normalize(linear_kernel(side.numpy())) for side in (student, teacher))
    assert value_of(SimilarityPreservingLoss(), student, teacher).item() == pytest.approx(((own - wanted) ** 2).mean())


def test_biased_alignment_agrees_with_kernel_centerer_of_scikit_learn():
    student, teacher = vectors(0), vectors(1, width=9)
    own, wanted = (KernelCenterer().fit_transform(linear_kernel(side.numpy())) for side in (student, teacher))
    expected = 1 - cosine_similarity(own.reshape(1, -1), wanted.reshape(1, -1)).item()
    value = value_of(KernelAlignmentLoss(estimator="biased"), student, teacher)
    assert value.item() == pytest.approx(expected)


def test_contrast_agrees_with_cosine_similarity_of_scikit_learn_and_cross_entropy_of_torch():
    student, teacher = vectors(0), vectors(1)
    scores = torch.tensor(cosine_similarity(student.numpy(), teacher.numpy())) / 0.2
    expected = F.cross_entropy(scores, torch.arange(8))
    torch.testing.assert_close(value_of(ContrastiveLoss(temperature=0.2), student, teacher), expected)


def test_unbiased_alignment_of_unrelated_vectors_is_none_on_average_and_biased_is_not():
    """In batches that are smaller than the widths."""
    means = {}
    for estimator in ("unbiased", "biased"):
        values = [
            value_of(KernelAlignmentLoss(estimator=estimator), vectors(seed, 8, 32), vectors(seed + 500, 8, 32)).item()
            for seed in range(200)
        ]
        means[estimator] = 1 - sum(values) / len(values)
    assert abs(means["unbiased"]) < 0.05 and means["biased"] > 0.7


def test_edges_without_length_have_no_angle():
    student, teacher = vectors(0), vectors(1)
    expected = value_of(RelationalAngleLoss(), student[:3], teacher[:3])
    # Row 3 is row 0 again, up to rounding. That leaves the triangles (0, 1, 2) and (3, 1, 2), and four angles of 0.
    student, teacher = (side[[0, 1, 2, 0]] for side in (student, teacher))
    teacher[3] += 1e-7
    torch.testing.assert_close(
        value_of(RelationalAngleLoss(), student, teacher), expected * 12 / 16, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("share", "counts"), [(1e-4, False), (1e-2, True)])
def test_edge_has_a_direction_when_it_is_longer_than_a_thousandth_of_the_mean(share, counts):
    student, teacher = vectors(0, rows=4), vectors(1, rows=4)
    # Three rows apart by about 1; the last is beside the first, by a share of that, in a direction of its own.
    student[3], teacher[3] = (side[0] + share * side[3] for side in (student, teacher))
    beside = torch.linalg.vector_norm(student[3] - student[0]) / F.pdist(student).mean()
    assert share / 5 < beside < share * 5
    exact = [cosine_similarity((side[1:] - side[0]).numpy()) for side in (student, teacher)]
    assert abs(exact[0] - exact[1])[0, 2] > 0.1
    own = student.clone().requires_grad_()
    value_of(RelationalAngleLoss(), own, teacher).backward()
    # A short edge has a long gradient: it is as many times as long as the edge is short.
    assert (own.grad[3].abs().max() > 1) == counts


def test_translations_that_the_teacher_read_as_one_sentence_are_no_negatives():
    student, teacher = vectors(0, rows=4), vectors(1, rows=4)
    teacher[1] = teacher[0] * (1 + 1e-3)
    scores = torch.tensor(cosine_similarity(student.numpy(), teacher.numpy())) / 0.07
    scores[0, 1] = scores[1, 0] = -torch.inf
    expected = F.cross_entropy(scores, torch.arange(4))
    torch.testing.assert_close(value_of(ContrastiveLoss(), student, teacher), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_one_text_is_no_negative_when_its_vector_was_rounded(dtype):
    student, teacher = vectors(0, rows=4, width=384), vectors(1, rows=4, width=384)
    equal, rounded = teacher.clone(), teacher.clone()
    equal[1], rounded[1] = teacher[0], teacher[0].to(dtype).double()
    values = [value_of(ContrastiveLoss(), student, side) for side in (equal, rounded)]
    torch.testing.assert_close(values[1], values[0], rtol=1e-2, atol=0)


def test_nearest_neighbour_is_a_negative_when_it_is_another_text():
    student, teacher = vectors(0, rows=4, width=384), vectors(1, rows=4, width=384)
    teacher[1] = teacher[0] + 0.045 * teacher[1]
    scores = torch.tensor(cosine_similarity(student.numpy(), teacher.numpy())) / 0.07
    assert 0.998 < cosine_similarity(teacher[:2].numpy())[0, 1] < 0.9995
    torch.testing.assert_close(value_of(ContrastiveLoss(), student, teacher), F.cross_entropy(scores, torch.arange(4)))


def test_contrast_is_zero_when_all_rows_are_translations_of_one_sentence():
    teacher = vectors(1, rows=1).repeat(4, 1)
    assert value_of(ContrastiveLoss(), vectors(0, rows=4), teacher).item() == 0


def test_contrast_makes_a_projector_when_widths_differ_and_trains_it():
    loss = ContrastiveLoss()
    value_of(loss, vectors(0, width=3), vectors(1, width=6)).backward()
    assert tuple(loss.projector.weight.shape) == (6, 3) and loss.projector.weight.grad.abs().sum() > 0


def test_temperature_of_contrast_moves_by_its_schedule():
    loss = ContrastiveLoss(temperature={"start": 0.2, "end": 0.1})
    loss.set_progress(0.5)
    assert loss.temperature.value == pytest.approx(0.15)
    assert loss.config()["temperature"] == {"start": 0.2, "end": 0.1, "schedule": "linear", "until": 1.0}


def test_products_keep_their_digits_under_autocast():
    mask = mask_of(LENGTHS)
    outputs = output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask)
    for name in LEAST:
        loss = build_loss({"name": name})
        loss.attach(SHAPE, SHAPE)
        plain = loss(*outputs, batch_of(mask, LABELS))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(loss(*outputs, batch_of(mask, LABELS)), plain)


def test_teacher_gets_no_gradient_and_layers_default_to_the_last():
    mask = mask_of(LENGTHS)
    for name in LEAST:
        loss = build_loss({"name": name})
        assert not loss.needs and not loss.student_needs
        loss.attach(ModelShape(2, 6, HEADS, LABEL_NAMES), ModelShape(12, 6))
        assert loss.needs.pooled_states == {12} and loss.student_needs.pooled_states == {2}
        again = build_loss({"name": name, **loss.config()})
        assert again.config() == loss.config()
    own = {key: leaf.requires_grad_() for key, leaf in leaves_of(0, mask).items()}
    loss = RelationalDistanceLoss(1, 2)
    loss.attach(SHAPE, SHAPE)
    loss(answer_of(StudentOutput, own, mask), output_of(TeacherOutput, 1, mask), batch_of(mask, LABELS)).backward()
    assert [key for key, leaf in own.items() if leaf.grad is not None and leaf.grad.abs().sum() > 0] == ["states 1"]


@every_relation
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"student_layer": -1}, "student_layer -1 must be the number of a layer"),
        ({"teacher_layer": "last"}, "teacher_layer 'last' must be the number of a layer"),
        ({"teacher_layer": True}, "must be the number of a layer"),
    ],
)
def test_layer_that_is_no_number_is_refused(name, options, words):
    with pytest.raises(UserError, match=f"{name}: .*{words}" if "True" not in words else words):
        build_loss({"name": name, **options})


@every_relation
def test_layer_that_a_model_does_not_have_is_refused(name):
    with pytest.raises(
        UserError, match=f"{name}: teacher_layer names teacher layer 3, but the teacher has {BLOCKS} layers"
    ):
        build_loss({"name": name, "teacher_layer": BLOCKS + 1}).check(SHAPE, SHAPE)


@every_relation
def test_relation_without_a_teacher_is_refused(name):
    with pytest.raises(UserError, match=f"{name} needs a teacher"):
        build_loss({"name": name}).check(SHAPE, None)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "kernel-alignment", "estimator": "fair"}, "it is one of unbiased, biased"),
        ({"name": "contrastive", "temperature": 0}, "temperature 0 must be a number above 0"),
        ({"name": "contrastive", "temperature": {"start": 1.0, "ende": 2.0}}, "did you mean end"),
    ],
)
def test_wrong_option_is_refused_with_the_fix(entry, words):
    with pytest.raises(UserError, match=words):
        build_loss(entry)


def test_rows_of_one_process_are_themselves():
    values = vectors(0)
    assert gather_rows(values) is values
