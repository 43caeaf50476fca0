"""The SentencePiece `.model` of a tokenizer, with some of its pieces only."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import sentencepiece
from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


def sentencepiece_file(tokenizer: PreTrainedTokenizerBase) -> Path | None:
    """The `.model` that a tokenizer was loaded from, where there is one."""
    named = tokenizer.init_kwargs.get("vocab_file")
    return Path(named) if isinstance(named, str) and named.endswith(".model") and Path(named).is_file() else None


def trim_sentencepiece(path: Path, pieces: Collection[str]) -> bytes | None:
    """The content of a `.model` with these pieces only; control, unknown and byte pieces stay.

    Args:
        path (`Path`): The `.model` file.
        pieces (`Collection[str]`): The pieces to keep.

    Returns:
        `bytes`, or `None` where the package protobuf, which reads the file, is not installed.
    """
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError:  # of google.protobuf
        logger.info("%s is not trimmed along, since protobuf is not installed; tokenizer.json is.", path.name)
        return None
    prototype = vars(sentencepiece_model_pb2)["ModelProto"]
    model, normal = prototype.FromString(path.read_bytes()), prototype.SentencePiece.NORMAL
    kept = [entry for entry in model.pieces if entry.type != normal or entry.piece in pieces]
    del model.pieces[:]
    model.pieces.extend(kept)
    return bytes(model.SerializeToString())


def pieces_of(model: bytes, texts: list[str]) -> list[list[str]]:
    """How a `.model` cuts texts."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [list(pieces) for pieces in processor.encode(texts, out_type=str)]
