"""The mean of several answers, against the same formulas in plain loops."""

import math

import pytest
import torch

from xlkd.teachers.averaging import LEAST_ENTROPY, confidence, mean_answers

NEVER = -math.inf


def probabilities_of(row: list[float]) -> list[float]:
    """Softmax, class by class; 0 for a class that is not known."""
    whole = sum(math.exp(value) for value in row if value > NEVER)
    return [math.exp(value) / whole if value > NEVER else 0.0 for value in row]


def mean_of(rows: list[list[float]], weights: list[float], kind: str) -> list[float]:
    """The probabilities of the mean for one text: `rows` are the logits of the members."""
    answers = [probabilities_of(row) for row in rows]
    unscaled = []
    for label in range(len(rows[0])):
        those = [(p[label], w) for p, w, row in zip(answers, weights, rows, strict=True) if w and row[label] > NEVER]
        total = sum(w for _, w in those)
        if not those:
            unscaled.append(0.0)
        elif kind == "probabilities":
            unscaled.append(sum(w * p for p, w in those) / total)
        else:
            unscaled.append(math.exp(sum(w * math.log(p) for p, w in those) / total))
    return [value / sum(unscaled) for value in unscaled]


@pytest.fixture
def logits() -> torch.Tensor:
    """Three members, five texts, four classes."""
    return 3 * torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weights() -> torch.Tensor:
    """Every text has its own; the last has one member only."""
    made = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    made[1:, -1] = 0
    return made


def check(logits: torch.Tensor, weights: torch.Tensor, kind: str) -> None:
    found = mean_answers(logits, weights, kind).exp()
    for text in range(logits.shape[1]):
        expected = mean_of(logits[:, text].tolist(), weights[:, text].tolist(), kind)
        torch.testing.assert_close(found[text], torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_mean_equals_plain_loops_when_all_know_all_classes(logits, weights, kind):
    check(logits, weights, kind)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_class_is_averaged_over_those_who_know_it_when_some_do_not(logits, weights, kind):
    logits[0, :, 1] = logits[1, 2, 3] = logits[2, 2, 3] = NEVER
    check(logits, weights, kind)


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_class_stays_impossible_when_nobody_who_counts_knows_it(logits, weights, kind):
    logits[:, 0, 2] = NEVER
    logits[0, -1, 1] = NEVER
    found = mean_answers(logits, weights, kind)
    assert found[0, 2] == found[-1, 1] == NEVER
    assert (found == NEVER).sum() == 2
    assert not found.isnan().any()


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_nothing_is_not_a_number_when_answers_are_extreme(kind):
    logits = torch.tensor([[[1e4, -1e4], [0.0, NEVER]], [[-1e4, 1e4], [NEVER, NEVER]]])
    for weights in (torch.ones(2, 2), torch.tensor([[1.0, 1.0], [0.0, 1e-6]])):
        assert not mean_answers(logits, weights, kind).isnan().any()
        assert not confidence(logits).isnan().any()


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_mean_does_not_change_when_logits_are_shifted_or_weights_scaled(logits, weights, kind):
    shifted = logits + torch.tensor([5.0, -3.0, 100.0]).view(3, 1, 1)
    torch.testing.assert_close(
        mean_answers(shifted, 7 * weights, kind), mean_answers(logits, weights, kind), rtol=1e-4, atol=1e-4
    )


def test_two_kinds_of_mean_differ_when_members_disagree(logits, weights):
    one, other = mean_answers(logits, weights, "probabilities"), mean_answers(logits, weights, "logits")
    assert (one - other)[:-1].abs().max() > 0.1


def test_confidence_is_the_inverse_entropy_in_nats(logits):
    logits[0, 0, 0] = NEVER
    found = confidence(logits)
    for member in range(3):
        for text in range(5):
            p = probabilities_of(logits[member, text].tolist())
            entropy = -sum(value * math.log(value) for value in p if value)
            assert found[member, text].item() == pytest.approx(1 / max(entropy, LEAST_ENTROPY), rel=1e-4)


def test_confidence_is_bounded_when_a_teacher_has_no_doubt():
    assert confidence(torch.tensor([[100.0, 0.0], [NEVER, 3.0]])).tolist() == pytest.approx([100.0, 100.0])
