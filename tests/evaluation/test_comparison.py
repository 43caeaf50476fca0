"""Saved runs beside one another: the file, the alignment of rows, seeds and tests."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open
from scipy.stats import binomtest

from xlkd.errors import UserError
from xlkd.evaluation.alignment import aligned
from xlkd.evaluation.comparison import compare_runs
from xlkd.evaluation.predictions import (
    PREDICTIONS_FILE,
    LanguagePredictions,
    PredictionsRecord,
    SavedRun,
    hashes_of,
    load_run,
    save_predictions,
)

RECORD = PredictionsRecord(
    "sequence-classification", "accuracy", ["accuracy", "macro-f1"], ["a", "b", "c"], "en", "runs/x", "teacher", 3
)
ROWS = 120
LABELS = np.arange(ROWS) % 3


def entry(language: str, right: np.ndarray, teacher: bool = True) -> LanguagePredictions:
    """Predictions that are right where `right` is true."""
    predictions = np.where(right, LABELS, (LABELS + 1) % 3)
    names = [f"{language} {row}" for row in range(ROWS)]
    keys = [str(row) for row in range(ROWS)]
    return LanguagePredictions(language, LABELS, predictions, LABELS if teacher else None, keys, hashes_of(names))


def run(name: str, seed: int, share: float = 0.7, record: PredictionsRecord = RECORD) -> SavedRun:
    """A run in English, Swahili and Amharic."""
    generator = np.random.default_rng(seed)
    return SavedRun(name, record, {code: entry(code, generator.random(ROWS) < share) for code in ("en", "sw", "am")})


def accuracy(own: SavedRun, language: str) -> float:
    return float(np.mean(own.languages[language].student == own.languages[language].labels))


def test_predictions_are_the_same_when_saved_and_loaded(tmp_path: Path) -> None:
    saved = run("x", 0)
    save_predictions(tmp_path, list(saved.languages.values()), RECORD)
    loaded = load_run(tmp_path)
    assert (loaded.record, loaded.name, list(loaded.languages)) == (RECORD, str(tmp_path), ["en", "sw", "am"])
    for language, own in saved.languages.items():
        for name in ("labels", "student", "teacher", "rows"):
            assert np.array_equal(vars(loaded.languages[language])[name], vars(own)[name])
        assert np.array_equal(loaded.languages[language].keys, hashes_of(own.keys))


def test_file_holds_no_text(tmp_path: Path) -> None:
    path = save_predictions(tmp_path, [entry("sw", LABELS == 0)], RECORD)
    assert b"sw 17" not in path.read_bytes()
    assert {values.dtype.kind for values in safetensors.numpy.load_file(path).values()} == {"i"}


def test_run_is_refused_when_it_has_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has no {PREDICTIONS_FILE}: name the folder of a run, or score the student"):
        load_run(tmp_path)


@pytest.mark.parametrize("content", [b"nothing", safetensors.numpy.save({"x": LABELS}, {"schema": "0"})])
def test_run_is_refused_when_its_file_is_another(content: bytes, tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS_FILE).write_bytes(content)
    with pytest.raises(UserError, match="score the student again"):
        load_run(tmp_path)


def test_rows_are_paired_when_they_stand_in_another_order() -> None:
    first, second = run("first", 0), run("second", 1)
    order = np.random.default_rng(2).permutation(ROWS)
    moved = {}
    for language, own in second.languages.items():
        columns = {name: vars(own)[name][order] for name in ("labels", "student", "teacher", "rows")}
        moved[language] = LanguagePredictions(language, keys=[own.keys[row] for row in order], **columns)
    straight, other = (aligned([first, against]) for against in (second, replace(second, languages=moved)))
    for language, entries in straight.items():
        for one, two in zip(entries, other[language], strict=True):
            assert all(np.array_equal(vars(one)[name], vars(two)[name]) for name in ("labels", "student", "rows"))
            assert list(one.keys) == list(two.keys)


def test_classes_are_paired_by_name_when_they_stand_in_another_order() -> None:
    first = run("first", 0)
    # c, a, b: what was class 0 is now class 1.
    turned = {
        language: replace(own, labels=(own.labels + 1) % 3, student=(own.student + 1) % 3)
        for language, own in first.languages.items()
    }
    second = SavedRun("second", replace(RECORD, labels=["c", "a", "b"]), turned)
    for one, two in aligned([first, second]).values():
        assert np.array_equal(one.student, two.student) and np.array_equal(one.labels, two.labels)


def test_rows_of_one_text_are_paired_by_label_when_they_have_several() -> None:
    rows = hashes_of(["same", "same", "other"])
    one = LanguagePredictions("sw", np.array([0, 1, 2]), np.array([0, 0, 0]), rows=rows)
    two = LanguagePredictions("sw", np.array([1, 0, 2]), np.array([2, 1, 0]), rows=rows)
    first, second = aligned([SavedRun("a", RECORD, {"sw": one}), SavedRun("b", RECORD, {"sw": two})])["sw"]
    assert first.labels.tolist() == second.labels.tolist()
    by_label = dict(zip(second.labels.tolist(), second.student.tolist(), strict=True))
    assert by_label == {0: 1, 1: 2, 2: 0}


def other_label(own: LanguagePredictions) -> LanguagePredictions:
    labels = own.labels.copy()
    labels[:2] = (labels[:2] + 1) % 3
    return replace(own, labels=labels)


def other_rows(own: LanguagePredictions) -> LanguagePredictions:
    rows = own.rows.copy()
    rows[:3] += 1
    return replace(own, rows=rows)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (run("b", 1, record=replace(RECORD, metric="macro-f1")), "their metric is accuracy and macro-f1"),
        (run("b", 1, record=replace(RECORD, task="ner")), "their task is sequence-classification and ner"),
        (run("b", 1, record=replace(RECORD, source_language="sw")), "their source language is en and sw"),
        (run("b", 1, record=replace(RECORD, labels=["a", "b", "d"])), "only one of them has the labels c, d"),
        (SavedRun("b", RECORD, {"en": run("b", 1).languages["en"]}), "only one of them has the languages am, sw"),
        (
            SavedRun("b", RECORD, run("b", 1).languages | {"sw": other_rows(run("b", 1).languages["sw"])}),
            r"6 rows are in only one of them, or have other labels \(sw 6\)",
        ),
        (
            SavedRun("b", RECORD, run("b", 1).languages | {"am": other_label(run("b", 1).languages["am"])}),
            r"4 rows are in only one of them, or have other labels \(am 4\)",
        ),
    ],
)
def test_runs_are_refused_by_name_when_they_cannot_be_compared(second: SavedRun, message: str) -> None:
    with pytest.raises(UserError, match=f"a and b cannot be compared: {message}.*score_languages.py"):
        compare_runs([run("a", 0)], [second])


def test_run_is_refused_when_it_comes_twice() -> None:
    one = run("a", 0)
    with pytest.raises(UserError, match="a and copy of a have one seed and the same predictions in every row"):
        compare_runs([one, replace(one, name="copy of a")])
    other_seed = replace(one, name="b", record=replace(RECORD, seed=4))
    assert compare_runs([one, other_seed]).target["spread"] == 0


def test_runs_are_tested_against_their_own_teachers_when_no_others_are_named() -> None:
    seeds = [run(f"seed-{seed}", seed) for seed in range(3)]
    found = compare_runs(seeds)
    assert found.against == ["teacher teacher"] and found.test == "multi-bootstrap over seeds and items"
    # The teacher is right everywhere.
    assert found.target["against"] == 1.0 and found.target["against_spread"] == 0.0
    assert found.target["difference"] == pytest.approx(found.target["mean"] - 1) and found.target["p_value"] < 0.01
    assert "against: teacher teacher." in found.table()
    alone = compare_runs(seeds[:1])
    assert (alone.test, alone.language_test) == ("bootstrap over items", "exact McNemar")


def test_run_and_its_teacher_are_drawn_together_when_seeds_differ() -> None:
    def like_its_teacher(own: SavedRun) -> SavedRun:
        return replace(own, languages={code: replace(e, teacher=e.student) for code, e in own.languages.items()})

    seeds = [like_its_teacher(run(f"a{seed}", seed, 0.4 + 0.15 * seed)) for seed in range(4)]
    target = compare_runs(seeds).target
    assert target["spread"] > 0.1 and (target["difference_low"], target["difference_high"]) == (0.0, 0.0)


def test_mean_has_an_interval_when_there_is_nothing_to_compare_with() -> None:
    bare = [
        replace(own, languages={code: replace(entry, teacher=None) for code, entry in own.languages.items()})
        for own in (run("a", 0), run("b", 1))
    ]
    found = compare_runs(bare)
    assert found.against is None and found.target["mean_low"] < found.target["mean"] < found.target["mean_high"]
    lines = found.table().splitlines()
    assert lines[0].split() == ["language", "n", "mean", "spread", "[low,", "high]"]
    assert max(map(len, lines)) <= 100


def test_mean_and_spread_are_over_seeds_when_there_are_several() -> None:
    seeds = [run(f"seed-{seed}", seed) for seed in range(4)]
    comparison = compare_runs(seeds)
    for language in ("en", "sw", "am"):
        scores = [accuracy(own, language) for own in seeds]
        found = comparison.languages[language]
        assert (found["mean"], found["spread"]) == pytest.approx((np.mean(scores), np.std(scores, ddof=1)))
    means = [(accuracy(own, "sw") + accuracy(own, "am")) / 2 for own in seeds]
    target = comparison.target
    assert target["n"] == 2
    assert (target["mean"], target["spread"]) == pytest.approx((np.mean(means), np.std(means, ddof=1)))
    low, high = target["mean_low"], target["mean_high"]
    assert low < min(means) and max(means) < high


def test_one_run_is_tested_against_one_on_paired_rows() -> None:
    first, second = run("a", 0, 0.8), run("b", 1, 0.6)
    comparison = compare_runs([first], [second])
    found = comparison.languages["sw"]
    assert found["difference"] == pytest.approx(accuracy(first, "sw") - accuracy(second, "sw"))
    assert found["spread"] is None
    gains = [(one.languages["sw"].student == LABELS).astype(int) for one in (first, second)]
    only = int(np.sum((gains[0] == 1) & (gains[1] == 0))), int(np.sum((gains[1] == 1) & (gains[0] == 0)))
    assert found["p_value"] == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    generator = np.random.default_rng(2)
    drawn = [np.mean((gains[0] - gains[1])[generator.integers(ROWS, size=ROWS)]) for _ in range(1000)]
    interval = found["difference_low"], found["difference_high"]
    assert interval == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.03)
    assert (comparison.language_test, comparison.test) == ("exact McNemar", "bootstrap over items")
    assert comparison.target["p_value"] < 0.05


def test_runs_that_predict_alike_have_no_difference() -> None:
    first = run("a", 0)
    target = compare_runs([first], [replace(first, name="b")]).target
    assert (target["difference_low"], target["difference_high"], target["p_value"]) == (0.0, 0.0, 1.0)


def test_multi_bootstrap_agrees_with_a_loop_over_seeds_and_items() -> None:
    # Seeds that differ a lot, so that how many of them are drawn shows in the width.
    shares = [0.9, 0.6, 0.85, 0.5]
    sides = [
        [run(f"{side}{seed}", 10 * side + seed, shares[seed] - 0.1 * side) for seed in range(4)] for side in (0, 1)
    ]
    comparison = compare_runs(*sides, resamples=10_000)
    right = [
        np.array([[own.languages[code].student == LABELS for code in ("sw", "am")] for own in side]) for side in sides
    ]
    generator = np.random.default_rng(3)
    drawn = []
    for _ in range(10_000):
        items = generator.integers(ROWS, size=ROWS)
        means = [own[generator.integers(4, size=3)][:, :, items].mean() for own in right]
        drawn.append(means[0] - means[1])
    found = comparison.target
    interval = found["difference_low"], found["difference_high"]
    assert interval == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.02)
    assert found["p_value"] == pytest.approx(2 * np.mean(np.array(drawn) <= 0), abs=0.03)
    assert comparison.test == comparison.language_test == "multi-bootstrap over seeds and items"


def test_interval_is_wider_when_seeds_differ_than_when_they_agree() -> None:
    many = [run(f"a{seed}", seed, 0.5 + 0.1 * seed) for seed in range(4)]
    other = [run(f"b{seed}", seed, 0.65) for seed in range(4)]
    alike = [replace(other[0], name=f"c{seed}", record=replace(RECORD, seed=seed)) for seed in range(4)]
    widths = []
    for side in (many, alike):
        found = compare_runs(side, [run("d", 9, 0.65)]).target
        widths.append(found["difference_high"] - found["difference_low"])
    assert widths[0] > 1.5 * widths[1]


def test_test_of_seeds_rejects_rarely_when_there_is_nothing_to_find() -> None:
    generator = np.random.default_rng(4)
    rejected = 0
    for trial in range(100):
        # Seeds of one training differ by their luck, items by how hard they are.
        easy = generator.normal(0.7, 0.15, ROWS)
        runs = []
        for seed in range(10):
            luck = generator.normal(0, 0.04)
            right = {code: generator.random(ROWS) < easy + luck for code in ("en", "sw")}
            runs.append(SavedRun(f"{trial}-{seed}", RECORD, {code: entry(code, right[code]) for code in right}))
        rejected += compare_runs(runs[:5], runs[5:], resamples=200, seed=trial).target["p_value"] < 0.05
    # At most 5 % of 100, give or take 2.2: the multi-bootstrap is conservative, but not blind.
    assert 1 <= rejected <= 9


def test_table_fits_and_file_is_read_when_saved(tmp_path: Path) -> None:
    comparison = compare_runs([run("a" * 90, 0), run("b", 1)], [run("c", 2), run("d", 3)])
    lines = comparison.table().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("mean of targets") for line in lines)
    assert "Fewer than 5 seeds" in comparison.table().replace("\n", " ")
    written = json.loads(comparison.save(tmp_path).read_text(encoding="utf-8"))
    assert written["languages"]["sw"] == comparison.languages["sw"] and written["against"] == ["c", "d"]


@pytest.mark.parametrize(("number", "says_so"), [(2, True), (5, False)])
def test_few_seeds_are_said_to_be_few_when_runs_are_held_against_their_teachers(number: int, says_so: bool) -> None:
    comparison = compare_runs([run(f"seed {seed}", seed) for seed in range(number)])
    assert comparison.seeds == [number, number]
    assert ("Fewer than 5 seeds" in comparison.table().replace("\n", " ")) is says_so


def test_predictions_are_refused_when_their_record_is_of_another_version(tmp_path: Path) -> None:
    save_predictions(tmp_path, list(run("x", 0).languages.values()), RECORD)
    path = tmp_path / "predictions.safetensors"
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    metadata["record"] = json.dumps(json.loads(metadata["record"]) | {"later": 1})
    safetensors.numpy.save_file(tensors, path, metadata)
    with pytest.raises(UserError, match="is of another version of xlkd: score the student again"):
        load_run(tmp_path)
