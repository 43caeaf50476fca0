"""The merges of trimmed byte-pair encodings: consistent, and enough to reach every piece."""

import json
from typing import Any

import pytest
from tiny_tokenizers import ADDED, BPE, BYTES
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from trimmed_tokenizers import trim

from xlkd.errors import UserError
from xlkd.students.tokenizer_file import TokenizerFile


def model_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The model of a tokenizer, as its file has it."""
    model: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return model


def plain_bpe(piece: str, merges: list[list[str]]) -> list[str]:
    """BPE, told by its book: the earliest merge of all that apply, and of these the leftmost."""
    symbols = list(piece)
    while True:
        pairs = [[left, right] for left, right in zip(symbols, symbols[1:], strict=False)]
        found = [(merges.index(pair), place) for place, pair in enumerate(pairs) if pair in merges]
        if not found:
            return symbols
        _, place = min(found)
        symbols[place : place + 2] = ["".join(pairs[place])]


@pytest.mark.parametrize("kind", BPE)
def test_merges_name_kept_pieces_only_when_trimmed(kind: str) -> None:
    model, before = model_of(trim(kind).after), model_of(trim(kind).before)
    assert len(before["merges"]) > len(model["merges"]) > 50
    for left, right in model["merges"]:
        assert {left, right, left + right} <= set(model["vocab"])
    assert model["ignore_merges"] is (kind == "llama3-file")


@pytest.mark.parametrize("kind", BPE)
def test_every_kept_piece_can_be_reached_when_trimmed(kind: str) -> None:
    own = trim(kind)
    merges, pieces = model_of(own.after)["merges"], model_of(own.after)["vocab"]
    others = {*own.before.all_special_tokens, *BYTES, *map(str, ADDED)}
    reached = [piece for piece in pieces if piece not in others and len(piece) > 1]
    assert len(reached) > 50
    for piece in reached:
        assert plain_bpe(piece, merges) == [piece]


@pytest.mark.parametrize("affix", [{"continuing_subword_prefix": "##"}, {"end_of_word_suffix": "</w>"}])
def test_merges_with_affixes_are_refused_when_given(affix: dict[str, str]) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, [], **affix)))
    with pytest.raises(UserError, match="BPE with affixes, and only Unigram, WordPiece, WordLevel, BPE can be"):
        TokenizerFile(tokenizer)
