"""Where marks lie in the drawings of the page."""

import pytest
from made_report import made_report

from xlkd.evaluation.drawings import Axis, Chart, Interval, Scatter
from xlkd.evaluation.training_curves import Curve


def test_ends_lie_at_the_ends_when_an_axis_goes_upwards() -> None:
    axis = Axis(0.2, 0.8, start=100, end=10)
    assert [axis.at(0.2), axis.at(0.5), axis.at(0.8)] == [100, 55, 10]


def test_equal_factors_lie_equally_far_when_an_axis_is_logarithmic() -> None:
    axis = Axis(0.01, 100.0, start=0, end=80, logarithmic=True)
    assert [axis.at(0.1), axis.at(1.0), axis.at(10.0)] == [20, 40, 60]


@pytest.mark.parametrize(
    ("low", "high", "most", "words"),
    [
        (0, 100, 5, ["0", "20", "40", "60", "80", "100"]),
        (0.31, 0.92, 4, ["0.4", "0.6", "0.8"]),
        (20, 12_000, 5, ["5,000", "10,000"]),
    ],
)
def test_ticks_are_round_when_the_ends_are_not(low: float, high: float, most: int, words: list[str]) -> None:
    assert [word for _, word in Axis(low, high, 0, 100).ticks(most)] == words


def test_ticks_are_powers_of_ten_when_an_axis_is_logarithmic() -> None:
    assert Axis(0.05, 20.0, 0, 100, logarithmic=True).ticks(4) == [(11.6, "0.1"), (50.0, "1"), (88.4, "10")]


def test_point_is_on_the_diagonal_when_student_and_teacher_are_equal() -> None:
    values = made_report(3)
    values["languages"]["sw"] |= {"student": 0.6, "teacher": 0.6}
    scatter = Scatter.of(values, 460)
    point = next(point for point in scatter.points if point.code == "sw")
    assert (point.x - scatter.across.start) == pytest.approx(scatter.upwards.start - point.y, abs=0.2)


def test_point_is_left_out_when_a_score_is_not_known() -> None:
    values = made_report(4)
    values["languages"]["sw"]["teacher"] = None
    assert {point.code for point in Scatter.of(values, 460).points} == {"en", "yo", "de"}


def test_codes_do_not_run_into_points_when_there_are_many() -> None:
    scatter = Scatter.of(made_report(105), 460)
    labelled = [point for point in scatter.points if point.labelled]
    assert 5 <= len(labelled) < 105
    for point in labelled:
        others = [other for other in scatter.points if other is not point]
        assert not any(abs(other.y - point.y) < 6 and 0 < other.x - point.x < 12 for other in others)


def test_interval_has_no_ends_when_there_are_none() -> None:
    axis = Axis(0.0, 1.0, 0, 100)
    scores = {"student": 0.5, "student_low": 0.4, "student_high": 0.6, "teacher": 0.7}
    assert Interval.of(scores, "student", axis) == Interval(50.0, 40.0, 60.0)
    assert Interval.of(scores, "teacher", axis) == Interval(70.0, None, None)
    assert Interval.of({"student": None}, "student", axis) is None


def test_path_goes_from_corner_to_corner_when_a_curve_falls() -> None:
    curve = Curve("loss", [1, 3, 5], [2.0, 1.5, 1.0])
    chart = Chart.of([curve], width=120, height=86)
    assert chart.path(curve) == "M46.0 10.0L73.0 35.0L100.0 60.0"


@pytest.mark.parametrize("values", [[0.0], [2.0], [1.0, 1.0]])
def test_chart_has_room_when_a_curve_is_flat(values: list[float]) -> None:
    curve = Curve("loss", list(range(len(values))), values)
    chart = Chart.of([curve], 120, 86)
    assert chart.path(curve).startswith("M46.0 35.0")


def test_chart_has_few_points_when_a_training_was_long() -> None:
    chart = Chart.of([Curve("loss", list(range(5000)), [1.0] * 5000)], 120, 86)
    assert len(chart.curves[0].steps) <= 200
