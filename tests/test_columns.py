"""What columns of rows say without being read value by value, and integers by their names."""

from datasets import ClassLabel, Dataset, Features, List

from xlkd.columns import with_names

KIND = ClassLabel(names=["no", "yes"])


def test_integers_become_names_when_the_data_set_has_some():
    rows = Dataset.from_dict({"label": [1, -1, 0, None]}, features=Features({"label": KIND}))
    assert with_names(rows, "label")["label"][:] == ["yes", None, "no", None]
    lists = Dataset.from_dict({"label": [[1, -1], None, []]}, features=Features({"label": List(KIND)}))
    assert with_names(lists, "label")["label"][:] == [["yes", None], None, []]


def test_integers_stay_when_nobody_named_them():
    counted = Features({"label": ClassLabel(num_classes=2)})
    assert with_names(Dataset.from_dict({"label": [1, 0]}, features=counted), "label")["label"][:] == [1, 0]
    assert with_names(Dataset.from_dict({"label": [1, 0]}), "label")["label"][:] == [1, 0]


def test_named_rows_are_found_again_when_they_were_made_before():
    rows = Dataset.from_dict({"label": [1]}, features=Features({"label": KIND}))
    first, second = (with_names(rows, "label") for _ in range(2))
    assert first._fingerprint == second._fingerprint
