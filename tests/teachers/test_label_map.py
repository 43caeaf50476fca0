"""Probabilities cross from a teacher's labels to a student's by name; what maps nowhere is left out, and counted."""

import logging
import math
from typing import Any

import pytest
import torch

from xlkd import LiveTeacher, UserError
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.teachers import LabelMap
from xlkd.training.preflight import match_labels

GROUPS = [f"group-{index}" for index in range(8)]
TOPICS = ["people", "nature", "things", "signs"]
NLI = ["entailment", "neutral", "contradiction"]
Mapping = dict[str, str | None]

CASES: dict[str, tuple[list[str], list[str], Mapping | None]] = {
    "permuted": (["a", "b", "c"], ["c", "a", "b"], None),
    "subset": (["sports", "entertainment", "technology"], ["sports", "entertainment"], None),
    "superset": (["a", "b"], ["b", "x", "a"], None),
    "both beyond the other": (["a", "b", "c"], ["x", "c", "b"], None),
    "other names": (["LABEL_0", "LABEL_1"], ["no", "yes"], {"LABEL_0": "yes", "LABEL_1": "no"}),
    "names crossed": (["a", "b"], ["a", "b"], {"a": "b", "b": "a"}),
    "three to two": (NLI, ["entailment", "other"], {"neutral": "other", "contradiction": "other"}),
    "eight to four": (GROUPS, TOPICS, {group: TOPICS[index // 2] for index, group in enumerate(GROUPS)}),
    "dropped by name": (["a", "b", "c"], ["c", "b", "a"], {"b": None}),
    "merged into a label of both": (["a", "b", "c"], ["a", "c"], {"b": "a"}),
    "a class by itself, two merged, one dropped": (["a", "b", "c", "d"], ["x", "d", "y"], {"a": "x", "c": "x"}),
}


def target_of(label: str, student_labels: list[str], mapping: Mapping | None) -> str | None:
    """The student's label that a label of the teacher teaches, in plain words."""
    if mapping is not None and label in mapping:
        return mapping[label]
    return label if label in student_labels else None


def reference(logits: list[float], case: tuple[list[str], list[str], Mapping | None]) -> tuple[list[float], float]:
    """The student's probabilities and the unmapped mass of one row, in loops."""
    teacher_labels, student_labels, mapping = case
    exponentials = [math.exp(value) for value in logits]
    probabilities = [value / sum(exponentials) for value in exponentials]
    summed, unmapped = dict.fromkeys(student_labels, 0.0), 0.0
    for label, probability in zip(teacher_labels, probabilities, strict=True):
        target = target_of(label, student_labels, mapping)
        if target is None:
            unmapped += probability
        else:
            summed[target] += probability
    return [summed[label] / (1 - unmapped) for label in student_labels], unmapped


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[list[str], list[str], Mapping | None]:
    """Labels of a teacher and a student, and what maps them."""
    return CASES[request.param]


def some_logits(*shape: int) -> torch.Tensor:
    """Made-up logits, the same at every call."""
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_probabilities_are_those_in_loops_when_mapped(case: Any) -> None:
    logits = some_logits(5, len(case[0]))
    found = LabelMap(*case).apply(logits).softmax(-1)
    expected = [reference(row, case)[0] for row in logits.tolist()]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_unmapped_mass_is_that_in_loops_when_mapped(case: Any) -> None:
    logits = some_logits(5, len(case[0]))
    label_map = LabelMap(*case)
    mass = label_map.unmapped_mass(logits)
    expected = [reference(row, case)[1] for row in logits.tolist()]
    assert (mass is None) == (label_map.dropped == []) == (max(expected) == 0)
    if mass is not None:
        torch.testing.assert_close(mass, torch.tensor(expected))


def test_tokens_are_mapped_like_rows_when_there_are_more_dimensions(case: Any) -> None:
    label_map, logits = LabelMap(*case), some_logits(2, 3, len(case[0]))
    assert torch.equal(label_map.apply(logits)[1, 2], label_map.apply(logits[1, 2]))
    mass = label_map.unmapped_mass(logits)
    assert mass is None or mass.shape == (2, 3)


def test_class_is_minus_infinity_when_the_teacher_does_not_know_it() -> None:
    label_map = LabelMap(*CASES["superset"])
    assert label_map.unknown == ["x"]
    assert label_map.apply(torch.tensor([1.0, 2.0])).tolist() == [2.0, -math.inf, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_are_the_same_object_when_the_labels_are(dtype: torch.dtype) -> None:
    logits = some_logits(2, 3).to(dtype)
    assert LabelMap(["a", "b", "c"], ["a", "b", "c"]).apply(logits) is logits


@pytest.mark.parametrize(
    ("name", "order"), [("permuted", [2, 0, 1]), ("subset", [0, 1]), ("names crossed", [1, 0]), ("other names", [1, 0])]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_are_bit_equal_when_none_are_summed(name: str, order: list[int], dtype: torch.dtype) -> None:
    logits = some_logits(2, len(CASES[name][0])).to(dtype)
    mapped = LabelMap(*CASES[name]).apply(logits)
    assert mapped.dtype == dtype and torch.equal(mapped, logits[:, order])


def test_sum_is_in_float32_when_the_logits_are_not() -> None:
    logits = some_logits(4, 3).to(torch.bfloat16)
    label_map = LabelMap(*CASES["three to two"])
    assert torch.equal(label_map.apply(logits), label_map.apply(logits.float()))


def test_label_is_matched_by_its_name_when_the_mapping_leaves_it_out() -> None:
    assert LabelMap(*CASES["merged into a label of both"]).sources == [[0, 1], [2]]


def test_number_that_nobody_named_teaches_the_only_one() -> None:
    assert LabelMap(["LABEL_0"], ["score"], answer_kind="number").sources == [[0]]
    with pytest.raises(UserError, match="have none in common"):
        LabelMap(["grade"], ["score"], answer_kind="number")


def test_label_teaches_nothing_when_it_is_mapped_to_null() -> None:
    label_map = LabelMap(*CASES["dropped by name"])
    assert (label_map.dropped, label_map.unknown) == (["b"], ["b"])


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((["a", "b"], ["x", "y"]), ["(a, b)", "(x, y) have none in common", "`label_map: {a: x, ...}`"]),
        ((["a", "b"], ["a", "y"]), ["(a, b) teach only a", "(a, y)", "probability 1", "`label_map: {a: a, ...}`"]),
        ((["a", "b"], ["x", "y"], {"a": "x", "b": "x"}), ["teach only x"]),
        ((["a", "b"], ["a", "b"], {"a": None, "b": None}), ["have none in common"]),
        ((NLI, ["yes", "no"], {"entailmet": "yes"}), ["'entailmet' (did you mean entailment?)", "of the teacher"]),
        ((NLI, ["yes", "no"], {"entailment": "yess"}), ["'yess' (did you mean yes?)", "of the student, which has yes"]),
    ],
)
def test_map_is_refused_when(arguments: Any, parts: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        LabelMap(*arguments)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("permuted", "the teacher has those of the student"),
        ("subset", "technology teaches nothing, and soft labels are renormalised without it"),
        ("superset", "the teacher does not know x: only hard labels teach that"),
        ("three to two", "neutral and contradiction teach other"),
        (
            "a class by itself, two merged, one dropped",
            "a and c teach x; b teaches nothing, and soft labels are renormalised without it; the teacher does not"
            " know y: only hard labels teach that",
        ),
    ],
)
def test_map_is_described_in_a_sentence(name: str, sentence: str) -> None:
    assert LabelMap(*CASES[name]).describe() == f"Labels by name: {sentence}."


@pytest.fixture
def batch() -> Batch:
    """Two rows."""
    ids = torch.tensor([[2, 9, 8, 3], [2, 7, 3, 0]])
    inputs = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    return Batch.from_inputs({**inputs, **{f"teacher_{name}": value for name, value in inputs.items()}})


def test_teacher_answers_in_the_students_classes_when_they_are_matched(
    make_model: Any, tokenizer: Any, batch: Batch
) -> None:
    model = make_model(labels=("a", "b", "c"))
    teacher = LiveTeacher(model, tokenizer, {"b": "x"})
    teacher.match_labels(["x", "a", "new"])
    output = teacher.outputs(batch, Needs(logits=True))
    own = model(**batch.teacher_inputs).logits
    assert torch.equal(output.logits[:, :2], own[:, [1, 0]])
    assert output.logits[:, 2].isneginf().all()
    torch.testing.assert_close(output.unmapped_mass, own.softmax(-1)[:, 2])


def test_mass_is_empty_when_every_label_maps(make_model: Any, tokenizer: Any, batch: Batch) -> None:
    teacher = LiveTeacher(make_model(labels=("a", "b", "c")), tokenizer)
    teacher.match_labels(["c", "b", "a"])
    assert teacher.outputs(batch, Needs(logits=True)).unmapped_mass is None


def test_states_alone_are_given_when_no_logits_are_needed(make_model: Any, tokenizer: Any, batch: Batch) -> None:
    teacher = LiveTeacher(make_model(labels=("a", "b", "c")), tokenizer)
    teacher.match_labels(["a", "b"])
    output = teacher.outputs(batch, Needs(pooled_states=frozenset({1})))
    assert output.logits is None and output.unmapped_mass is None and 1 in output.pooled_states


def test_what_is_lost_is_said_when_labels_are_matched_for_training(
    make_model: Any, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = LiveTeacher(make_model(labels=("a", "b", "c")), tokenizer)
    with caplog.at_level(logging.WARNING, "xlkd"):
        for labels in (["c", "b", "a"], ["a", "b"]):
            match_labels(teacher, labels)
    assert [record.message.partition(",")[0] for record in caplog.records] == ["Labels by name: c teaches nothing"]
