"""Letters: of which script they are, and which scripts are written without spaces."""

from __future__ import annotations

import unicodedata
from functools import cache

_SCRIPTS = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Han}\p{Hiragana}\p{Katakana}\p{Javanese}\p{Balinese}"

UNSPACED = rf"[{_SCRIPTS}&&\p{{L}}]"
"""A letter of a script without spaces between words, for `regex` with `(?V1)`."""


@cache
def script_of_letters(text: str) -> str | None:
    """The script of the letters of a text by their Unicode names; `None` without letters, or with several scripts.

    Example:

    ```python
    >>> script_of_letters("ខ្មែរ"), script_of_letters("yorùbá"), script_of_letters("123")
    ('KHMER', 'LATIN', None)
    ```
    """
    letters = [character for character in text if unicodedata.category(character)[0] in "LM"]
    scripts = {unicodedata.name(letter, "UNNAMED").split(" ")[0] for letter in letters} - {"COMBINING"}
    return scripts.pop() if len(scripts) == 1 else None
