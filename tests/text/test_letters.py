"""The script of letters."""

import pytest

from xlkd.text.letters import script_of_letters

SCRIPTS = {
    "hello": "LATIN",
    "yorùbá": "LATIN",
    "yoru\u0300ba\u0301": "LATIN",
    "приве́т": "CYRILLIC",
    "ሰላም": "ETHIOPIC",
    "សួស្តី": "KHMER",
    "नमस्ते": "DEVANAGARI",
    "你好": "CJK",
    "سلام": "ARABIC",
    "ab12": "LATIN",
    "hallo, мир": None,
    "123": None,
    "": None,
    "☃🦄": None,
    "\u0301": None,
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_script_is_that_of_the_letters_when_there_is_one(text: str) -> None:
    assert script_of_letters(text) == SCRIPTS[text]
