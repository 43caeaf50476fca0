"""Words: where the parts of a text that are labelled one by one lie among its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

WORD_SPANS = "word_spans"
"""A column of rows that are labelled word by word: for each word its first token and the one after its last, one pair
behind the other. Every reader of a row has such a column of its own, with as many words."""

WORD_LABELS = "word_labels"
"""A column: the class ids of all words of a text, also of those that no reader sees; -100 for one without a label."""

WORD_CONTEXT = "word_context"
"""A column: for each word that is read, what stands around it, as a sum of the next three."""

BEGINS_TEXT = 1
"""Nothing stands before the word."""

FOLLOWS_WORD = 2
"""Nothing stands between the word and the one before it in the row."""

ENDS_TEXT = 4
"""Nothing stands behind the word."""

NO_WORD = -1
"""What stands in the spans of a batch where a row has no more words."""


def without_spaces(word: str) -> str:
    """A word whose spaces do not part it: words are joined by spaces.

    Args:
        word (`str`): The word.
    """
    return "\u00a0".join(word.split(" "))


def joined(texts: Iterable[str | Sequence[str] | None]) -> list[Any]:
    """Texts, some of which may come as lists of words, as running text.

    Example:

    ```python
    >>> joined(["Habari ya asubuhi", ["Habari", "ya", "asubuhi"], None])
    ['Habari ya asubuhi', 'Habari ya asubuhi', None]
    ```
    """
    return [" ".join(map(without_spaces, text)) if isinstance(text, list) else text for text in texts]


def context_of(text: str, words: Sequence[tuple[int, int]]) -> list[int]:
    """What stands between the words of a text that are read, by its characters: whoever cuts them, it is the same.

    Args:
        text (`str`): The text.
        words (`Sequence[tuple[int, int]]`): Where each word begins and ends, in order.

    Returns:
        `list[int]`, the column `word_context`.

    Example:

    ```python
    >>> context_of("Habari ya asubuhi", [(0, 6), (7, 9)])
    [1, 2]
    ```
    """
    context: list[int] = []
    end = 0
    for start, own_end in words:
        touches = not text[end:start].strip()
        context.append((FOLLOWS_WORD if context else BEGINS_TEXT) if touches else 0)
        end = own_end
    if context and not text[end:].strip():
        context[-1] += ENDS_TEXT
    return context


def padded_spans(rows: Sequence[Sequence[int]], shifts: Sequence[int]) -> Tensor:
    """The spans of a batch, from those of its rows.

    Args:
        rows (`Sequence[Sequence[int]]`): The column of each row.
        shifts (`Sequence[int]`): How many tokens of padding come before each row.

    Returns:
        `torch.Tensor` of shape `(batch, words, 2)`; -1 where a row has no more words.

    Example:

    ```python
    >>> padded_spans([[1, 2, 2, 4], [1, 3]], shifts=[0, 2]).tolist()
    [[[1, 2], [2, 4]], [[3, 5], [-1, -1]]]
    ```
    """
    most = max(len(row) // 2 for row in rows)
    spans = torch.full((len(rows), most, 2), NO_WORD)
    for index, (row, shift) in enumerate(zip(rows, shifts, strict=True)):
        spans[index, : len(row) // 2] = torch.tensor(row, dtype=torch.long).reshape(-1, 2) + shift
    return spans


def is_word(spans: Tensor) -> Tensor:
    """Which places of a batch hold a word.

    Args:
        spans (`torch.Tensor` of shape `(batch, words, 2)`): The spans.

    Returns:
        `torch.Tensor` of booleans, of shape `(batch, words)`.
    """
    return spans[..., 0] != NO_WORD


def first_of_words(values: Tensor, spans: Tensor) -> Tensor:
    """What the first token of each word has, which is where its label is read.

    Args:
        values (`torch.Tensor` of shape `(batch, tokens, ...)`): What the tokens have.
        spans (`torch.Tensor` of shape `(batch, words, 2)`): The spans.

    Returns:
        `torch.Tensor` of shape `(batch, words, ...)`; where there is no word, what the first token of the row has.
    """
    rows = torch.arange(len(values), device=values.device).unsqueeze(1)
    return values[rows, spans[..., 0].clamp(min=0)]


def mean_over_words(states: Tensor, spans: Tensor) -> Tensor:
    """The mean over the tokens of each word.

    Args:
        states (`torch.Tensor` of shape `(batch, tokens, width)`): Hidden states.
        spans (`torch.Tensor` of shape `(batch, words, 2)`): The spans.

    Returns:
        `torch.Tensor` of shape `(batch, words, width)`; 0 where there is no word.
    """
    tokens = torch.arange(states.shape[1], device=states.device)
    inside = (tokens >= spans[..., :1]) & (tokens < spans[..., 1:])
    # A product would be cast down, and with it states that somebody wants in full precision.
    with torch.autocast(states.device.type, enabled=False):
        shares = inside.to(states.dtype) / inside.sum(-1, keepdim=True).clamp(min=1)
        return shares @ states


def mean_over_items(values: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each row over those of its words that count, so that a long text weighs no more than a short one.

    Args:
        values (`torch.Tensor` of shape `(batch,)` or `(batch, words)`): One value a row, or one a word.
        counted (`torch.Tensor` of booleans, of the same shape): Which of them count.

    Returns:
        `tuple` of the means, and of whether a row has anything that counts, both of shape `(batch,)`.

    Example:

    ```python
    >>> mean_over_items(torch.tensor([[1.0, 3.0]]), torch.tensor([[True, False]]))
    (tensor([1.]), tensor([True]))
    ```
    """
    # `where`, not a product: what does not count may be infinite.
    values = torch.where(counted, values, 0.0)
    if values.dim() == 1:
        return values, counted
    return values.sum(-1) / counted.sum(-1).clamp(min=1), counted.any(-1)
