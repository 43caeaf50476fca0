"""Words that nobody has read: copies of texts in which some words are made up."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Container, Sequence

import regex

from xlkd.letters import UNSPACED, script_of

COMMON = 1 / 2000
"""A word that is a larger share of the text stays: what a sentence says hangs on the likes of `the`."""

SHORTEST = 3
"""So many letters has a word that is replaced, and one that is made up."""

# What stands between spaces is more than a word: `Habari,`. Scripts that are written without spaces have none.
_WORD = regex.compile(rf"(?V1)(?:(?:[\p{{L}}--{UNSPACED}])\p{{M}}*){{{SHORTEST},}}")
_LETTER = regex.compile(r"\p{L}\p{M}*")


def with_made_up_words(texts: Sequence[str], share: float, language: str) -> list[str]:
    """Texts in which some words are made up: the beginning of one word of these texts, and the end of another.

    A small student knows the names that it has read; what to make of others it learns where a teacher answers to words
    that no text has. Teachers were asked about inputs beside the data before: TinyBERT
    (Jiao et al., 2020, https://arxiv.org/abs/1909.10351), function matching (Beyer et al., 2022,
    https://arxiv.org/abs/2106.05237).

    Both words are of the script of the one that is replaced, and all words are as likely. Capitals are written as they
    were, and there are as many words as before.

    Args:
        texts (`Sequence[str]`): Texts of one language.
        share (`float`): The chance that a word is replaced, of those that have at least three letters and are at most
            one in 2,000 words.
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
    counts = Counter(word.lower() for text in texts for word in _WORD.findall(text))
    rare = {word for word, count in counts.items() if count <= max(1, COMMON * counts.total())}
    by_script = defaultdict(list)
    for word in sorted(rare):
        by_script[script_of(word)].append(_LETTER.findall(word))

    def replaced(match: regex.Match[str]) -> str:
        word: str = match.group()
        if word.lower() not in rare or chance.random() >= share:
            return word
        return _written_like(word, _made_up(by_script[script_of(word.lower())], counts, chance))

    return [_WORD.sub(replaced, text) for text in texts]


def _made_up(words: Sequence[Sequence[str]], known: Container[str], chance: random.Random) -> str:
    """A word that is not known, of the letters of two words."""
    # There is one: the longest word without its last letter and once more without its first is longer than all.
    while True:
        first, second = chance.choice(words), chance.choice(words)
        letters = [*first[: chance.randrange(1, len(first))], *second[chance.randrange(1, len(second)) :]]
        word = "".join(letters)
        if len(letters) >= SHORTEST and word not in known:
            return word


def _written_like(word: str, other: str) -> str:
    """Another word with the capitals of a word."""
    if word.isupper():
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() else other
