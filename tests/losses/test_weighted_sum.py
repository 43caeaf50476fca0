import math

import pytest
import torch
from answers import SHAPE, batch_of, mask_of, output_of
from output_references import softmax
from torch import nn

from xlkd.errors import UserError
from xlkd.losses import DistillationLoss, HardLabelLoss, SoftLabelLoss
from xlkd.losses.building import build_loss
from xlkd.losses.example_weight import weights_of_rows
from xlkd.losses.schedule import Schedule
from xlkd.losses.weighted_sum import WeightedSum, as_weighted_sum
from xlkd.outputs import StudentOutput, TeacherOutput

LABELS = [1, -100, 3, -100, 0, 2]


def outputs(rows=slice(None)):
    mask = mask_of([3] * 6)
    return tuple(
        type(output)(output.logits[rows], {}, {}, mask[rows])
        for output in (output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask))
    )


def test_sum_of_parts_is_loss_of_window_when_it_is_cut_anywhere():
    losses = WeightedSum({"soft": SoftLabelLoss(), "hard": HardLabelLoss()}, {"hard": 0.5})
    whole = batch_of(mask_of([3] * 6), LABELS)
    counts = losses.counts(whole)
    expected = losses(*outputs(), whole, counts)
    cuts = [slice(0, 1), slice(1, 5), slice(5, 6)]
    parts = [losses(*outputs(cut), batch_of(mask_of([3] * 6)[cut], LABELS[cut]), counts) for cut in cuts]
    torch.testing.assert_close(sum(parts), expected)


def test_counts_are_those_of_each_term():
    losses = WeightedSum({"soft": SoftLabelLoss(), "hard": HardLabelLoss()})
    assert losses.counts(batch_of(mask_of([3] * 6), LABELS)).tolist() == [6, 4]


def test_row_that_does_not_count_cannot_leak_infinity():
    losses = WeightedSum({"soft": SoftLabelLoss()})
    student, teacher = outputs()
    student.logits[5] = float("inf")
    batch = batch_of(mask_of([3] * 6), LABELS).without_rows_from(5)
    assert torch.isfinite(losses(student, teacher, batch, losses.counts(batch)))


def test_logged_terms_are_unweighted_and_taken_once():
    losses = WeightedSum({"soft": SoftLabelLoss()}, {"soft": 3.0})
    batch = batch_of(mask_of([3] * 6), LABELS)
    loss = losses(*outputs(), batch, losses.counts(batch))
    torch.testing.assert_close(3 * losses.take_logged(), loss.reshape(1))
    assert losses.take_logged().tolist() == [0.0]


def test_config_builds_the_same_sum_again():
    entries = [
        {
            "name": "soft-label",
            "weight": 2.0,
            "temperature": 4.0,
            "divergence": "forward",
            "standardise": False,
            "class_weights": None,
            "posterior": "word",
            "transitions": 0.0,
        },
        {"name": "hidden-state", "weight": 1.0, "layer_map": [[1, 2]], "distance": "mse", "pool": "mean"},
        {"name": "hard-label", "weight": 0.5, "label_smoothing": 0.1, "class_weights": {"a": 2.0}},
    ]
    assert WeightedSum.from_config(entries).config() == entries


def test_config_has_numbers_for_weights_that_stay_and_schedules_for_those_that_change():
    entries = [
        {"name": "soft-label", "weight": {"start": 1.0, "end": 0.0, "schedule": "cosine", "until": 0.5}},
        {"name": "hard-label", "weight": 2.0, "example_weight": "student-entropy"},
        {"name": "hard-label", "weight": 3, "example_weight": "none"},
    ]
    config = WeightedSum.from_config(entries).config()
    assert [entry["weight"] for entry in config] == [entries[0]["weight"], 2.0, 3.0]
    assert [entry.get("example_weight") for entry in config] == [None, "student-entropy", None]
    assert WeightedSum.from_config(config).config() == config


def test_weight_is_that_of_the_share_that_is_done():
    losses = WeightedSum({"soft": SoftLabelLoss()}, {"soft": {"start": 4.0, "end": 0.0}})
    batch = batch_of(mask_of([3] * 6), LABELS)
    full = losses(*outputs(), batch, losses.counts(batch))
    for fraction, share in ((0.25, 0.75), (1.0, 0.0)):
        losses.set_progress(fraction)
        torch.testing.assert_close(losses(*outputs(), batch, losses.counts(batch)), share * full)


class WarmingLoss(SoftLabelLoss):
    """With an option that changes."""

    def __init__(self):
        super().__init__()
        self.strength = Schedule(0.0, 1.0)


def test_only_what_changes_is_named_when_it_moves():
    schedule = {"start": 4.0, "end": 2.0, "schedule": "linear"}
    losses = WeightedSum({"warm": WarmingLoss(), "hard": HardLabelLoss()}, {"warm": schedule, "hard": 0.5})
    losses.set_progress(0.5)
    assert losses.moving() == {"weight_warm": 3.0, "strength_warm": 0.5}


def test_same_loss_twice_gets_two_names():
    losses = WeightedSum.from_config([{"name": "soft-label"}, {"name": "soft-label", "temperature": 8}])
    assert [name for name, _ in losses.items()] == ["soft-label", "soft-label-2"]


def test_needs_are_those_of_all_terms():
    losses = WeightedSum.from_config([{"name": "soft-label"}, {"name": "hidden-state", "layer_map": [[1, 2]]}])
    losses.attach(SHAPE, SHAPE)
    assert losses.needs.logits and losses.needs.pooled_states == {2} and losses.student_needs.pooled_states == {1}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "soft-labels"}, "did you mean soft-label"),
        ({"name": "soft-label", "temprature": 2}, "did you mean temperature"),
        ({"name": "soft-label", "temperature": "warm"}, "must be a finite number"),
        ({"name": "hidden-state", "layer_map": [3]}, "student layer, teacher layer"),
        ({"name": "hidden-state", "layer_map": []}, "is empty"),
        ({"temperature": 2}, "has no name"),
    ],
)
def test_wrong_entry_is_refused_with_the_fix(entry, words):
    with pytest.raises(UserError, match=words):
        build_loss(entry)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-1.0, "weight of the loss soft-label -1 must be a number 0 or more"),
        ({"start": 1.0, "end": -1.0}, "weight of the loss soft-label -1 must be a number 0 or more"),
        ("much", "weight of the loss soft-label 'much' must be a finite number"),
        ({"start": 1.0, "stop": 0.0}, "weight of the loss soft-label has no key 'stop'"),
    ],
)
def test_wrong_weight_is_refused_with_the_name_of_the_loss(weight, words):
    with pytest.raises(UserError, match=words):
        WeightedSum.from_config([{"name": "soft-label", "weight": weight}])


def test_no_losses_are_refused():
    with pytest.raises(UserError, match="No losses"):
        WeightedSum.from_config([])


KINDS = ["teacher-confidence", "student-entropy", "product"]


def entropy_share(logits: list[float], known: list[int]) -> float:
    probabilities = softmax([logits[index] for index in known])
    return -sum(value * math.log(value) for value in probabilities) / math.log(len(known))


def reference_weight(kind: str, student: list[float], teacher: list[float]) -> float:
    known = [index for index, value in enumerate(teacher) if value > -math.inf]
    entropy, confidence = entropy_share(student, known), 1 - entropy_share(teacher, known)
    return {"teacher-confidence": confidence, "student-entropy": entropy, "product": entropy * confidence}[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unknown", [[], [1, 4]])
def test_rows_are_weighted_as_in_loops(kind, unknown):
    student, teacher = outputs()
    teacher.logits[:, unknown] = -torch.inf
    losses = WeightedSum({"soft": SoftLabelLoss()}, {"soft": 2.0}, {"soft": kind})
    batch = batch_of(mask_of([3] * 6), LABELS).without_rows_from(4)
    values = SoftLabelLoss()(student, teacher, batch).tolist()
    total = 0.0
    for row in range(4):
        total += reference_weight(kind, student.logits[row].tolist(), teacher.logits[row].tolist()) * values[row]
    found = losses(student, teacher, batch, losses.counts(batch))
    torch.testing.assert_close(found, torch.tensor(2.0 * total / 4))


def test_weights_of_rows_are_known_at_the_ends():
    sure, unsure = torch.tensor([[60.0, 0.0, 0.0]]), torch.zeros(1, 3)
    expected = {"teacher-confidence": 1.0, "student-entropy": 1.0, "product": 1.0}
    for kind, value in expected.items():
        assert weights_of_rows(kind, StudentOutput(unsure), TeacherOutput(sure)).item() == pytest.approx(value)
        swapped = weights_of_rows(kind, StudentOutput(sure), TeacherOutput(unsure)).item()
        assert swapped == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("known", "weights"), [([], [1.0, 0.0, 0.0]), ([2], [1.0, 0.0, 0.0])])
def test_weights_of_rows_are_finite_when_the_teacher_knows_fewer_than_two_classes(known, weights):
    teacher = torch.full((1, 4), -torch.inf)
    teacher[:, known] = 1.0
    found = [weights_of_rows(kind, StudentOutput(torch.randn(1, 4)), TeacherOutput(teacher)).item() for kind in KINDS]
    assert found == weights


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_rows_give_the_loss_of_the_window_when_it_is_cut_anywhere(kind):
    losses = WeightedSum({"hard": HardLabelLoss(), "soft": SoftLabelLoss()}, None, {"hard": kind, "soft": kind})
    whole = batch_of(mask_of([3] * 6), LABELS)
    counts = losses.counts(whole)
    cuts = [slice(0, 1), slice(1, 5), slice(5, 6)]
    parts = [losses(*outputs(cut), batch_of(mask_of([3] * 6)[cut], LABELS[cut]), counts) for cut in cuts]
    torch.testing.assert_close(sum(parts), losses(*outputs(), whole, counts))


def test_weights_of_rows_have_no_gradient():
    student, teacher = outputs()
    student.logits.requires_grad_()
    losses = WeightedSum({"soft": SoftLabelLoss()}, None, {"soft": "student-entropy"})
    batch = batch_of(mask_of([3] * 6), LABELS)
    losses(student, teacher, batch, losses.counts(batch)).backward()
    weights = weights_of_rows("student-entropy", student, teacher)
    assert not weights.requires_grad
    (expected,) = torch.autograd.grad((SoftLabelLoss()(student, teacher, batch) * weights).sum() / 6, student.logits)
    torch.testing.assert_close(student.logits.grad, expected)


def test_row_that_does_not_count_cannot_leak_infinity_when_rows_have_weights():
    losses = WeightedSum({"soft": SoftLabelLoss()}, None, {"soft": "product"})
    student, teacher = outputs()
    student.logits[5] = float("inf")
    batch = batch_of(mask_of([3] * 6), LABELS).without_rows_from(5)
    assert torch.isfinite(losses(student, teacher, batch, losses.counts(batch)))


def test_logits_are_needed_when_rows_have_weights():
    entries = [{"name": "hidden-state", "layer_map": [[1, 2]]}]
    without = WeightedSum.from_config(entries)
    losses = WeightedSum.from_config([{**entries[0], "example_weight": "product"}])
    assert losses.needs.logits and losses.student_needs.logits
    assert losses.attached_to(SHAPE, SHAPE).needs.logits
    assert not (without.needs.logits or without.student_needs.logits)


class ComparingLoss(DistillationLoss, nn.Module):
    """One that is about the batch."""

    scope = "batch"

    def config(self):
        return {}

    def forward(self, student_output, teacher_output, batch):
        return student_output.logits.sum().reshape(1)


def test_example_weight_is_refused_when_the_loss_compares_rows():
    with pytest.raises(UserError, match="compares the rows of a batch .* leave out its example_weight product"):
        WeightedSum({"comparing": ComparingLoss()}, None, {"comparing": "product"})


def test_unknown_example_weight_names_the_nearest():
    with pytest.raises(UserError, match=r"example_weight of the loss soft-label 'student-entropie' .*student-entropy"):
        WeightedSum.from_config([{"name": "soft-label", "example_weight": "student-entropie"}])


def test_example_weight_is_refused_when_there_is_no_teacher():
    losses = WeightedSum.from_config([{"name": "hard-label", "example_weight": "student-entropy"}])
    with pytest.raises(UserError, match="hard-label has example_weight student-entropy, which needs a teacher"):
        losses.check(SHAPE, None)


@pytest.mark.parametrize("kind", ["weights", "example_weights"])
def test_weight_of_a_loss_that_is_not_there_is_refused(kind: str) -> None:
    losses = {"soft-label": SoftLabelLoss(), "hard-label": HardLabelLoss()}
    with pytest.raises(UserError, match=r"weight for 'hard_label' \(did you mean hard-label\?\); the losses"):
        WeightedSum(losses, **{kind: {"hard_label": "product" if kind == "example_weights" else 0.5}})


@pytest.mark.parametrize("losses", [["soft-label"], ["soft-label", {"name": "hard-label"}]])
def test_name_alone_is_refused_as_a_loss(losses: list[object]) -> None:
    with pytest.raises(UserError, match="The loss 'soft-label' has no name: write {name: soft-label"):
        as_weighted_sum(losses)
