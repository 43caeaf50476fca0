"""The one exception that means: the user can mend this; and what finds such mistakes in values of a YAML file."""

import difflib
from collections.abc import Iterable, Sequence
from typing import TypeGuard


class UserError(ValueError):
    """A mistake in what the user gave: the message names the value, the reason and the fix.

    The commands print the message alone, without a traceback, and exit with status 2.
    """


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A clause that names the known word nearest to an unknown one, or nothing when none is near.

    Example:

    ```python
    >>> did_you_mean("soft-labels", ["soft-label", "hard-label"])
    ' (did you mean soft-label?)'
    ```
    """
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def in_one_line(error: BaseException, most: int | None = None) -> str:
    """The message of an exception on one line, as a part of another message.

    Args:
        error (`BaseException`): The exception.
        most (`int`, *optional*): How many letters of it are kept.
    """
    return " ".join(str(error).split())[:most]


def check_choice(key: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of those that are known.

    Raises:
        [`UserError`]: If it is none of them.
    """
    if value not in known:
        raise UserError(f"{key} {value!r} is unknown{did_you_mean(value, known)}; it is one of {', '.join(known)}.")


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number; `true` is none.

    Example:

    ```python
    >>> is_number(2), is_number(0.5), is_number(True), is_number("2")
    (True, True, False, False)
    ```
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole_number(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number; `true` is none, nor is `2.0`.

    Example:

    ```python
    >>> is_whole_number(2), is_whole_number(2.0), is_whole_number(True)
    (True, False, False)
    ```
    """
    return isinstance(value, int) and not isinstance(value, bool)
