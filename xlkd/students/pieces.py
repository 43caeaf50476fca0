"""What text is made of: pieces, scripts and characters, counted by language."""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from xlkd.text.letters import script_of_letters

BATCH = 10_000
"""Texts cut into pieces at a time."""


@dataclass
class PieceCounts:
    """What the text of one language uses.

    Args:
        pieces (`np.ndarray` of shape `(vocabulary,)`): How often each piece stands in it, by id.
        scripts (`Counter`): How many of its letters are of each script.
        characters (`set[str]`): The characters that stand in it, as the tokenizer normalises them.
    """

    pieces: np.ndarray
    scripts: Counter[str]
    characters: set[str]

    @property
    def unseen(self) -> float:
        """The share of new text that will be pieces not seen so far (Good, 1953): the share of those seen once."""
        return float((self.pieces == 1).sum()) / max(int(self.pieces.sum()), 1)

    @property
    def frequency(self) -> np.ndarray:
        """The share of each piece in the text, by id."""
        return np.asarray(self.pieces / max(int(self.pieces.sum()), 1))


def count_pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], total: int) -> PieceCounts:
    """Count pieces, scripts and characters of the text of one language, in one pass.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): A fast tokenizer.
        texts (`Sequence[str]`): The text.
        total (`int`): Its largest id and one: more than it has pieces where some ids are not used.
    """
    normalizer = tokenizer.backend_tokenizer.normalizer
    pieces = np.zeros(total, dtype=np.int64)
    characters: Counter[str] = Counter()
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        ids = tokenizer(batch, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
        pieces += np.bincount([piece for text in ids for piece in text], minlength=total)
        for text in batch:
            characters.update(text if normalizer is None else normalizer.normalize_str(text))
    scripts: Counter[str] = Counter()
    for character, count in characters.items():
        if script := script_of_letters(character):
            scripts[script] += count
    return PieceCounts(pieces, scripts, set(characters))


def zipf(order: Sequence[int]) -> np.ndarray:
    """Probabilities in proportion to 1 / rank, for tokenizers that have ranks but no probabilities."""
    probabilities = np.zeros(len(order))
    probabilities[list(order)] = 1.0 / np.arange(1, len(order) + 1)
    return np.asarray(probabilities / probabilities.sum())


def is_kept_always(surface: str, characters: set[str]) -> bool:
    """Whether a piece is a single character that was seen, printable ASCII, a digit or punctuation."""
    if len(surface) != 1:
        return False
    return (
        surface in characters
        or surface in string.printable
        or unicodedata.category(surface) in ("Nd", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps")
    )
