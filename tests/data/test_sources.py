"""Data by role and language: columns, labels, pairs, translations, and the default validation data."""

import json
import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest

from xlkd.arguments import DataArguments, MixtureArguments, RunArguments, StudentArguments
from xlkd.data import tables
from xlkd.data.entries import content_id, load_entry
from xlkd.data.planned import check_unscored
from xlkd.data.sources import load_sources, split_off_validation
from xlkd.errors import UserError


def run_of(data: Sequence[Mapping[str, Any]], **changes: Any) -> RunArguments:
    """A run from English to Swahili on these entries."""
    values: dict[str, Any] = {
        "source_language": "en",
        "target_languages": ["sw"],
        "data": [DataArguments(**entry) for entry in data],
        "losses": [{"name": "soft-label"}],
        "student": StudentArguments(layers=2),
    }
    return RunArguments(**{**values, **changes})


def load(language: str = "en", labels: list[str] | None = None, **entry: Any) -> datasets.Dataset:
    """Load one entry; of the role labelled unless said."""
    run = run_of([{"role": "labelled", **entry}], labels=labels)
    return load_entry(run.data[0], language, run).rows


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a jsonl file and give its path."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_columns_get_the_usual_names_when_the_table_has_others(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"body": "one", "topic": "x", "other": 1}, {"body": "two", "topic": "y"}])
    dataset = load(path=path, text="body", label="topic")
    assert sorted(dataset.column_names) == ["content_id", "label", "language", "text"]
    assert dataset["text"][:] == ["one", "two"]
    assert dataset["label"][:] == ["x", "y"]
    assert dataset["language"][:] == ["en", "en"]


def test_nearest_column_is_named_when_the_column_does_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": "x"}])
    message = r"\(labelled, en\) has no column 'txt' \(did you mean text\?\); it has text, label\."
    with pytest.raises(UserError, match=message):
        load(path=path, text="txt")


def test_label_column_is_asked_for_when_the_role_has_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "labels": "x"}])
    with pytest.raises(UserError, match=r"has no column 'label' \(did you mean labels\?\)"):
        load(path=path)


def test_label_column_is_left_alone_when_the_role_is_unlabelled(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": "x"}])
    assert "label" not in load(path=path, role="unlabelled", language="sw").column_names


def test_empty_rows_are_dropped_and_counted_when_text_is_blank(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"text": "one", "label": "x"}, {"text": " ", "label": "x"}, {"text": None, "label": "y"}, {"label": "y"}]
    with caplog.at_level(logging.WARNING):
        dataset = load(path=write(tmp_path / "rows.jsonl", rows))
    assert dataset["text"][:] == ["one"]
    assert "(labelled, en): dropped 3 empty rows." in caplog.text


def test_blank_lines_are_dropped_and_counted_when_the_file_is_txt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "raw.txt").write_text("one\n\n  \ntwo\n\n")
    with caplog.at_level(logging.WARNING):
        dataset = load(path=str(tmp_path / "raw.txt"), role="unlabelled", language="sw")
    assert dataset["text"][:] == ["one", "two"]
    assert "dropped 3 empty rows" in caplog.text


def test_zero_is_a_text_when_the_column_holds_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": 0, "label": "x"}, {"text": 5, "label": "y"}])
    assert load(path=path)["text"][:] == ["0", "5"]


def test_text_is_asked_for_when_the_column_holds_lists_of_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": [1, 2], "label": "x"}])
    with pytest.raises(UserError, match="in the column 'text', where text should be: name another column"):
        load(path=path)


def test_file_is_refused_when_no_row_has_text(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "", "label": "x"}])
    with pytest.raises(UserError, match=r"\(labelled, en\) has no rows with text: check the file and the column"):
        load(path=path)


def test_copies_are_known_by_what_they_are_made_of_when_words_are_made_up(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "Rais Kenyatta alizuru Mombasa"}])
    made = load(role="unlabelled", path=path, made_up_words=1.0)
    assert not set(made["text"][0].split()) & {"Rais", "Kenyatta", "alizuru", "Mombasa"}
    assert made["content_id"][:] == load(role="unlabelled", path=path)["content_id"][:]


def test_text_is_refused_when_none_of_its_words_can_be_made_up(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "ភ្នំពេញ ជា រាជធានី"}])
    with pytest.raises(UserError, match=r"made_up_words 0.5 replaced no word of .*rows.jsonl \(km\)"):
        load("km", role="unlabelled", path=path, made_up_words=0.5)


def test_pair_is_text_and_text_pair_when_text_names_two_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"premise": "one", "hypothesis": "two", "label": "x"}])
    dataset = load(path=path, text=["premise", "hypothesis"])
    assert (dataset[0]["text"], dataset[0]["text_pair"]) == ("one", "two")
    assert dataset[0]["content_id"] == content_id("one", "two") != content_id("one", None)


# Labels


def test_integers_get_names_when_labels_names_them(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": 1}, {"text": "two", "label": 0}])
    assert load(path=path, labels=["negative", "positive"])["label"][:] == ["positive", "negative"]


def test_names_are_asked_for_when_labels_are_integers(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": 1}])
    with pytest.raises(
        UserError, match=r"has the integer label 1 without a name: name the classes in order, `labels: \["
    ):
        load(path=path)


@pytest.mark.parametrize("label", [2, -1])
def test_integer_is_refused_when_labels_has_no_such_place(tmp_path: Path, label: int) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": label}])
    with pytest.raises(UserError, match=f"the integer label {label} without a name"):
        load(path=path, labels=["negative", "positive"])


def test_integers_get_names_when_a_csv_column_has_gaps(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\none,1\ntwo,\n")
    assert load(path=str(tmp_path / "rows.csv"), labels=["negative", "positive"])["label"][:] == ["positive", None]


def test_integers_get_names_when_the_data_set_carries_them(monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [1, 0]}, features=features)
    monkeypatch.setattr(tables, "load_dataset", lambda *arguments, **options: table)
    assert load(path="org/topics")["label"][:] == ["yes", "no"]


def test_label_is_none_when_the_labelled_row_has_none(tmp_path: Path) -> None:
    rows = [{"text": "one", "label": "x"}, {"text": "two", "label": None}, {"text": "three", "label": ""}]
    assert load(path=write(tmp_path / "rows.jsonl", rows))["label"][:] == ["x", None, None]


@pytest.mark.parametrize("role", ["validation", "evaluation"])
def test_rows_without_label_are_dropped_and_counted_when_they_are_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, role: str
) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": "x"}, {"text": "two", "label": None}])
    with caplog.at_level(logging.WARNING):
        dataset = load(path=path, role=role)
    assert dataset["text"][:] == ["one"]
    assert f"({role}, en): dropped 1 rows without a label." in caplog.text


def test_evaluation_data_are_refused_when_no_row_has_a_label(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "one", "label": None}, {"text": "two", "label": ""}])
    with pytest.raises(UserError, match=r"\(evaluation, sw\) has no row with a label: check the file and the column"):
        load("sw", path=path, role="evaluation")


# Translations


def test_teacher_reads_the_other_column_when_parallel_is_one_table(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"sw": "moja", "en": "one"}, {"sw": "mbili", "en": "two"}])
    dataset = load("sw", path=path, role="parallel", text="sw", teacher_text="en")
    assert dataset["text"][:] == ["moja", "mbili"]
    assert dataset["teacher_text"][:] == ["one", "two"]


def test_teacher_reads_the_source_when_parallel_is_joined(tmp_path: Path) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 2, "text": "mbili"}, {"id": 1, "text": "moja"}, {"id": 9, "text": "tisa"}])
    write(tmp_path / "en.jsonl", [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}, {"id": 3, "text": "three"}])
    dataset = load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="id")
    assert dataset["text"][:] == ["mbili", "moja"]
    assert dataset["teacher_text"][:] == ["two", "one"]
    assert dataset["key"][:] == ["2", "1"]


def test_both_texts_are_joined_when_parallel_rows_are_pairs(tmp_path: Path) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 1, "a": "moja", "b": "mbili"}])
    write(tmp_path / "en.jsonl", [{"id": 1, "a": "one", "b": "two"}])
    path = str(tmp_path / "{language}.jsonl")
    row = load("sw", path=path, role="parallel", join="id", text=["a", "b"])[0]
    assert [row[name] for name in ("text", "text_pair", "teacher_text", "teacher_text_pair")] == [
        "moja",
        "mbili",
        "one",
        "two",
    ]


def test_a_way_is_asked_for_when_parallel_names_neither(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"text": "moja"}])
    with pytest.raises(UserError, match=r"has neither `teacher_text` \(a column\) nor `join`"):
        load("sw", path=path, role="parallel")


def test_join_is_refused_when_the_column_does_not_exist(tmp_path: Path) -> None:
    for language in ("sw", "en"):
        write(tmp_path / f"{language}.jsonl", [{"ident": 1, "text": "one"}])
    with pytest.raises(UserError, match=r"has no column 'idnt' \(did you mean ident\?\); it has ident, text"):
        load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="idnt")


def test_sides_are_joined_when_their_columns_have_other_names(tmp_path: Path) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 1, "sw": "moja"}])
    write(tmp_path / "en.jsonl", [{"id": 1, "en": "one"}])
    rows = load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="id", text="{language}")
    assert rows[0]["text"] == "moja" and rows[0]["teacher_text"] == "one"


def test_rows_are_counted_when_they_have_no_translation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 1, "text": "moja"}, {"id": 2, "text": "mbili"}, {"id": None, "text": "tatu"}])
    write(tmp_path / "en.jsonl", [{"id": 1, "text": "one"}])
    assert len(load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="id")) == 1
    assert "2 rows in sw have no translation in en" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 1, "text": "one"}, {"id": 1, "text": "another"}], "1 stands more than once in 'id' in en, with"),
        ([{"id": 1, "text": "one"}, {"id": None, "text": "none"}], "a row in en has nothing in 'id' to be joined on"),
    ],
)
def test_join_is_refused_when_a_key_does_not_tell_texts_apart(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 1, "text": "moja"}])
    write(tmp_path / "en.jsonl", rows)
    with pytest.raises(UserError, match=message):
        load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="id")


def test_row_is_refused_when_it_does_not_say_what_it_is_a_translation_of(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"id": None, "text": "one", "label": "x"}])
    with pytest.raises(UserError, match="a row has nothing in 'id', the column of `join`"):
        load("en", path=path, role="evaluation", join="id")


def test_join_is_refused_when_no_value_stands_in_both(tmp_path: Path) -> None:
    write(tmp_path / "sw.jsonl", [{"id": 1, "text": "moja"}])
    write(tmp_path / "en.jsonl", [{"id": 2, "text": "two"}])
    with pytest.raises(UserError, match="no value of 'id' stands in both languages: join on another column"):
        load("sw", path=str(tmp_path / "{language}.jsonl"), role="parallel", join="id")


def test_join_is_refused_when_there_is_one_table_only(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{"id": 1, "text": "moja"}])
    with pytest.raises(UserError, match=r"is one table for both languages, .* put {language} or {code} into the path"):
        load("sw", path=path, role="parallel", join="id")


# Whole runs


@pytest.fixture
def good(tmp_path: Path) -> list[dict[str, Any]]:
    """Entries of a good run: 40 labelled rows, unlabelled Swahili, evaluation in both."""
    rows = [{"text": f"sentence {index}", "label": "xy"[index % 2]} for index in range(40)]
    write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "raw.jsonl", [{"text": "habari"}, {"text": "asante"}])
    for language in ("en", "sw"):
        write(tmp_path / f"test.{language}.jsonl", [{"text": f"test {language}", "label": "x"}])
    return [
        {"role": "labelled", "path": str(tmp_path / "train.jsonl")},
        {"role": "unlabelled", "path": str(tmp_path / "raw.jsonl")},
        {"role": "evaluation", "path": str(tmp_path / "test.{language}.jsonl")},
    ]


def test_languages_follow_the_role_when_left_out(good: list[dict[str, Any]]) -> None:
    assert set(load_sources(run_of(good))) == {
        ("labelled", "en"),
        ("validation", "en"),
        ("unlabelled", "sw"),
        ("evaluation", "en"),
        ("evaluation", "sw"),
    }


def test_entries_are_added_up_when_they_share_role_and_language(good: list[dict[str, Any]]) -> None:
    once, twice = load_sources(run_of(good)), load_sources(run_of([*good, good[1]]))
    assert len(twice["unlabelled", "sw"]) == 2 * len(once["unlabelled", "sw"])


def test_language_is_named_when_it_has_no_evaluation_data(good: list[dict[str, Any]]) -> None:
    good[2]["language"] = "en"
    told = "No evaluation data for sw: add an entry of role evaluation. Or take sw out of .* name in unscored_languages"
    with pytest.raises(UserError, match=told):
        load_sources(run_of(good))


def test_language_has_no_evaluation_rows_when_it_is_unscored(good: list[dict[str, Any]]) -> None:
    sources = load_sources(run_of(good, unscored_languages=["sw"]))
    assert {language for role, language in sources if role == "evaluation"} == {"en"}
    assert ("unlabelled", "sw") in sources


def test_source_alone_is_named_when_it_has_no_evaluation_data(good: list[dict[str, Any]]) -> None:
    good[2]["language"] = "sw"
    with pytest.raises(UserError, match=r"No evaluation data for en: add an entry of role evaluation\.$"):
        load_sources(run_of(good))


@pytest.mark.parametrize("role", ["evaluation", "validation"])
def test_rows_with_labels_are_refused_when_their_language_is_unscored(good: list[dict[str, Any]], role: str) -> None:
    good[2] |= {"language": ["en", "sw"], "role": role}
    with pytest.raises(UserError, match=f"has {role} rows in sw, which is in unscored_languages: take it out of"):
        load_sources(run_of(good, unscored_languages=["sw"]))


def test_language_is_refused_when_it_is_neither_scored_nor_trained_for(good: list[dict[str, Any]]) -> None:
    good[1]["language"] = "sw"
    run = run_of(good, target_languages=["sw", "qu"], unscored_languages=["qu"])
    with pytest.raises(UserError, match="there is no text in qu to train on either: add an entry of role unlabelled"):
        check_unscored(run, None, load_sources(run))


def test_language_is_refused_when_its_text_has_no_share_and_it_is_unscored(good: list[dict[str, Any]]) -> None:
    run = run_of(good, unscored_languages=["sw"])
    check_unscored(run, None, load_sources(run))
    with pytest.raises(UserError, match="there is no text in sw to train on either"):
        check_unscored(run, MixtureArguments(roles={"labelled": 1, "unlabelled": 0}), load_sources(run))


@pytest.mark.parametrize(
    ("unscored", "told"),
    [
        (["en"], "holds the source language en, which is always scored: take it out"),
        (["yo"], "holds yo, which target_languages do not: take out .*--unscored_languages"),
        (["sw", "sw"], "names a language twice"),
    ],
)
def test_unscored_languages_are_refused_when_they_are_not_targets(
    good: list[dict[str, Any]], unscored: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=f"unscored_languages {told}"):
        run_of(good, unscored_languages=unscored)


@pytest.mark.parametrize(
    ("group", "told"),
    [
        (["en", "sw"], "holds sw, .*, or take out of unscored_languages"),
        (["yo"], "holds yo, .*, or add to target_languages"),
    ],
)
def test_group_is_refused_when_a_language_of_it_is_not_scored(
    good: list[dict[str, Any]], group: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=f"groups: low {told}"):
        run_of(good, unscored_languages=["sw"], groups={"low": group})


@pytest.mark.parametrize("entry", [1, 2])
def test_one_text_is_refused_when_it_would_be_read_in_several_languages(
    good: list[dict[str, Any]], tmp_path: Path, entry: int
) -> None:
    good[entry]["path"] = str(tmp_path / "raw.jsonl")
    with pytest.raises(UserError, match=r"raw.jsonl .* is one text for \d languages .*, `language: (en|sw)`"):
        load_sources(run_of(good, target_languages=["sw", "am"]))


def test_training_data_are_asked_for_when_there_are_none(good: list[dict[str, Any]]) -> None:
    with pytest.raises(UserError, match="no training data: add an entry of role labelled, unlabelled or parallel"):
        load_sources(run_of(good[2:]))


def test_labels_are_refused_when_they_are_of_a_target_language(good: list[dict[str, Any]]) -> None:
    good[0]["language"] = "sw"
    with pytest.raises(UserError, match="has labelled rows in sw, but labels are of the source language en only"):
        load_sources(run_of(good))


def test_nearest_label_is_named_when_labels_does_not_have_it(good: list[dict[str, Any]], tmp_path: Path) -> None:
    write(tmp_path / "test.sw.jsonl", [{"text": "habari yako", "label": "positiv"}])
    message = r"\(evaluation\) has the label 'positiv' \(did you mean positive\?\), which `labels` does not name: x, y"
    with pytest.raises(UserError, match=message):
        load_sources(run_of(good, labels=["x", "y", "positive"]))


def test_pairs_are_refused_when_other_data_are_single(good: list[dict[str, Any]], tmp_path: Path) -> None:
    good[1] |= {"path": write(tmp_path / "pairs.jsonl", [{"a": "one", "b": "two"}]), "text": ["a", "b"]}
    with pytest.raises(UserError, match="Some data are pairs of texts and others are not"):
        load_sources(run_of(good))


def test_tenth_is_the_same_when_the_rows_come_in_another_order(good: list[dict[str, Any]], tmp_path: Path) -> None:
    first = load_sources(run_of(good))
    lines = (tmp_path / "train.jsonl").read_text().splitlines()
    random.Random(0).shuffle(lines)
    (tmp_path / "shuffled.jsonl").write_text("\n".join(lines))
    good[0]["path"] = str(tmp_path / "shuffled.jsonl")
    second = load_sources(run_of(good))
    for role in ("validation", "labelled"):
        assert set(first[role, "en"]["text"]) == set(second[role, "en"]["text"])
    assert first["labelled", "en"]["text"][:] != second["labelled", "en"]["text"][:]


def test_tenth_is_taken_away_from_training_when_it_validates(good: list[dict[str, Any]]) -> None:
    sources = load_sources(run_of(good))
    validation, labelled = (set(sources[role, "en"]["text"]) for role in ("validation", "labelled"))
    assert 1 <= len(validation) <= 10
    assert len(validation) + len(labelled) == 40
    assert not validation & labelled


def test_labelled_rows_stay_whole_when_nothing_is_validated(good: list[dict[str, Any]]) -> None:
    sources = load_sources(run_of(good), validated=False)
    assert len(sources["labelled", "en"]) == 40 and ("validation", "en") not in sources


def test_labelled_rows_stay_whole_when_validation_is_named(good: list[dict[str, Any]], tmp_path: Path) -> None:
    good.append({"role": "validation", "path": write(tmp_path / "dev.jsonl", [{"text": "dev", "label": "x"}])})
    sources = load_sources(run_of(good))
    assert len(sources["labelled", "en"]) == 40
    assert sources["validation", "en"]["text"][:] == ["dev"]


def test_more_rows_are_asked_for_when_there_is_no_tenth(good: list[dict[str, Any]], tmp_path: Path) -> None:
    good[0]["path"] = write(tmp_path / "one.jsonl", [{"text": "one", "label": "x"}])
    with pytest.raises(
        UserError, match="1 labelled rows are too few to keep a tenth for validation: add rows, or an entr"
    ):
        load_sources(run_of(good))


def test_nothing_is_split_when_there_are_no_labelled_rows() -> None:
    assert split_off_validation({}, "en") == {}


def test_embedded_set_is_loaded_when_the_path_names_it() -> None:
    dataset = load("sw", path="xlkd:cldr", role="parallel")
    assert {"text", "teacher_text", "key", "language", "content_id"} <= set(dataset.column_names)
    assert dataset["language"][0] == "sw"


# Content


@pytest.mark.parametrize(
    "other", ["hello world", "  HELLO\tworld ", "Hello\u00a0World", "\uff28ello World", "hello\n world"]
)
def test_content_id_is_the_same_when_only_the_writing_differs(other: str) -> None:
    assert content_id(other) == content_id("Hello World")


@pytest.mark.parametrize("other", ["hello worlds", "helloworld", "hello, world", ""])
def test_content_id_differs_when_the_words_do(other: str) -> None:
    assert content_id(other) != content_id("Hello World")


def test_content_id_differs_when_the_pair_is_cut_elsewhere() -> None:
    assert content_id("one two", "three") != content_id("one", "two three")
