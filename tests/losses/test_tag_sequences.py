"""Soft labels of words that agree with one another: marginals over valid sequences of tags."""

import itertools
import math

import pytest
import torch

from xlkd.errors import UserError
from xlkd.losses import SoftLabelLoss
from xlkd.losses.tag_sequences import TagSequences
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput
from xlkd.tag_scheme import follows, has_spans, place_and_type

BIO = ["O", "B-X", "I-X", "B-Y", "I-Y"]
SCHEMES = {
    "IOB2": BIO,
    "IOBES": ["O", "B-X", "I-X", "E-X", "S-X"],
    "BILOU": ["U-X", "L-X", "I-X", "B-X", "O"],
}


def may_follow(first: str, second: str, ends: bool) -> bool:
    """By the letters of two tags, for every scheme anew."""
    goes_on, is_open = second[0] in "IEL", first[0] in "BI"
    if goes_on:
        return is_open and first[1:] == second[1:]
    return not (ends and is_open)


def marginals(
    probabilities: list[list[float]], labels: list[str], linked: list[bool], bonds: list[list[float]] | None = None
) -> list[list[float]]:
    """By all sequences, one after the other; `bonds` is what a tag behind another multiplies."""
    ends = any(label[0] in "EL" for label in labels)
    sums = [[0.0] * len(labels) for _ in probabilities]
    for sequence in itertools.product(range(len(labels)), repeat=len(probabilities)):
        pairs = [(one, other) for one, other, bound in zip(sequence, sequence[1:], linked, strict=False) if bound]
        if all(may_follow(labels[one], labels[other], ends) for one, other in pairs):
            weight = math.prod(own[tag] for own, tag in zip(probabilities, sequence, strict=True))
            weight *= math.prod(bonds[one][other] for one, other in pairs) if bonds is not None else 1.0
            for place, tag in enumerate(sequence):
                sums[place][tag] += weight
    return [[value / sum(own) for value in own] for own in sums]


def distributions(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).mul(2).softmax(-1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("linked", [[True, True, True], [True, False, True], [False, False, False]])
def test_marginals_are_those_of_all_valid_sequences(scheme: str, linked: list[bool]) -> None:
    labels = SCHEMES[scheme]
    words = distributions(2, 4, len(labels))
    found = TagSequences(labels)(words.log(), torch.tensor([linked, linked]))
    for row in range(2):
        expected = marginals(words[row].tolist(), labels, linked)
        torch.testing.assert_close(found[row].exp(), torch.tensor(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_marginals_know_what_follows_what_when_transitions_were_counted(weight: float) -> None:
    labels, linked = SCHEMES["IOB2"], [True, False, True]
    counts = torch.arange(25).reshape(5, 5)
    words = distributions(1, 4, 5)
    found = TagSequences(labels, counts, weight)(words.log(), torch.tensor([linked]))
    bonds = []
    for before, row in zip(labels, counts.tolist(), strict=True):
        known = sum(count + 0.5 for tag, count in zip(labels, row, strict=True) if may_follow(before, tag, ends=False))
        bonds.append([((count + 0.5) / known) ** weight for count in row])
    expected = marginals(words[0].tolist(), labels, linked, bonds)
    torch.testing.assert_close(found[0].exp(), torch.tensor(expected), atol=1e-5, rtol=1e-4)


def test_words_stay_as_they_are_when_they_have_no_neighbours() -> None:
    words = distributions(1, 3, 5)
    torch.testing.assert_close(TagSequences(BIO)(words.log(), torch.zeros(1, 2, dtype=torch.bool)), words.log())


def test_marginals_of_a_long_text_are_finite_when_its_tags_contradict_one_another() -> None:
    words = torch.tensor([0.001, 0.001, 0.001, 0.001, 0.996]).expand(1, 200, 5).log()
    found = TagSequences(BIO)(words, torch.ones(1, 199, dtype=torch.bool))
    assert found.isfinite().all() and found.exp().sum(-1).allclose(torch.ones(1, 200), atol=1e-4)


@pytest.mark.parametrize(
    ("label", "expected"), [("B-PER", ("B", "PER")), ("L-X-Y", ("E", "X-Y")), ("O", ("O", "")), ("X-PER", ("O", ""))]
)
def test_tag_is_a_place_and_a_type(label: str, expected: tuple[str, str]) -> None:
    assert place_and_type(label) == expected


def test_span_that_was_begun_need_not_go_on_when_no_tag_ends_it() -> None:
    assert follows(["O", "B-X", "I-X"])[1] == [True, True, True]
    assert follows(["O", "B-X", "I-X", "E-X"])[1] == [False, False, True, True]
    assert not has_spans(["NOUN", "VERB"])


def test_tags_without_spans_have_sequences_when_their_transitions_are_asked_for() -> None:
    shape = ModelShape(1, 8, labels=("NOUN", "VERB"), by_word=True)
    SoftLabelLoss(posterior="sequence", transitions=0.5).check(shape, shape)


def batch_of(spans: list[list[list[int]]]) -> Batch:
    rows = len(spans)
    return Batch(
        student_inputs={},
        teacher_inputs={},
        labels=torch.full((rows, len(spans[0])), -100),
        row_mask=torch.ones(rows, dtype=torch.bool),
        word_spans=torch.tensor(spans),
    )


def loss_of(student: torch.Tensor, teacher: torch.Tensor, batch: Batch, labels: list[str] = BIO) -> torch.Tensor:
    loss = SoftLabelLoss(temperature=1.0, posterior="sequence")
    loss.attach(ModelShape(1, 8, labels=tuple(labels), by_word=True), ModelShape(1, 8, labels=tuple(labels)))
    return loss(StudentOutput(logits=student), TeacherOutput(logits=teacher), batch)


def test_loss_is_the_divergence_from_the_marginals() -> None:
    teacher, student = distributions(1, 3, 5).log(), distributions(1, 3, 5, seed=1).log()
    # The third word stands apart: between it and the second one is another that nobody asks about.
    found = loss_of(student, teacher, batch_of([[[1, 3], [3, 4], [5, 6]]]))
    expected = marginals(teacher[0].exp().tolist(), BIO, [True, False])
    for place in range(3):
        own = zip(expected[place], student[0, place].tolist(), strict=True)
        assert found[0, place].item() == pytest.approx(sum(p * (math.log(p) - q) for p, q in own), abs=1e-5)


def test_class_that_the_teacher_does_not_know_takes_no_part() -> None:
    teacher, student = distributions(1, 2, 5).log(), distributions(1, 2, 5, seed=1).log()
    teacher[..., 3:] = -torch.inf
    batch = batch_of([[[1, 2], [2, 3]]])
    known = loss_of(student[..., :3], teacher[..., :3], batch, BIO[:3])
    torch.testing.assert_close(loss_of(student, teacher, batch), known)


def test_padding_changes_no_word() -> None:
    teacher, student = distributions(1, 2, 5).log(), distributions(1, 2, 5, seed=1).log()
    alone = loss_of(student, teacher, batch_of([[[1, 2], [2, 3]]]))
    wider = [torch.cat([own, torch.zeros(1, 2, 5)], dim=1) for own in (student, teacher)]
    padded = loss_of(*wider, batch_of([[[1, 2], [2, 3], [-1, -1], [-1, -1]]]))
    torch.testing.assert_close(padded[:, :2], alone)


@pytest.mark.parametrize(("labels", "by_word"), [(["NOUN", "VERB"], True), (BIO, False)])
def test_sequences_are_refused_when_there_are_no_spans_of_words(labels: list[str], by_word: bool) -> None:
    shape = ModelShape(1, 8, labels=tuple(labels), by_word=by_word)
    with pytest.raises(UserError, match="posterior sequence: the labels .* mark no spans of words"):
        SoftLabelLoss(posterior="sequence").check(shape, ModelShape(1, 8))


def test_sequences_are_refused_when_the_names_of_the_tags_are_not_known() -> None:
    loss = SoftLabelLoss(posterior="sequence")
    loss.attach(ModelShape(1, 8, by_word=True), ModelShape(1, 8))
    logits = torch.zeros(1, 2, 5)
    with pytest.raises(UserError, match="posterior sequence: .* labels are not known: attach the loss to a ModelShape"):
        loss(StudentOutput(logits=logits), TeacherOutput(logits=logits), batch_of([[[1, 2], [2, 3]]]))


def asking() -> SoftLabelLoss:
    loss = SoftLabelLoss(posterior="sequence", transitions=0.5)
    loss.attach(ModelShape(1, 8, labels=tuple(BIO), by_word=True), ModelShape(1, 8))
    return loss


def test_transitions_are_missed_when_they_were_never_counted() -> None:
    logits = torch.zeros(1, 2, 5)
    with pytest.raises(UserError, match="soft-label: transitions were never counted: tell the loss by"):
        asking()(StudentOutput(logits=logits), TeacherOutput(logits=logits), batch_of([[[1, 2], [2, 3]]]))


def test_transitions_are_refused_when_the_labels_are_of_another_scheme() -> None:
    counts = torch.full((5, 5), 100)
    counts[0, 2], counts[0, 4], counts[1, 4], counts[2, 4], counts[3, 2], counts[4, 2] = 15, 4, 0, 1, 0, 0
    # 20 of 1,920, which is more than one in a hundred.
    with pytest.raises(UserError, match="transitions: 20 of 1920 labelled .* one another, I-X behind O most often"):
        asking().see_transitions(counts)
    counts[0, 2] = 14
    asking().see_transitions(counts)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"transitions": 0.5}, "transitions are between the tags of a sequence: write `posterior: sequence` too"),
        ({"transitions": -1, "posterior": "sequence"}, "transitions -1 must be a number, 0 or more"),
        ({"transitions": "yes", "posterior": "sequence"}, "transitions 'yes' must be a number"),
    ],
)
def test_transitions_are_refused_when(options, sentence: str) -> None:
    with pytest.raises(UserError, match=f"soft-label: {sentence}"):
        SoftLabelLoss(**options)


def test_posterior_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="soft-label: posterior 'sequences'.*did you mean sequence"):
        SoftLabelLoss(posterior="sequences")
