"""One row a loss: how it is built, and the same formula in plain loops of float64. A new loss joins with one row."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from output_references import decoupled_label, hard_label, label_correlation, logit_mse, soft_label

from xlkd.losses import (
    DecoupledLabelLoss,
    DistillationLoss,
    HardLabelLoss,
    HiddenStateLoss,
    LabelCorrelationLoss,
    LogitMSELoss,
    SoftLabelLoss,
)
from xlkd.outputs import AttentionVectors, Batch, ModelShape, StudentOutput, TeacherOutput, masked_mean

LABEL_NAMES = ("a", "b", "c", "d", "e", "f")
WIDTH, HEADS, BLOCKS = 6, 2, 2
SHAPE = ModelShape(BLOCKS, WIDTH, HEADS, LABEL_NAMES)
LENGTHS, LABELS = [5, 2, 3, 4, 1], [1, -100, 3, 0, -100]

Reference = Callable[[StudentOutput, TeacherOutput, Batch], list[float]]


@dataclass(frozen=True)
class LossCase:
    """`reference` gives what `forward` gives: a value for each row, or one alone where `scope` is `"batch"`."""

    name: str
    build: Callable[[], DistillationLoss]
    reference: Reference
    zero_at_identity: bool = True


def by_row(reference: Callable[[StudentOutput, TeacherOutput, Batch, int], float]) -> Reference:
    """The loss of one row, for every row."""
    return lambda student, teacher, batch: [reference(student, teacher, batch, row) for row in range(len(batch.labels))]


def cosine(first: list[float], second: list[float]) -> float:
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return 1 - dot / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def mse(first: list[float], second: list[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) / len(first)


def per_token(layer_map, distance):
    def reference(student, teacher, batch, row):
        tokens = [index for index, kept in enumerate(student.attention_mask[row].tolist()) if kept]
        total = 0.0
        for student_layer, teacher_layer in layer_map:
            for token in tokens:
                first = student.hidden_states[student_layer][row, token].tolist()
                total += distance(first, teacher.hidden_states[teacher_layer][row, token].tolist()) / len(tokens)
        return total / len(layer_map)

    return reference


def pooled(layer_map, distance):
    def mean(output, layer, row):
        tokens = [index for index, kept in enumerate(output.attention_mask[row].tolist()) if kept]
        states = [output.hidden_states[layer][row, token].tolist() for token in tokens]
        return [sum(column) / len(tokens) for column in zip(*states, strict=True)]

    def reference(student, teacher, batch, row):
        pairs = [distance(mean(student, s, row), mean(teacher, t, row)) for s, t in layer_map]
        return sum(pairs) / len(pairs)

    return reference


MAP = [(1, 1), (2, 2)]

LOSS_CASES = [
    LossCase("soft-label T=1", lambda: SoftLabelLoss(1.0), by_row(soft_label(1.0))),
    LossCase("soft-label T=4", lambda: SoftLabelLoss(4.0), by_row(soft_label(4.0))),
    LossCase(
        "soft-label reverse", lambda: SoftLabelLoss(2.0, "reverse"), by_row(soft_label(2.0, divergence="reverse"))
    ),
    LossCase(
        "soft-label symmetric", lambda: SoftLabelLoss(2.0, "symmetric"), by_row(soft_label(2.0, divergence="symmetric"))
    ),
    LossCase(
        "soft-label standardised",
        lambda: SoftLabelLoss(2.0, standardise=True),
        by_row(soft_label(2.0, standardise=True)),
    ),
    LossCase("logit-mse", LogitMSELoss, by_row(logit_mse(centre=True))),
    LossCase("logit-mse as it is", lambda: LogitMSELoss(centre=False), by_row(logit_mse(centre=False))),
    LossCase("decoupled-label", lambda: DecoupledLabelLoss(0.5, 2.0, 2.0), by_row(decoupled_label(0.5, 2.0, 2.0))),
    LossCase(
        "label-correlation",
        lambda: LabelCorrelationLoss(1.0, 2.0, 4.0),
        lambda student, teacher, batch: [label_correlation(1.0, 2.0, 4.0, student, teacher, batch)],
    ),
    LossCase(
        "label-correlation intra-class",
        lambda: LabelCorrelationLoss(inter_class=0.0),
        lambda student, teacher, batch: [label_correlation(0.0, 1.0, 1.0, student, teacher, batch)],
    ),
    LossCase("hard-label", HardLabelLoss, by_row(hard_label()), zero_at_identity=False),
    LossCase(
        "hard-label smoothed and weighted",
        lambda: HardLabelLoss(0.1, {"b": 3.0, "d": 0.25}),
        by_row(hard_label(0.1, [1, 3, 1, 0.25, 1, 1])),
        zero_at_identity=False,
    ),
    LossCase("hidden-state cosine", lambda: HiddenStateLoss(MAP, "cosine", "none"), by_row(per_token(MAP, cosine))),
    LossCase("hidden-state mse", lambda: HiddenStateLoss(MAP, "mse", "none"), by_row(per_token(MAP, mse))),
    LossCase("hidden-state pooled cosine", lambda: HiddenStateLoss(MAP, "cosine", "mean"), by_row(pooled(MAP, cosine))),
    LossCase(
        "hidden-state pooled mse", lambda: HiddenStateLoss([(2, 2)], "mse", "mean"), by_row(pooled([(2, 2)], mse))
    ),
]


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
    return Batch({"input_ids": mask, "attention_mask": mask}, {}, torch.tensor(labels), torch.ones(len(mask)).bool())


def mask_of(lengths: list[int], width: int | None = None) -> torch.Tensor:
    width = width or max(lengths)
    return torch.tensor([[1] * length + [0] * (width - length) for length in lengths])
