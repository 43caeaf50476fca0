"""Made-up answers of a student and a teacher, with everything that a loss can need."""

import torch

from xlkd.needs import ModelShape
from xlkd.outputs import AttentionVectors, Batch, masked_mean

LABEL_NAMES = ("a", "b", "c", "d", "e", "f")
WIDTH, HEADS, BLOCKS = 6, 2, 2
SHAPE = ModelShape(BLOCKS, WIDTH, HEADS, LABEL_NAMES)
LENGTHS, LABELS = [5, 2, 3, 4, 1], [1, -100, 3, 0, -100]
LANGUAGES, LANGUAGE_IDS = ("am", "en", "sw"), [1, 1, 0, 2, -100]


def leaves_of(seed: int, mask: torch.Tensor, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """The independent parts of a made-up answer with everything that a loss can need."""
    generator = torch.Generator().manual_seed(seed)
    rows, tokens = mask.shape
    shapes = {"logits": (rows, len(LABEL_NAMES))}
    shapes |= {f"states {layer}": (rows, tokens, WIDTH) for layer in range(BLOCKS + 1)}
    for block in range(1, BLOCKS + 1):
        shapes |= {f"{kind} {block}": (rows, tokens, WIDTH) for kind in ("queries", "keys", "values")}
        shapes[f"scores {block}"] = (rows, HEADS, tokens, tokens)
    return {name: torch.randn(*shape, generator=generator).to(dtype) for name, shape in shapes.items()}


def answer_of(kind, leaves: dict[str, torch.Tensor], mask: torch.Tensor):
    """An answer of these parts: padding is no part of a mean, and nothing attends to it."""
    states = {layer: leaves[f"states {layer}"] for layer in range(BLOCKS + 1)}
    blocks = range(1, BLOCKS + 1)
    hidden = torch.where(mask.bool(), 0.0, -torch.inf)[:, None, None, :]
    return kind(
        logits=leaves["logits"],
        hidden_states=states,
        pooled_states={layer: masked_mean(state, mask) for layer, state in states.items()},
        first_states={layer: state[:, 0] for layer, state in states.items()},
        attention_mask=mask,
        attention_maps={block: (leaves[f"scores {block}"] + hidden).softmax(-1) for block in blocks},
        attention_vectors={
            block: AttentionVectors(*(leaves[f"{name} {block}"] for name in ("queries", "keys", "values")))
            for block in blocks
        },
    )


def output_of(kind, seed: int, mask: torch.Tensor, dtype: torch.dtype = torch.float32):
    """A made-up answer."""
    return answer_of(kind, leaves_of(seed, mask, dtype), mask)


def batch_of(mask: torch.Tensor, labels: list[int]) -> Batch:
    inputs = {"input_ids": mask, "attention_mask": mask}
    languages = torch.tensor([LANGUAGE_IDS[row % len(LANGUAGE_IDS)] for row in range(len(mask))])
    return Batch(inputs, {}, torch.tensor(labels), torch.ones(len(mask)).bool(), languages)


def mask_of(lengths: list[int], width: int | None = None) -> torch.Tensor:
    width = width or max(lengths)
    return torch.tensor([[1] * length + [0] * (width - length) for length in lengths])
