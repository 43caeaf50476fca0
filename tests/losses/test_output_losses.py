"""What the losses on logits must be, beside what all losses are."""

import pytest
import torch
from loss_cases import LABEL_NAMES, LABELS, LENGTHS, SHAPE, batch_of, mask_of, output_of
from output_references import decoupled_label, label_correlation, logit_mse, soft_label
from scipy.special import rel_entr
from scipy.stats import pearsonr, zscore
from sklearn.metrics import log_loss, mean_squared_error

from xlkd.losses import DecoupledLabelLoss, HardLabelLoss, LabelCorrelationLoss, LogitMSELoss, SoftLabelLoss
from xlkd.outputs import Batch, StudentOutput, TeacherOutput

EVERY, KNOWN = tuple(range(len(LABEL_NAMES))), (0, 2, 3, 5)
ON_TEACHER = {
    "soft-label": SoftLabelLoss,
    "reverse": lambda: SoftLabelLoss(divergence="reverse"),
    "symmetric": lambda: SoftLabelLoss(divergence="symmetric"),
    "standardised": lambda: SoftLabelLoss(standardise=True),
    "logit-mse": LogitMSELoss,
    "logit-mse as it is": lambda: LogitMSELoss(centre=False),
    "decoupled-label": DecoupledLabelLoss,
    "label-correlation": LabelCorrelationLoss,
}


@pytest.fixture(params=ON_TEACHER.values(), ids=ON_TEACHER)
def loss(request):
    return request.param()


def made_up(known=EVERY, dtype=torch.float64):
    """Logits of a student and of a teacher who knows some classes only."""
    mask = mask_of(LENGTHS)
    student, teacher = output_of(StudentOutput, 0, mask, dtype), output_of(TeacherOutput, 1, mask, dtype)
    unknown = [index for index in range(len(LABEL_NAMES)) if index not in known]
    teacher.logits[:, unknown] = -torch.inf
    return student, teacher, batch_of(mask, LABELS)


def value_and_gradient(loss, student_logits, teacher_logits, batch):
    logits = student_logits.clone().requires_grad_()
    values = loss(StudentOutput(logits), TeacherOutput(teacher_logits), batch)
    values.sum().backward()
    return values.detach(), logits.grad


def probabilities(output, temperature=1.0):
    return (output.logits / temperature).softmax(-1).numpy()


# Classes that the teacher does not know


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (SoftLabelLoss(2.0, "reverse"), soft_label(2.0, "reverse")),
        (SoftLabelLoss(2.0, "symmetric"), soft_label(2.0, "symmetric")),
        (SoftLabelLoss(2.0, standardise=True), soft_label(2.0, standardise=True)),
        (LogitMSELoss(), logit_mse(centre=True)),
        (LogitMSELoss(centre=False), logit_mse(centre=False)),
        (DecoupledLabelLoss(), decoupled_label(1.0, 8.0, 4.0)),
    ],
)
@pytest.mark.parametrize("known", [EVERY, KNOWN, [1, 4]])
def test_row_loss_is_over_known_classes(loss, reference, known):
    student, teacher, batch = made_up(known)
    expected = [reference(student, teacher, batch, row) for row in range(len(LABELS))]
    torch.testing.assert_close(loss(student, teacher, batch), torch.tensor(expected, dtype=torch.float64))


def test_label_correlation_is_over_known_classes_and_rows_that_count():
    student, teacher, batch = made_up(KNOWN)
    batch = batch.without_rows_from(4)
    expected = label_correlation(1.0, 1.0, 1.0, student, teacher, batch)
    assert LabelCorrelationLoss()(student, teacher, batch).item() == pytest.approx(expected, rel=1e-9)


def test_unknown_class_gets_no_gradient(loss):
    student, teacher, batch = made_up(KNOWN)
    _, gradient = value_and_gradient(loss, student.logits, teacher.logits, batch)
    assert gradient[:, [1, 4]].abs().sum() == 0 and gradient[:, KNOWN].isfinite().all()
    assert gradient[:, KNOWN].abs().sum() > 0


@pytest.mark.parametrize("known", [[], [2]])
def test_loss_is_zero_when_the_teacher_knows_fewer_than_two_classes(loss, known):
    if isinstance(loss, LogitMSELoss) and not loss.centre:
        pytest.skip("a logit alone can be copied")
    student, teacher, batch = made_up(known)
    values, gradient = value_and_gradient(loss, student.logits, teacher.logits, batch)
    assert values.abs().sum() == 0 and gradient.abs().sum() == 0


# Edges


@pytest.mark.parametrize("side", ["student", "teacher", "both"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_logits_give_moderate_gradient(loss, side, dtype):
    student, teacher, batch = made_up(dtype=dtype)
    constant = torch.full_like(student.logits, 0.1)
    student_logits = constant if side != "teacher" else student.logits
    teacher_logits = constant if side != "student" else teacher.logits
    values, gradient = value_and_gradient(loss, student_logits, teacher_logits, batch)
    assert values.isfinite().all() and gradient.isfinite().all() and gradient.abs().max() < 100


def test_very_sure_models_give_finite_values(loss):
    student, teacher, batch = made_up(dtype=torch.float32)
    values, gradient = value_and_gradient(loss, student.logits * 300, teacher.logits * 300, batch)
    assert values.isfinite().all() and gradient.isfinite().all()


def test_row_that_does_not_count_cannot_leak_into_a_correlation():
    student, teacher, batch = made_up()
    batch = batch.without_rows_from(3)
    loss = LabelCorrelationLoss()
    expected = value_and_gradient(loss, student.logits, teacher.logits, batch)
    student.logits[3], student.logits[4] = torch.nan, torch.inf
    torch.testing.assert_close(value_and_gradient(loss, student.logits, teacher.logits, batch), expected)


def test_correlation_sees_a_class_of_tiny_probability():
    teacher = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    teacher[:, 3] -= 25
    student = teacher.clone()
    student[:, 3] = student[:, 3].flip(0)
    batch = Batch({}, {}, torch.zeros(8), torch.ones(8).bool())
    loss = LabelCorrelationLoss(inter_class=0.0)
    assert loss(StudentOutput(teacher), TeacherOutput(teacher), batch).item() == pytest.approx(0.0, abs=1e-5)
    assert loss(StudentOutput(student), TeacherOutput(teacher), batch).item() > 0.1


# Agreement with others


@pytest.mark.parametrize("divergence", ["forward", "reverse", "symmetric"])
def test_soft_label_agrees_with_scipy_rel_entr(divergence):
    student, teacher, batch = made_up()
    q, p = probabilities(student, 3.0), probabilities(teacher, 3.0)
    forward, reverse = rel_entr(p, q).sum(-1), rel_entr(q, p).sum(-1)
    expected = {"forward": forward, "reverse": reverse, "symmetric": (forward + reverse) / 2}[divergence]
    values = SoftLabelLoss(3.0, divergence)(student, teacher, batch)
    torch.testing.assert_close(values, torch.tensor(9 * expected))


def test_standardise_agrees_with_scipy_zscore():
    student, teacher, batch = made_up()
    scored = [type(output)(torch.tensor(zscore(output.logits, axis=1, ddof=1))) for output in (student, teacher)]
    values = SoftLabelLoss(2.0, standardise=True)(student, teacher, batch)
    torch.testing.assert_close(values, SoftLabelLoss(2.0)(*scored, batch), rtol=1e-6, atol=1e-6)


def test_logit_mse_agrees_with_scikit_learn_mean_squared_error():
    student, teacher, batch = made_up()
    expected = [mean_squared_error(t, s) for s, t in zip(student.logits, teacher.logits, strict=True)]
    values = LogitMSELoss(centre=False)(student, teacher, batch)
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))


def test_weighted_hard_label_agrees_with_scikit_learn_log_loss():
    student, teacher, batch = made_up()
    loss = HardLabelLoss(class_weights={"b": 3.0, "d": 0.25})
    loss.attach(SHAPE, None)
    rows = [0, 2, 3]
    gold, weights = [LABELS[row] for row in rows], [3.0, 0.25, 1.0]
    expected = log_loss(
        gold, probabilities(student)[rows], sample_weight=weights, labels=range(len(LABEL_NAMES)), normalize=False
    )
    assert loss(student, teacher, batch).sum().item() == pytest.approx(expected)


def test_decoupled_label_agrees_with_scipy_rel_entr_when_it_weighs_like_soft_labels():
    student, teacher, batch = made_up()
    batch = Batch({}, {}, torch.full((len(LABELS),), -100), batch.row_mask)
    q, p = probabilities(student), probabilities(teacher)
    of_target = DecoupledLabelLoss(1.0, 0.0, 1.0)(student, teacher, batch)
    of_others = DecoupledLabelLoss(0.0, 1.0, 1.0)(student, teacher, batch)
    values = of_target + torch.tensor(1 - p.max(-1)) * of_others
    torch.testing.assert_close(values, torch.tensor(rel_entr(p, q).sum(-1)))


def test_label_correlation_agrees_with_scipy_pearsonr():
    student, teacher, batch = made_up()
    q, p = probabilities(student), probabilities(teacher)
    within_rows = 1 - sum(pearsonr(a, b).statistic for a, b in zip(q, p, strict=True)) / len(q)
    within_classes = 1 - sum(pearsonr(a, b).statistic for a, b in zip(q.T, p.T, strict=True)) / len(q.T)
    value = LabelCorrelationLoss(0.5, 2.0)(student, teacher, batch).item()
    assert value == pytest.approx(0.5 * within_rows + 2.0 * within_classes)


# How the losses relate


def test_reverse_divergence_is_forward_with_sides_exchanged():
    student, teacher, batch = made_up()
    swapped = StudentOutput(teacher.logits), TeacherOutput(student.logits)
    torch.testing.assert_close(
        SoftLabelLoss(divergence="reverse")(student, teacher, batch), SoftLabelLoss()(*swapped, batch)
    )


def test_symmetric_divergence_does_not_tell_sides_apart():
    student, teacher, batch = made_up()
    swapped = StudentOutput(teacher.logits), TeacherOutput(student.logits)
    loss = SoftLabelLoss(divergence="symmetric")
    torch.testing.assert_close(loss(student, teacher, batch), loss(*swapped, batch))


def test_soft_labels_come_to_half_of_logit_mse_at_high_temperature():
    student, teacher, batch = made_up(KNOWN)
    torch.testing.assert_close(
        SoftLabelLoss(1e4)(student, teacher, batch), LogitMSELoss()(student, teacher, batch) / 2, rtol=1e-3, atol=0
    )


def test_centred_logit_mse_does_not_see_a_shift():
    student, teacher, batch = made_up(KNOWN)
    shifted = StudentOutput(student.logits + 7.0)
    torch.testing.assert_close(LogitMSELoss()(shifted, teacher, batch), LogitMSELoss()(student, teacher, batch))
    assert (LogitMSELoss(centre=False)(shifted, teacher, batch) > 20).all()


def test_standardised_soft_labels_do_not_see_the_scale_of_logits():
    student, teacher, batch = made_up()
    loss = SoftLabelLoss(standardise=True)
    scaled = StudentOutput(student.logits * 10 + 3)
    torch.testing.assert_close(loss(scaled, teacher, batch), loss(student, teacher, batch), rtol=1e-5, atol=1e-6)


def test_target_is_the_choice_of_the_teacher_when_gold_is_missing_or_unknown():
    student, teacher, batch = made_up(KNOWN)
    choice = teacher.logits.argmax(-1)
    values = []
    for labels in (torch.full_like(batch.labels, -100), torch.full_like(batch.labels, 1), choice):
        values.append(DecoupledLabelLoss()(student, teacher, Batch({}, {}, labels, batch.row_mask)))
    torch.testing.assert_close(values[0], values[2], rtol=0, atol=0)
    torch.testing.assert_close(values[1], values[2], rtol=0, atol=0)


# Temperature


@pytest.mark.parametrize(
    "build",
    [
        SoftLabelLoss,
        lambda temperature: SoftLabelLoss(temperature, "reverse"),
        lambda temperature: SoftLabelLoss(temperature, "symmetric"),
        lambda temperature: SoftLabelLoss(temperature, standardise=True),
        lambda temperature: DecoupledLabelLoss(temperature=temperature),
        lambda temperature: LabelCorrelationLoss(temperature=temperature),
    ],
    ids=["soft-label", "reverse", "symmetric", "standardised", "decoupled-label", "label-correlation"],
)
def test_gradient_scale_does_not_depend_on_temperature(build):
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(64, 6, generator=generator) * 0.5 for _ in range(2))
    batch = Batch({}, {}, torch.full((64,), -100), torch.ones(64).bool())
    norms = [value_and_gradient(build(t), student, teacher, batch)[1].norm().item() for t in (1.0, 8.0)]
    # Without the square of the temperature the ratio would be about 64; with one too many, 1/64.
    assert 0.7 < norms[0] / norms[1] < 1.4


@pytest.mark.parametrize("loss_class", [SoftLabelLoss, DecoupledLabelLoss, LabelCorrelationLoss])
def test_scheduled_temperature_is_that_of_the_moment(loss_class):
    student, teacher, batch = made_up()
    schedule = {"start": 8.0, "end": 2.0, "schedule": "linear", "until": 0.5}
    loss = loss_class(temperature=schedule)
    for done, temperature in ((0.0, 8.0), (0.25, 5.0), (1.0, 2.0)):
        loss.set_progress(done)
        expected = loss_class(temperature=temperature)(student, teacher, batch)
        torch.testing.assert_close(loss(student, teacher, batch), expected, rtol=0, atol=0)
    assert loss.config()["temperature"] == schedule


def test_config_builds_the_same_loss_again(loss):
    assert type(loss)(**loss.config()).config() == loss.config()
