"""Words that nobody has read: copies of texts in which some words are made up."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Sequence

import regex

from xlkd.text.letters import UNSPACED, script_of_letters

COMMON = 1 / 2000
"""A word that is a larger share of the words stays, unless it occurs once: a sentence hangs on the likes of `the`."""

SHORTEST = 3
"""So many letters has a word that is replaced, and one that is made up."""

TRIES = 100
"""How often a word is made up anew where the text has it already."""

# Letters of scripts that are written without spaces are in no word.
_BASE = rf"[\p{{L}}--{UNSPACED}]"
_MARKS = r"[\p{M}\u200c\u200d\u00ad]*"
# With its marks, and with those that a joiner joins to it.
_LETTER = rf"{_BASE}{_MARKS}(?:(?<=\u200d){_BASE}{_MARKS})*"
_LETTERS = regex.compile(rf"(?V1){_LETTER}")
# Between spaces, punctuation aside, there is the word alone: no address, no number, nothing with an apostrophe in it.
_PUNCTUATION = r"[\p{P}\p{S}]*"
_WORD = regex.compile(
    rf"(?V1)(?<!\S)(?<open>{_PUNCTUATION})(?<word>(?:{_LETTER}){{{SHORTEST},}})(?={_PUNCTUATION}(?!\S))"
)


def with_made_up_words(texts: Sequence[str], share: float, language: str) -> list[str]:
    """Texts in which some words are made up: the beginning of one word of these texts, and the end of another.

    A small student knows the names that it has read; what to make of others it learns where a teacher answers to words
    that the text does not have. Teachers were asked about inputs beside the data before: TinyBERT
    (Jiao et al., 2020, https://arxiv.org/abs/1909.10351), function matching (Beyer et al., 2022,
    https://arxiv.org/abs/2106.05237).

    What is replaced are words of at least three letters of one script, with no capital but the first or with capitals
    only, that occur once or are at most one in 2,000 of such words. What takes their place is made of two others like
    them, each as likely, is no word of the texts, and has their capitals. There are as many words as before.

    Args:
        texts (`Sequence[str]`): Texts of one language.
        share (`float`): The chance that such a word is replaced.
        language (`str`): Their language. Equal texts of a language give equal ones, whatever the seed of a run, so that
            a teacher is asked once.

    Returns:
        `list[str]`, one for each text. It is the same where no word can be replaced, as in scripts without spaces.

    Example:

    ```python
    >>> with_made_up_words(["Rais Kenyatta alizuru Mombasa jana"], share=0.5, language="sw")
    ['Mosa Mbasa kenyatbasa Mombasa jana']
    ```
    """
    chance = random.Random(language)
    counts = Counter(match["word"].lower() for text in texts for match in _WORD.finditer(text))
    known = {unicodedata.normalize("NFC", word) for word in counts}
    most = max(1, COMMON * counts.total())
    by_script = defaultdict(list)
    for word in sorted(word for word, count in counts.items() if count <= most):
        by_script[script_of_letters(word)].append(_LETTERS.findall(word))

    def replaced(match: regex.Match[str]) -> str:
        found, word = match.group(), match["word"]
        lower = word.lower()
        script = script_of_letters(lower)
        is_plain = word[1:] == lower[1:] or word.isupper()
        if script is None or not is_plain or counts[lower] > most or chance.random() >= share:
            return str(found)
        return str(match["open"]) + _written_like(word, _made_up(by_script[script], known, chance))

    return [_WORD.sub(replaced, text) for text in texts]


def _made_up(words: Sequence[Sequence[str]], known: Container[str], chance: random.Random) -> str | None:
    """A word that is not known, of the letters of two words; none where all that chance finds are known."""
    for _ in range(TRIES):
        first, second = chance.choice(words), chance.choice(words)
        letters = [*first[: chance.randrange(1, len(first))], *second[chance.randrange(1, len(second)) :]]
        word = "".join(letters)
        if len(letters) >= SHORTEST and unicodedata.normalize("NFC", word) not in known:
            return word
    return None


def _written_like(word: str, other: str | None) -> str:
    """Another word with the capitals of a word, or the word itself where there is no other."""
    if other is None:
        return word
    if word.isupper():
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() else other
