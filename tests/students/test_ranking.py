"""The order in which pieces are kept: told again in plain loops, and its rules one by one."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from tiny_tokenizers import BUILDERS, TRIMMED_FOR, texts_of, tiny_tokenizer

from xlkd.errors import UserError
from xlkd.students.pieces import PieceCounts, count_pieces
from xlkd.students.ranking import CHARACTER_WEIGHT, Ranking, expected_frequency
from xlkd.students.tokenizer_file import TokenizerFile
from xlkd.text.letters import script_of_letters

KINDS = ("xlm-roberta", "bert", "gpt2", "sentencepiece-bpe-file")

SURFACES = ["", "a", "b", "ab", "abc", "д", "да", "нет", "1", "ሀ", "x2"]
PROBABILITIES = np.array([0.0, 0.1, 0.05, 0.2, 0.05, 0.1, 0.2, 0.1, 0.1, 0.05, 0.05])


def counts_of(pieces: Mapping[int, int], **scripts: int) -> PieceCounts:
    """What a language uses, by hand."""
    found = np.zeros(len(SURFACES), dtype=np.int64)
    for index, count in pieces.items():
        found[index] = count
    return PieceCounts(found, Counter(scripts), set())


COUNTS = {
    "en": counts_of({3: 6, 8: 1, 1: 1}, LATIN=20),
    "ru": counts_of({6: 3, 3: 1, 8: 1}, CYRILLIC=9, LATIN=1),
}


def plain_expectation(piece: int) -> float:
    """What `expected_frequency` says of one piece, told again in loops."""
    seen = max(count.pieces[piece] / sum(count.pieces) for count in COUNTS.values())
    script = script_of_letters(SURFACES[piece])
    if seen > 0 or script is None:
        return seen
    best = 0.0
    for count in COUNTS.values():
        new = sum(1 for times in count.pieces if times == 1) / sum(count.pieces)
        best = max(best, new * count.scripts[script] / sum(count.scripts.values()))
    unseen = [
        other
        for other, surface in enumerate(SURFACES)
        if script_of_letters(surface) == script and all(count.pieces[other] == 0 for count in COUNTS.values())
    ]
    weight = PROBABILITIES[piece]
    if len(SURFACES[piece]) == 1:
        holders = [(other, surface.count(SURFACES[piece])) for other, surface in enumerate(SURFACES)]
        weight = CHARACTER_WEIGHT * sum(times * PROBABILITIES[other] for other, times in holders)
    return best * weight / sum(PROBABILITIES[other] for other in unseen)


def ranking_of(
    kind: str, languages: tuple[str, ...] = TRIMMED_FOR, named: tuple[int, ...] = (), texts: int = 120
) -> Ranking:
    """The pieces of a real tokenizer, ranked by some texts of some languages."""
    tokenizer = tiny_tokenizer(kind)
    file = TokenizerFile(tokenizer)
    counts = {language: count_pieces(tokenizer, texts_of(language)[:texts], len(file.pieces)) for language in languages}
    return Ranking.of(file, counts, named)


@pytest.mark.parametrize("piece", range(len(SURFACES)), ids=SURFACES)
def test_expectation_is_the_one_told_in_loops_when_counted(piece: int) -> None:
    found = expected_frequency(COUNTS, SURFACES, PROBABILITIES)
    assert found[piece] == pytest.approx(plain_expectation(piece), abs=1e-15)


def test_language_that_uses_a_piece_most_decides_when_several_do() -> None:
    found = expected_frequency(COUNTS, SURFACES, PROBABILITIES)
    assert found[3] == 6 / 8
    assert found[8] == 1 / 5  # once of five pieces in one language, once of eight in the other
    assert found[6] == 3 / 5


def test_characters_come_before_longer_pieces_when_neither_was_seen() -> None:
    found = expected_frequency(COUNTS, SURFACES, PROBABILITIES)
    latin, cyrillic = (2, 4), (5, 7)
    for character, longer in (latin, cyrillic):
        assert found[character] > found[longer] > 0


@pytest.mark.parametrize("piece", [SURFACES.index("ሀ"), SURFACES.index("")])
def test_nothing_is_expected_when_no_language_uses_the_script(piece: int) -> None:
    assert expected_frequency(COUNTS, SURFACES, PROBABILITIES)[piece] == 0


def test_nothing_new_is_expected_when_no_piece_stands_once() -> None:
    counts = {"en": counts_of({3: 6, 8: 2}, LATIN=20)}
    found = expected_frequency(counts, SURFACES, PROBABILITIES)
    assert set(np.flatnonzero(found)) == {3, 8}


@pytest.mark.parametrize("kind", ["xlm-roberta", "bert", "sentencepiece-bpe-file"])
def test_unseen_character_comes_before_every_unseen_piece_that_holds_it_when_ranked(kind: str) -> None:
    file, ranking = TokenizerFile(tiny_tokenizer(kind)), ranking_of(kind, texts=30)
    seen = np.sum([count.pieces for count in ranking.counts.values()], axis=0)
    unseen = [file.surfaces[piece] for piece in ranking.order if seen[piece] == 0]
    first = {surface: place for place, surface in reversed(list(enumerate(unseen)))}
    compared = 0
    for surface, place in first.items():
        for character in set(surface) & set(first) if len(surface) > 1 else ():
            assert first[character] < place
            compared += 1
    assert compared > 5


@pytest.mark.parametrize("kind", BUILDERS)
def test_pieces_of_other_scripts_are_left_out_when_no_language_uses_them(kind: str) -> None:
    file, ranking = TokenizerFile(tiny_tokenizer(kind)), ranking_of(kind, ("am", "zh"))
    others = {"KHMER", "ARABIC", "DEVANAGARI", "CYRILLIC"}
    scripts = Counter(script_of_letters(file.surfaces[piece]) for piece in ranking.first(ranking.largest))
    assert {"ETHIOPIC", "CJK"} <= set(scripts)
    # The piece with the worst score stays, whatever it is: what is unknown is scored by it.
    assert sum(scripts[script] for script in others) <= (1 if file.kind == "Unigram" else 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("room", [0, 1, 17, 200])
def test_size_is_exact_when_given(kind: str, room: int) -> None:
    ranking = ranking_of(kind)
    kept = ranking.first(len(ranking.required) + room)
    assert len(set(kept)) == len(kept) == len(ranking.required) + room
    assert set(ranking.required) <= set(kept)
    assert kept == sorted(kept)


@pytest.mark.parametrize("kind", ["gpt2", "sentencepiece-bpe-file"])
def test_parts_of_a_piece_are_kept_with_it_when_it_is_merged(kind: str) -> None:
    ranking = ranking_of(kind)
    kept = set(ranking.first(len(ranking.required) + 150))
    for piece in kept:
        assert set(ranking.needed_by(piece)) <= kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99, 1.0])
def test_every_language_is_covered_when_a_share_is_given(kind: str, coverage: float) -> None:
    ranking = ranking_of(kind)
    kept = set(ranking.covering(coverage))
    for count in ranking.counts.values():
        covered = sum(int(times) for piece, times in enumerate(count.pieces) if piece in kept)
        assert covered >= coverage * sum(count.pieces)


def test_no_piece_too_many_is_kept_when_a_share_is_given() -> None:
    ranking = ranking_of("xlm-roberta")
    kept = ranking.covering(0.9)
    fewer = set(ranking.required) | set(ranking.order[: len(kept) - len(ranking.required) - 1])
    assert len(fewer) == len(kept) - 1
    shares = [
        sum(int(times) for piece, times in enumerate(count.pieces) if piece in fewer) / sum(count.pieces)
        for count in ranking.counts.values()
    ]
    assert min(shares) < 0.9


def test_named_pieces_stay_when_nothing_uses_them() -> None:
    named = (2000, 2500)
    ranking = ranking_of("xlm-roberta", ("en",), named)
    assert set(named) <= set(ranking.first(len(ranking.required)))


def test_sizes_are_refused_when_out_of_range() -> None:
    ranking = ranking_of("xlm-roberta")
    with pytest.raises(UserError, match=f"alone are {len(ranking.required)} pieces"):
        ranking.first(len(ranking.required) - 1)
    with pytest.raises(UserError, match=f"does not trim the {ranking.total} pieces"):
        ranking.first(ranking.total)
