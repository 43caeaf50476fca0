"""The losses on logits where a row has any number of classes, or a number."""

from dataclasses import replace

import pytest
import torch
from answers import LABEL_NAMES, SHAPE
from output_references import hard_labels, known_of, relative_entropies, soft_labels

from xlkd.errors import UserError
from xlkd.losses import LOSSES, HardLabelLoss, LogitMSELoss, SoftLabelLoss
from xlkd.losses.example_weight import weights_of_rows
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import Batch, StudentOutput, TeacherOutput, has_label

ROWS, KNOWN = 4, [0, 2, 3, 5]
SEVERAL, NUMBER = replace(SHAPE, answer_kind="any-of"), replace(SHAPE, labels=("score",), answer_kind="number")
WEIGHTS = {"b": 3.0, "d": 0.25}
AS_LIST = [WEIGHTS.get(name, 1.0) for name in LABEL_NAMES]
NOBODY = [float("nan")] * len(LABEL_NAMES)


def made_up(known=None, scale: float = 1.0):
    """Answers of a student and of a teacher who knows some classes only, and labels; the last row has none."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (scale * torch.randn(ROWS, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = (torch.rand(ROWS, 6, generator=generator) < 0.4).float()
    labels[-1] = torch.nan
    if known is not None:
        teacher[:, [index for index in range(6) if index not in known]] = -torch.inf
    batch = Batch({}, {}, labels, torch.ones(ROWS, dtype=torch.bool))
    return StudentOutput(student), TeacherOutput(teacher), batch


def attached(loss, shape=SEVERAL):
    loss.attach(shape, shape)
    return loss


@pytest.mark.parametrize("known", [None, KNOWN, [1]])
@pytest.mark.parametrize("divergence", ["forward", "reverse", "symmetric"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_labels_are_those_of_each_class_alone(known, divergence, temperature):
    student, teacher, batch = made_up(known)
    loss = attached(SoftLabelLoss(temperature, divergence, class_weights=WEIGHTS))
    reference = soft_labels(temperature, divergence, AS_LIST)
    expected = [reference(student, teacher, batch, row) for row in range(ROWS)]
    torch.testing.assert_close(loss(student, teacher, batch), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("known", [None, KNOWN, [1]])
def test_logits_are_not_centred_when_each_has_a_meaning_of_its_own(known):
    student, teacher, batch = made_up(known)
    expected = [
        sum((student.logits[row, index] - teacher.logits[row, index]).item() ** 2 for index in own) / len(own)
        for row in range(ROWS)
        if (own := known_of(teacher, row))
    ]
    found = attached(LogitMSELoss())(student, teacher, batch)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_hard_labels_are_yes_or_no_for_each_class(smoothing):
    student, teacher, batch = made_up()
    loss = attached(HardLabelLoss(smoothing, WEIGHTS))
    reference = hard_labels(smoothing, AS_LIST)
    expected = [reference(student, teacher, batch, row) for row in range(ROWS - 1)]
    found = loss(student, teacher, batch)
    assert loss.rows(batch).tolist() == [True, True, True, False] and found.isfinite().all()
    torch.testing.assert_close(found[:-1], torch.tensor(expected, dtype=torch.float64))


def test_distance_is_squared_when_labels_are_numbers():
    labels = torch.tensor([1.5, torch.nan, -2.0])
    batch = Batch({}, {}, labels, torch.ones(3, dtype=torch.bool))
    logits = torch.tensor([[1.0], [3.0], [0.5]], requires_grad=True)
    loss = attached(HardLabelLoss(), NUMBER)
    values = torch.where(loss.rows(batch), loss(StudentOutput(logits), TeacherOutput(), batch), 0.0)
    values.sum().backward()
    assert values.tolist() == [0.25, 0.0, 6.25]
    assert logits.grad.squeeze(-1).tolist() == [-1.0, 0.0, 5.0]


def test_numbers_of_a_teacher_are_approached_as_they_are():
    student, teacher = StudentOutput(torch.tensor([[1.0], [4.0]])), TeacherOutput(torch.tensor([[3.0], [4.5]]))
    batch = Batch({}, {}, torch.zeros(2), torch.ones(2, dtype=torch.bool))
    assert attached(LogitMSELoss(), NUMBER)(student, teacher, batch).tolist() == [4.0, 0.25]


def gradient_of(loss, student, teacher, batch):
    logits = student.logits.clone().requires_grad_()
    loss(StudentOutput(logits), teacher, batch).sum().backward()
    return logits.grad


def test_gradient_keeps_its_size_when_the_temperature_rises():
    student, teacher, batch = made_up(scale=0.01)
    sizes = [gradient_of(attached(SoftLabelLoss(t)), student, teacher, batch).norm().item() for t in (1.0, 4.0)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3) and sizes[0] > 0


@pytest.mark.parametrize("loss", [SoftLabelLoss(), SoftLabelLoss(divergence="reverse"), LogitMSELoss()])
@pytest.mark.parametrize("known", [KNOWN, []])
def test_unknown_class_gets_no_gradient(loss, known):
    student, teacher, batch = made_up(known)
    gradient = gradient_of(attached(loss), student, teacher, batch)
    unknown = [index for index in range(6) if index not in known]
    assert gradient.isfinite().all() and gradient[:, unknown].abs().sum() == 0
    assert bool(known) == (gradient.abs().sum() > 0)


def test_losses_are_finite_when_models_are_as_sure_as_can_be():
    student, teacher, batch = made_up(scale=1e4)
    for loss in (SoftLabelLoss(), SoftLabelLoss(divergence="symmetric"), HardLabelLoss()):
        assert attached(loss)(student, teacher, batch).isfinite().all()
        assert gradient_of(loss, student, teacher, batch)[:-1].isfinite().all()


@pytest.mark.parametrize("known", [None, KNOWN])
def test_row_weighs_what_the_models_do_not_know_of_its_classes(known):
    student, teacher, batch = made_up(known)
    unsure = [relative_entropies(student, teacher, row) for row in range(ROWS)]
    sure = [1 - relative_entropies(teacher, teacher, row) for row in range(ROWS)]
    expected = {
        "student-entropy": unsure,
        "teacher-confidence": sure,
        "product": [a * b for a, b in zip(unsure, sure, strict=True)],
    }
    for kind, values in expected.items():
        found = weights_of_rows(kind, student, teacher, "any-of")
        torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float64))


def test_sum_weighs_rows_by_the_answers_that_it_was_attached_to():
    student, teacher, batch = made_up()
    losses = WeightedSum({"soft": SoftLabelLoss()}, example_weights={"soft": "student-entropy"})
    losses.attach(SEVERAL, SEVERAL)
    reference = soft_labels(2.0)
    expected = sum(
        reference(student, teacher, batch, row) * relative_entropies(student, teacher, row) for row in range(ROWS)
    )
    assert losses(student, teacher, batch, torch.ones(1)).item() == pytest.approx(expected)


REFUSED = [
    (SoftLabelLoss(), NUMBER, "soft-label: A number has no distribution to soften: use logit-mse"),
    (SoftLabelLoss(standardise=True), SEVERAL, "soft-label: standardised logits of a row say which class is the"),
    (LogitMSELoss(centre=True), SEVERAL, "logit-mse: centre true takes away"),
    (LogitMSELoss(centre=True), NUMBER, "logit-mse: centre true takes away"),
    (HardLabelLoss(0.1), NUMBER, "hard-label: label_smoothing and class_weights are for classes"),
    (HardLabelLoss(class_weights={"score": 2.0}), NUMBER, "hard-label: label_smoothing and class_weights are for"),
    (LOSSES["decoupled-label"](), SEVERAL, "decoupled-label: .* use soft-label"),
    (LOSSES["decoupled-label"](), NUMBER, "decoupled-label: .* use logit-mse"),
    (LOSSES["label-correlation"](), SEVERAL, "label-correlation: .* use soft-label"),
    (LOSSES["label-correlation"](), NUMBER, "label-correlation: .* use logit-mse"),
    (WeightedSum({"mse": LogitMSELoss()}, example_weights={"mse": "product"}), NUMBER, "example_weight product, and a"),
]


@pytest.mark.parametrize(("loss", "shape", "message"), REFUSED)
def test_loss_is_refused_when_it_says_nothing_of_such_answers(loss, shape, message):
    with pytest.raises(UserError, match=message):
        loss.check(shape, shape)


def test_rows_without_a_label_are_known_when_labels_are_of_any_kind():
    assert has_label(torch.tensor([[3, -100], [-100, -100]])).tolist() == [[True, False], [False, False]]
    assert has_label(torch.tensor([0.0, torch.nan, -100.0])).tolist() == [True, False, True]
    assert has_label(torch.tensor([[0.0] * 6, NOBODY])).tolist() == [True, False]
