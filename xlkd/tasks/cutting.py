"""Texts cut into words, and words into the pieces of several tokenizers that need not agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex
from transformers import PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.text.letters import UNSPACED

Span = tuple[int, int]
"""A beginning and the place after an end: of characters in a text, or of tokens in what a model reads."""

# A letter of a script that is written without spaces, with its marks; or what stands between spaces and such letters.
_CHUNK = regex.compile(rf"(?V1){UNSPACED}\p{{M}}*|[^\s{UNSPACED}]+")
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]")


def given_words(text: str) -> list[Span]:
    """The words of a text that was split before, and is joined by single spaces."""
    spans, start = [], 0
    for word in text.split(" ") if text else ():
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


def found_words(text: str) -> list[Span]:
    """The words of running text: what stands between spaces, punctuation before and after it taken off.

    Text of scripts without spaces comes as single letters, which [`agreed_words`] joins to what all readers agree on.

    Example:

    ```python
    >>> [text[start:end] for text in ["“Habari, dunia!”"] for start, end in found_words(text)]
    ['“', 'Habari', ',', 'dunia', '!', '”']
    ```
    """
    return [span for chunk in _CHUNK.finditer(text) for span in _without_punctuation(text, *chunk.span())]


def _without_punctuation(text: str, start: int, end: int) -> Iterator[Span]:
    marks = [_PUNCTUATION.match(letter) is not None for letter in text[start:end]]
    if all(marks):
        yield from ((place, place + 1) for place in range(start, end))
        return
    first, last = start + marks.index(False), end - marks[::-1].index(False)
    yield from ((place, place + 1) for place in range(start, first))
    yield first, last
    yield from ((place, place + 1) for place in range(last, end))


@dataclass(frozen=True)
class CutText:
    """What one reader makes of a text.

    Args:
        inputs (`dict[str, list[int]]`): What its model reads.
        visible (`list[Span | None]`): The characters behind each token, without spaces; `None` of one that has none.
    """

    inputs: dict[str, list[int]]
    visible: list[Span | None]


def cut_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[CutText]:
    """Cut texts into tokens, and know where in the text each is.

    Raises:
        [`UserError`]: If the tokenizer does not know where its tokens are.
    """
    check_offsets(tokenizer)
    encoded = dict(tokenizer(list(texts), truncation=True, max_length=max_length, return_offsets_mapping=True))
    offsets = encoded.pop("offset_mapping")
    return [
        CutText(
            {name: values[row] for name, values in encoded.items()},
            [_visible(text, *span) for span in offsets[row]],
        )
        for row, text in enumerate(texts)
    ]


def check_offsets(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that does not know where its tokens are.

    Raises:
        [`UserError`]: If the tokenizer does not know where its tokens are.
    """
    if not tokenizer.is_fast:
        raise UserError(
            f"The tokenizer {type(tokenizer).__name__} of {tokenizer.name_or_path} does not say where in a text its"
            " tokens are, which labels of words need: use one that is fast (it has a tokenizer.json)."
        )


def _visible(text: str, start: int, end: int) -> Span | None:
    """The span of a token without the space that a piece may begin with."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def agreed_words(words: Sequence[Span], readings: Sequence[CutText]) -> list[Span]:
    """Join neighbouring words that a token of some reader reaches over, so that all readers can tell the rest apart."""
    if not words:
        return []
    inside = {
        place
        for reading in readings
        for span in reading.visible
        if span is not None
        for place in range(span[0] + 1, span[1])
    }
    joined = [words[0]]
    for (_, end), (start, next_end) in pairwise(words):
        if end == start and start in inside:
            joined[-1] = (joined[-1][0], next_end)
        else:
            joined.append((start, next_end))
    return joined


def token_spans(words: Sequence[Span], visible: Sequence[Span | None]) -> list[Span | None]:
    """The tokens of each word: those that begin in it.

    Args:
        words (`Sequence[Span]`): Characters of the words, in order.
        visible (`Sequence[Span | None]`): Characters behind the tokens, in order.

    Returns:
        `list` of token spans; `None` for a word in which no token begins, since the text was cut before it, or the
        tokenizer drops it.
    """
    found: list[Span | None] = [None] * len(words)
    word = 0
    for token, span in enumerate(visible):
        if span is None:
            continue
        while word < len(words) and words[word][1] <= span[0]:
            word += 1
        if word == len(words):
            break
        if span[0] >= words[word][0]:
            own = found[word]
            found[word] = (token if own is None else own[0], token + 1)
    return found
