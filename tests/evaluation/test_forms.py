"""Answers of every form, from predictions to a report, its files and a comparison of runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metric_cases import CASES, TAGS, listed, name_of

from xlkd.errors import UserError
from xlkd.evaluation.answers import Answers, by_word, renumbered
from xlkd.evaluation.comparison import compare_runs
from xlkd.evaluation.metrics import build_metrics
from xlkd.evaluation.pictures import write_pictures
from xlkd.evaluation.predictions import LanguagePredictions, SavedRun, hashes_of, load_run
from xlkd.evaluation.report import ZeroShotReport

ROWS = 80


def entry(case: str, language: str, seed: int) -> LanguagePredictions:
    """Student and teacher on the same labels; the teacher gets every third row right."""
    student, labels = CASES[case].draw(np.random.default_rng(seed), ROWS)
    teacher = student.copy()
    if teacher.ndim == 1 or teacher.shape == labels.shape:
        teacher[::3] = labels[::3]
    else:
        teacher[::3] = 1.0
    rows = hashes_of(f"{language} {row}" for row in range(ROWS))
    return LanguagePredictions(language, labels, student, teacher, [str(row) for row in range(ROWS)], rows)


def report(case: str, **changes: Any) -> ZeroShotReport:
    values: dict[str, Any] = {
        "task": "made up",
        "metric": name_of(case),
        "metrics": [name_of(case)],
        "setting": "unlabelled-target",
        "selection": "last step",
        "source_language": "en",
        "teacher": "teacher",
        "student": "student",
        "seed": 0,
        "labels": CASES[case].labels,
        "groups": {"africa": ["sw", "yo"]},
        "size": {},
        "speed": {},
    }
    entries = [entry(case, language, seed) for seed, language in enumerate(("en", "sw", "yo"))]
    return ZeroShotReport.from_predictions(changes.pop("predictions", entries), **(values | changes))


@pytest.mark.parametrize("case", CASES)
def test_languages_have_their_scores_with_intervals_and_tests(case: str) -> None:
    found = report(case)
    for own in found.predictions:
        scores = found.languages[own.language]
        for system, answers in (("student", own.student), ("teacher", own.teacher)):
            assert scores[system] == pytest.approx(CASES[case].definition(listed(answers), listed(own.labels)))
            assert scores[f"{system}_low"] < scores[system] < scores[f"{system}_high"]
        assert scores["difference_low"] < scores["difference"] < scores["difference_high"]
        assert 0 < scores["p_value"] <= 1
    assert found.groups["africa"]["student"] == found.means["target"]["student"]
    exact = ("accuracy", "retrieval-to-source", "retrieval-from-source")
    assert found.test == ("exact McNemar" if case in exact else "paired approximate randomisation")


@pytest.mark.parametrize("case", [case for case in CASES if case != "spearman"])
def test_interval_is_that_of_a_loop_over_drawn_rows(case: str) -> None:
    found = report(case)
    own, scores = found.predictions[1], found.languages["sw"]
    metric = build_metrics([name_of(case)], CASES[case].labels)[name_of(case)]
    generator = np.random.default_rng(9)
    drawn = [generator.integers(ROWS, size=ROWS) for _ in range(1000)]
    samples = [metric.of(own.student[rows], own.labels[rows]) for rows in drawn]
    gains = [
        sample - metric.of(own.teacher[rows], own.labels[rows]) for sample, rows in zip(samples, drawn, strict=True)
    ]
    for name, values in (("student", samples), ("difference", gains)):
        low, high = np.quantile(values, [0.025, 0.975])
        assert (scores[f"{name}_low"], scores[f"{name}_high"]) == pytest.approx((low, high), abs=0.2 * (high - low))


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("accuracy", "spearman")])
def test_p_value_is_that_of_a_loop_that_swaps_rows(case: str) -> None:
    found = report(case)
    own = found.predictions[2]
    metric = build_metrics([name_of(case)], CASES[case].labels)[name_of(case)]
    generator = np.random.default_rng(10)
    hits = 0
    for _ in range(1000):
        pair = own.student.copy(), own.teacher.copy()
        swapped = generator.random(ROWS) < 0.5
        pair[0][swapped], pair[1][swapped] = own.teacher[swapped], own.student[swapped]
        far = abs(metric.of(pair[0], own.labels) - metric.of(pair[1], own.labels))
        hits += far >= abs(found.languages["yo"]["difference"]) - 1e-9
    assert found.languages["yo"]["p_value"] == pytest.approx((hits + 1) / 1001, abs=0.05)


@pytest.mark.parametrize("case", CASES)
def test_predictions_are_the_same_when_saved_and_loaded(case: str, tmp_path: Path) -> None:
    found = report(case)
    found.save(tmp_path)
    loaded = load_run(tmp_path)
    assert loaded.record.metrics == [name_of(case)]
    for own in found.predictions:
        for name in ("labels", "student", "teacher"):
            one, other = vars(own)[name], vars(loaded.languages[own.language])[name]
            assert listed(one) == listed(other) and one.dtype.kind == other.dtype.kind
    assert ZeroShotReport.load(tmp_path) == found


@pytest.mark.parametrize("case", CASES)
def test_runs_are_compared_when_their_rows_and_classes_stand_in_another_order(case: str, tmp_path: Path) -> None:
    found = report(case)
    found.save(tmp_path)
    loaded = load_run(tmp_path)
    ids = np.random.default_rng(11).permutation(len(CASES[case].labels))
    names = [CASES[case].labels[place] for place in np.argsort(ids)]
    order = np.random.default_rng(12).permutation(ROWS)
    turned = {}
    for language, own in loaded.languages.items():
        columns = {name: renumbered(vars(own)[name], ids)[order] for name in ("labels", "student")}
        turned[language] = LanguagePredictions(language, **columns, keys=own.keys[order], rows=own.rows[order])
    other = SavedRun("turned", replace(loaded.record, labels=names), turned)
    comparison = compare_runs([loaded], [other])
    for language, scores in comparison.languages.items():
        assert scores["mean"] == pytest.approx(found.languages[language]["student"])
        assert (scores["difference"], scores["p_value"]) == (pytest.approx(0.0, abs=1e-12), 1.0)


@pytest.mark.parametrize("case", CASES)
def test_table_pictures_and_page_are_made(case: str, tmp_path: Path) -> None:
    found = report(case)
    assert max(map(len, found.table().splitlines())) <= 100
    write_pictures(found.to_dict(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"zero_shot.png", "report.html"}


def test_classes_are_renumbered_alike_in_every_form() -> None:
    ids, new = np.array([0, 1, 2, 2]), np.array([2, 0, 1])
    flags = ids[:, None] == np.arange(3)
    assert renumbered(ids, new).tolist() == [2, 0, 1, 1]
    assert renumbered(flags, new).argmax(axis=1).tolist() == [2, 0, 1, 1]
    assert listed(renumbered(by_word([[0, 1], [], [2, 2]]), new)) == [[2, 0], [], [1, 1]]
    assert renumbered(np.array([0.5, 2.0]), np.array([0])).tolist() == [0.5, 2.0]


def undefined() -> list[LanguagePredictions]:
    """A language in which the student always says the same, so that its correlation is undefined."""
    labels = np.random.default_rng(13).normal(size=50)
    good = LanguagePredictions("en", labels, labels + 0.1, labels)
    return [good, LanguagePredictions("sw", labels, np.full(50, 0.3), labels)]


def test_undefined_scores_are_null_everywhere(tmp_path: Path) -> None:
    found = report("pearson", predictions=undefined())
    swahili = found.languages["sw"]
    names = ("student", "student_low", "difference", "p_value", "retention", "transfer_gap")
    assert [swahili[name] for name in names] == [None] * 6
    assert swahili["teacher"] == pytest.approx(1.0)
    assert (found.means["target"]["student"], found.means["target"]["student_low"]) == (None, None)
    assert max(map(len, found.table().splitlines())) <= 100
    found.save(tmp_path)
    write_pictures(found.to_dict(), tmp_path)


def test_comparison_is_null_where_a_score_is_undefined(tmp_path: Path) -> None:
    rows = hashes_of(map(str, range(50)))
    languages = {own.language: replace(own, rows=rows) for own in undefined()}
    record = replace(report("pearson").record)
    comparison = compare_runs([SavedRun("a", record, languages)], [SavedRun("b", record, languages)])
    swahili = comparison.languages["sw"]
    assert (swahili["mean"], swahili["difference"], swahili["p_value"]) == (None, None, None)
    assert comparison.languages["en"]["p_value"] == 1.0
    comparison.save(tmp_path)
    assert max(map(len, comparison.table().splitlines())) <= 100


def test_retention_is_null_when_the_teacher_correlates_the_wrong_way() -> None:
    labels = np.arange(30.0)
    own = LanguagePredictions("en", labels, labels, -labels)
    assert report("pearson", predictions=[own]).languages["en"]["retention"] is None


@pytest.mark.parametrize(
    ("labels", "student", "message"),
    [
        (np.array([0.5, np.nan]), np.array([0.1, 0.2]), "1 rows have no label"),
        (by_word([[0, 1], [-100]]), by_word([[0, 1], [0]]), "1 rows have no label"),
        (by_word([[0, 1], [0]]), by_word([[0], [0]]), "different numbers of words"),
        (np.array([[True], [False]]), np.array([1, 0]), "class ids and booleans"),
    ],
)
def test_predictions_are_refused_when_they_do_not_fit_their_labels(
    labels: Answers, student: Answers, message: str
) -> None:
    with pytest.raises(UserError, match=f"Language sw: .*{message}"):
        LanguagePredictions("sw", labels, student)


def test_rows_without_words_do_no_harm(tmp_path: Path) -> None:
    rows = by_word([[], [1, 2], []])
    own = LanguagePredictions("en", rows, rows, rows=hashes_of("abc"))
    found = report("span-f1", predictions=[own], labels=TAGS)
    found.save(tmp_path)
    assert listed(load_run(tmp_path).languages["en"].student) == [[], [1, 2], []]
    assert found.languages["en"]["student"] == 1.0
