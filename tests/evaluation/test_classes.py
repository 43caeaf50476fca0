"""Scores of single classes, against scikit-learn and against loops."""

import numpy as np
import pytest
from sklearn.metrics import classification_report as sklearn_report

from xlkd.evaluation.classes import CLASS_SCORES, cells_class_scores, class_scores
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.resampling import Cells
from xlkd.evaluation.scores import language_values, score_languages

NAMES = ["a", "b", "c", "d"]


def rows(seed: int = 0, count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels; the third class is never predicted and the fourth is in no label."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(3, size=count)
    guesses = np.where(generator.random(count) < 0.6, labels, generator.integers(4, size=count))
    return np.where(guesses == 2, 3, guesses), labels


def test_class_scores_are_those_of_scikit_learn() -> None:
    predictions, labels = rows()
    expected = sklearn_report(
        labels, predictions, labels=range(4), target_names=NAMES, output_dict=True, zero_division=np.nan
    )
    found = class_scores(predictions, labels, 4, np.ones((1, len(labels))))[0]
    for name, scores in zip(NAMES, found, strict=True):
        assert scores == pytest.approx(
            [expected[name][key.replace("f1", "f1-score")] for key in CLASS_SCORES], nan_ok=True
        )
    assert np.isnan(found[2, 0]) and np.isnan(found[3, 1])


def test_class_scores_under_weights_are_those_of_repeated_rows() -> None:
    predictions, labels = rows(count=20)
    weights = np.random.default_rng(1).integers(3, size=(10, 20))
    for counts, found in zip(weights, class_scores(predictions, labels, 4, weights.astype(float)), strict=True):
        repeated = np.repeat(predictions, counts), np.repeat(labels, counts)
        for index in range(4):
            right = sum(p == index == label for p, label in zip(*repeated, strict=True))
            below = [int(np.sum(column == index)) for column in repeated]
            expected = [right / n if n else np.nan for n in below] + [2 * right / sum(below) if sum(below) else np.nan]
            assert found[index] == pytest.approx(expected, nan_ok=True)


def test_cells_give_the_scores_of_their_rows() -> None:
    predictions, labels = rows()
    weights = np.random.default_rng(2).integers(3, size=(5, len(labels))).astype(np.float32)
    cells = Cells(predictions, labels)
    assert len(cells.labels) <= 12
    expected = class_scores(predictions, labels, 4, weights)
    assert cells_class_scores(cells, 4, weights) == pytest.approx(expected, nan_ok=True)


def test_report_has_intervals_of_each_class_when_they_are_asked_for() -> None:
    predictions, labels = rows(count=400)
    entry = LanguagePredictions("sw", labels, predictions, labels)
    scored = score_languages([entry], classes=4)["sw"]
    classes = language_values(scored, "accuracy", None, NAMES)["classes"]
    generator = np.random.default_rng(3)
    drawn = [generator.integers(400, size=400) for _ in range(1000)]
    recalls = [np.mean(predictions[index][labels[index] == 0] == 0) for index in drawn]
    score, *interval = classes["a"]["student"]["recall"]
    assert score == pytest.approx(np.mean(predictions[labels == 0] == 0))
    assert interval == pytest.approx(np.quantile(recalls, [0.025, 0.975]), abs=0.02)
    assert classes["a"]["n"] == int(np.sum(labels == 0))
    assert classes["a"]["teacher"]["f1"] == [1.0, 1.0, 1.0]
    assert classes["c"]["student"]["precision"] == [None, None, None]


def test_report_has_no_classes_when_nobody_asks() -> None:
    predictions, labels = rows()
    scored = score_languages([LanguagePredictions("sw", labels, predictions)])["sw"]
    assert language_values(scored, "accuracy", None, None)["classes"] is None
