"""What data sets have as labels: lists of names or ids, columns of 0 and 1, numbers."""

import datasets
import pyarrow as pa
import pytest
from datasets import Dataset

from xlkd.arguments import DataArguments
from xlkd.data.labels import (
    is_labelled,
    label_column,
    label_of,
    names_by_id,
    names_of,
    own_labels,
    typed,
    warn_of_unused_map,
)
from xlkd.data.mixture import mix
from xlkd.data.planned import planned_rows
from xlkd.errors import UserError
from xlkd.outputs import has_label

FLAGS = {"text": ["x", "y", "z", "w"], "toxic": [1, 0, None, 1], "insult": ["1", "0", "", "0"]}


def entry(label="label", **more) -> DataArguments:
    return DataArguments(role="labelled", path="rows.csv", label=label, **more)


def test_row_has_the_labels_whose_columns_hold_a_one():
    table, column = label_column(Dataset.from_dict(FLAGS), entry(["toxic", "insult"]), "en", "any-of")
    assert table[column] == [["toxic", "insult"], [], None, ["toxic"]]


@pytest.mark.parametrize(
    ("label", "values", "answers", "message"),
    [
        (["toxic", "insult"], {"toxic": [2], "insult": [0]}, "any-of", "has 2 in the column 'toxic', where 0 or 1"),
        (["toxic", "insult"], {"toxic": [1], "insult": [None]}, "any-of", "has None in the column 'insult'"),
        (["toxic", "insults"], {"toxic": [1], "insult": [0]}, "any-of", "did you mean insult"),
        (["toxic", "insult"], {"toxic": [1], "insult": [0]}, "one-of", "write `task: multi-label-classification`"),
    ],
)
def test_columns_are_refused_when_they_are_no_flags_of_several_classes(label, values, answers, message):
    with pytest.raises(UserError, match=message):
        label_column(Dataset.from_dict(values), entry(label), "en", answers)


def test_ids_in_lists_get_the_names_that_the_data_set_carries():
    features = datasets.Features({"label": datasets.List(datasets.ClassLabel(names=["joy", "fear"]))})
    table = Dataset.from_dict({"label": [[1], [0, 1], []]}, features=features)
    names = names_by_id(table, "label", None)
    assert [label_of(own, names, entry(), "any-of") for own in table["label"]] == [["fear"], ["joy", "fear"], []]


@pytest.mark.parametrize(
    ("label", "answers", "expected"),
    [
        ("", "any-of", None),
        ([], "any-of", []),
        (["sad"], "any-of", ["fear"]),
        ("3.5", "number", 3.5),
        (4, "number", 4.0),
        ("", "number", None),
        (float("nan"), "number", None),
    ],
)
def test_label_is_what_the_task_asks_for(label, answers, expected):
    assert label_of(label, (), entry(label_map={"sad": "fear"}), answers) == expected


@pytest.mark.parametrize(
    ("labels", "names", "warned"),
    [
        (["sad", "joy", None], (), []),
        ([["joy", "sad"], [], None], (), []),
        ([1, 0], ("joy", "sad"), []),
        (["sda", "joy"], (), ["rows.csv (labelled): label_map maps 'sad' (did you mean sda?), which no row has."]),
        ([["joy"], None], (), ["rows.csv (labelled): label_map maps 'sad', which no row has."]),
    ],
)
def test_warning_names_a_mapped_label_when_no_row_has_it(labels, names, warned, caplog):
    own = entry(label_map={"sad": "fear"})
    warn_of_unused_map(own, own_labels(labels, names, own, "any-of"))
    assert caplog.messages == warned


def test_map_is_refused_when_labels_are_numbers():
    with pytest.raises(UserError, match="nothing to map, since the labels are numbers"):
        own_labels([3.5], (), entry(label_map={"sad": "fear"}), "number")


def test_numbers_are_no_mistake_when_there_is_no_map():
    assert own_labels([3.5], (), entry(), "number") == set()


@pytest.mark.parametrize("label", ["good", True, "inf"])
def test_number_is_asked_for_when_the_label_is_none(label):
    with pytest.raises(UserError, match="which is no number, as a regression needs"):
        label_of(label, (), entry(), "number")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("joy,fear", r"label 'joy,fear', where a list of classes should be"),
        ([0, 1, 0], r"label \[0, 1, 0\], with a class twice\. If it says yes or no to each class in turn"),
        ([1.0, 0.0, 0.0], r"label 1\.0, which is neither a name nor the id of a class: .* those that are a yes"),
    ],
)
def test_list_of_classes_is_asked_for_when_the_label_is_none(label, message):
    with pytest.raises(UserError, match=message):
        label_of(label, ["joy", "fear", "rage"], entry(), "any-of")


def test_list_is_refused_when_a_name_in_it_is_empty():
    with pytest.raises(UserError, match="with an empty name in it"):
        label_of(["joy", None], (), entry(), "any-of")


@pytest.mark.parametrize("label", [1.0, True, float("nan")])
def test_label_is_refused_when_it_is_neither_a_name_nor_an_id(label):
    with pytest.raises(UserError, match=f"label {label!r}, which is neither a name nor the id of a class"):
        label_of(label, ["no", "yes"], entry(), "one-of")


def test_label_is_refused_when_the_column_holds_several_values_by_name():
    table = Dataset.from_dict({"label": [{"a": 1}]})
    names = names_by_id(table, "label", None)
    with pytest.raises(UserError, match="label {'a': 1}, which is neither a name nor the id of a class"):
        label_of(table["label"][0], names, entry(), "one-of")


@pytest.mark.parametrize("label", [1, "1"])
def test_id_is_refused_when_it_has_no_name(label):
    with pytest.raises(UserError, match="the integer label 1 without a name"):
        label_of(label, (), entry(), "one-of")


def test_sign_is_a_name_when_it_only_looks_like_a_digit():
    assert label_of("²", (), entry(), "one-of") == "²"


def test_digits_are_a_name_when_the_run_names_them():
    assert label_of("1", ["1", "2"], entry(), "one-of") == "1"


def test_numbers_are_no_names():
    assert names_of(typed(Dataset.from_dict({"label": [1, 2, None]}), "number")) == []


@pytest.mark.parametrize(
    ("labels", "expected"), [([None], False), ([[]], True), ([[None, None]], False), ([["O"]], True), ([0.0], True)]
)
def test_rows_are_labelled_when_one_of_them_is(labels, expected):
    rows = Dataset.from_dict({"text": ["x"], "label": labels, "content_id": ["1"]})
    assert is_labelled(rows) == expected
    assert has_label(planned_rows({("labelled", "en"): rows}).labels).tolist() == [expected]


@pytest.mark.parametrize(
    ("answers", "label", "kind"), [("any-of", ["a"], pa.list_(pa.string())), ("number", 2, pa.float64())]
)
def test_unlabelled_rows_join_labelled_ones_when_labels_are_no_names(answers, label, kind):
    labelled = typed(Dataset.from_dict({"text": ["x"], "label": [label], "content_id": ["1"]}), answers)
    unlabelled = Dataset.from_dict({"text": ["y"], "content_id": ["2"]})
    mixed = mix({("labelled", "en"): labelled, ("unlabelled", "sw"): unlabelled}, "en")
    assert mixed.data.column("label").type == kind
    assert mixed["label"][:] == [label, None]
