"""What the losses on logits do beside their formulas: unknown classes, few classes, other people's implementations."""

import pytest
import torch
from loss_cases import LABEL_NAMES, LABELS, LENGTHS, SHAPE, batch_of, mask_of, output_of
from output_references import decoupled_label, logit_mse, soft_label
from scipy.stats import pearsonr

from xlkd.errors import UserError
from xlkd.losses import DecoupledLabelLoss, HardLabelLoss, LabelCorrelationLoss, LogitMSELoss, SoftLabelLoss
from xlkd.losses.label_correlation import correlation
from xlkd.outputs import ModelShape, StudentOutput, TeacherOutput

KNOWN = [0, 2, 3, 5]


def answers(known=None):
    """A student and a teacher, who knows some classes only."""
    mask = mask_of(LENGTHS)
    student = output_of(StudentOutput, 0, mask, torch.float64)
    teacher = output_of(TeacherOutput, 1, mask, torch.float64)
    if known is not None:
        teacher.logits[:, [index for index in range(len(LABEL_NAMES)) if index not in known]] = -torch.inf
    student.logits.requires_grad_()
    return student, teacher, batch_of(mask, LABELS)


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (SoftLabelLoss(2.0, "reverse"), soft_label(2.0, "reverse")),
        (SoftLabelLoss(2.0, "symmetric"), soft_label(2.0, "symmetric")),
        (SoftLabelLoss(2.0, standardise=True), soft_label(2.0, standardise=True)),
        (LogitMSELoss(), logit_mse(True)),
        (LogitMSELoss(centre=False), logit_mse(False)),
        # The second row's gold label is not known to the teacher, the third has none.
        (DecoupledLabelLoss(), decoupled_label(1.0, 8.0, 4.0)),
    ],
    ids=["reverse", "symmetric", "standardised", "logit-mse", "logit-mse-paper", "decoupled-label"],
)
def test_unknown_classes_take_no_part(loss, reference):
    student, teacher, batch = answers(KNOWN)
    values = loss(student, teacher, batch)
    expected = [reference(student, teacher, batch, row) for row in range(len(LENGTHS))]
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(values.sum(), student.logits)
    assert gradient[:, [1, 4]].abs().sum() == 0 and gradient.isfinite().all()


def test_label_correlation_is_that_of_known_classes():
    student, teacher, batch = answers(KNOWN)
    value = LabelCorrelationLoss()(student, teacher, batch)
    alone = [type(output)(output.logits[:, KNOWN]) for output in (student, teacher)]
    torch.testing.assert_close(value, LabelCorrelationLoss()(*alone, batch))
    (gradient,) = torch.autograd.grad(value.sum(), student.logits)
    assert gradient[:, [1, 4]].abs().sum() == 0


@pytest.mark.parametrize("known", [[], [2]])
@pytest.mark.parametrize(
    "loss",
    [
        SoftLabelLoss(2.0, "symmetric"),
        SoftLabelLoss(standardise=True),
        LogitMSELoss(),
        DecoupledLabelLoss(),
        LabelCorrelationLoss(intra_class=0),
    ],
    ids=["symmetric", "standardised", "logit-mse", "decoupled-label", "label-correlation"],
)
def test_loss_is_zero_when_the_teacher_knows_fewer_than_two_classes(loss, known):
    student, teacher, batch = answers(known)
    values = loss(student, teacher, batch)
    (gradient,) = torch.autograd.grad(values.sum(), student.logits)
    assert values.abs().sum() == 0 and gradient.abs().sum() == 0


@pytest.mark.parametrize(
    "loss",
    [SoftLabelLoss(standardise=True), LabelCorrelationLoss(), DecoupledLabelLoss(), LogitMSELoss()],
    ids=["standardised", "label-correlation", "decoupled-label", "logit-mse"],
)
def test_gradient_is_finite_when_all_logits_are_equal(loss):
    student, teacher, batch = answers()
    flat = torch.zeros_like(student.logits).requires_grad_()
    for own, read in ((flat, teacher.logits), (student.logits, torch.zeros_like(flat)), (flat, torch.zeros_like(flat))):
        (gradient,) = torch.autograd.grad(loss(StudentOutput(own), TeacherOutput(read), batch).sum(), own)
        assert gradient.isfinite().all()


def test_rows_that_do_not_count_are_no_part_of_a_correlation():
    student, teacher, batch = answers()
    some = LabelCorrelationLoss()(student, teacher, batch.without_rows_from(3))
    alone = [type(output)(output.logits[:3]) for output in (student, teacher)]
    torch.testing.assert_close(some, LabelCorrelationLoss()(*alone, batch_of(mask_of(LENGTHS[:3]), LABELS[:3])))


def test_correlation_agrees_with_scipy():
    student, teacher, _ = answers()
    found = correlation(student.logits, teacher.logits, torch.ones_like(student.logits).bool(), dim=0)
    columns = zip(student.logits.detach().T.numpy(), teacher.logits.T.numpy(), strict=True)
    torch.testing.assert_close(found, torch.tensor([pearsonr(a, b).statistic for a, b in columns]))


def test_hard_label_agrees_with_cross_entropy_of_torch():
    student, teacher, batch = answers()
    loss = HardLabelLoss(0.2, {"a": 2.0, "d": 0.0}).double()
    loss.attach(SHAPE, None)
    weights = torch.tensor([2.0, 1.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(
        student.logits, batch.labels, weights, reduction="none", label_smoothing=0.2
    )
    torch.testing.assert_close(loss.double()(student, teacher, batch), expected)


def test_decoupled_label_is_soft_label_when_the_second_part_weighs_what_is_left():
    """Their equality, with a weight for each row, is equation 6 of the paper."""
    student, teacher, batch = answers()
    batch = batch_of(mask_of(LENGTHS), [0] * len(LENGTHS))
    rest = 1 - teacher.logits.softmax(-1)[:, 0]
    parts = [DecoupledLabelLoss(a, b, 1.0)(student, teacher, batch) for a, b in ((1, 0), (0, 1))]
    torch.testing.assert_close(parts[0] + rest * parts[1], SoftLabelLoss(1.0)(student, teacher, batch))


def test_class_weights_are_no_part_of_a_checkpoint():
    loss = HardLabelLoss(class_weights={"b": 2.0})
    loss.attach(SHAPE, None)
    assert loss.weights.tolist() == [1.0, 2.0, 1.0, 1.0, 1.0, 1.0] and loss.state_dict() == {}


def test_class_weight_of_an_unknown_label_names_the_nearest():
    labels = ("sports", "politics")
    with pytest.raises(UserError, match="'sport' .did you mean sports"):
        HardLabelLoss(class_weights={"sport": 2.0}).check(ModelShape(1, 2, labels=labels), None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 1.0}, "at least 0 and below 1"),
        ({"label_smoothing": True}, "at least 0 and below 1"),
        ({"class_weights": {"a": -1}}, "0 or more"),
        ({"class_weights": [1, 2]}, "weights by label"),
    ],
)
def test_wrong_option_of_hard_label_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        HardLabelLoss(**options)


def test_unknown_divergence_names_the_nearest():
    with pytest.raises(UserError, match="did you mean reverse"):
        SoftLabelLoss(divergence="reversed")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (SoftLabelLoss(standardise=True), "soft-label: standardise needs 4 classes or more.*Leave it out"),
        (DecoupledLabelLoss(), "decoupled-label needs 4 classes or more.*Use soft-label or logit-mse"),
        (LabelCorrelationLoss(), "label-correlation: inter_class needs 4 classes or more.*inter_class: 0"),
    ],
)
def test_two_or_three_classes_are_refused_where_a_method_is_void(loss, words, classes):
    shape = ModelShape(2, 6, labels=LABEL_NAMES[:classes])
    with pytest.raises(UserError, match=words):
        loss.check(shape, shape)


@pytest.mark.parametrize("loss", [SoftLabelLoss(), LogitMSELoss(), LabelCorrelationLoss(inter_class=0)])
def test_two_classes_are_allowed_where_a_method_means_something(loss):
    loss.check(ModelShape(2, 6, labels=("a", "b")), ModelShape(2, 6, labels=("a", "b")))
