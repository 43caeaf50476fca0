"""The order in which rows are drawn: by length, and by language and role."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from xlkd.data.groups import Indices, RowGroups, Shares

_MEGABATCH = 50
"""How many updates of rows are sorted by length together, as in `LengthGroupedSampler` of Transformers."""
_CHUNK = 65536
"""How many rows become Python numbers at a time."""


class EpochSampler(Sampler[int]):
    """Every row once, in an order that depends on the seed and the epoch alone.

    Never on the state of a random number generator that processes or resumed runs might not share. It is the order of
    all processes together: Accelerate deals it out. (An attribute `generator` would make Accelerate replace its state;
    there is none.)

    Args:
        rows (`int`): How many rows there are.
        seed (`int`): The seed.
        lengths (`np.ndarray` of shape `(rows,)`, *optional*):
            Number of tokens of every row. With it, rows drawn for 50 updates in a row are sorted by length, longest
            first, so that a batch has rows of similar length.
        rows_of_update (`int`, *optional*, defaults to 1): How many rows one update reads, on all processes.

    Example:

    ```python
    >>> list(EpochSampler(4, seed=42, lengths=np.array([2, 9, 3, 9]), rows_of_update=2))
    [3, 2, 1, 0]
    ```
    """

    def __init__(self, rows: int, seed: int, lengths: Indices | None = None, rows_of_update: int = 1) -> None:
        self.rows = rows
        self.seed = seed
        self.lengths = lengths
        self.rows_of_update = rows_of_update
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is drawn next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[int]:
        order = self.order()
        for start in range(0, len(order), _CHUNK):
            yield from order[start : start + _CHUNK].tolist()

    def order(self) -> Indices:
        """The rows of this epoch, of shape `(rows,)`."""
        order = self._drawn(np.random.default_rng([self.seed, self.epoch]))
        return order if self.lengths is None else self._sorted_by_length(order, self.lengths)

    def _drawn(self, random: np.random.Generator) -> Indices:
        return random.permutation(self.rows)

    def _sorted_by_length(self, order: Indices, lengths: Indices) -> Indices:
        batches = len(order) // (self.rows_of_update * 4)
        size = self.rows_of_update * max(min(batches, _MEGABATCH), 1)
        megabatches = np.arange(len(order)) // size
        order = order[np.lexsort((-lengths[order], megabatches))]
        # The longest row of all comes first, so that too little memory shows at once.
        longest = int(lengths[order].argmax())
        order[[0, longest]] = order[[longest, 0]]
        return order


class MixtureSampler(EpochSampler):
    """Draws as many rows as there are, each group of them with its share.

    Args:
        groups ([`~data.groups.RowGroups`]): Which rows are of which role and language.
        shares (`np.ndarray` of shape `(groups,)`): The probability of every group.
        seed (`int`): The seed.
        lengths (`np.ndarray` of shape `(rows,)`, *optional*): As for [`EpochSampler`].
        rows_of_update (`int`, *optional*, defaults to 1): Likewise.

    Example:

    ```python
    >>> groups = RowGroups.of(dataset)
    >>> sampler = MixtureSampler(groups, groups.shares(MixtureArguments(exponent=0.5)), seed=42)
    ```
    """

    def __init__(
        self, groups: RowGroups, shares: Shares, seed: int, lengths: Indices | None = None, rows_of_update: int = 1
    ) -> None:
        super().__init__(len(groups.codes), seed, lengths, rows_of_update)
        self.shares = shares
        # The rows group by group; group g lies from _starts[g] to _starts[g + 1].
        self._rows = np.argsort(groups.codes, kind="stable")
        self._starts = np.concatenate([[0], np.cumsum(groups.sizes)])

    def _drawn(self, random: np.random.Generator) -> Indices:
        drawn = random.choice(len(self.shares), size=len(self), p=self.shares)
        places = np.argsort(drawn, kind="stable")
        ends = np.cumsum(np.bincount(drawn, minlength=len(self.shares)))
        order = np.empty(len(self), dtype=np.int64)
        for group, own in enumerate(np.split(places, ends[:-1])):
            order[own] = self._draw(group, len(own), random)
        return order

    def _draw(self, group: int, number: int, random: np.random.Generator) -> Indices:
        """Rows of one group: all of them in a new order, and again, as often as it takes."""
        rows = self._rows[self._starts[group] : self._starts[group + 1]]
        rounds = [random.permutation(rows) for _ in range(-(-number // len(rows)))]
        return np.concatenate([rows[:0], *rounds])[:number]
