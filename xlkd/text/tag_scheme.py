"""What tags of spans are made of: `B-PER` is a place in a span, and a type."""

from __future__ import annotations

import re
from collections.abc import Sequence

OUTSIDE = "O"
# The last and the only word of a span have other letters in BILOU and BMEWO than in IOBES, its middle in BMES.
_PLACES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I", "W": "S"}

_OTHER_WRITING = re.compile(rf"[{''.join(_PLACES)}]_.+|.+[-_][{''.join(_PLACES)}]")


def place_and_type(label: str) -> tuple[str, str]:
    """The place of a word in a span, and the type of the span.

    Args:
        label (`str`): A tag of IOB1, IOB2, IOE, IOBES, BILOU, BMES or BMEWO.

    Returns:
        `tuple` of the place, `"B"`, `"I"`, `"E"` or `"S"`, and the type; `"O"` as the place of what is in none.

    Example:

    ```python
    >>> place_and_type("U-PER"), place_and_type("NOUN")
    (('S', 'PER'), ('O', ''))
    ```
    """
    place, _, kind = label.partition("-")
    return (_PLACES[place], kind) if kind and place in _PLACES else (OUTSIDE, "")


def has_spans(labels: Sequence[str]) -> bool:
    """Whether any of the tags marks a span."""
    return any(place_and_type(label)[0] != OUTSIDE for label in labels)


def is_written_otherwise(labels: Sequence[str]) -> bool:
    """Whether tags mark spans, but not as `B-PER` does.

    Args:
        labels (`Sequence[str]`): The tags.

    Example:

    ```python
    >>> is_written_otherwise(["O", "B_PER", "I_PER"]), is_written_otherwise(["O", "PER-B"])
    (True, True)
    ```
    """
    if has_spans(labels):
        return False
    marks = [label for label in labels if label != OUTSIDE]
    return 0 < len(marks) < len(labels) and all(_OTHER_WRITING.fullmatch(label) for label in marks)


def follows(labels: Sequence[str]) -> list[list[bool]]:
    """Which tag may stand behind which: inside of a span only what goes on with it.

    With tags for the end of a span (IOBES, BILOU, BMES) one that was begun must go on, too. What is before and behind a
    text is outside. IOB1, whose `I` may begin a span, is taken for IOB2, from which labels alone do not always tell it.

    Args:
        labels (`Sequence[str]`): The tags.

    Returns:
        `list[list[bool]]`: For each tag, whether each other may stand behind it.

    Example:

    ```python
    >>> follows(["O", "B-X", "I-X"])
    [[True, True, False], [True, True, True], [True, True, True]]
    ```
    """
    tags = [place_and_type(label) for label in labels]
    ends = any(place == "E" for place, _ in tags)
    return [[_may_follow(first, second, ends) for second in tags] for first in tags]


def without_beginning(labels: Sequence[str]) -> list[str]:
    """The types of spans of several words that no tag begins, as in IOB1 without two neighbours of one type.

    Args:
        labels (`Sequence[str]`): The tags.

    Example:

    ```python
    >>> without_beginning(["O", "I-PER", "B-LOC", "I-LOC"])
    ['PER']
    ```
    """
    tags = [place_and_type(label) for label in labels]
    begun = {kind for place, kind in tags if place == "B"}
    return sorted({kind for place, kind in tags if place in "IE"} - begun)


def _may_follow(first: tuple[str, str], second: tuple[str, str], ends: bool) -> bool:
    goes_on = second[0] in "IE"
    if not goes_on and not ends:
        return True
    is_open = first[0] in "BI"
    return (is_open and first[1] == second[1]) if goes_on else not is_open
