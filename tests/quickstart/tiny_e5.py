"""A tiny weight file of the format that the offline encoder is read from."""

import struct

import numpy as np

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁hello", "▁world", "▁", "a", "b", "～", "~", "<mask>"]
HIDDEN, LAYERS, HEADS, INTERMEDIATE, POSITIONS, TYPES = 32, 2, 4, 64, 16, 2
VOCABULARY = len(PIECES) + 3  # the real encoder also has more rows than pieces
HEADER_SIZE = struct.calcsize("<4sI7ifi5i")


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"emb.word": (VOCABULARY, HIDDEN)}
    shapes |= {"emb.pos": (POSITIONS * HIDDEN,), "emb.type": (TYPES * HIDDEN,), "emb.ln.w": (HIDDEN,)}
    shapes |= {"emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for name, rows, columns in [(part, HIDDEN, HIDDEN) for part in ("q", "k", "v", "ao")] + [
            ("fi", INTERMEDIATE, HIDDEN),
            ("fo", HIDDEN, INTERMEDIATE),
        ]:
            shapes |= {f"l{layer}.{name}.w": (rows, columns), f"l{layer}.{name}.b": (rows,)}
        for name in ("aln", "oln"):
            shapes |= {f"l{layer}.{name}.w": (HIDDEN,), f"l{layer}.{name}.b": (HIDDEN,)}
    return shapes


def _stored(shape: tuple[int, ...], numbers: np.random.Generator) -> bytes:
    """A matrix as 4-bit blocks, a vector as float32."""
    if len(shape) == 1:
        return numbers.normal(size=shape).astype("<f4").tobytes()
    blocks = [
        np.float16(0.1).tobytes() + numbers.integers(0, 256, 16, dtype=np.uint8).tobytes()
        for _ in range(shape[0] * shape[1] // 32)
    ]
    return b"".join(blocks)


def tiny_weights() -> bytes:
    """The bytes of a whole weight file with 2 layers of width 32."""
    sizes = (HIDDEN, LAYERS, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES)
    head = struct.pack("<4sI7ifi5i", b"E5S1", 1, *sizes, 1e-12, 32, len(PIECES), 0, 2, 1, 3)
    texts = [piece.encode() for piece in PIECES]
    bounds = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = -np.arange(len(PIECES), dtype="<f4")
    head += struct.pack("<Q", bounds[-1]) + bounds.tobytes() + scores.tobytes() + b"".join(texts)
    head += struct.pack("<iI", 0, 0)
    numbers = np.random.default_rng(0)
    tensors = {name: (shape, _stored(shape, numbers)) for name, shape in _shapes().items()}
    head += struct.pack("<i", len(tensors))
    offset = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in tensors)
    for name, (shape, content) in tensors.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", len(shape) > 1, np.prod(shape), offset, len(content))
        offset += len(content)
    return head + b"".join(content for _, content in tensors.values())
