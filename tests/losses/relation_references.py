"""The formulas of the losses on relations between texts and on their languages, in plain loops of float64."""

import itertools
import math

import torch
from answers import BLOCKS
from feature_references import cosine
from output_references import softmax

from xlkd.losses import LanguageAdversarialLoss


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
