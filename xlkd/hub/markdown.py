"""Text of users inside Markdown: it stays the text that it is, whatever stands in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Letters, digits and these mean nothing in Markdown once they do not begin a line; all other ASCII signs are escaped.
_HARMLESS = set(" ,:;'\"%()/-+.=?")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
# At the start of a list item or a cell these would begin a list, a heading or a rule.
_LEADING = re.compile(r"^()([-+=])|^(\d+)([.)])(?=\s|$)")
# GitHub's Markdown, which the Hub's follows, makes links of these without any bracket.
_BARE_LINK = re.compile(r"(www|https?|ftp|mailto|xmpp)([.:])", re.IGNORECASE)


class Markdown(str):
    """Markdown that was made here; whatever came from elsewhere in it is escaped already."""


def plain(value: object) -> str:
    r"""A value as Markdown that shows it as it is: one line, no link, no HTML, no formatting, no end of a table cell.

    Args:
        value: Anything; its `str` is shown.

    Example:

    ```python
    >>> plain("a|b\n<script>")
    'a\\|b &lt;script&gt;'
    ```
    """
    text = "".join(_ENTITIES.get(sign, sign if _is_harmless(sign) else "\\" + sign) for sign in one_line(value))
    text = _BARE_LINK.sub(r"\1\\\2", text)
    return _LEADING.sub(r"\1\3\\\2\4", text)


def one_line(value: object) -> str:
    """A value as text on one line, without the signs that nobody sees: control characters, and those that turn text."""
    text = "".join(" " if _is_unseen(sign) else sign for sign in str(value))
    return " ".join(text.split())


_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""Unseen too, but the spelling of Persian, of scripts of India and of emoji."""


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign) in _UNSEEN and sign not in _JOINERS


def _is_harmless(sign: str) -> bool:
    return not sign.isascii() or sign.isalnum() or sign in _HARMLESS


def table(header: Iterable[str], rows: Iterable[Iterable[str]], numbers: int = 0) -> Markdown:
    """A Markdown table.

    Args:
        header (`Iterable[str]`): The names of the columns.
        rows (`Iterable[Iterable[str]]`): Cells that are Markdown already ([`plain`]).
        numbers (`int`, *optional*, defaults to 0): How many of the last columns are aligned to the right.
    """
    names = list(header)
    rule = ["---"] * (len(names) - numbers) + ["--:"] * numbers
    return Markdown("\n".join(f"| {' | '.join(cells)} |" for cells in [names, rule, *map(list, rows)]))
