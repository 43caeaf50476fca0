"""A number that may change while a student is trained: a weight, a temperature, a strength."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Literal, get_args

from xlkd.errors import UserError, check_choice, did_you_mean, is_number

Kind = Literal["constant", "linear", "cosine", "step"]


class Schedule:
    r"""A number as a function of the share of the training that is done.

    With \\(u\\) the share of the way to `until`, at most 1, it is `start` + (`end` - `start`) \\(g(u)\\):

    - `"constant"`: \\(g = 0\\), always `start`;
    - `"linear"`: \\(g = u\\);
    - `"cosine"`: \\(g = (1 - \cos \pi u) / 2\\), slow at both ends;
    - `"step"`: \\(g = 0\\) before `until`, 1 from there on.

    It depends on nothing else, so a resumed run continues with the numbers of an uninterrupted one.

    Args:
        start (`float`): The number at the start.
        end (`float`, *optional*): The number from `until` on; needed unless it is constant.
        schedule (`str`, *optional*, defaults to `"linear"`): `"constant"`, `"linear"`, `"cosine"` or `"step"`.
        until (`float`, *optional*, defaults to 1.0):
            The share of the training after which it is `end`, above 0. With 1, even the last update comes before that.
        name (`str`, *optional*): What errors call it.

    Raises:
        [`UserError`]: If a value is out of range, or an end is missing.

    Example:

    ```python
    >>> temperature = Schedule(8.0, 2.0, "linear", until=0.5)
    >>> temperature.set_progress(0.25)
    >>> temperature.value
    5.0
    ```
    """

    def __init__(
        self,
        start: float,
        end: float | None = None,
        schedule: Kind = "linear",
        until: float = 1.0,
        name: str = "the number",
    ) -> None:
        check_choice(f"{name}: schedule", schedule, get_args(Kind))
        if schedule == "constant" and end is not None:
            raise UserError(f"{name}: a constant schedule has no end: leave out `end` {end!r}, or choose linear.")
        if schedule != "constant" and end is None:
            raise UserError(f"{name}: a {schedule} schedule has an end: give `end`, or write {start!r} alone.")
        self.start = _number(start, f"{name}: start")
        self.end = self.start if end is None else _number(end, f"{name}: end")
        self.schedule = schedule
        self.until = _number(until, f"{name}: until")
        if not 0 < self.until <= 1:
            raise UserError(f"{name}: until {until!r} must be a share of the training, above 0 and at most 1.")
        if schedule == "step" and self.until == 1:
            raise UserError(f"{name}: a step at the end of the training changes nothing: give `until`, such as 0.5.")
        self.value = self.start
        self.set_progress(0.0)

    @classmethod
    def of(cls, value: Any, name: str, above: float = -math.inf, least: float = -math.inf) -> Schedule:
        """Read a number, or `{start, end, schedule, until}`, as a YAML file has them.

        Args:
            value (`float`, `dict` or [`Schedule`]): The number or its schedule.
            name (`str`): What errors call it, such as `soft-label: temperature`.
            above (`float`, *optional*): All its values must be above this.
            least (`float`, *optional*): All its values must be at least this.

        Raises:
            [`UserError`]: If it is neither a number nor a schedule, a key is unknown, or a value is out of range.
        """
        schedule = value if isinstance(value, Schedule) else cls._read(value, name)
        for number in (schedule.start, schedule.end):
            if not (number > above and number >= least):
                bound = f"above {above:g}" if above > -math.inf else f"{least:g} or more"
                raise UserError(f"{name} {number:g} must be a number {bound}.")
        return schedule

    @classmethod
    def _read(cls, value: Any, name: str) -> Schedule:
        if not isinstance(value, Mapping):
            return cls(_number(value, name), schedule="constant", name=name)
        known = ("start", "end", "schedule", "until")
        for key in value:
            if key not in known:
                raise UserError(f"{name} has no key {key!r}{did_you_mean(str(key), known)}; it has {', '.join(known)}.")
        if "start" not in value:
            raise UserError(f"{name}: {dict(value)!r} has no start: write {{start: 4.0, end: 1.0, schedule: linear}}.")
        return cls(**value, name=name)

    @property
    def is_constant(self) -> bool:
        """Whether it never changes."""
        return self.schedule == "constant"

    def set_progress(self, fraction: float) -> None:
        """Move on to when this share of the training is done, 0 to 1."""
        done = min(fraction / self.until, 1.0)
        part = {
            "constant": 0.0,
            "linear": done,
            "cosine": (1 - math.cos(math.pi * done)) / 2,
            "step": float(done >= 1),
        }[self.schedule]
        self.value = self.start + (self.end - self.start) * part

    def config(self) -> float | dict[str, Any]:
        """What `of` rebuilds the same schedule from."""
        if self.is_constant:
            return self.start
        return {"start": self.start, "end": self.end, "schedule": self.schedule, "until": self.until}


def _number(value: Any, name: str) -> float:
    # Compared, since a whole number may be too large to be made a `float` of.
    if not is_number(value) or not abs(value) <= sys.float_info.max:
        raise UserError(f"{name} {value!r} must be a finite number.")
    return float(value)
