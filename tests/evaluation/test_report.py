"""The report: what is in `zero_shot.json`, and how the table looks."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xlkd.errors import UserError
from xlkd.evaluation.predictions import LanguagePredictions, hashes_of, load_run
from xlkd.evaluation.report import ZeroShotReport

LABELS = np.array([0, 1, 2, 3] * 25)
FIELDS = {
    "schema", "task", "metric", "setting", "selection", "source_language", "teacher", "student", "seed", "languages",
    "means", "groups", "size", "speed", "test", "labels", "oracle", "selected_on", "unscored", "weights",
}  # fmt: skip
LANGUAGE_FIELDS = {
    "n", "name", "resource_class", "script", "chance", "student", "student_low", "student_high", "teacher",
    "teacher_low", "teacher_high", "difference", "difference_low", "difference_high", "p_value", "retention",
    "transfer_gap", "metrics", "unread_words", "classes",
}  # fmt: skip


def predicted(right: int) -> np.ndarray:
    """Predictions of which the first `right` of 100 are right."""
    return np.where(np.arange(100) < right, LABELS, (LABELS + 1) % 4)


def entry(language: str, student: int, teacher: int | None = 90) -> LanguagePredictions:
    keys = [str(row) for row in range(100)]
    return LanguagePredictions(
        language, LABELS, predicted(student), None if teacher is None else predicted(teacher), keys
    )


ENTRIES = [entry("yo", 60), entry("sw", 72), entry("en", 81), entry("de", 78)]


def build(predictions: list[LanguagePredictions] = ENTRIES, **changes: Any) -> ZeroShotReport:
    values: dict[str, Any] = {
        "task": "sequence-classification",
        "metric": "accuracy",
        "metrics": ("accuracy", "macro-f1"),
        "setting": "unlabelled-target",
        "selection": "best accuracy on the validation rows in en",
        "source_language": "en",
        "teacher": "intfloat/multilingual-e5-small",
        "student": "runs/quickstart",
        "seed": 42,
        "labels": ["a", "b", "c", "d"],
        "groups": {"low-resource": ["sw", "yo"]},
        "size": {"student": {"parameters": 10}, "teacher": {"parameters": 20}},
        "speed": {"student": {"texts_per_second": 100.0}},
    }
    return ZeroShotReport.from_predictions(predictions, **(values | changes))


def test_scores_are_those_of_the_predictions_when_built() -> None:
    swahili = build().languages["sw"]
    assert (swahili["n"], swahili["student"], swahili["teacher"]) == (100, 0.72, 0.9)
    assert swahili["student_low"] < 0.72 < swahili["student_high"]


def test_retention_and_gap_follow_their_definitions_when_built() -> None:
    yoruba = build().languages["yo"]
    assert yoruba["retention"] == pytest.approx(0.60 / 0.90)
    assert yoruba["transfer_gap"] == pytest.approx(0.81 - 0.60)


def test_gap_is_zero_when_the_language_is_the_source() -> None:
    assert build().languages["en"]["transfer_gap"] == 0.0


def test_p_value_is_of_the_named_test_when_the_metric_changes() -> None:
    report = build()
    # The student errs on 18 rows more and is never right where the teacher errs: 2 / 2**18.
    assert report.languages["sw"]["p_value"] == pytest.approx(2 / 2**18)
    assert (report.test, build(metric="macro-f1").test) == ("exact McNemar", "paired approximate randomisation")


def test_means_are_plain_means_of_languages_when_built() -> None:
    report = build()
    target = report.means["target"]
    assert (target["n_languages"], target["student"]) == (3, pytest.approx((0.60 + 0.72 + 0.78) / 3))
    assert report.means["retention"] == target["retention"] == pytest.approx((0.60 + 0.72 + 0.78) / 3 / 0.9)
    assert report.means["source"]["student"] == 0.81


def test_group_is_left_out_when_none_of_its_languages_is_scored() -> None:
    groups = build(groups={"low-resource": ["sw", "yo", "ha"], "absent": ["xh"]}).groups
    assert {name: scores["n_languages"] for name, scores in groups.items()} == {"low-resource": 2}


def test_json_has_the_documented_fields_when_saved(tmp_path: Path) -> None:
    values = json.loads(build().save(tmp_path).read_text(encoding="utf-8"))
    assert set(values) == FIELDS and values["schema"] == 1
    assert all(set(scores) == LANGUAGE_FIELDS for scores in values["languages"].values())
    intervals = {f"{system}{end}" for system in ("student", "teacher") for end in ("", "_low", "_high")}
    metrics = values["languages"]["en"]["metrics"]
    assert set(metrics) == {"accuracy", "macro-f1"}
    assert all(set(scores) == intervals for scores in metrics.values())


def test_report_is_read_when_it_is_of_before_there_were_unscored_languages(tmp_path: Path) -> None:
    path = build().save(tmp_path)
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["unscored"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert ZeroShotReport.load(path) == build()


def test_report_is_the_same_when_saved_and_loaded(tmp_path: Path) -> None:
    report = build(selection="bestes Ergebnis in Yorùbá")
    path = report.save(tmp_path / "new folder")
    assert ZeroShotReport.load(path) == ZeroShotReport.load(path.parent) == report
    assert "Yorùbá" in path.read_text(encoding="utf-8")


def test_saving_leaves_one_file_when_a_report_was_there(tmp_path: Path) -> None:
    build().save(tmp_path)
    build(seed=43).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["zero_shot.json"]
    assert ZeroShotReport.load(tmp_path).seed == 43


def test_nan_becomes_null_when_saved(tmp_path: Path) -> None:
    path = build(speed={"student": {"texts_per_second": math.nan}, "runs": [math.inf]}).save(tmp_path)
    assert json.loads(path.read_text())["speed"] == {"student": {"texts_per_second": None}, "runs": [None]}


def test_values_are_null_when_there_is_no_teacher() -> None:
    report = build([entry("en", 81, None), entry("sw", 72, None)], teacher=None)
    swahili = report.languages["sw"]
    undefined = [
        report.test,
        swahili["teacher"],
        swahili["retention"],
        swahili["p_value"],
        swahili["metrics"]["accuracy"]["teacher"],
    ]
    assert undefined + [report.means["target"]["teacher"], report.means["retention"]] == [None] * 7


def test_retention_is_null_when_the_teacher_scores_zero() -> None:
    report = build([entry("en", 81), entry("sw", 72, teacher=0)])
    assert (report.languages["sw"]["teacher"], report.languages["sw"]["retention"]) == (0.0, None)
    assert report.means["retention"] is None


def test_gap_is_null_when_the_source_is_not_scored() -> None:
    report = build([entry("sw", 72)])
    assert (report.languages["sw"]["transfer_gap"], report.means["source"]) == (None, None)


def test_target_mean_is_null_when_only_the_source_is_scored() -> None:
    report = build([entry("en", 81)])
    assert (report.means["target"], report.means["retention"], report.groups) == (None, None, {})
    assert "mean of" not in report.table()


def test_languages_stand_source_first_then_by_group_when_built() -> None:
    assert list(build().languages) == ["en", "sw", "yo", "de"]


def test_table_shows_a_language_in_one_line_when_printed() -> None:
    line = next(line for line in build().table().splitlines() if line.startswith("sw "))
    words = line.replace("[", " ").replace("]", " ").replace(",", " ").split()
    assert [words[index] for index in (0, 1, 2, 5, 6, 7, 8)] == ["sw", "100", "72.0", "90.0", "80.0", "9.0", "<0.001"]


def test_table_names_setting_selection_metric_and_test_when_printed() -> None:
    footer = " ".join(build().table().splitlines()[-4:])
    assert all(
        words in footer for words in ("unlabelled-target", "best accuracy on", "95 % bootstrap", "exact McNemar")
    )


def test_table_fits_and_aligns_when_names_are_long() -> None:
    many = [entry("en", 100), entry("zh-Hant-TW-variant-longer-than-usual", 100), entry("sw", 0), entry("yo", 60, None)]
    lines = (
        build(many, groups={"a group with quite a long name " * 3: ["sw"]}, selection="word " * 40).table().split("\n")
    )
    assert max(len(line) for line in lines) <= 100
    assert len({line.index("[") for line in lines[2:6]} | {lines[0].index("[")}) == 1


def test_table_shows_no_minus_zero_when_a_gap_rounds_to_nothing() -> None:
    labels = np.zeros(5000, dtype=np.int64)
    one_wrong = np.where(np.arange(5000) == 0, 1, 0)
    source, target = LanguagePredictions("en", labels, one_wrong), LanguagePredictions("sw", labels, labels)
    assert "-0.0" not in build([source, target]).table()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "unknown": 0}'])
def test_load_refuses_when_the_file_is_no_report(text: str, tmp_path: Path) -> None:
    path = tmp_path / "zero_shot.json"
    path.write_text(text)
    with pytest.raises(UserError, match="The report .*zero_shot.json"):
        ZeroShotReport.load(path)


def test_load_refuses_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        ZeroShotReport.load(tmp_path / "zero_shot.json")


def test_building_refuses_when_there_is_no_language() -> None:
    with pytest.raises(UserError, match="nothing to report"):
        build([])


def test_building_refuses_when_a_language_comes_twice() -> None:
    with pytest.raises(UserError, match="comes twice"):
        build([entry("en", 81), entry("en", 80)])


def test_building_refuses_when_the_metric_is_unknown() -> None:
    with pytest.raises(UserError, match="did you mean 'accuracy'"):
        build(metric="acuracy")


def test_predictions_name_the_language_when_they_are_empty() -> None:
    with pytest.raises(UserError, match="Language sw: There are no rows"):
        LanguagePredictions("sw", LABELS[:0], LABELS[:0])


def test_predictions_are_refused_when_a_row_has_no_label() -> None:
    with pytest.raises(UserError, match="Language sw: 1 rows have no label"):
        LanguagePredictions("sw", np.array([0, -100]), np.array([0, 1]))


def test_means_are_over_the_targets_of_each_class_and_script() -> None:
    more = [*ENTRIES, entry("am", 50), entry("ru", 90), entry("xx", 40)]
    means = build(more).means
    classes, scripts = means["resource_classes"], means["scripts"]
    # English is in class 5 too, and in Latin script, but it is no target.
    assert {name: own["n_languages"] for name, own in classes.items()} == {"2": 3, "4": 1, "5": 1}
    assert {name: own["n_languages"] for name, own in scripts.items()} == {"Cyrl": 1, "Ethi": 1, "Latn": 3}
    assert classes["2"]["student"] == pytest.approx((0.60 + 0.72 + 0.50) / 3)
    assert scripts["Latn"]["student"] == pytest.approx((0.60 + 0.72 + 0.78) / 3)
    assert means["target"]["n_languages"] == 6


def test_predictions_are_written_beside_the_report_when_the_rows_are_known(tmp_path: Path) -> None:
    known = [replace(own, rows=hashes_of(f"{own.language} {row}" for row in range(100))) for own in ENTRIES]
    build(known).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"zero_shot.json", "predictions.safetensors"}
    run = load_run(tmp_path)
    assert (run.record.labels, run.record.seed) == (["a", "b", "c", "d"], 42)
    assert run.languages["sw"].student.tolist() == predicted(72).tolist()


def test_classes_are_in_the_report_when_asked_for(tmp_path: Path) -> None:
    report = build(per_class=True)
    assert set(report.languages["sw"]["classes"]) == {"a", "b", "c", "d"}
    assert ZeroShotReport.load(report.save(tmp_path)) == report


def test_oracle_stands_in_a_marked_line_when_there_is_one() -> None:
    oracle = {"selection": "checkpoint-3, best mean accuracy (80.0) on labels of sw", "languages": {}, "target": 0.75}
    lines = replace(build(), oracle=oracle).table().splitlines()
    assert any(line.split() == ["oracle,", "mean", "of", "targets", "*", "75.0"] for line in lines)
    assert lines[-1] == "* checkpoint-3, best mean accuracy (80.0) on labels of sw: no zero-shot number."
    assert max(map(len, lines)) <= 100
