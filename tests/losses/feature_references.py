"""The formulas of the losses on features, in plain loops of float64."""

import math

from answers import HEADS
from output_references import softmax


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
