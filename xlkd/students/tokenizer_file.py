"""The `tokenizer.json` of a fast tokenizer: its pieces, what they need, and the same file with some of them only."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerBase

from xlkd.errors import UserError
from xlkd.students.pieces import is_kept_always, zipf

METASPACE = "▁"
KINDS = ("Unigram", "WordPiece", "WordLevel", "BPE")
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""What a tokenizer's folder holds beside vocabularies in older forms, which would contradict the trimmed one."""


class TokenizerFile:
    """What a fast tokenizer is made of.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): The tokenizer; it is not changed.

    Raises:
        [`UserError`]: If it is no fast tokenizer, or of a kind that cannot be trimmed.

    Attributes:
        pieces (`list[str]`): The pieces by id, added tokens included; `""` where an id is not used.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        name = type(tokenizer).__name__
        if not tokenizer.is_fast:
            raise UserError(f"student: vocabulary cannot be trimmed, since {name} is no fast tokenizer: leave it out.")
        self.content: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
        self.model: dict[str, Any] = self.content["model"]
        self.kind: str = self.model["type"]
        affixes = self.kind == "BPE" and (self.model["continuing_subword_prefix"] or self.model["end_of_word_suffix"])
        if self.kind not in KINDS or affixes:
            kind = f"{self.kind} with affixes" if affixes else self.kind
            raise UserError(
                f"student: vocabulary of {name} cannot be trimmed: it is {kind}, and only {', '.join(KINDS)} can be:"
                " leave it out."
            )
        own = enumerate(piece for piece, _ in self.model["vocab"]) if self.kind == "Unigram" else ()
        ids = {piece: index for index, piece in own} or dict(self.model["vocab"])
        ids |= {token["content"]: token["id"] for token in self.content["added_tokens"]}
        self.pieces = [""] * (max(ids.values()) + 1)
        for piece, index in ids.items():
            self.pieces[index] = piece

    @cached_property
    def surfaces(self) -> list[str]:
        """What each piece stands for in a text, by id, without marks of word beginnings; added tokens for nothing."""
        surfaces = [self._surface(piece) for piece in self.pieces]
        for token in self.content["added_tokens"]:
            surfaces[token["id"]] = ""
        return surfaces

    def _surface(self, piece: str) -> str:
        if self.kind == "WordPiece":
            if piece.startswith("[unused"):
                return ""
            return piece.removeprefix(self.model["continuing_subword_prefix"])
        if not self._byte_level:
            return piece.replace(METASPACE, "")
        raw = bytes(_BYTES[symbol] for symbol in piece if symbol in _BYTES)
        try:
            return raw.decode().strip()
        except UnicodeDecodeError:  # a part of a character
            return ""

    @cached_property
    def _byte_level(self) -> bool:
        return self.kind == "BPE" and '"ByteLevel"' in json.dumps(
            [self.content["pre_tokenizer"], self.content["decoder"]]
        )

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Of each piece in the text that the tokenizer was made of; by Zipf's law where it has ranks only."""
        found = np.zeros(len(self.pieces))
        if self.kind == "Unigram":
            scores = np.array([score for _, score in self.model["vocab"]])
            found[: len(scores)] = np.exp(scores)
            return found
        order = sorted(self.model["vocab"].values())
        found[order] = zipf(range(len(order)))
        return found

    def required(self, characters: set[str]) -> set[int]:
        """The ids that stay whatever the text is: special tokens, bytes, digits, punctuation, and these characters."""
        required = {token["id"] for token in self.content["added_tokens"]}
        singles = set(_BYTES) if self._byte_level else {METASPACE}
        for index, (piece, surface) in enumerate(zip(self.pieces, self.surfaces, strict=True)):
            is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
            if piece in singles or is_byte or (not piece.startswith(METASPACE) and is_kept_always(surface, characters)):
                required.add(index)
        if self.kind == "Unigram":
            scores = [score for _, score in self.model["vocab"]]
            # Classes of tokenizers know the id of the unknown piece by heart. And what is unknown is scored by the
            # worst piece of all: with it texts that hold something unknown are cut as before.
            required |= {*range((self.model["unk_id"] or 0) + 1), int(np.argmin(scores))}
        elif self.model["unk_token"] is not None:
            required.add(self.pieces.index(self.model["unk_token"]))
        return required

    @cached_property
    def needed_by(self) -> Callable[[int], Iterable[int]]:
        """The ids that a piece cannot be made without: with BPE those that it is merged from."""
        if self.kind != "BPE":
            return lambda index: (index,)
        ids = dict(self.model["vocab"])
        ranks = {pair: rank for rank, pair in enumerate(self._merges)}

        def needed(index: int) -> Iterable[int]:
            return {index, *(ids[symbol] for symbol in _merged_from(self.pieces[index], ranks) if symbol in ids)}

        return needed

    @property
    def _merges(self) -> list[tuple[str, str]]:
        pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in self.model["merges"])
        return [(left, right) for left, right in pairs]

    def trimmed(self, kept: Sequence[int]) -> PreTrainedTokenizerBase:
        """The tokenizer with these pieces only, under new ids: the places of the old ones in `kept`.

        Args:
            kept (`Sequence[int]`): Ids in ascending order, those of [`required`] among them.
        """
        new_ids = {index: place for place, index in enumerate(kept)}
        content = {**self.content, "model": self._trimmed_model(new_ids)}
        content["added_tokens"] = [{**token, "id": new_ids[token["id"]]} for token in content["added_tokens"]]
        content["post_processor"] = _with_new_ids(content["post_processor"], new_ids)
        if content["padding"] is not None:
            content["padding"] = {**content["padding"], "pad_id": new_ids[content["padding"]["pad_id"]]}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.tokenizer.save_pretrained(folder)
            for path in folder.iterdir():
                if path.is_file() and path.name not in FILES:
                    path.unlink()
            (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
            trimmed: PreTrainedTokenizerBase = type(self.tokenizer).from_pretrained(folder)
        # What may be set on the object and is not saved, or not by its name.
        trimmed.name_or_path = self.tokenizer.name_or_path
        trimmed.padding_side, trimmed.truncation_side = self.tokenizer.padding_side, self.tokenizer.truncation_side
        return trimmed

    def _trimmed_model(self, new_ids: Mapping[int, int]) -> dict[str, Any]:
        vocabulary = self.model["vocab"]
        if self.kind == "Unigram":
            entries = [entry for index, entry in enumerate(vocabulary) if index in new_ids]
            unknown = self.model["unk_id"]
            return {**self.model, "vocab": entries, "unk_id": None if unknown is None else new_ids[unknown]}
        kept = {piece: new_ids[index] for piece, index in vocabulary.items() if index in new_ids}
        model = {**self.model, "vocab": dict(sorted(kept.items(), key=lambda entry: entry[1]))}
        if self.kind == "BPE":
            model["merges"] = [
                [left, right] for left, right in self._merges if left in kept and right in kept and left + right in kept
            ]
        return model


def _byte_symbols() -> dict[str, int]:
    """How byte-level tokenizers write each of the 256 bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    symbols = {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}
    assert set(symbols) == set(pre_tokenizers.ByteLevel.alphabet())
    return symbols


_BYTES = _byte_symbols()


def _merged_from(piece: str, ranks: Mapping[tuple[str, str], int]) -> set[str]:
    """All symbols on the way from the characters of a piece to the piece, as BPE merges them.

    Within a longer word the merges inside of a piece are the same ones, in the same order: no merge crosses its ends.
    """
    symbols = list(piece)
    passed = set(symbols)
    while len(symbols) > 1:
        pairs = list(zip(symbols, symbols[1:], strict=False))
        place = min(range(len(pairs)), key=lambda index: ranks.get(pairs[index], len(ranks)))
        if pairs[place] not in ranks:
            break
        symbols[place : place + 2] = ["".join(pairs[place])]
        passed.add(symbols[place])
    return passed


def _with_new_ids(processor: Any, new_ids: Mapping[int, int]) -> Any:
    """A post-processor with its ids rewritten: templates have lists of them, BERT's and RoBERTa's pairs."""
    if isinstance(processor, list):
        return [_with_new_ids(part, new_ids) for part in processor]
    if not isinstance(processor, dict):
        return processor
    changed = {key: _with_new_ids(value, new_ids) for key, value in processor.items()}
    for key in ("sep", "cls"):
        if isinstance(changed.get(key), list):
            token, index = changed[key]
            changed[key] = [token, new_ids[index]]
    if processor.get("type") == "TemplateProcessing":
        changed["special_tokens"] = {
            token: {**entry, "ids": [new_ids[index] for index in entry["ids"]]}
            for token, entry in processor["special_tokens"].items()
        }
    return changed
