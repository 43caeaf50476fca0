"""What the pictures say in words, and where their axes end."""

import pytest
from made_report import made_report

from xlkd.evaluation.wording import best_first, chance, metric_name, round_range, score_range, shortened


def test_text_stays_when_it_is_short_enough() -> None:
    assert shortened("runs/one", 8) == "runs/one"


@pytest.mark.parametrize("most", [5, 8, 13])
def test_both_ends_stay_when_a_text_is_shortened(most: int) -> None:
    text = "runs/a-very-long-name/seed-0"
    short = shortened(text, most)
    start, end = short.split("…")
    assert len(short) == most and text.startswith(start) and text.endswith(end) and start and end


def test_language_without_a_score_is_last_when_another_has_the_lowest_correlation() -> None:
    scores = {"sw": None, "yo": -1.0, "en": 0.7}
    languages = {code: {"student": score} for code, score in scores.items()}
    assert best_first({"languages": languages}) == ["en", "yo", "sw"]


def test_metric_is_written_as_a_reader_knows_it() -> None:
    names = [metric_name(name) for name in ("macro-f1", "accuracy", "pearson")]
    assert names == ["macro-F1", "accuracy", "Pearson correlation"]


def test_chance_is_the_mean_over_languages_when_a_score_comes_near() -> None:
    values = made_report(3)
    assert chance(values) is None
    values["languages"]["sw"]["student_low"] = 0.2
    values["languages"]["sw"]["chance"] = 0.32
    assert chance(values) == pytest.approx(0.24)
    for scores in values["languages"].values():
        scores["chance"] = None
    assert chance(values) is None


def test_range_holds_all_that_is_drawn_when_scores_are_far_apart() -> None:
    values = made_report(3)
    values["languages"]["sw"]["student_low"] = 0.2
    values["languages"]["en"]["teacher_high"] = 0.91
    assert score_range(values) == (0.2, 1.0)


def test_range_is_not_empty_when_all_scores_are_one() -> None:
    low, high = round_range([1.0, 1.0])
    assert low < 1.0 <= high
