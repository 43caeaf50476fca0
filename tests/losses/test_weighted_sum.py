import pytest
import torch
from loss_cases import SHAPE, batch_of, mask_of, output_of

from xlkd.errors import UserError
from xlkd.losses import HardLabelLoss, SoftLabelLoss
from xlkd.losses.weighted_sum import WeightedSum, build_loss
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
        {"name": "soft-label", "weight": 2.0, "temperature": 4.0, "divergence": "reverse", "standardise": False},
        {"name": "hidden-state", "weight": 1.0, "layer_map": [[1, 2]], "distance": "mse", "pool": "mean"},
        {"name": "hard-label", "weight": 0.5, "label_smoothing": 0.1, "class_weights": {"a": 2.0}},
    ]
    assert WeightedSum.from_config(entries).config() == entries


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


def test_negative_weight_is_refused():
    with pytest.raises(UserError, match="must be a finite number, and not negative"):
        WeightedSum.from_config([{"name": "soft-label", "weight": -1.0}])


def test_no_losses_are_refused():
    with pytest.raises(UserError, match="No losses"):
        WeightedSum.from_config([])
