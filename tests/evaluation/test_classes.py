"""Scores of single classes, against scikit-learn and against loops."""

import numpy as np
import pytest
from sklearn.metrics import classification_report as sklearn_report

from xlkd.errors import UserError
from xlkd.evaluation.answers import by_word
from xlkd.evaluation.classes import CLASS_SCORES
from xlkd.evaluation.metrics import MacroF1, build_metrics, by_class
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.scores import Scoring, language_values, score_languages

NAMES = ["a", "b", "c", "d"]
METRIC = MacroF1(NAMES)
SCORING = Scoring({"macro-f1": METRIC}, METRIC)


def rows(seed: int = 0, count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels; the third class is never predicted and the fourth is in no label."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(3, size=count)
    guesses = np.where(generator.random(count) < 0.6, labels, generator.integers(4, size=count))
    return np.where(guesses == 2, 3, guesses), labels


def class_scores(predictions: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return METRIC.class_scores(weights @ METRIC.tally(predictions, labels))


def test_class_scores_are_those_of_scikit_learn() -> None:
    predictions, labels = rows()
    expected = sklearn_report(
        labels, predictions, labels=range(4), target_names=NAMES, output_dict=True, zero_division=np.nan
    )
    found = class_scores(predictions, labels, np.ones((1, len(labels))))[0]
    for name, scores in zip(NAMES, found, strict=True):
        assert scores == pytest.approx(
            [expected[name][key.replace("f1", "f1-score")] for key in CLASS_SCORES], nan_ok=True
        )
    assert np.isnan(found[2, 0]) and np.isnan(found[3, 1])


def test_class_scores_under_weights_are_those_of_repeated_rows() -> None:
    predictions, labels = rows(count=20)
    weights = np.random.default_rng(1).integers(3, size=(10, 20))
    for counts, found in zip(weights, class_scores(predictions, labels, weights.astype(float)), strict=True):
        repeated = np.repeat(predictions, counts), np.repeat(labels, counts)
        for index in range(4):
            right = sum(p == index == label for p, label in zip(*repeated, strict=True))
            below = [int(np.sum(column == index)) for column in repeated]
            expected = [right / n if n else np.nan for n in below] + [2 * right / sum(below) if sum(below) else np.nan]
            assert found[index] == pytest.approx(expected, nan_ok=True)


def test_report_has_intervals_of_each_class_when_they_are_asked_for() -> None:
    predictions, labels = rows(count=400)
    entry = LanguagePredictions("sw", labels, predictions, labels)
    scored = score_languages([entry], SCORING)["sw"]
    classes = language_values(scored, "macro-f1", None)["classes"]
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
    scored = score_languages([LanguagePredictions("sw", labels, predictions)], Scoring({"macro-f1": METRIC}))["sw"]
    assert language_values(scored, "macro-f1", None)["classes"] is None


def test_classes_are_entity_types_and_their_spans_when_words_are_tagged() -> None:
    metrics = build_metrics(["span-f1", "tag-accuracy"], ["O", "B-PER", "I-PER", "B-LOC"])
    gold, found = by_word([[1, 2, 3], [0], [1, 3]]), by_word([[1, 2, 3], [3], [0, 3]])
    scoring = Scoring(metrics, by_class(metrics.values()))
    scored = score_languages([LanguagePredictions("sw", gold, found)], scoring)["sw"]
    classes = language_values(scored, "span-f1", None)["classes"]
    assert {name: own["n"] for name, own in classes.items()} == {"LOC": 2, "PER": 2}
    assert [classes["LOC"]["student"][name][0] for name in CLASS_SCORES] == pytest.approx([2 / 3, 1, 0.8])
    assert [classes["PER"]["student"][name][0] for name in CLASS_SCORES] == pytest.approx([1, 0.5, 2 / 3])


@pytest.mark.parametrize("names", [["pearson", "spearman"], ["retrieval-accuracy"], ["tag-accuracy"]])
def test_classes_are_refused_when_there_are_none(names: list[str]) -> None:
    with pytest.raises(
        UserError, match=f"per_class: there are no classes to score one by one, only {', '.join(names)}"
    ):
        by_class(build_metrics(names, ["score"]).values())
