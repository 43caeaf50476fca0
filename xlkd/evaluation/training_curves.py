"""What a training logged, as curves over its steps: the loss terms, and the validation scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TOTAL = "loss"
_TERM = "loss_"
_VALIDATION = "eval_"


@dataclass(frozen=True)
class Curve:
    """One value over the steps of a training.

    Args:
        name (`str`): What it is.
        steps (`Sequence[int]`): The steps at which it was logged, going up.
        values (`Sequence[float]`): The value at each, finite.

    Example:

    ```python
    >>> Curve("soft-label", [10, 20, 30], [2.0, 1.0, 0.6]).thinned(2).values
    [1.5, 0.6]
    ```
    """

    name: str
    steps: Sequence[int]
    values: Sequence[float]

    @property
    def spans_decades(self) -> bool:
        """Whether the values want a logarithmic axis: all above zero, and the largest over 30 times the smallest."""
        return min(self.values) > 0 and max(self.values) > 30 * min(self.values)

    def thinned(self, most: int) -> Curve:
        """At most so many points, each the mean of neighbours."""
        size = math.ceil(len(self.steps) / most)
        parts = [slice(start, start + size) for start in range(0, len(self.steps), size)]
        ends = [self.steps[part][-1] for part in parts]
        return Curve(self.name, ends, [sum(self.values[part]) / len(self.values[part]) for part in parts])


@dataclass(frozen=True)
class TrainingCurves:
    """The loss terms of a training and its validation scores.

    Args:
        terms (`Sequence[Curve]`): The total, named `loss`, and every term by its name, without its weight.
        validation (`Sequence[Curve]`): The metric on validation data, by language where it has one.

    Example:

    ```python
    >>> curves = TrainingCurves.from_log(trainer.state.log_history, "accuracy")
    >>> [curve.name for curve in curves.terms]
    ['loss', 'soft-label', 'hidden-state']
    ```
    """

    terms: Sequence[Curve] = field(default_factory=list)
    validation: Sequence[Curve] = field(default_factory=list)

    @classmethod
    def from_log(cls, log_history: Sequence[Mapping[str, Any]], metric: str) -> TrainingCurves:
        """Read `trainer.state.log_history`; what is not a finite number is left out.

        Args:
            log_history (`Sequence[Mapping[str, Any]]`): Its entries.
            metric (`str`): The score of the validation curves.
        """
        points: dict[str, dict[int, float]] = {}
        for entry in log_history:
            for key, value in entry.items():
                if isinstance(value, int | float) and math.isfinite(value) and "step" in entry:
                    # A step that a resumed training logged once more counts as it was the last time.
                    points.setdefault(key, {})[int(entry["step"])] = float(value)
        names = {key: key.removeprefix(_TERM) for key in [TOTAL, *points] if key in points and _is_loss(key)}
        scored = {key: _language_of(key, metric) for key in points if _is_score(key, metric)}
        return cls(*([_curve(name, points[key]) for key, name in found.items()] for found in (names, scored)))

    def __bool__(self) -> bool:
        return bool(self.terms or self.validation)


def _curve(name: str, points: Mapping[int, float]) -> Curve:
    steps = sorted(points)
    return Curve(name, steps, [points[step] for step in steps])


def _is_loss(key: str) -> bool:
    return key == TOTAL or key.startswith(_TERM)


def _is_score(key: str, metric: str) -> bool:
    return key == f"{_VALIDATION}{metric}" or (key.startswith(_VALIDATION) and key.endswith(f"_{metric}"))


def _language_of(key: str, metric: str) -> str:
    return key.removeprefix(_VALIDATION).removesuffix(metric).removesuffix("_") or "validation"
