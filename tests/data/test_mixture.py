"""One training set of all roles and languages."""

from pathlib import Path

import pytest
from datasets import Dataset

from xlkd import MixtureArguments, UserError
from xlkd.data.mixture import check_mixture, mix, texts_by_language
from xlkd.data.sources import Sources

PARTS: Sources = {
    ("unlabelled", "sw"): Dataset.from_list([{"text": "moja", "language": "sw", "content_id": "1"}]),
    ("parallel", "sw"): Dataset.from_list(
        [{"text": "mbili", "teacher_text": "two", "language": "sw", "content_id": "2", "key": "k"}]
    ),
    ("labelled", "en"): Dataset.from_list([{"text": "three", "label": "x", "language": "en", "content_id": "3"}]),
    ("validation", "en"): Dataset.from_list([{"text": "four", "label": "x", "language": "en", "content_id": "4"}]),
    ("evaluation", "en"): Dataset.from_list([{"text": "five", "label": "x", "language": "en", "content_id": "5"}]),
}


def test_every_row_says_what_the_teacher_reads_when_roles_are_mixed() -> None:
    read = {row["text"]: row["teacher_text"] for row in mix(PARTS, "en")}
    assert read == {"three": "three", "mbili": "two", "moja": "moja"}


def test_label_is_none_when_the_role_has_none() -> None:
    assert {row["text"]: row["label"] for row in mix(PARTS, "en")} == {"three": "x", "mbili": None, "moja": None}


def test_columns_are_all_there_when_no_part_has_them() -> None:
    mixed = mix({("unlabelled", "sw"): PARTS["unlabelled", "sw"]}, "en")
    texts = {"text": "moja", "teacher_text": "moja", "label": None, "content_id": "1"}
    assert mixed.to_list() == [{**texts, "role": "unlabelled", "language": "sw", "teacher_language": "sw"}]


def test_order_is_the_same_when_the_parts_come_in_another() -> None:
    assert mix(PARTS, "en").to_list() == mix(dict(reversed(PARTS.items())), "en").to_list()


def test_scored_rows_stay_out_when_roles_are_mixed() -> None:
    assert not {"four", "five"} & set(mix(PARTS, "en")["text"])


def test_teacher_reads_both_texts_when_rows_are_pairs() -> None:
    sources: Sources = {
        ("labelled", "en"): Dataset.from_list([{"text": "one", "text_pair": "two", "label": "x"}]),
        ("parallel", "sw"): Dataset.from_list(
            [{"text": "moja", "text_pair": "mbili", "teacher_text": "one", "teacher_text_pair": "two"}]
        ),
    }
    assert [(row["teacher_text"], row["teacher_text_pair"]) for row in mix(sources, "en")] == [("one", "two")] * 2


def test_text_is_counted_in_the_language_it_is_in_when_it_is_for_training() -> None:
    more = Dataset.from_list([{"text": "nne", "language": "sw", "content_id": "6"}])
    found = texts_by_language({**PARTS, ("vocabulary", "sw"): more}, "en")
    assert {language: sorted(texts) for language, texts in found.items()} == {
        "en": ["three", "two"],
        "sw": ["mbili", "moja", "nne"],
    }


def test_text_is_counted_once_when_several_rows_hold_it() -> None:
    twice = Dataset.from_list([{"text": "moja", "text_pair": "moja", "language": "sw", "content_id": "7"}] * 2)
    assert texts_by_language({("unlabelled", "sw"): twice}, "en") == {"sw": ["moja"]}


def test_rows_say_their_role_and_the_languages_they_are_read_in() -> None:
    said = {row["text"]: (row["role"], row["language"], row["teacher_language"]) for row in mix(PARTS, "en")}
    assert said == {
        "three": ("labelled", "en", "en"),
        "mbili": ("parallel", "sw", "en"),
        "moja": ("unlabelled", "sw", "sw"),
    }


def test_chosen_rows_are_mixed_when_a_part_was_selected_from_more() -> None:
    chosen = Dataset.from_dict({"text": list("abcd"), "label": list("xyxy")}).select([3, 1])
    mixed = mix({("labelled", "en"): chosen}, "en")
    assert (mixed["text"][:], mixed["label"][:]) == (["d", "b"], ["y", "y"])
    assert texts_by_language({("labelled", "en"): chosen}, "en") == {"en": ["d", "b"]}


def test_rows_can_be_mapped_and_saved_when_they_are_mixed(tmp_path: Path) -> None:
    mixed = mix(PARTS, "en").map(lambda row: {"text": row["text"].upper()})
    mixed.save_to_disk(str(tmp_path / "rows"))
    assert Dataset.load_from_disk(str(tmp_path / "rows"))["text"][:] == ["THREE", "MBILI", "MOJA"]


def test_mixture_is_refused_when_its_roles_are_not_those_of_the_training_data() -> None:
    check_mixture(None, PARTS)
    check_mixture(MixtureArguments(roles={"labelled": 1, "parallel": 1, "unlabelled": 0}), PARTS)
    with pytest.raises(UserError, match="does not say how much of unlabelled"):
        check_mixture(MixtureArguments(roles={"labelled": 1, "parallel": 1}), PARTS)


def test_role_needs_no_rows_when_it_has_no_share() -> None:
    check_mixture(MixtureArguments(roles={"labelled": 1, "parallel": 1, "unlabelled": 1}), PARTS)
    without = {key: rows for key, rows in PARTS.items() if key[0] != "unlabelled"}
    check_mixture(MixtureArguments(roles={"labelled": 1, "parallel": 1, "unlabelled": 0}), without)
    with pytest.raises(UserError, match="roles names unlabelled, of which the training data have no rows"):
        check_mixture(MixtureArguments(roles={"labelled": 1, "parallel": 1, "unlabelled": 1}), without)
