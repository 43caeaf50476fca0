"""Sentences that are in training and in evaluation, and what the setting of a run is called."""

import logging

import pytest
from datasets import Dataset

from xlkd.arguments import MixtureArguments
from xlkd.data.checks import overlap, setting_of, settle_overlap
from xlkd.data.entries import content_id, content_ids
from xlkd.data.sources import Sources
from xlkd.errors import UserError


def texts(*rows: str, **others: list[str]) -> Dataset:
    """Rows as `load_sources` makes them."""
    return Dataset.from_dict({"text": list(rows), "content_id": [content_id(row, None) for row in rows], **others})


@pytest.mark.parametrize("written", ["The cat sat.", "the CAT  sat.", " The\u00a0cat sat. ", "\uff34he cat sat."])
def test_overlap_is_found_when_only_the_writing_differs(written: str) -> None:
    sources: Sources = {
        ("labelled", "en"): texts("The cat sat.", "Else."),
        ("evaluation", "en"): texts("Other.", written),
    }
    assert overlap(sources) == {"en": 1}


@pytest.mark.parametrize("role", ["labelled", "unlabelled", "parallel", "validation", "vocabulary"])
def test_overlap_is_counted_by_language_when_any_role_has_it(role: str) -> None:
    sources: Sources = {
        (role, "sw"): texts("moja", "mbili", "tatu"),  # type: ignore[dict-item]
        ("evaluation", "en"): texts("moja", "one"),
        ("evaluation", "sw"): texts("mbili", "tatu"),
        ("evaluation", "yo"): texts("ookan"),
    }
    assert overlap(sources) == {"en": 1, "sw": 2}


def test_overlap_is_found_when_only_the_teacher_reads_it() -> None:
    sources: Sources = {
        ("parallel", "sw"): texts("moja", teacher_text=["One"]),
        ("evaluation", "en"): texts("one"),
    }
    assert overlap(sources) == {"en": 1}


def test_overlap_is_found_when_the_teacher_reads_the_pair() -> None:
    parallel = texts("moja", teacher_text=["one"], teacher_text_pair=["two"])
    evaluation = Dataset.from_dict({"text": ["One"], "content_id": [content_id("One", "two")]})
    assert overlap({("parallel", "sw"): parallel, ("evaluation", "en"): evaluation}) == {"en": 1}


def test_nothing_is_found_when_evaluation_sets_share_a_sentence() -> None:
    sources: Sources = {
        ("labelled", "en"): texts("two"),
        ("evaluation", "en"): texts("one"),
        ("evaluation", "sw"): texts("one"),
    }
    assert overlap(sources) == {}
    assert settle_overlap(sources, "refuse") is sources


OVERLAPPING: Sources = {
    ("labelled", "en"): texts("one", "two"),
    ("evaluation", "en"): texts("one", "two", "three"),
    ("evaluation", "sw"): texts("two"),
}


def test_overlap_is_refused_with_its_count_when_not_allowed() -> None:
    with pytest.raises(UserError) as caught:
        settle_overlap(OVERLAPPING, "refuse")
    assert "3 evaluation rows are in the training data too (en 2, sw 1)" in str(caught.value)
    assert "write `overlap: drop`" in str(caught.value)


def test_overlap_is_said_when_it_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settle_overlap(OVERLAPPING, "allow")
    assert "3 evaluation rows are in the training data too (en 2, sw 1)." in caplog.text


def test_training_rows_are_dropped_when_they_are_in_the_evaluation_data() -> None:
    sources: Sources = {
        ("labelled", "en"): texts("one", "four"),
        ("parallel", "sw"): texts("moja", "mbili", "tatu", teacher_text=["five", "Two", "six"]),
        ("evaluation", "en"): texts("one", "two", "three"),
    }
    settled = settle_overlap(sources, "drop")
    assert settled["labelled", "en"]["text"][:] == ["four"]
    assert settled["parallel", "sw"]["text"][:] == ["moja", "tatu"]
    assert settled["evaluation", "en"]["text"][:] == ["one", "two", "three"]
    assert overlap(settled) == {}


def test_dropping_is_refused_when_nothing_would_be_left() -> None:
    with pytest.raises(UserError, match="would leave no labelled rows in en"):
        settle_overlap(OVERLAPPING, "drop")


LABELLED = texts("one", "two")
SETTINGS: dict[str, tuple[Sources, str]] = {
    "labels only": ({("labelled", "en"): LABELLED}, "source-only"),
    "unlabelled source": ({("labelled", "en"): LABELLED, ("unlabelled", "en"): texts("three")}, "source-only"),
    "unlabelled target": (
        {("labelled", "en"): LABELLED, ("unlabelled", "sw"): texts("tatu")},
        "unlabelled-target",
    ),
    "translated source text": (
        {("labelled", "en"): LABELLED, ("parallel", "sw"): texts("tatu", teacher_text=["three"])},
        "parallel",
    ),
    "translated text beside unlabelled": (
        {("unlabelled", "sw"): texts("nne"), ("parallel", "sw"): texts("tatu", teacher_text=["three"])},
        "parallel",
    ),
    "translated labelled rows": (
        {("labelled", "en"): LABELLED, ("parallel", "sw"): texts("tatu", "mbili", teacher_text=["three", "TWO"])},
        "translated-labels",
    ),
    "labelled rows translated in one language of two": (
        {
            ("labelled", "en"): LABELLED,
            ("parallel", "sw"): texts("tatu", teacher_text=["three"]),
            ("parallel", "yo"): texts("eji", teacher_text=["two"]),
        },
        "translated-labels",
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_setting_is_derived_when_training_has(case: str) -> None:
    sources, expected = SETTINGS[case]
    assert setting_of(sources, "en") == expected


@pytest.mark.parametrize(
    ("case", "roles", "expected"),
    [
        ("unlabelled target", {"labelled": 1, "unlabelled": 0}, "source-only"),
        ("translated source text", {"labelled": 1, "parallel": 0}, "source-only"),
        ("translated text beside unlabelled", {"unlabelled": 1, "parallel": 0}, "unlabelled-target"),
        # A teacher may have been fine-tuned on them.
        ("translated labelled rows", {"labelled": 0, "parallel": 1}, "translated-labels"),
    ],
)
def test_setting_is_of_what_is_drawn_when_roles_have_shares(case: str, roles: dict[str, float], expected: str) -> None:
    assert setting_of(SETTINGS[case][0], "en", MixtureArguments(roles=roles)) == expected


def test_side_of_a_pair_is_found_when_it_is_counted_for_the_vocabulary() -> None:
    pairs = Dataset.from_dict({"text": ["A man.", "B."], "text_pair": ["He sits.", "C."]})
    sources: Sources = {
        ("vocabulary", "en"): texts("He sits.", "Else."),
        ("evaluation", "en"): pairs.add_column("content_id", content_ids(pairs)),
    }
    assert overlap(sources) == {"en": 1}
