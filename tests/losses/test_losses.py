"""What every loss must be; the cases are in `loss_cases.py`."""

import pytest
import torch
from answers import (
    HEADS,
    LABEL_NAMES,
    LABELS,
    LANGUAGES,
    LENGTHS,
    SHAPE,
    WIDTH,
    answer_of,
    batch_of,
    leaves_of,
    mask_of,
    output_of,
)
from loss_cases import LOSS_CASES
from output_references import soft_label
from transformers import BertConfig, BertForSequenceClassification

from xlkd.errors import UserError
from xlkd.losses import (
    LOSSES,
    HardLabelLoss,
    HiddenStateLoss,
    SoftLabelLoss,
)
from xlkd.needs import ModelShape
from xlkd.outputs import StudentOutput, TeacherOutput

SIDES = [(StudentOutput, 0), (TeacherOutput, 1)]
STUDENT = BertConfig(
    vocab_size=4, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=HEADS, intermediate_size=4
)


@pytest.fixture(params=LOSS_CASES, ids=lambda case: case.name)
def case(request):
    return request.param


def attached(case):
    loss = case.build()
    loss.attach(SHAPE, SHAPE)
    loss.begin(BertForSequenceClassification(STUDENT), LANGUAGES)
    return loss


def total(loss, student, teacher, batch):
    values = loss(student, teacher, batch)
    return torch.where(loss.rows(batch), values, 0.0).sum()


def test_every_loss_has_a_case():
    built = [case.build() for case in LOSS_CASES]
    # L2-SP looks at weights, and at nothing that an answer holds: it has a file of its own, `test_starting_point.py`.
    without = {"l2-sp"}
    names = {name for name, kind in LOSSES.items() if any(isinstance(loss, kind) for loss in built)}
    assert names == set(LOSSES) - without


def test_loss_equals_reference_in_loops(case):
    mask = mask_of(LENGTHS)
    batch = batch_of(mask, LABELS)
    student, teacher = (output_of(kind, seed, mask, torch.float64) for kind, seed in SIDES)
    values = attached(case).double()(student, teacher, batch)
    expected = torch.tensor(case.reference(student, teacher, batch), dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-7)


def test_loss_is_zero_for_identical_models(case):
    mask = mask_of(LENGTHS)
    same = output_of(TeacherOutput, 0, mask)
    value = total(attached(case), same, same, batch_of(mask, LABELS)).item()
    assert (abs(value) < 1e-5) == case.zero_at_identity


def test_padding_does_not_change_loss(case):
    short, long = mask_of(LENGTHS), mask_of(LENGTHS, width=9)
    loss = attached(case)
    values = []
    for mask in (short, long):
        width = mask.shape[1]
        outputs = []
        for kind, seed in ((StudentOutput, 0), (TeacherOutput, 1)):
            leaves = leaves_of(seed, long)
            cut = {name: leaf if name == "logits" else leaf[:, :width] for name, leaf in leaves.items()}
            cut |= {name: leaf[:, :, :width, :width] for name, leaf in leaves.items() if name.startswith("scores")}
            outputs.append(answer_of(kind, cut, mask))
        values.append(loss(*outputs, batch_of(mask, LABELS)))
    torch.testing.assert_close(*values, rtol=1e-6, atol=1e-6)


def student_gradients(loss, dtype=torch.float32):
    """The student's parts that a loss has a gradient for."""
    mask = mask_of(LENGTHS)
    own = {name: leaf.requires_grad_() for name, leaf in leaves_of(0, mask, dtype).items()}
    outputs = answer_of(StudentOutput, own, mask), output_of(TeacherOutput, 1, mask, dtype)
    total(loss, *outputs, batch_of(mask, LABELS)).backward()
    return {name: leaf.grad for name, leaf in own.items() if leaf.grad is not None and leaf.grad.abs().sum() > 0}


def test_gradient_reaches_student(case):
    assert student_gradients(attached(case))


class Reversed(torch.autograd.Function):
    """Turns a gradient round, so that one that was reversed is the slope again."""

    @staticmethod
    def forward(context, values):
        return values.view_as(values)

    @staticmethod
    def backward(context, gradient):
        return -gradient


def test_gradient_is_that_of_finite_differences(case):
    loss = attached(case).double()
    mask = mask_of(LENGTHS)
    batch, teacher = batch_of(mask, LABELS), output_of(TeacherOutput, 1, mask, torch.float64)
    leaves = leaves_of(0, mask, torch.float64)
    names = list(student_gradients(loss, torch.float64))

    def value(*values):
        student = answer_of(StudentOutput, leaves | dict(zip(names, values, strict=True)), mask)
        return total(loss, student, teacher, batch)

    def twice_reversed(*values):
        return value(*map(Reversed.apply, values))

    inputs = tuple(leaves[name].requires_grad_() for name in names)
    assert torch.autograd.gradcheck(twice_reversed if case.reverses_gradient else value, inputs, fast_mode=True)


def test_batch_without_rows_that_count_gives_finite_zero(case):
    mask = mask_of(LENGTHS)
    own = {name: leaf.requires_grad_() for name, leaf in leaves_of(0, mask).items()}
    batch = batch_of(mask, [-100] * len(LENGTHS)).without_rows_from(0)
    value = total(attached(case), answer_of(StudentOutput, own, mask), output_of(TeacherOutput, 1, mask), batch)
    value.backward()
    gradients = [leaf.grad for leaf in own.values() if leaf.grad is not None]
    assert value.item() == 0 and gradients and all(gradient.abs().sum() == 0 for gradient in gradients)


def test_bfloat16_of_the_models_moves_a_value_by_a_hundredth_of_it_at_most(case):
    mask = mask_of(LENGTHS)
    batch = batch_of(mask, LABELS)
    full = total(attached(case), output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask), batch)
    half = [output_of(kind, seed, mask, torch.bfloat16) for kind, seed in ((StudentOutput, 0), (TeacherOutput, 1))]
    torch.testing.assert_close(total(attached(case), *half, batch), full, rtol=1e-2, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_value_is_that_of_full_precision_under_autocast(case, dtype):
    mask = mask_of(LENGTHS)
    outputs, batch = [output_of(kind, seed, mask) for kind, seed in SIDES], batch_of(mask, LABELS)
    loss = attached(case)
    plain = loss(*outputs, batch)
    with torch.autocast("cpu", dtype=dtype):
        found = loss(*outputs, batch)
    # The classifier of the adversary is a module: it computes in half precision, as the models do.
    exact = not case.reverses_gradient
    torch.testing.assert_close(found, plain, rtol=0 if exact else 1e-2, atol=0)


def test_projector_is_made_when_widths_differ():
    loss = HiddenStateLoss([(1, 2)])
    loss.attach(ModelShape(1, 3), ModelShape(2, 6))
    assert [tuple(projector.weight.shape) for projector in loss.projectors] == [(6, 3)]


def test_layer_map_defaults_to_last_layers():
    loss = HiddenStateLoss()
    loss.attach(ModelShape(3, 6), ModelShape(12, 6))
    assert loss.config()["layer_map"] == [[3, 12]]


@pytest.mark.parametrize(("side", "pair"), [("student", (4, 1)), ("teacher", (1, 13))])
def test_layer_out_of_range_is_refused(side, pair):
    with pytest.raises(UserError, match=f"{side} layer .* has .* layers"):
        HiddenStateLoss([pair]).check(ModelShape(3, 6), ModelShape(12, 6))


@pytest.mark.parametrize("loss", [SoftLabelLoss(), HiddenStateLoss()])
def test_missing_teacher_is_refused(loss):
    with pytest.raises(UserError, match="needs a teacher"):
        loss.check(SHAPE, None)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), "2", True, {"start": 2.0, "end": 0.0}])
def test_temperature_not_above_zero_is_refused(temperature):
    with pytest.raises(UserError, match="temperature .* must be a (finite )?number"):
        SoftLabelLoss(temperature)


def test_unknown_distance_names_the_known_ones():
    with pytest.raises(UserError, match="cosine, mse"):
        HiddenStateLoss(distance="euclid")


def test_rows_without_hard_label_do_not_count():
    batch = batch_of(mask_of(LENGTHS), LABELS)
    assert HardLabelLoss().rows(batch).tolist() == [True, False, True, True, False]


EVERY, KNOWN = list(range(len(LABEL_NAMES))), [0, 2, 3]


def with_unknown_classes(known=KNOWN):
    """A student and a teacher who knows some classes only."""
    mask = mask_of(LENGTHS)
    student, teacher = output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask)
    unknown = [index for index in range(teacher.logits.shape[-1]) if index not in known]
    teacher.logits[:, unknown] = -torch.inf
    return student, teacher, batch_of(mask, LABELS)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_labels_are_renormalised_when_the_teacher_does_not_know_a_class(temperature):
    student, teacher, batch = with_unknown_classes()
    alone = [type(output)(output.logits[:, KNOWN]) for output in (student, teacher)]
    expected = [soft_label(temperature)(*alone, batch, row) for row in range(len(LENGTHS))]
    values = SoftLabelLoss(temperature)(student, teacher, batch)
    torch.testing.assert_close(values, torch.tensor(expected), rtol=1e-5, atol=5e-6)


def test_gradient_is_that_of_the_known_classes_when_the_teacher_does_not_know_one():
    student, teacher, batch = with_unknown_classes()
    gradients = []
    for classes in (EVERY, KNOWN):
        logits = student.logits.clone()[:, classes].requires_grad_()
        SoftLabelLoss()(StudentOutput(logits), TeacherOutput(teacher.logits[:, classes]), batch).sum().backward()
        gradients.append(logits.grad)
    assert gradients[0][:, 1].tolist() == [0.0] * len(LENGTHS)
    torch.testing.assert_close(gradients[0][:, KNOWN], gradients[1])


@pytest.mark.parametrize("known", [[], [2]])
def test_soft_label_loss_is_zero_when_the_teacher_knows_fewer_than_two_classes(known):
    student, teacher, batch = with_unknown_classes(known)
    student.logits.requires_grad_()
    values = SoftLabelLoss()(student, teacher, batch)
    values.sum().backward()
    assert values.tolist() == [0.0] * len(LENGTHS)
    assert student.logits.grad.abs().sum() == 0


def test_soft_label_loss_is_bit_equal_when_the_teacher_knows_all_classes():
    student, teacher, batch = with_unknown_classes(EVERY)
    student.logits.requires_grad_()
    p, q = (torch.log_softmax(output.logits / 2.0, dim=-1) for output in (teacher, student))
    plain = torch.nn.functional.kl_div(q, p, reduction="none", log_target=True).sum(-1) * 4.0
    values = SoftLabelLoss(2.0)(student, teacher, batch)
    assert torch.equal(values, plain)
    (expected,) = torch.autograd.grad(plain.sum(), student.logits)
    (found,) = torch.autograd.grad(values.sum(), student.logits)
    assert torch.equal(found, expected)
