"""The options of the losses on logits: class weights by name, and what is refused."""

import pytest
import torch
from answers import LABEL_NAMES, LABELS, LENGTHS, SHAPE, batch_of, mask_of, output_of

from xlkd.errors import UserError
from xlkd.losses import DecoupledLabelLoss, HardLabelLoss, LabelCorrelationLoss, LogitMSELoss, SoftLabelLoss
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape
from xlkd.outputs import StudentOutput, TeacherOutput

ON_TEACHER = [SoftLabelLoss, LogitMSELoss, DecoupledLabelLoss, LabelCorrelationLoss]


def made_up():
    mask = mask_of(LENGTHS)
    outputs = output_of(StudentOutput, 0, mask, torch.float64), output_of(TeacherOutput, 1, mask, torch.float64)
    return *outputs, batch_of(mask, LABELS)


# Class weights


def test_smoothing_and_weights_are_those_of_torch_cross_entropy():
    student, teacher, batch = made_up()
    loss = HardLabelLoss(0.2, {"d": 0.0, "f": 4.0})
    loss.attach(SHAPE, None)
    weights = torch.tensor([1, 1, 1, 0, 1, 4], dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(
        student.logits, batch.labels, weight=weights, label_smoothing=0.2, reduction="none"
    )
    torch.testing.assert_close(loss(student, teacher, batch), expected)


def test_row_of_soft_labels_weighs_what_the_teacher_thinks_its_class_is():
    student, teacher, batch = made_up()
    plain, weighted = SoftLabelLoss(), SoftLabelLoss(class_weights={"d": 0.0, "f": 4.0})
    weighted.attach(SHAPE, SHAPE)
    weights = (teacher.logits.softmax(-1) * torch.tensor([1, 1, 1, 0, 1, 4], dtype=torch.float64)).sum(-1)
    torch.testing.assert_close(weighted(student, teacher, batch), plain(student, teacher, batch) * weights)
    assert weighted.config()["class_weights"] == {"d": 0.0, "f": 4.0}


def test_class_weights_are_no_part_of_a_checkpoint():
    loss = HardLabelLoss(class_weights={"b": 3.0})
    loss.attach(SHAPE, None)
    assert not loss.state_dict() and not list(loss.parameters())


def test_class_weights_are_refused_when_the_labels_were_never_known():
    student, teacher, batch = made_up()
    loss = HardLabelLoss(class_weights={"b": 3.0})
    loss.attach(ModelShape(2, 6), None)
    with pytest.raises(UserError, match="labels are not known"):
        loss(student, teacher, batch)


def test_needs_are_told_for_shapes_without_labels():
    losses = WeightedSum.from_config(
        [
            {"name": "hard-label", "class_weights": {"b": 3.0}},
            {"name": "decoupled-label"},
            {"name": "label-correlation"},
        ]
    )
    assert losses.attached_to(ModelShape(2, 6), ModelShape(2, 6)).needs.logits


# Refusals


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("loss", "advice"),
    [
        (SoftLabelLoss(standardise=True), "standardise: false"),
        (DecoupledLabelLoss(), "use soft-label or logit-mse"),
        (LabelCorrelationLoss(), "inter_class: 0"),
        (LabelCorrelationLoss({"start": 0.0, "end": 1.0}), "inter_class: 0"),
    ],
)
def test_few_classes_are_refused_with_the_alternative(loss, advice, classes):
    with pytest.raises(UserError, match=rf"knows only {classes} classes \(a, b.*{advice}"):
        loss.check(SHAPE, ModelShape(2, 6, labels=LABEL_NAMES[:classes]))


@pytest.mark.parametrize("loss", [SoftLabelLoss(), LogitMSELoss(), LabelCorrelationLoss(inter_class=0)])
def test_two_classes_are_enough(loss):
    loss.check(SHAPE, ModelShape(2, 6, labels=("a", "b")))


@pytest.mark.parametrize("loss_class", ON_TEACHER)
def test_four_classes_or_unknown_ones_are_not_refused(loss_class):
    loss = loss_class()
    loss.check(SHAPE, ModelShape(2, 6, labels=LABEL_NAMES[:4]))
    loss.check(ModelShape(2, 6), ModelShape(2, 6))


@pytest.mark.parametrize("loss_class", ON_TEACHER)
def test_no_teacher_is_refused(loss_class):
    loss = loss_class()
    with pytest.raises(UserError, match=f"{loss.name} needs a teacher"):
        loss.check(SHAPE, None)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SoftLabelLoss(divergence="backward"), "soft-label: divergence 'backward' is unknown"),
        (lambda: SoftLabelLoss(standardise="yes"), "must be true or false"),
        (lambda: SoftLabelLoss({"start": 4.0, "end": 0.0}), "soft-label: temperature 0 must be a number above 0"),
        (lambda: LogitMSELoss(centre=1), "must be true or false"),
        (lambda: DecoupledLabelLoss(other_weight=-1), "other_weight -1 must be a number 0 or more"),
        (lambda: DecoupledLabelLoss(0, 0), "both 0: leave the loss out"),
        (lambda: DecoupledLabelLoss(temperature=0), "decoupled-label: temperature 0 must be a number above 0"),
        (lambda: LabelCorrelationLoss(0, 0), "both 0: leave the loss out"),
        (lambda: LabelCorrelationLoss(intra_class="1"), "intra_class '1' must be a finite number"),
        (lambda: HardLabelLoss(label_smoothing=1.0), "label_smoothing 1.0 must be at least 0 and below 1"),
        (lambda: HardLabelLoss(label_smoothing=True), "label_smoothing True must be"),
        (lambda: HardLabelLoss(class_weights=[1.0, 2.0]), "must be weights by label"),
        (lambda: HardLabelLoss(class_weights={"a": -1.0}), "-1.0 for a must be a number, 0 or more"),
        (lambda: HardLabelLoss(class_weights={True: 1.0}), "write the label in quotes"),
        (lambda: SoftLabelLoss(class_weights={"a": -1.0}), "soft-label: class_weights: -1.0 for a must be a number"),
    ],
)
def test_wrong_option_is_refused(build, words):
    with pytest.raises(UserError, match=words):
        build()


def test_class_weight_of_unknown_label_names_the_nearest():
    with pytest.raises(UserError, match=r"'sprots' \(did you mean sports\?\)"):
        HardLabelLoss(class_weights={"sprots": 2.0}).check(ModelShape(2, 6, labels=("sports", "health")), None)
