"""Where the marks of `report.html` lie: axes, intervals, the scatter and the curves, in units of their SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xlkd.evaluation.training_curves import Curve
from xlkd.evaluation.wording import round_range

_MOST_POINTS = 200
_LETTER_WIDTH, _LETTER_HEIGHT, _POINT_RADIUS = 7.0, 12.0, 5.0


@dataclass(frozen=True)
class Axis:
    """A scale from values to places in a drawing.

    Args:
        low (`float`): The smallest value.
        high (`float`): The largest value; larger than `low`.
        start (`float`): Where the smallest lies.
        end (`float`): Where the largest lies.
        logarithmic (`bool`, *optional*, defaults to `False`): Whether equal factors lie equally far apart.

    Example:

    ```python
    >>> Axis(0.0, 1.0, start=0, end=200).at(0.25)
    50.0
    ```
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value, to a tenth of a unit."""
        low, high, value = (math.log(end) if self.logarithmic else end for end in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Places and words of at most so many round values between the ends, both included."""
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            values = [10.0**power for power in powers[:: max(math.ceil(len(powers) / most), 1)]]
        else:
            step = _round_step((self.high - self.low) / most)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            values = [round(step * index, 10) for index in range(first, last + 1)]
        return [(self.at(value), f"{value:,g}") for value in values]


@dataclass(frozen=True)
class Point:
    """One language in the scatter: the teacher to the right, the student upwards."""

    code: str
    x: float
    y: float
    labelled: bool


@dataclass(frozen=True)
class Scatter:
    """Student against teacher, on one scale for both."""

    across: Axis
    upwards: Axis
    points: Sequence[Point]

    @classmethod
    def of(cls, values: Mapping[str, Any], size: float) -> Scatter:
        """Place every language that both were scored in, in a square of this size."""
        pairs = {code: (scores["teacher"], scores["student"]) for code, scores in values["languages"].items()}
        pairs = {code: pair for code, pair in pairs.items() if None not in pair}
        low, high = round_range([score for pair in pairs.values() for score in pair])
        across = Axis(100 * low, 100 * high, 46, size - 14)
        upwards = Axis(100 * low, 100 * high, size - 44, 16)
        places = {code: (across.at(100 * teacher), upwards.at(100 * own)) for code, (teacher, own) in pairs.items()}
        labelled = _with_room(places, values["source_language"], size)
        return cls(across, upwards, [Point(code, *place, code in labelled) for code, place in places.items()])


@dataclass(frozen=True)
class Interval:
    """A score and the ends of its interval, on an axis; no ends where there are none."""

    at: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, scores: Mapping[str, Any], system: str, axis: Axis) -> Interval | None:
        """What to draw of a system, where it was scored."""
        score, low, high = (scores.get(f"{system}{end}") for end in ("", "_low", "_high"))
        if score is None:
            return None
        return cls(axis.at(score), *(None if end is None else axis.at(end) for end in (low, high)))


@dataclass(frozen=True)
class Chart:
    """Curves over the steps on one pair of axes."""

    across: Axis
    upwards: Axis
    curves: Sequence[Curve]

    @classmethod
    def of(cls, curves: Sequence[Curve], width: float, height: float) -> Chart:
        """Place the curves in a drawing of this size."""
        curves = [curve.thinned(_MOST_POINTS) for curve in curves]
        steps = [step for curve in curves for step in curve.steps]
        values = [value for curve in curves for value in curve.values]
        low, high = min(values), max(values)
        logarithmic = all(curve.spans_decades for curve in curves)
        if low == high:
            low, high = low - 0.5, high + 0.5
        across = Axis(min(steps), max(max(steps), min(steps) + 1), 46, width - 20)
        return cls(across, Axis(low, high, height - 26, 10, logarithmic), curves)

    def path(self, curve: Curve) -> str:
        """The curve as the data of an SVG path; of a single point, a dot."""
        places = [f"{self.across.at(x)} {self.upwards.at(y)}" for x, y in zip(curve.steps, curve.values, strict=True)]
        return f"M{'L'.join(places)}" + "h0" * (len(places) == 1)


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below a value."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _with_room(places: Mapping[str, tuple[float, float]], source_language: str, size: float) -> set[str]:
    """The languages whose code can stand beside its point: the source first, then the farthest from the diagonal."""
    order = sorted(places, key=lambda code: (code != source_language, -abs(places[code][0] + places[code][1] - size)))
    points = [(x - _POINT_RADIUS, y - _POINT_RADIUS, 2 * _POINT_RADIUS, 2 * _POINT_RADIUS) for x, y in places.values()]
    taken = list(points)
    labelled = set()
    for code in order:
        x, y = places[code]
        box = (x + _POINT_RADIUS + 1, y - _LETTER_HEIGHT / 2, len(code) * _LETTER_WIDTH, _LETTER_HEIGHT)
        if box[0] + box[2] <= size and not any(_overlap(box, other) for other in taken):
            labelled.add(code)
            taken.append(box)
    return labelled


def _overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> bool:
    return all(first[i] < second[i] + second[i + 2] and second[i] < first[i] + first[i + 2] for i in (0, 1))
