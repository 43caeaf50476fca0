"""What text is made of: its characters, and which of them are always kept."""

from collections import Counter

import numpy as np
import pytest
from tiny_tokenizers import texts_of, tiny_tokenizer

from xlkd.students import pieces
from xlkd.students.pieces import PieceCounts, count_pieces, is_kept_always, zipf


@pytest.mark.parametrize(
    ("surface", "kept"),
    [("7", True), ("٣", True), ("!", True), ("—", True), ("(", True), ("é", True), ("ж", False), ("₩", False)],
)
def test_character_is_always_kept_when_seen_or_a_digit_or_punctuation(surface: str, kept: bool) -> None:
    assert is_kept_always(surface, {"é"}) is kept


@pytest.mark.parametrize("surface", ["", "éé", "12"])
def test_longer_piece_is_not_kept_always_when_its_characters_are(surface: str) -> None:
    assert not is_kept_always(surface, {"é"})


@pytest.mark.parametrize("kind", ["xlm-roberta", "bert", "gpt2"])
def test_counts_are_those_of_a_loop_when_batches_are_small(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "BATCH", 7)
    tokenizer, texts = tiny_tokenizer(kind), texts_of("vi")[:40]
    plain: Counter[int] = Counter()
    for text in texts:
        plain.update(tokenizer.encode(text, add_special_tokens=False))
    found = count_pieces(tokenizer, texts, len(tokenizer))
    assert {index: count for index, count in enumerate(found.pieces) if count} == plain
    assert found.scripts["LATIN"] > 100 and set(found.scripts) == {"LATIN"}


def test_characters_are_the_normalised_ones_when_the_tokenizer_normalises() -> None:
    found = count_pieces(tiny_tokenizer("unigram-file"), ["ﬁn ①"], 4000)
    assert found.characters == set("fin 1")


def test_new_text_is_expected_to_hold_as_many_new_pieces_as_stood_once_when_estimated() -> None:
    assert PieceCounts(np.array([0, 1, 3, 1]), Counter(), set()).unseen == 2 / 5
    assert PieceCounts(np.array([0, 0]), Counter(), set()).unseen == 0


def test_probabilities_fall_with_the_rank_when_there_are_only_ranks() -> None:
    found = zipf([2, 0, 1])
    assert found.sum() == pytest.approx(1)
    assert found[2] == 2 * found[0] == pytest.approx(3 * found[1])
