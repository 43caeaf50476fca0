"""One row a loss: how it is built, and the same formula in plain loops of float64. A new loss joins with one row."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from output_references import decoupled_label, hard_label, label_correlation, logit_mse, soft_label, softmax

from xlkd.losses import (
    ContrastiveLoss,
    DecoupledLabelLoss,
    DistillationLoss,
    HardLabelLoss,
    HiddenStateLoss,
    KernelAlignmentLoss,
    LabelCorrelationLoss,
    LanguageAdversarialLoss,
    LogitMSELoss,
    RelationalAngleLoss,
    RelationalDistanceLoss,
    SimilarityPreservingLoss,
    SoftLabelLoss,
)
from xlkd.outputs import AttentionVectors, Batch, ModelShape, StudentOutput, TeacherOutput, masked_mean

LABEL_NAMES = ("a", "b", "c", "d", "e", "f")
WIDTH, HEADS, BLOCKS = 6, 2, 2
SHAPE = ModelShape(BLOCKS, WIDTH, HEADS, LABEL_NAMES)
LENGTHS, LABELS = [5, 2, 3, 4, 1], [1, -100, 3, 0, -100]
LANGUAGES, LANGUAGE_IDS = ("am", "en", "sw"), [1, 1, 0, 2, -100]

Reference = Callable[[StudentOutput, TeacherOutput, Batch], list[float]]


@dataclass(frozen=True)
class LossCase:
    """`reference` gives what `forward` gives: a value for each row, or one alone where `scope` is `"batch"`."""

    name: str
    build: Callable[[], DistillationLoss]
    reference: Reference
    zero_at_identity: bool = True
    reverses_gradient: bool = False


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


def text_vectors(output, layer):
    """The text vector of every row, as lists."""
    found = []
    for states, mask in zip(output.hidden_states[layer].tolist(), output.attention_mask.tolist(), strict=True):
        kept = [state for state, own in zip(states, mask, strict=True) if own]
        found.append([sum(column) / len(kept) for column in zip(*kept, strict=True)])
    return found


def of_vectors(compare, layer=BLOCKS):
    """A comparison of the text vectors of both sides, as a reference."""
    return lambda student, teacher, batch: [compare(text_vectors(student, layer), text_vectors(teacher, layer))]


def dot(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True))


def minus(first, second):
    return [a - b for a, b in zip(first, second, strict=True)]


def length(vector):
    return math.sqrt(dot(vector, vector))


def smooth_l1(first: float, second: float) -> float:
    difference = abs(first - second)
    return difference**2 / 2 if difference < 1 else difference - 0.5


def mean(values):
    return sum(values) / len(values)


def relational_distance(student, teacher):
    pairs = [(i, j) for i in range(len(student)) for j in range(len(student)) if i != j]
    own, wanted = ([length(minus(side[i], side[j])) for i, j in pairs] for side in (student, teacher))
    return mean([smooth_l1(a / mean(own), b / mean(wanted)) for a, b in zip(own, wanted, strict=True)])


def relational_angle(student, teacher):
    def angle(side, i, j, k):
        first, second = minus(side[j], side[i]), minus(side[k], side[i])
        return dot(first, second) / (length(first) * length(second))

    triplets = itertools.permutations(range(len(student)), 3)
    return mean([smooth_l1(angle(student, *triplet), angle(teacher, *triplet)) for triplet in triplets])


def similarity_preserving(student, teacher):
    total = 0.0
    for i in range(len(student)):
        own, wanted = ([dot(side[i], other) for other in side] for side in (student, teacher))
        total += sum((a / length(own) - b / length(wanted)) ** 2 for a, b in zip(own, wanted, strict=True))
    return total / len(student) ** 2


def kernel_alignment(hsic):
    def compare(student, teacher):
        own, wanted = ([[dot(a, b) for a in side] for b in side] for side in (student, teacher))
        return 1 - hsic(own, wanted) / math.sqrt(hsic(own, own) * hsic(wanted, wanted))

    return compare


def biased_hsic(first, second):
    """The trace of K H L H, written out."""
    rows = range(len(first))

    def centred(kernel, i, j):
        return kernel[i][j] - mean(kernel[i]) - mean([row[j] for row in kernel]) + mean([mean(row) for row in kernel])

    return sum(centred(first, i, j) * centred(second, i, j) for i in rows for j in rows)


def unbiased_hsic(first, second):
    """HSIC_1 of Song et al. (2012), as it is printed."""
    n, rows = len(first), range(len(first))
    own, other = ([[0.0 if i == j else kernel[i][j] for j in rows] for i in rows] for kernel in (first, second))
    trace = sum(own[i][j] * other[j][i] for i in rows for j in rows)
    sums = sum(map(sum, own)) * sum(map(sum, other)) / ((n - 1) * (n - 2))
    cross = 2 / (n - 2) * sum(own[i][j] * other[j][k] for i in rows for j in rows for k in rows)
    return (trace + sums - cross) / (n * (n - 3))


def contrastive(temperature):
    def compare(student, teacher):
        values = []
        for i, own in enumerate(student):
            scores = [math.exp((1 - cosine(own, other)) / temperature) for other in teacher]
            values.append(-math.log(scores[i] / sum(scores)))
        return mean(values)

    return compare


ADVERSARY = [[0.5, -0.25, 0.125, 1.0, 0.0, -1.0], [-0.5, 0.75, 0.25, 0.5, 1.0, 0.0], [0.25, 0.0, -1.0, 0.5, 0.5, 0.25]]


class KnownAdversary(LanguageAdversarialLoss):
    """With weights that the reference knows."""

    def begin(self, student, languages):
        super().begin(student, languages)
        self.classifier.load_state_dict({"weight": torch.tensor(ADVERSARY), "bias": torch.zeros(len(ADVERSARY))})


def language_adversarial(student, teacher, batch, row):
    language = batch.language_ids[row].item()
    vector = text_vectors(student, BLOCKS)[row]
    return 0.0 if language == -100 else -math.log(softmax([dot(vector, own) for own in ADVERSARY])[language])


MAP = [(1, 1), (2, 2)]

LOSS_CASES = [
    LossCase("soft-label T=1", lambda: SoftLabelLoss(1.0), by_row(soft_label(1.0))),
    LossCase("soft-label T=4", lambda: SoftLabelLoss(4.0), by_row(soft_label(4.0))),
    LossCase("soft-label reverse", lambda: SoftLabelLoss(2.0, "reverse"), by_row(soft_label(2.0, "reverse"))),
    LossCase("soft-label symmetric", lambda: SoftLabelLoss(2.0, "symmetric"), by_row(soft_label(2.0, "symmetric"))),
    LossCase(
        "soft-label standardised",
        lambda: SoftLabelLoss(2.0, standardise=True),
        by_row(soft_label(2.0, standardise=True)),
    ),
    LossCase("logit-mse", LogitMSELoss, by_row(logit_mse(centre=True))),
    LossCase("logit-mse as in the paper", lambda: LogitMSELoss(centre=False), by_row(logit_mse(centre=False))),
    LossCase("hard-label", HardLabelLoss, by_row(hard_label()), zero_at_identity=False),
    LossCase(
        "hard-label smoothed and weighted",
        lambda: HardLabelLoss(0.1, {"d": 3.0, "b": 0.5}),
        by_row(hard_label(0.1, [1.0, 0.5, 1.0, 3.0, 1.0, 1.0])),
        zero_at_identity=False,
    ),
    LossCase("decoupled-label", DecoupledLabelLoss, by_row(decoupled_label(1.0, 8.0, 4.0))),
    LossCase("decoupled-label T=1", lambda: DecoupledLabelLoss(2.0, 1.0, 1.0), by_row(decoupled_label(2.0, 1.0, 1.0))),
    LossCase("label-correlation", LabelCorrelationLoss, label_correlation(1.0, 1.0, 1.0)),
    LossCase("label-correlation T=2", lambda: LabelCorrelationLoss(2.0, 0.5, 2.0), label_correlation(2.0, 0.5, 2.0)),
    LossCase("hidden-state cosine", lambda: HiddenStateLoss(MAP, "cosine", "none"), by_row(per_token(MAP, cosine))),
    LossCase("hidden-state mse", lambda: HiddenStateLoss(MAP, "mse", "none"), by_row(per_token(MAP, mse))),
    LossCase("hidden-state pooled cosine", lambda: HiddenStateLoss(MAP, "cosine", "mean"), by_row(pooled(MAP, cosine))),
    LossCase(
        "hidden-state pooled mse", lambda: HiddenStateLoss([(2, 2)], "mse", "mean"), by_row(pooled([(2, 2)], mse))
    ),
    LossCase("relational-distance", RelationalDistanceLoss, of_vectors(relational_distance)),
    LossCase(
        "relational-distance of layer 1", lambda: RelationalDistanceLoss(1, 1), of_vectors(relational_distance, 1)
    ),
    LossCase("relational-angle", RelationalAngleLoss, of_vectors(relational_angle)),
    LossCase("similarity-preserving", SimilarityPreservingLoss, of_vectors(similarity_preserving)),
    LossCase("kernel-alignment unbiased", KernelAlignmentLoss, of_vectors(kernel_alignment(unbiased_hsic))),
    LossCase(
        "kernel-alignment biased",
        lambda: KernelAlignmentLoss(estimator="biased"),
        of_vectors(kernel_alignment(biased_hsic)),
    ),
    LossCase("contrastive", ContrastiveLoss, of_vectors(contrastive(0.07)), zero_at_identity=False),
    LossCase(
        "contrastive T=1", lambda: ContrastiveLoss(temperature=1), of_vectors(contrastive(1.0)), zero_at_identity=False
    ),
    LossCase(
        "language-adversarial",
        lambda: KnownAdversary(strength=1),
        by_row(language_adversarial),
        zero_at_identity=False,
        reverses_gradient=True,
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
    inputs = {"input_ids": mask, "attention_mask": mask}
    languages = torch.tensor([LANGUAGE_IDS[row % len(LANGUAGE_IDS)] for row in range(len(mask))])
    return Batch(inputs, {}, torch.tensor(labels), torch.ones(len(mask)).bool(), languages)


def mask_of(lengths: list[int], width: int | None = None) -> torch.Tensor:
    width = width or max(lengths)
    return torch.tensor([[1] * length + [0] * (width - length) for length in lengths])
