"""The order in which rows are drawn."""

from collections import Counter

import numpy as np
import pytest
from transformers.trainer_pt_utils import get_length_grouped_indices

from xlkd import MixtureArguments
from xlkd.data.groups import RowGroups
from xlkd.data.sampler import MixtureSampler

SIZES = [2000, 500, 20, 7]
NAMES = [("labelled", "en"), ("parallel", "sw"), ("parallel", "yo"), ("unlabelled", "sw")]
ROLES = {"labelled": 1, "parallel": 2, "unlabelled": 1}


def groups(sizes: list[int]) -> RowGroups:
    """Groups of these sizes, their rows dealt out at random."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return RowGroups(NAMES[: len(sizes)], np.random.default_rng(0).permutation(codes))


def sampler(sizes: list[int] = SIZES, roles: dict[str, float] | None = None, **options: object) -> MixtureSampler:
    """A sampler of these groups at exponent 0.5."""
    made = groups(sizes)
    return MixtureSampler(made, made.shares(MixtureArguments(0.5, roles or ROLES)), **{"seed": 3, **options})  # type: ignore[arg-type]


def drawn_of(rows: list[int], group: int) -> list[int]:
    """The rows of one group, as they were drawn."""
    codes = groups(SIZES).codes
    return [row for row in rows if codes[row] == group]


def test_shares_lie_within_binomial_bounds_when_many_rows_are_drawn() -> None:
    made = sampler([40000, 10000, 400, 100])
    codes = groups([40000, 10000, 400, 100]).codes
    counts = np.bincount(codes[list(made)], minlength=4)
    deviation = np.sqrt(len(made) * made.shares * (1 - made.shares))
    assert len(made) == 50500 == counts.sum()
    assert (np.abs(counts - len(made) * made.shares) < 4 * deviation).all()


def test_no_row_comes_again_before_all_of_its_group_came() -> None:
    rows = list(sampler())
    for group, size in enumerate(SIZES):
        own = drawn_of(rows, group)
        for start in range(0, len(own), size):
            part = own[start : start + size]
            assert len(set(part)) == len(part)
    assert len(drawn_of(rows, 3)) > 2 * SIZES[3]


def test_a_group_comes_in_a_new_order_when_all_of_it_came() -> None:
    own = drawn_of(list(sampler()), 2)
    assert sorted(own[:20]) == sorted(own[20:40]) and own[:20] != own[20:40]


def test_rows_of_a_group_without_a_share_never_come() -> None:
    rows = list(sampler(roles={"labelled": 0, "parallel": 1, "unlabelled": 1}))
    assert drawn_of(rows, 0) == [] and len(rows) == sum(SIZES)


def test_order_is_the_same_when_seed_and_epoch_are() -> None:
    first, second = sampler(), sampler()
    list(second)  # What was drawn before does not matter.
    np.random.seed(1)
    for epoch in (1, 0):
        first.set_epoch(epoch)
        second.set_epoch(epoch)
        assert list(first) == list(second)


@pytest.mark.parametrize(("seed", "epoch"), [(4, 0), (3, 1)])
def test_order_is_another_when_seed_or_epoch_is(seed: int, epoch: int) -> None:
    other = sampler(seed=seed)
    other.set_epoch(epoch)
    assert list(other) != list(sampler())


def test_seed_and_epoch_are_not_added_up() -> None:
    first, second = sampler(seed=3), sampler(seed=4)
    first.set_epoch(1)
    assert list(first) != list(second)


def test_the_same_rows_come_when_they_are_sorted_by_length() -> None:
    lengths = np.random.default_rng(1).integers(1, 100, sum(SIZES))
    assert Counter(sampler(lengths=lengths, rows_of_update=8)) == Counter(sampler())


def test_rows_of_50_updates_come_longest_first_when_they_are_sorted_by_length() -> None:
    lengths = np.random.default_rng(1).integers(1, 100, sum(SIZES))
    plain, ordered = list(sampler()), list(sampler(lengths=lengths, rows_of_update=8))
    assert lengths[ordered[0]] == lengths[plain].max()
    for start in range(400, len(plain), 400):
        longest = [lengths[row] for row in ordered[start : start + 400]]
        # One row may have changed places with the first of all.
        assert sum(a < b for a, b in zip(longest, longest[1:], strict=False)) <= 1
        assert len(Counter(ordered[start : start + 400]) - Counter(plain[start : start + 400])) <= 1


@pytest.mark.parametrize("rows_of_update", [1, 8, 32, 1000])
def test_lengths_come_as_transformers_would_sort_them(rows_of_update: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    lengths = np.random.default_rng(1).integers(1, 100, sum(SIZES))
    plain = sampler().order()
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: torch.arange(len(plain)))
    theirs = get_length_grouped_indices(lengths[plain].tolist(), rows_of_update)
    ours = sampler(lengths=lengths, rows_of_update=rows_of_update).order()
    assert lengths[ours].tolist() == lengths[plain][theirs].tolist()
