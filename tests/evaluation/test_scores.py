"""Scores by language and their means, against loops over rows, resamples and languages."""

import numpy as np
import pytest

from xlkd.evaluation.metrics import build_metrics
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.scores import Scoring, language_values, mean_values, score_languages

METRICS = build_metrics(["accuracy", "macro-f1"], ["a", "b", "c", "d"])
SCORING = Scoring(METRICS)


def entry(language: str, seed: int, skill: tuple[float, float] = (0.6, 0.75), count: int = 200) -> LanguagePredictions:
    generator = np.random.default_rng(seed)
    labels = generator.integers(4, size=count)
    student, teacher = (
        np.where(generator.random(count) < share, labels, generator.integers(4, size=count)) for share in skill
    )
    return LanguagePredictions(language, labels, student, teacher, [str(row) for row in range(count)])


def values(own: LanguagePredictions, metric: str = "accuracy") -> dict:
    return language_values(score_languages([own], SCORING)[own.language], metric, None)


@pytest.mark.parametrize("metric", ["accuracy", "macro-f1"])
def test_both_systems_have_the_scores_and_intervals_of_a_loop(metric: str) -> None:
    own = entry("sw", seed=0)
    found = values(own, metric)
    generator = np.random.default_rng(1)
    drawn = [generator.integers(200, size=200) for _ in range(1000)]
    for name, predictions in (("student", own.student), ("teacher", own.teacher)):
        scores = [METRICS[metric].of(predictions[index], own.labels[index]) for index in drawn]
        low, high = np.quantile(scores, [0.025, 0.975])
        assert found[name] == pytest.approx(METRICS[metric].of(predictions, own.labels))
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx((low, high), abs=0.02)
        assert found["metrics"][metric][name] == found[name]
        assert found["metrics"][metric][f"{name}_high"] == found[f"{name}_high"]


def test_difference_has_the_interval_of_a_loop_that_draws_both_systems_together() -> None:
    own = entry("sw", seed=2)
    found = values(own)
    generator = np.random.default_rng(3)
    gains = (own.student == own.labels).astype(float) - (own.teacher == own.labels)
    drawn = [gains[generator.integers(200, size=200)].mean() for _ in range(1000)]
    assert found["difference"] == pytest.approx(gains.mean())
    interval = found["difference_low"], found["difference_high"]
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_difference_has_no_width_when_both_systems_err_on_the_same_rows() -> None:
    own = entry("sw", seed=4)
    same = LanguagePredictions("sw", own.labels, own.student, own.student.copy())
    found = values(same)
    assert (found["difference_low"], found["difference"], found["difference_high"]) == (0.0, 0.0, 0.0)


def test_difference_is_unknown_when_there_is_no_teacher() -> None:
    found = values(LanguagePredictions("sw", np.array([0, 1]), np.array([0, 0])))
    unknown = ["difference", "difference_low", "difference_high", "teacher_low", "teacher_high", "p_value"]
    assert [found[name] for name in unknown] == [None] * 6


def test_facts_of_the_language_are_beside_its_scores() -> None:
    found = values(entry("am", seed=5))
    assert (found["name"], found["resource_class"], found["script"]) == ("Amharic", 2, "Ethi")


def test_mean_has_the_interval_of_a_loop_that_draws_items_for_all_languages_together() -> None:
    entries = [entry("sw", seed=6), entry("am", seed=7), entry("yo", seed=8)]
    scored = score_languages(entries, SCORING)
    languages = {name: language_values(own, "accuracy", None) for name, own in scored.items()}
    found = mean_values(languages, scored, languages, "accuracy")
    generator = np.random.default_rng(9)
    right = np.stack([own.student == own.labels for own in entries])
    drawn = [right[:, generator.integers(200, size=200)].mean() for _ in range(1000)]
    assert found["student"] == pytest.approx(right.mean())
    assert (found["student_low"], found["student_high"]) == pytest.approx(
        tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.015
    )
