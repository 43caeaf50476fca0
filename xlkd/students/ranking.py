"""Which pieces a student keeps of a vocabulary: those that its languages use, and those that they are likely to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xlkd.errors import UserError
from xlkd.students.pieces import PieceCounts
from xlkd.students.tokenizer_file import TokenizerFile
from xlkd.text.letters import script_of_letters

CHARACTER_WEIGHT = 30
"""How many pieces that are cut in two one unknown character is as bad as, when there is not room for all of them."""


@dataclass
class Ranking:
    """The pieces of a vocabulary in the order in which they are worth keeping.

    Args:
        total (`int`): How many there are.
        required (`list[int]`): Those that always stay.
        order (`list[int]`): The others, the most frequent first; what no language is expected to use is left out.
        counts (`Mapping[str, PieceCounts]`): What they were counted in, by language.
        needed_by (`Callable`): What a piece cannot be made without, itself included.
    """

    total: int
    required: list[int]
    order: list[int]
    counts: Mapping[str, PieceCounts]
    needed_by: Callable[[int], Iterable[int]]

    @classmethod
    def of(cls, file: TokenizerFile, counts: Mapping[str, PieceCounts], named: Collection[int] = ()) -> Ranking:
        """Rank the pieces of a tokenizer; those `named` always stay."""
        characters: set[str] = set().union(*(count.characters for count in counts.values()))
        singles = file.required(characters) | set(named)
        required = sorted({needed for piece in singles for needed in file.needed_by(piece)})
        expected = expected_frequency(counts, file.surfaces, file.probabilities)
        expected[required] = 0
        found = np.flatnonzero(expected)
        order = found[np.argsort(-expected[found], kind="stable")]
        return cls(len(file.pieces), required, order.tolist(), counts, file.needed_by)

    @property
    def largest(self) -> int:
        """The largest size that trims anything: all pieces that the languages are expected to use."""
        return min(len(self.required) + len(self.order), self.total - 1)

    def first(self, size: int) -> list[int]:
        """The ids of at most so many pieces, in ascending order.

        Raises:
            [`UserError`]: If those that always stay are more, or there are no more than these.
        """
        if size < len(self.required):
            raise UserError(
                f"student: vocabulary size {size} is too small: special tokens, bytes, digits, punctuation and the"
                f" characters of the text alone are {len(self.required)} pieces. Give that, and room for words."
            )
        if size >= self.total:
            raise UserError(
                f"student: vocabulary size {size} does not trim the {self.total} pieces that there are: leave it out."
            )
        return self._with_needed(self.order, size)

    def covering(self, coverage: float) -> list[int]:
        """The ids of the first pieces that make up this share of every language's text, in ascending order."""
        order = np.array([*self.required, *self.order])
        last = 0
        for count in self.counts.values():
            covered = np.cumsum(count.pieces[order])
            last = max(last, int(np.searchsorted(covered, math.ceil(coverage * int(count.pieces.sum())))) + 1)
        return self._with_needed(self.order[: max(last - len(self.required), 0)], self.total)

    def _with_needed(self, order: Sequence[int], size: int) -> list[int]:
        kept = set(self.required)
        for piece in order:
            if len(kept) == size:
                break
            needed = set(self.needed_by(piece)) - kept
            if len(kept) + len(needed) <= size:
                kept |= needed
        return sorted(kept)


def expected_frequency(
    counts: Mapping[str, PieceCounts], surfaces: Sequence[str], probabilities: np.ndarray
) -> np.ndarray:
    """How often each piece will stand in new text of the language that uses it most.

    A piece that was seen has its frequency. To those that were not seen a language gives the share of its text that
    will be new, spread over the pieces of its scripts as the tokenizer's own probabilities have it. A character
    counts with every piece that holds it, for it stands in the place of those that are not kept, and more than they:
    without it there is no reading the text at all.

    Args:
        counts (`Mapping[str, PieceCounts]`): By language.
        surfaces (`Sequence[str]`): What each piece stands for in a text, by id; `""` for special tokens.
        probabilities (`np.ndarray` of shape `(vocabulary,)`): Of each piece, in the text behind the tokenizer.

    Returns:
        `np.ndarray` of shape `(vocabulary,)`: The maximum over the languages.
    """
    expected = np.asarray(np.max([count.frequency for count in counts.values()], axis=0))
    weights = _with_characters(surfaces, probabilities)
    members: dict[str, list[int]] = defaultdict(list)
    for piece in np.flatnonzero(expected == 0).tolist():
        if script := script_of_letters(surfaces[piece]):
            members[script].append(piece)
    for script, pieces in members.items():
        shares = [count.unseen * count.scripts[script] / max(count.scripts.total(), 1) for count in counts.values()]
        total = float(probabilities[pieces].sum())
        if total > 0:
            expected[pieces] = max(shares) * weights[pieces] / total
    return expected


def _with_characters(surfaces: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of the pieces; for a single character those of all pieces that hold it, and its weight."""
    of_characters: dict[str, float] = defaultdict(float)
    for surface, probability in zip(surfaces, probabilities.tolist(), strict=True):
        for character in surface:
            of_characters[character] += probability
    weights = probabilities.copy()
    for piece, surface in enumerate(surfaces):
        if len(surface) == 1:
            weights[piece] = CHARACTER_WEIGHT * of_characters[surface]
    return weights
