"""Metrics, against loops that follow their definition."""

from pathlib import Path

import evaluate
import numpy as np
import pytest

from xlkd.errors import UserError
from xlkd.evaluation.metrics import METRIC_FUNCTIONS, METRICS, ClassIds, build_metric, score


def rows(seed: int, count: int = 60, classes: int = 4) -> tuple[ClassIds, ClassIds]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=count)
    guesses = generator.integers(classes + 1, size=count)
    return np.where(generator.random(count) < 0.6, labels, guesses), labels


def loop_macro_f1(predictions: ClassIds, labels: ClassIds) -> float:
    scores = []
    for class_id in sorted(set(predictions.tolist()) | set(labels.tolist())):
        right = wrong = missed = 0
        for predicted, label in zip(predictions, labels, strict=True):
            right += predicted == class_id and label == class_id
            wrong += predicted == class_id and label != class_id
            missed += predicted != class_id and label == class_id
        scores.append(2 * right / (2 * right + wrong + missed))
    return sum(scores) / len(scores)


def loop_accuracy(predictions: ClassIds, labels: ClassIds) -> float:
    return sum(int(a == b) for a, b in zip(predictions, labels, strict=True)) / len(labels)


LOOPS = {"accuracy": loop_accuracy, "macro-f1": loop_macro_f1}


def test_references_cover_every_metric() -> None:
    assert set(LOOPS) == set(METRICS) == set(METRIC_FUNCTIONS)


@pytest.mark.parametrize("name", LOOPS)
def test_metric_equals_its_definition_when_computed_from_lists(name: str) -> None:
    predictions, labels = rows(seed=1)
    computed = build_metric(name).compute(predictions=predictions.tolist(), references=labels.tolist())
    assert computed == {name: pytest.approx(LOOPS[name](predictions, labels))}


@pytest.mark.parametrize("name", LOOPS)
def test_metric_is_the_same_when_fed_in_batches(name: str) -> None:
    predictions, labels = rows(seed=2)
    metric = build_metric(name)
    for start in range(0, len(labels), 7):
        metric.add_batch(predictions=predictions[start : start + 7], references=labels[start : start + 7])
    assert metric.compute()[name] == pytest.approx(score(name, predictions, labels))


@pytest.mark.parametrize("name", LOOPS)
def test_weighted_score_equals_the_score_of_repeated_rows_when_weights_are_counts(name: str) -> None:
    predictions, labels = rows(seed=3, count=12)
    weights = np.random.default_rng(4).integers(3, size=(20, 12))
    expected = [LOOPS[name](np.repeat(predictions, counts), np.repeat(labels, counts)) for counts in weights]
    assert METRIC_FUNCTIONS[name](predictions, labels, weights.astype(np.float64)) == pytest.approx(expected)


@pytest.mark.parametrize("name", LOOPS)
def test_weighted_score_is_undefined_when_all_weights_are_zero(name: str) -> None:
    predictions, labels = rows(seed=3, count=12)
    assert np.isnan(METRIC_FUNCTIONS[name](predictions, labels, np.zeros((1, 12)))).all()


def test_macro_f1_is_lowered_when_a_class_is_only_ever_predicted() -> None:
    labels = np.array([0, 0, 1, 1])
    assert score("macro-f1", np.array([0, 0, 1, 2]), labels) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_metric_writes_no_file_when_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path / "cache"))
    for name in METRICS:
        build_metric(name).compute(predictions=[0, 1], references=[0, 1])
    assert list(tmp_path.iterdir()) == []


def test_two_metrics_do_not_meet_when_they_are_filled_in_turns() -> None:
    first, second = build_metric("accuracy"), build_metric("accuracy")
    first.add_batch(predictions=[1], references=[1])
    second.add_batch(predictions=[0], references=[1])
    assert [first.compute(), second.compute()] == [{"accuracy": 1.0}, {"accuracy": 0.0}]


def test_build_metric_names_the_nearest_when_the_name_is_unknown() -> None:
    with pytest.raises(UserError, match="did you mean 'macro-f1'"):
        build_metric("macro_f1")


def test_score_refuses_when_there_are_no_rows() -> None:
    with pytest.raises(UserError, match="no rows"):
        score("accuracy", np.array([], dtype=int), np.array([], dtype=int))


def test_score_refuses_when_lengths_differ() -> None:
    with pytest.raises(UserError, match=r"lengths \[2, 3\]"):
        score("accuracy", np.array([0, 1]), np.array([0, 1, 1]))
