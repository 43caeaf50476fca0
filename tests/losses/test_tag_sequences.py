"""Soft labels of words that agree with one another: marginals over valid sequences of tags."""

import itertools
import math
from typing import Any

import pytest
import torch

from xlkd.errors import UserError
from xlkd.losses import SoftLabelLoss
from xlkd.losses.tag_sequences import TagSequences
from xlkd.needs import ModelShape
from xlkd.outputs import Batch, StudentOutput, TeacherOutput
from xlkd.text.tag_scheme import follows, has_spans, place_and_type
from xlkd.text.words import BEGINS_TEXT, ENDS_TEXT, FOLLOWS_WORD

BIO = ["O", "B-X", "I-X", "B-Y", "I-Y"]
SCHEMES = {
    "IOB2": BIO,
    "IOBES": ["O", "B-X", "I-X", "E-X", "S-X"],
    "BILOU": ["U-X", "L-X", "I-X", "B-X", "O"],
    "BMES": ["O", "B-X", "M-X", "E-X", "S-X"],
}


def may_follow(first: str, second: str, ends: bool) -> bool:
    """By the letters of two tags, for every scheme anew; the edge of a text is outside."""
    goes_on, is_open = second[0] in "IELM", first[0] in "BIM"
    if goes_on:
        return is_open and first[1:] == second[1:]
    return not (ends and is_open)


EDGE = "O"


def marginals(
    probabilities: list[list[float]], labels: list[str], context: list[int], bonds: list[list[float]] | None = None
) -> list[list[float]]:
    """By all sequences, one after the other; `bonds` is what a tag behind another multiplies, the last is the edge."""
    ends = any(label[0] in "EL" for label in labels)
    around = [*labels, EDGE]
    sums = [[0.0] * len(labels) for _ in probabilities]
    for sequence in itertools.product(range(len(labels)), repeat=len(probabilities)):
        pairs = []
        for place, tag in enumerate(sequence):
            if context[place] & BEGINS_TEXT:
                pairs.append((len(labels), tag))
            if context[place] & FOLLOWS_WORD:
                pairs.append((sequence[place - 1], tag))
            if context[place] & ENDS_TEXT:
                pairs.append((tag, len(labels)))
        if all(may_follow(around[one], around[other], ends) for one, other in pairs):
            weight = math.prod(own[tag] for own, tag in zip(probabilities, sequence, strict=True))
            weight *= math.prod(bonds[one][other] for one, other in pairs) if bonds is not None else 1.0
            for place, tag in enumerate(sequence):
                sums[place][tag] += weight
    return [[value / sum(own) for value in own] for own in sums]


def distributions(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).mul(2).softmax(-1)


CONTEXTS = {
    "a whole text": [1, 2, 2, 2 + 4],
    "the middle of a text": [0, 2, 2, 2],
    "the beginning of a text": [1, 2, 2, 2],
    "a text of which words are missing": [1, 2, 0, 2 + 4],
    "words alone": [0, 0, 0, 0],
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("what", CONTEXTS)
def test_marginals_are_those_of_all_valid_sequences(scheme: str, what: str) -> None:
    labels, context = SCHEMES[scheme], CONTEXTS[what]
    words = distributions(2, 4, len(labels))
    found = TagSequences(labels)(words.log(), torch.tensor([context, context]))
    for row in range(2):
        expected = marginals(words[row].tolist(), labels, context)
        torch.testing.assert_close(found[row].exp(), torch.tensor(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("what", CONTEXTS)
def test_marginals_know_what_follows_what_when_transitions_were_counted(weight: float, what: str) -> None:
    labels, context = SCHEMES["IOB2"], CONTEXTS[what]
    counts = torch.arange(36).reshape(6, 6)
    words = distributions(1, 4, 5)
    found = TagSequences(labels, counts, weight)(words.log(), torch.tensor([context]))
    bonds, around = [], [*labels, EDGE]
    for before, row in zip(around, counts.tolist(), strict=True):
        known = sum(count + 0.5 for tag, count in zip(around, row, strict=True) if may_follow(before, tag, ends=False))
        bonds.append([((count + 0.5) / known) ** weight for count in row])
    expected = marginals(words[0].tolist(), labels, context, bonds)
    torch.testing.assert_close(found[0].exp(), torch.tensor(expected), atol=1e-5, rtol=1e-4)


def test_no_span_goes_on_over_the_beginning_of_a_text() -> None:
    words = torch.tensor([[[0.1, 0.05, 0.75, 0.05, 0.05]]]).log()
    alone, first = (TagSequences(BIO)(words, torch.tensor([[context]])).exp()[0, 0] for context in (0, BEGINS_TEXT))
    assert alone[2].item() == pytest.approx(0.75) and first[2].item() == 0
    assert first[0].item() == pytest.approx(0.5)


def test_words_stay_as_they_are_when_they_have_no_neighbours() -> None:
    words = distributions(1, 3, 5)
    torch.testing.assert_close(TagSequences(BIO)(words.log(), torch.zeros(1, 3, dtype=torch.long)), words.log())


def test_batch_without_a_word_stays_as_it_is() -> None:
    assert TagSequences(BIO)(torch.zeros(2, 0, 5), torch.zeros(2, 0, dtype=torch.long)).shape == (2, 0, 5)


def test_marginals_of_a_long_text_are_finite_when_its_tags_contradict_one_another() -> None:
    words = torch.tensor([0.001, 0.001, 0.001, 0.001, 0.996]).expand(1, 200, 5).log()
    found = TagSequences(BIO)(words, torch.tensor([[1] + [2] * 198 + [6]]))
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


def batch_of(context: list[int]) -> Batch:
    """One row of words of one token each; what lies between two that do not touch is not read."""
    return Batch(
        student_inputs={},
        teacher_inputs={},
        labels=torch.full((1, len(context)), -100),
        row_mask=torch.ones(1, dtype=torch.bool),
        word_spans=torch.tensor(
            [[[place + 1, place + 2] if own >= 0 else [-1, -1] for place, own in enumerate(context)]]
        ),
        word_context=torch.tensor([[max(own, 0) for own in context]]),
    )


NO_WORD_HERE = -1


def loss_of(student: torch.Tensor, teacher: torch.Tensor, batch: Batch, labels: list[str] = BIO) -> torch.Tensor:
    loss = SoftLabelLoss(temperature=1.0, posterior="sequence")
    loss.attach(ModelShape(1, 8, labels=tuple(labels), by_word=True), ModelShape(1, 8, labels=tuple(labels)))
    return loss(StudentOutput(logits=student), TeacherOutput(logits=teacher), batch)


def test_loss_is_the_divergence_from_the_marginals() -> None:
    teacher, student = distributions(1, 3, 5).log(), distributions(1, 3, 5, seed=1).log()
    # The third word stands apart: between it and the second one is another that nobody asks about.
    found = loss_of(student, teacher, batch_of([1, 2, 4]))
    expected = marginals(teacher[0].exp().tolist(), BIO, [1, 2, 4])
    for place in range(3):
        own = zip(expected[place], student[0, place].tolist(), strict=True)
        assert found[0, place].item() == pytest.approx(sum(p * (math.log(p) - q) for p, q in own if p), abs=1e-5)


def test_class_that_the_teacher_does_not_know_takes_no_part() -> None:
    teacher, student = distributions(1, 2, 5).log(), distributions(1, 2, 5, seed=1).log()
    teacher[..., 3:] = -torch.inf
    batch = batch_of([1, 6])
    known = loss_of(student[..., :3], teacher[..., :3], batch, BIO[:3])
    torch.testing.assert_close(loss_of(student, teacher, batch), known)


@pytest.mark.parametrize("padding", [0.0, -torch.inf])
def test_padding_changes_no_word(padding: float) -> None:
    """Where a row is padded, a teacher says something; one of several that was not asked says nothing."""
    teacher, student = distributions(1, 2, 5).log(), distributions(1, 2, 5, seed=1).log()
    alone = loss_of(student, teacher, batch_of([1, 6]))
    wider = [
        torch.cat([own, torch.full((1, 2, 5), filling)], dim=1) for own, filling in ((student, 0.0), (teacher, padding))
    ]
    padded = loss_of(*wider, batch_of([1, 6, NO_WORD_HERE, NO_WORD_HERE]))
    torch.testing.assert_close(padded[:, :2], alone)


@pytest.mark.parametrize(("labels", "by_word"), [(["NOUN", "VERB"], True), (BIO, False)])
def test_sequences_are_refused_when_there_are_no_spans_of_words(labels: list[str], by_word: bool) -> None:
    shape = ModelShape(1, 8, labels=tuple(labels), by_word=by_word)
    with pytest.raises(UserError, match="posterior sequence: the labels .* mark no spans of words"):
        SoftLabelLoss(posterior="sequence").check(shape, ModelShape(1, 8))


@pytest.mark.parametrize(
    ("student", "teacher", "sentence"),
    [
        (["O", "I-X", "B-Y", "I-Y"], BIO, "no tag of the student begins X, as B-X would"),
        (["O", "I-X", "E-X", "S-X"], BIO, "no tag of the student begins X, as B-X would"),
        (BIO, ["O", "I-X", "I-Y"], "no tag of the teacher begins X or Y, as B-X would"),
    ],
)
def test_sequences_are_refused_when_nothing_begins_a_span(
    student: list[str], teacher: list[str], sentence: str
) -> None:
    shapes = [ModelShape(1, 8, labels=tuple(labels), by_word=True) for labels in (student, teacher)]
    with pytest.raises(UserError, match=f"posterior sequence: {sentence}"):
        SoftLabelLoss(posterior="sequence").check(*shapes)


@pytest.mark.parametrize("other", [{"divergence": "reverse"}, {"divergence": "symmetric"}, {"standardise": True}])
def test_sequences_are_refused_when_impossible_tags_cannot_be_compared(other: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="posterior sequence: .* contradict .*: leave these out"):
        SoftLabelLoss(posterior="sequence", **other)


def test_sequences_are_refused_when_the_names_of_the_tags_are_not_known() -> None:
    loss = SoftLabelLoss(posterior="sequence")
    loss.attach(ModelShape(1, 8, by_word=True), ModelShape(1, 8))
    logits = torch.zeros(1, 2, 5)
    with pytest.raises(UserError, match="posterior sequence: .* labels are not known: attach the loss to a ModelShape"):
        loss(StudentOutput(logits=logits), TeacherOutput(logits=logits), batch_of([1, 6]))


def asking() -> SoftLabelLoss:
    loss = SoftLabelLoss(posterior="sequence", transitions=0.5)
    loss.attach(ModelShape(1, 8, labels=tuple(BIO), by_word=True), ModelShape(1, 8))
    return loss


def test_transitions_are_missed_when_they_were_never_counted() -> None:
    logits = torch.zeros(1, 2, 5)
    with pytest.raises(UserError, match="soft-label: transitions were never counted: tell the loss by"):
        asking()(StudentOutput(logits=logits), TeacherOutput(logits=logits), batch_of([1, 6]))


def test_transitions_are_refused_when_the_labels_are_of_another_scheme() -> None:
    counts = torch.full((6, 6), 70)
    # No span goes on behind what is outside, another type, or the beginning of a text.
    for before, behind in [(0, 2), (0, 4), (1, 4), (2, 4), (3, 2), (4, 2), (5, 2), (5, 4)]:
        counts[before, behind] = 0
    counts[5, 2], counts[0, 4] = 15, 5
    # 20 of 1,980, which is more than one in a hundred.
    sentence = "posterior sequence: 20 of 1980 labelled .* one another, I-X behind the edge of a text most often"
    with pytest.raises(UserError, match=sentence):
        asking().see_transitions(counts)
    counts[0, 4] = 4
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
