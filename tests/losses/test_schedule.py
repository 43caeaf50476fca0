import math

import pytest

from xlkd.errors import UserError
from xlkd.losses.schedule import Schedule


def value_at(fraction, *options, **named):
    schedule = Schedule(*options, **named)
    schedule.set_progress(fraction)
    return schedule.value


def test_value_is_the_start_when_nothing_is_done():
    for schedule in ("linear", "cosine", "step"):
        assert Schedule(8.0, 2.0, schedule, 0.5).value == 8.0
        assert value_at(0.0, 8.0, 2.0, schedule, 0.5) == 8.0


@pytest.mark.parametrize(
    ("schedule", "until"), [("linear", 0.25), ("linear", 1.0), ("cosine", 0.25), ("cosine", 1.0), ("step", 0.25)]
)
def test_value_is_the_end_when_until_has_come(schedule, until):
    for fraction in (until, 1.0):
        assert value_at(fraction, 8.0, 2.0, schedule, until) == pytest.approx(2.0, abs=1e-12)


def test_constant_is_the_start_throughout():
    assert [value_at(fraction, 3.0, schedule="constant") for fraction in (0.0, 0.5, 1.0)] == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.39])
def test_linear_is_the_share_of_the_way(fraction):
    assert value_at(fraction, 1.0, 5.0, "linear", 0.4) == pytest.approx(1 + 4 * fraction / 0.4)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.39])
def test_cosine_is_half_a_wave(fraction):
    expected = 1 + 4 * (1 - math.cos(math.pi * fraction / 0.4)) / 2
    assert value_at(fraction, 1.0, 5.0, "cosine", 0.4) == pytest.approx(expected)


def test_step_changes_at_once_when_until_has_come():
    assert [value_at(fraction, 1.0, 0.0, "step", 0.5) for fraction in (0.49, 0.5, 0.51)] == [1.0, 0.0, 0.0]


def test_value_depends_on_the_share_alone_when_it_is_told_in_any_order():
    schedule = Schedule(0.0, 1.0)
    for fraction in (0.9, 0.1, 0.5):
        schedule.set_progress(fraction)
        assert schedule.value == fraction


def test_schedule_is_linear_over_the_whole_training_when_only_the_ends_are_given():
    assert value_at(0.5, 4.0, 2.0) == 3.0


@pytest.mark.parametrize(
    "value", [2, 2.0, {"start": 4.0, "end": 1.0}, {"start": 0.0, "end": 1.0, "schedule": "cosine", "until": 0.3}]
)
def test_config_makes_the_same_schedule_again(value):
    schedule = Schedule.of(value, "the number")
    assert vars(Schedule.of(schedule.config(), "the number")) == vars(schedule)


def test_config_of_a_number_is_that_number():
    assert Schedule.of(2, "the number").config() == 2.0
    assert Schedule.of({"start": 2, "schedule": "constant"}, "the number").config() == 2.0


def test_schedule_is_taken_as_it_is():
    schedule = Schedule(1.0, 2.0)
    assert Schedule.of(schedule, "the number") is schedule


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("warm", "T 'warm' must be a finite number"),
        (True, "T True must be a finite number"),
        (math.nan, "T nan must be a finite number"),
        ({"end": 1.0}, "T: .* has no start: write"),
        ({"start": 1.0}, "T: a linear schedule has an end: give `end`, or write 1.0 alone"),
        ({"start": 1.0, "end": "low"}, "T: end 'low' must be a finite number"),
        ({"start": 1.0, "end": 2.0, "schedule": "constant"}, "T: a constant schedule has no end"),
        (
            {"start": 1.0, "end": 2.0, "schedule": "linar"},
            r"schedule 'linar' is unknown \(did you mean linear\?\); it is",
        ),
        ({"start": 1.0, "end": 2.0, "untill": 0.5}, r"T has no key 'untill' \(did you mean until\?\)"),
        pytest.param(10**400, "T 1000.* must be a finite number", id="400 digits"),
        ({"start": 1.0, "end": -(10**400)}, "T: end -1000.* must be a finite number"),
        ({"start": 1.0, "end": 2.0, "until": 0}, "T: until 0 must be a share of the training"),
        ({"start": 1.0, "end": 2.0, "until": 1.5}, "T: until 1.5 must be a share of the training"),
    ],
)
def test_wrong_schedule_is_refused_with_the_fix(value, words):
    with pytest.raises(UserError, match=words):
        Schedule.of(value, "T")


@pytest.mark.parametrize("value", [{"start": 1.0, "end": 0.0}, {"start": 0.0, "end": 1.0}, 0.0])
def test_both_ends_are_bounded_when_there_is_a_bound(value):
    with pytest.raises(UserError, match="T 0 must be a number above 0"):
        Schedule.of(value, "T", above=0)
    Schedule.of(value, "T", least=0)


def test_number_below_the_least_is_refused():
    with pytest.raises(UserError, match="T -1 must be a number 0 or more"):
        Schedule.of({"start": 1.0, "end": -1.0}, "T", least=0)


def test_step_at_the_end_of_the_training_is_refused():
    with pytest.raises(UserError, match="changes nothing: give `until`"):
        Schedule(1.0, 0.0, "step")
