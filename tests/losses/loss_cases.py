"""One row a loss: how it is built, and the same formula in plain loops of float64. A new loss joins with one row."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from xlkd.losses import (
    AttentionMapLoss,
    AttentionRelationLoss,
    DistillationLoss,
    EmbeddingLoss,
    HardLabelLoss,
    HiddenStateLoss,
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


def softmax(logits: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(logits)) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def soft_label(temperature: float):
    def reference(student, teacher, batch, row):
        p = softmax([value / temperature for value in teacher.logits[row].tolist()])
        q = softmax([value / temperature for value in student.logits[row].tolist()])
        return temperature**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    return reference


def hard_label(student, teacher, batch, row):
    label = batch.labels[row].item()
    return 0.0 if label == -100 else -math.log(softmax(student.logits[row].tolist())[label])


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


def normalised_mse(first: list[float], second: list[float]) -> float:
    norms = [math.sqrt(sum(value * value for value in vector)) for vector in (first, second)]
    return sum((a / norms[0] - b / norms[1]) ** 2 for a, b in zip(first, second, strict=True))


def first_token(layer_map, distance):
    def reference(student, teacher, batch, row):
        pairs = [
            distance(student.hidden_states[s][row, 0].tolist(), teacher.hidden_states[t][row, 0].tolist())
            for s, t in layer_map
        ]
        return sum(pairs) / len(pairs)

    return reference


def tokens_of(output, row):
    return [index for index, kept in enumerate(output.attention_mask[row].tolist()) if kept]


def divergence(teacher: list[float], student: list[float]) -> float:
    return sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True) if t > 0)


def attention_map(layer_map, distance):
    def reference(student, teacher, batch, row):
        tokens, values = tokens_of(student, row), []
        for own, other in layer_map:
            for head in range(HEADS):
                for query in tokens:
                    s, t = (
                        [maps[row, head, query, key].item() for key in tokens]
                        for maps in (student.attention_maps[own], teacher.attention_maps[other])
                    )
                    values.append(divergence(t, s) if distance == "kl" else mse(s, t))
        return sum(values) / len(values)

    return reference


def relations(vectors, row, tokens, head, size):
    """The relations of one relation head: for every token, a distribution over the tokens."""
    own = [vectors[row, token, head * size : (head + 1) * size].tolist() for token in tokens]
    return [
        softmax([sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(size) for key in own]) for query in own
    ]


def attention_relation(heads, kinds, student_layer, teacher_layer):
    def reference(student, teacher, batch, row):
        tokens, total = tokens_of(student, row), 0.0
        for kind in kinds:
            for head in range(heads):
                pair = [
                    vars(output.attention_vectors[layer])[kind]
                    for output, layer in ((student, student_layer), (teacher, teacher_layer))
                ]
                both = [relations(vectors, row, tokens, head, vectors.shape[-1] // heads) for vectors in pair]
                total += sum(divergence(t, s) for s, t in zip(*both, strict=True)) / heads / len(tokens)
        return total

    return reference


ALL = ["queries", "keys", "values"]
MAP = [(1, 1), (2, 2)]

LOSS_CASES = [
    LossCase("soft-label T=1", lambda: SoftLabelLoss(1.0), by_row(soft_label(1.0))),
    LossCase("soft-label T=4", lambda: SoftLabelLoss(4.0), by_row(soft_label(4.0))),
    LossCase("hard-label", HardLabelLoss, by_row(hard_label), zero_at_identity=False),
    LossCase("hidden-state cosine", lambda: HiddenStateLoss(MAP, "cosine", "none"), by_row(per_token(MAP, cosine))),
    LossCase("hidden-state mse", lambda: HiddenStateLoss(MAP, "mse", "none"), by_row(per_token(MAP, mse))),
    LossCase("hidden-state pooled cosine", lambda: HiddenStateLoss(MAP, "cosine", "mean"), by_row(pooled(MAP, cosine))),
    LossCase(
        "hidden-state pooled mse", lambda: HiddenStateLoss([(2, 2)], "mse", "mean"), by_row(pooled([(2, 2)], mse))
    ),
    LossCase(
        "hidden-state PKD",
        lambda: HiddenStateLoss("uniform", "normalised-mse", "first"),
        by_row(first_token(MAP, normalised_mse)),
    ),
    LossCase(
        "hidden-state normalised mse",
        lambda: HiddenStateLoss([(0, 1)], "normalised-mse", "none"),
        by_row(per_token([(0, 1)], normalised_mse)),
        zero_at_identity=False,
    ),
    LossCase("embedding", EmbeddingLoss, by_row(pooled([(2, 2)], mse))),
    LossCase("embedding cosine", lambda: EmbeddingLoss("cosine", "first"), by_row(first_token([(2, 2)], cosine))),
    LossCase("attention-map kl", AttentionMapLoss, by_row(attention_map([(2, 2)], "kl"))),
    LossCase("attention-map mse", lambda: AttentionMapLoss("uniform", "mse"), by_row(attention_map(MAP, "mse"))),
    LossCase("attention-relation", AttentionRelationLoss, by_row(attention_relation(HEADS, ALL, 2, 2))),
    LossCase(
        "attention-relation chosen",
        lambda: AttentionRelationLoss(3, ["values", "queries"], 1, 2),
        by_row(attention_relation(3, ["values", "queries"], 1, 2)),
        zero_at_identity=False,
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
