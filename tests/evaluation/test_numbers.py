"""Numbers as people read them."""

import pytest

from xlkd.evaluation.numbers import interval_words, p_words, percent, points


@pytest.mark.parametrize(("fraction", "words"), [(0.7254, "72.5"), (-0.0001, "0.0"), (1.0, "100.0"), (None, "-")])
def test_fraction_is_in_per_cent(fraction: float | None, words: str) -> None:
    assert percent(fraction) == words


@pytest.mark.parametrize(("fraction", "words"), [(0.031, "+3.1"), (-0.031, "-3.1"), (-0.0001, "+0.0"), (None, "-")])
def test_difference_has_its_sign(fraction: float | None, words: str) -> None:
    assert points(fraction) == words


@pytest.mark.parametrize(("ends", "words"), [((0.7, 0.7501), "[70.0, 75.0]"), ((None, None), "-")])
def test_interval_has_both_ends(ends: tuple[float | None, float | None], words: str) -> None:
    assert interval_words(*ends) == words


@pytest.mark.parametrize(("value", "words"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.25, "0.250"), (None, "-")])
def test_p_value_has_three_decimals(value: float | None, words: str) -> None:
    assert p_words(value) == words
