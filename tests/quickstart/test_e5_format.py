"""The reader of the 4-bit weight file: right numbers, and one sentence for every kind of nonsense."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from tiny_e5 import HEADER_SIZE, HIDDEN, PIECES, VOCABULARY

from xlkd.quickstart.e5_format import E5FormatError, parse_e5


def test_sizes_and_pieces_are_read_when_whole(weights: bytes) -> None:
    file = parse_e5(weights)
    assert (file.hidden_size, file.layers, file.heads, file.vocabulary_size) == (HIDDEN, 2, 4, VOCABULARY)
    assert file.pieces == [(piece, -float(number)) for number, piece in enumerate(PIECES)]
    assert file.layer_norm_eps == 1e-12


def test_blocks_are_scale_times_nibble_less_eight_when_expanded(weights: bytes) -> None:
    file = parse_e5(weights)
    block = weights[file.entries["emb.word"].offset :][:18]
    scale = float(np.frombuffer(block[:2], "<f2")[0])
    expected = [scale * ((byte & 15) - 8) for byte in block[2:]] + [scale * ((byte >> 4) - 8) for byte in block[2:]]
    np.testing.assert_allclose(file.tensor("emb.word", VOCABULARY, HIDDEN)[0], expected, rtol=1e-6)


def test_file_is_refused_when_cut_anywhere(weights: bytes) -> None:
    lengths = [*range(0, 400, 3), *range(400, len(weights), 997), len(weights) - 1]
    assert len(lengths) > 100
    for length in lengths:
        with pytest.raises(E5FormatError):
            parse_e5(weights[:length])


def _patched(code: str, at: int, *values: int) -> Callable[[bytes], bytes]:
    def patch(data: bytes) -> bytes:
        changed = bytearray(data)
        struct.pack_into(code, changed, at, *values)
        return bytes(changed)

    return patch


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_patched("<I", 0, 7), "mark of the format"),
        (_patched("<I", 4, 2), "version 2"),
        (_patched("<i", 8, -1), "sizes"),
        (_patched("<i", 16, 5), "sizes"),
        (_patched("<i", 40, 64), "blocks have 64"),
        (_patched("<i", 44, 1_000_000), "special pieces"),
        (_patched("<i", 44, -5), "special pieces"),
        (_patched("<i", 48, 99), "special pieces"),
        (_patched("<Q", HEADER_SIZE, 2**60), "sentence pieces"),
        (_patched("<I", HEADER_SIZE + 12, 99), "sentence pieces"),
    ],
)
def test_file_is_refused_when_its_header_is_nonsense(
    weights: bytes, damage: Callable[[bytes], bytes], reason: str
) -> None:
    with pytest.raises(E5FormatError, match=reason):
        parse_e5(damage(weights))


def test_file_is_refused_when_a_tensor_lies_outside(weights: bytes) -> None:
    at = weights.index(b"emb.pos") + len(b"emb.pos") + struct.calcsize("<BI")
    with pytest.raises(E5FormatError, match='"emb.pos" ends after the file'):
        parse_e5(_patched("<Q", at, 2**40)(weights))


def test_file_is_refused_when_a_tensor_has_too_few_bytes(weights: bytes) -> None:
    at = weights.index(b"emb.pos") + len(b"emb.pos") + struct.calcsize("<BIQ")
    with pytest.raises(E5FormatError, match='"emb.pos" has 4 bytes'):
        parse_e5(_patched("<Q", at, 4)(weights))


def test_tensor_is_refused_when_its_shape_or_name_is_wrong(weights: bytes) -> None:
    file = parse_e5(weights)
    with pytest.raises(E5FormatError, match="weights and not"):
        file.tensor("emb.pos", 3, 3)
    with pytest.raises(E5FormatError, match='no tensor "emb.none"'):
        file.tensor("emb.none", 3)
