"""Scores, differences and p-values as people read them: one way for the terminal, the card and the page."""

from __future__ import annotations

UNKNOWN = "-"
"""What stands for a number that is not known or not defined."""


def percent(fraction: float | None) -> str:
    """A fraction of 1 in per cent.

    Example:

    ```python
    >>> percent(0.725), percent(None)
    ('72.5', '-')
    ```
    """
    return UNKNOWN if fraction is None else f"{_hundredfold(fraction):.1f}"


def points(fraction: float | None) -> str:
    """A difference of two fractions of 1 in points, always with its sign.

    Example:

    ```python
    >>> points(0.031), points(-0.0001)
    ('+3.1', '+0.0')
    ```
    """
    return UNKNOWN if fraction is None else f"{_hundredfold(fraction):+.1f}"


def interval_words(low: float | None, high: float | None) -> str:
    """The ends of an interval, fractions of 1, in per cent.

    Example:

    ```python
    >>> interval_words(0.7, 0.75), interval_words(None, None)
    ('[70.0, 75.0]', '-')
    ```
    """
    return UNKNOWN if low is None else f"[{percent(low)}, {percent(high)}]"


def p_words(p_value: float | None) -> str:
    """A p-value in three decimals."""
    return UNKNOWN if p_value is None else "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _hundredfold(fraction: float) -> float:
    # The sum with zero turns -0.0, a gap that rounds to nothing, into 0.0.
    return round(100 * fraction, 1) + 0.0
