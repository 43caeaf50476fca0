"""Values of users inside Markdown: read back by a CommonMark parser with GitHub's tables and links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from xlkd.hub.markdown import Markdown, one_line, plain, table

ATTACKS = [
    "a|b",
    "`code`",
    "``x``|`y`",
    "two\nlines",
    "two\r\nlines",
    "<script>alert(1)</script>",
    "<!-- hidden -->",
    "](http://evil.example)",
    "[text](http://evil.example)",
    "![picture](http://evil.example/p.png)",
    "http://evil.example",
    "HTTPS://evil.example/a_b",
    "www.evil.example",
    "someone@evil.example",
    "mailto:someone@evil.example",
    "--- \nlicense: mit\n---",
    "---",
    "# heading",
    "> quote",
    "- item",
    "+ item",
    "1. item",
    "1) item",
    "===",
    "*bold* _it_ ~~gone~~",
    "back\\slash \\| end\\",
    "&lt;b&gt; &amp; &#60;",
    "{{ 7 * 7 }} {% raw %}",
    "$$x^2$$ \\(y\\)",
    "tab\tand\0null\u202eturned\u200b",
    "[^1]: note",
    "[ref]: http://evil.example",
    ":smile:",
    "Ελληνικά, አማርኛ, 中文",
]


def parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def leaves(tokens: list[Token]) -> list[Token]:
    """All tokens, those inside paragraphs and cells too."""
    return [leaf for token in tokens for leaf in [token, *(token.children or [])]]


def shown(tokens: list[Token]) -> list[str]:
    """The text of every paragraph and every cell."""
    return ["".join(leaf.content for leaf in token.children or []) for token in tokens if token.type == "inline"]


KINDS = {"text", "inline", "text_special"}


@pytest.mark.parametrize("value", ATTACKS)
def test_value_is_shown_as_it_is_when_it_stands_in_a_cell(value: str) -> None:
    tokens = parser().parse(table(["first", "second"], [[plain(value), "after"]]))
    assert shown(tokens) == ["first", "second", one_line(value), "after"]
    assert {leaf.type for leaf in leaves(tokens) if not leaf.type.startswith(("table", "t"))} <= KINDS


@pytest.mark.parametrize("value", ATTACKS)
def test_value_is_shown_as_it_is_when_it_is_a_list_item(value: str) -> None:
    tokens = parser().parse(f"- {plain(value)}")
    assert shown(tokens) == [one_line(value)]
    structure = [token.type for token in tokens if token.type != "inline"]
    opening, closing = ["bullet_list_open", "list_item_open"], ["list_item_close", "bullet_list_close"]
    assert structure == [*opening, "paragraph_open", "paragraph_close", *closing]


@given(st.text())
def test_value_is_shown_as_it_is_whatever_it_is(value: str) -> None:
    tokens = parser().parse(f"x {plain(value)} x")
    assert shown(tokens) == [f"x {one_line(value)} x" if one_line(value) else "x  x"]
    assert {leaf.type for leaf in leaves(tokens)} <= KINDS | {"paragraph_open", "paragraph_close"}


@pytest.mark.parametrize("value", [value for value in ATTACKS if "evil" in value])
def test_address_is_no_link_when_the_hub_makes_links_of_bare_ones(value: str) -> None:
    # GitHub's extension looks for these in the source; an escaped sign in the middle is none of them.
    for beginning in ("http://", "https://", "www.", "@", "mailto:"):
        assert beginning not in plain(value).lower().replace("\\@", "")


def test_invisible_signs_are_gone_when_text_is_one_line() -> None:
    assert one_line("a\u202e\u200b\0\nb\u2028c") == "a b c"
    assert one_line("می\u200cخواهم") == "می\u200cخواهم"


def test_markdown_is_text_when_it_is_marked() -> None:
    assert isinstance(table(["a"], [["b"]], numbers=1), Markdown)
    assert table(["a", "b"], [["c", "d"]], numbers=1) == "| a | b |\n| --- | --: |\n| c | d |"
