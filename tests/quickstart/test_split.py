"""The split rule, and that the shipped tables obey it."""

from collections import Counter

import pyarrow.parquet as pq
import pytest

from xlkd.quickstart.cldr import ANNOTATIONS_FILE, DATA_FOLDER, EMOJI_FILE
from xlkd.quickstart.split import families, split_by_family, words_of


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    rows = pq.read_table(DATA_FOLDER / ANNOTATIONS_FILE, filters=[("language", "==", "en")]).to_pylist()
    return {row["emoji"]: row["text"] for row in rows}


@pytest.fixture(scope="module")
def shipped() -> dict[str, str]:
    return {row["emoji"]: row["split"] for row in pq.read_table(DATA_FOLDER / EMOJI_FILE).to_pylist()}


def test_split_equals_the_shipped_one_when_recomputed(english: dict[str, str], shipped: dict[str, str]) -> None:
    assert split_by_family(english) == shipped


def test_no_family_is_in_two_splits_when_shipped(english: dict[str, str], shipped: dict[str, str]) -> None:
    found = families(english)
    assert len(found) == 1_170
    assert max(map(len, found)) == 20
    assert all(len({shipped[emoji] for emoji in family}) == 1 for family in found)


def test_no_twins_are_apart_when_every_pair_is_compared(english: dict[str, str], shipped: dict[str, str]) -> None:
    words = {emoji: words_of(text) for emoji, text in english.items()}
    pairs = [
        (one, other)
        for one in shipped
        for other in shipped
        if shipped[one] == "test" and shipped[other] in ("labelled", "transfer")
    ]
    assert len(pairs) == 400 * 1_080
    assert not any(2 * len(words[one] & words[other]) >= len(words[one] | words[other]) for one, other in pairs)


def test_splits_have_their_sizes_when_counted(shipped: dict[str, str]) -> None:
    assert Counter(shipped.values()) == {"labelled": 540, "transfer": 540, "validation": 100, "test": 400}


def test_emoji_are_one_family_when_a_chain_links_them() -> None:
    chain = {"a": "one two", "b": "one two three", "c": "two three", "d": "four"}
    assert families(chain) == [["a", "b", "c"], ["d"]]


def test_emoji_are_linked_when_they_share_exactly_half() -> None:
    assert families({"a": "one two three", "b": "one two four"}) == [["a", "b"]]
    assert families({"a": "one two three", "b": "one four five"}) == [["a"], ["b"]]
