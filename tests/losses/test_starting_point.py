"""L2-SP: it looks at the weights of a student, not at answers, so it has no row among the cases of the others."""

import pytest
import torch
from answers import LABELS, LENGTHS, batch_of, mask_of

from xlkd.errors import UserError
from xlkd.losses import StartingPointLoss
from xlkd.losses.starting_point import _Weights
from xlkd.outputs import StudentOutput, TeacherOutput


def value_of(loss, labels=LABELS):
    return loss(StudentOutput(), TeacherOutput(), batch_of(mask_of(LENGTHS[: len(labels)]), labels))


def moved(student, loss, seed=0):
    """Begin, then move every weight; return what each was."""
    loss.begin(student, [])
    start = {name: parameter.detach().clone() for name, parameter in student.named_parameters()}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return start


def in_loops(student, start, strength, head_strength, head):
    total = 0.0
    for name, parameter in student.named_parameters():
        if not parameter.requires_grad:
            continue
        own = name.startswith("bert.")
        origin = start[name] if own or head == "start" else torch.zeros_like(parameter)
        pairs = zip(parameter.flatten().tolist(), origin.flatten().tolist(), strict=True)
        total += (strength if own else head_strength) / 2 * sum((now - was) ** 2 for now, was in pairs)
    return total


@pytest.mark.parametrize("head", ["start", "zero"])
def test_loss_equals_reference_in_loops(student, head):
    loss = StartingPointLoss(0.5, 2.0, head)
    start = moved(student, loss)
    assert value_of(loss).item() == pytest.approx(in_loops(student, start, 0.5, 2.0, head), rel=1e-5)


def test_value_is_the_same_for_every_batch(student):
    loss = StartingPointLoss()
    moved(student, loss)
    assert torch.equal(value_of(loss), value_of(loss, LABELS[:1])) and loss.scope == "batch"


def test_loss_and_gradient_are_zero_at_the_start(student):
    loss = StartingPointLoss()
    loss.begin(student, [])
    value = value_of(loss)
    value.backward()
    assert value.item() == 0
    assert all(parameter.grad.abs().sum() == 0 for parameter in student.parameters())


def test_gradient_pulls_back_to_where_each_part_is_to_stay(student):
    loss = StartingPointLoss(0.5, 2.0, "zero")
    start = moved(student, loss)
    value_of(loss).backward()
    for name, parameter in student.named_parameters():
        own = name.startswith("bert.")
        expected = 0.5 * (parameter - start[name]) if own else 2.0 * parameter
        torch.testing.assert_close(parameter.grad, expected.detach())


def test_gradient_is_that_of_finite_differences(student):
    student.double()
    loss = StartingPointLoss(0.5, 2.0)
    moved(student, loss)
    weight = student.classifier.weight

    def value(changed):
        with torch.no_grad():
            weight.copy_(changed)
        return value_of(loss)

    value(weight.detach().clone()).backward()
    slope = torch.zeros_like(weight)
    for place in range(weight.numel()):
        step = torch.zeros_like(weight).flatten()
        step[place] = 1e-4
        here, step = weight.detach().clone(), step.view_as(weight)
        slope.view(-1)[place] = ((value(here + step) - value(here - step)) / 2e-4).item()
        value(here)
    torch.testing.assert_close(weight.grad, slope, rtol=1e-6, atol=1e-8)


def test_batch_without_rows_that_count_does_not_count():
    batch = batch_of(mask_of(LENGTHS), LABELS).without_rows_from(0)
    assert StartingPointLoss().rows(batch).tolist() == [False]


def test_frozen_weights_are_left_out_when_they_are_frozen_before_or_after_the_start(student):
    student.bert.embeddings.requires_grad_(False)
    loss = StartingPointLoss(head="zero")
    start = moved(student, loss)
    student.classifier.requires_grad_(False)
    value = value_of(loss)
    value.backward()
    frozen = [parameter for parameter in student.parameters() if not parameter.requires_grad]
    assert len(frozen) == 7 and all(parameter.grad is None for parameter in frozen)
    assert value.item() == pytest.approx(in_loops(student, start, 0.01, 0.01, "zero"), rel=1e-5)


def test_frozen_weights_are_not_copied(student):
    student.bert.embeddings.requires_grad_(False)
    loss = StartingPointLoss()
    loss.begin(student, [])
    copied = sum(origin.numel() for part in (loss._encoder, loss._head) for origin in part.origins)
    assert copied == sum(weight.numel() for weight in student.parameters() if weight.requires_grad)


def test_penalty_has_no_gradient_in_evaluation_so_that_it_is_no_use_of_a_weight(student):
    loss = StartingPointLoss()
    moved(student, loss)
    value = value_of(loss.eval())
    assert value.item() > 0 and not value.requires_grad


def test_checkpoint_has_neither_the_student_nor_a_copy_of_it(student):
    loss = StartingPointLoss()
    loss.begin(student, [])
    assert loss.state_dict() == {} and list(loss.parameters()) == [] and list(loss.children()) == []


def test_copies_follow_when_the_weights_are_on_another_device():
    weights = _Weights([torch.nn.Parameter(torch.ones(2, device="meta"))], [torch.zeros(2)])
    assert weights.distance().device.type == "meta"


def test_strengths_move_by_their_schedules(student):
    loss = StartingPointLoss({"start": 1.0, "end": 0.0}, 0.0)
    moved(student, loss)
    whole = value_of(loss).item()
    loss.set_progress(0.75)
    assert value_of(loss).item() == pytest.approx(whole / 4)


def test_config_builds_the_same_penalty_again():
    config = {"strength": {"start": 1.0, "end": 0.0, "schedule": "cosine", "until": 0.5}}
    config |= {"head_strength": 0.5, "head": "zero"}
    assert StartingPointLoss(**config).config() == config


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "new"}, "head 'new' is unknown; it is one of start, zero"),
        ({"strength": -1}, "strength -1 must be a number 0 or more"),
        ({"head_strength": "strong"}, "head_strength 'strong' must be a finite number"),
    ],
)
def test_wrong_option_is_refused(options, words):
    with pytest.raises(UserError, match=words):
        StartingPointLoss(**options)
