"""What every loss must be; the cases are in `loss_cases.py`."""

import pytest
import torch
from loss_cases import LOSS_CASES, SHAPE, batch_of, mask_of, output_of, soft_label

from xlkd.errors import UserError
from xlkd.losses import LOSSES, HardLabelLoss, HiddenStateLoss, SoftLabelLoss
from xlkd.outputs import Batch, ModelShape, StudentOutput, TeacherOutput, masked_mean

LENGTHS, LABELS = [5, 2, 3], [1, -100, 3]


@pytest.fixture(params=LOSS_CASES, ids=lambda case: case.name)
def case(request):
    return request.param


def attached(case):
    loss = case.build()
    loss.attach(SHAPE, SHAPE)
    return loss


def total(loss, student, teacher, batch):
    values = loss(student, teacher, batch)
    return torch.where(loss.rows(batch), values, 0.0).sum()


def test_every_loss_has_a_case():
    assert {type(case.build()) for case in LOSS_CASES} == set(LOSSES.values())


def test_loss_equals_reference_in_loops(case):
    mask = mask_of(LENGTHS)
    batch = batch_of(mask, LABELS)
    student, teacher = output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask)
    values = attached(case)(student, teacher, batch)
    expected = [case.reference(student, teacher, batch, row) for row in range(len(LENGTHS))]
    torch.testing.assert_close(values, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_loss_is_zero_for_identical_models(case):
    mask = mask_of(LENGTHS)
    same = output_of(TeacherOutput, 0, mask)
    value = total(attached(case), same, same, batch_of(mask, LABELS)).item()
    assert (abs(value) < 1e-5) == case.zero_at_identity


def test_padding_does_not_change_loss(case):
    short, long = mask_of(LENGTHS), mask_of(LENGTHS, width=9)
    student, teacher = output_of(StudentOutput, 0, long), output_of(TeacherOutput, 1, long)
    cut = [
        type(output)(
            output.logits,
            {layer: state[:, :5] for layer, state in output.hidden_states.items()},
            {layer: masked_mean(state[:, :5], short) for layer, state in output.hidden_states.items()},
            short,
        )
        for output in (student, teacher)
    ]
    loss = attached(case)
    padded = loss(student, teacher, batch_of(long, LABELS))
    torch.testing.assert_close(loss(*cut, batch_of(short, LABELS)), padded, rtol=1e-6, atol=1e-6)


def test_gradient_reaches_student_and_never_teacher(case):
    mask = mask_of(LENGTHS)
    student = output_of(StudentOutput, 0, mask, gradient=True)
    teacher = output_of(TeacherOutput, 1, mask)
    total(attached(case), student, teacher, batch_of(mask, LABELS)).backward()
    gradients = [student.logits.grad, *(state.grad for state in student.hidden_states.values())]
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)
    assert not teacher.logits.requires_grad


def test_gradient_is_that_of_finite_differences(case):
    mask = mask_of(LENGTHS)
    batch = batch_of(mask, LABELS)
    student = output_of(StudentOutput, 0, mask)
    teacher = output_of(TeacherOutput, 1, mask)
    loss = attached(case)
    leaves = [student.logits, *student.hidden_states.values()]
    for leaf in leaves:
        leaf.requires_grad_()

    def value():
        pooled = {layer: masked_mean(state, mask) for layer, state in student.hidden_states.items()}
        return total(loss, StudentOutput(student.logits, student.hidden_states, pooled, mask), teacher, batch)

    gradients = torch.autograd.grad(value(), leaves, allow_unused=True)
    leaf, gradient = next((leaf, found) for leaf, found in zip(leaves, gradients, strict=True) if found is not None)
    direction = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(2))
    step = 1e-2
    with torch.no_grad():
        leaf += step * direction
        above = value()
        leaf -= 2 * step * direction
        below = value()
    slope = (above - below) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=2e-2, atol=2e-3)


def test_batch_without_rows_that_count_gives_finite_zero(case):
    mask = mask_of(LENGTHS)
    student = output_of(StudentOutput, 0, mask, gradient=True)
    batch = batch_of(mask, [-100] * 3).without_rows_from(0)
    value = total(attached(case), student, output_of(TeacherOutput, 1, mask), batch)
    value.backward()
    gradients = [leaf.grad for leaf in (student.logits, *student.hidden_states.values()) if leaf.grad is not None]
    assert value.item() == 0 and gradients and all(gradient.abs().sum() == 0 for gradient in gradients)


def test_bfloat16_stays_near_float32(case):
    mask = mask_of(LENGTHS)
    batch = batch_of(mask, LABELS)
    full = total(attached(case), output_of(StudentOutput, 0, mask), output_of(TeacherOutput, 1, mask), batch)
    half = [output_of(kind, seed, mask, torch.bfloat16) for kind, seed in ((StudentOutput, 0), (TeacherOutput, 1))]
    torch.testing.assert_close(total(attached(case), *half, batch), full, rtol=2e-2, atol=2e-2)


def test_gradient_scale_does_not_depend_on_temperature():
    generator = torch.Generator().manual_seed(0)
    start, teacher = (torch.randn(64, 4, generator=generator) * 0.5 for _ in range(2))
    norms = []
    for temperature in (1.0, 8.0):
        logits = start.clone().requires_grad_()
        batch = Batch({}, {}, torch.zeros(64), torch.ones(64).bool())
        SoftLabelLoss(temperature)(StudentOutput(logits), TeacherOutput(teacher), batch).sum().backward()
        norms.append(logits.grad.norm().item())
    # Without the square of the temperature the ratio would be about 64.
    assert 0.7 < norms[0] / norms[1] < 1.4


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


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), "2", True])
def test_temperature_not_above_zero_is_refused(temperature):
    with pytest.raises(UserError, match="must be a number above 0"):
        SoftLabelLoss(temperature)


def test_unknown_distance_names_the_known_ones():
    with pytest.raises(UserError, match="cosine, mse"):
        HiddenStateLoss(distance="euclid")


def test_rows_without_hard_label_do_not_count():
    batch = batch_of(mask_of(LENGTHS), LABELS)
    assert HardLabelLoss().rows(batch).tolist() == [True, False, True]


KNOWN = [0, 2, 3]


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
    torch.testing.assert_close(values, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_gradient_is_that_of_the_known_classes_when_the_teacher_does_not_know_one():
    student, teacher, batch = with_unknown_classes()
    gradients = []
    for classes in (range(4), KNOWN):
        logits = student.logits.clone()[:, list(classes)].requires_grad_()
        SoftLabelLoss()(StudentOutput(logits), TeacherOutput(teacher.logits[:, list(classes)]), batch).sum().backward()
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
    student, teacher, batch = with_unknown_classes(range(4))
    student.logits.requires_grad_()
    p, q = (torch.log_softmax(output.logits / 2.0, dim=-1) for output in (teacher, student))
    plain = torch.nn.functional.kl_div(q, p, reduction="none", log_target=True).sum(-1) * 4.0
    values = SoftLabelLoss(2.0)(student, teacher, batch)
    assert torch.equal(values, plain)
    (expected,) = torch.autograd.grad(plain.sum(), student.logits)
    (found,) = torch.autograd.grad(values.sum(), student.logits)
    assert torch.equal(found, expected)
