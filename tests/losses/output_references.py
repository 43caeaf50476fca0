"""The formulas of the losses on logits, in plain loops of float64."""

import math


def softmax(logits: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(logits)) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def kullback_leibler(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def z_scores(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / (deviation + 1e-7) for value in values]


def known_of(teacher, row) -> list[int]:
    return [index for index, value in enumerate(teacher.logits[row].tolist()) if value > -math.inf]


def known_logits(student, teacher, row) -> tuple[list[float], list[float]]:
    known = known_of(teacher, row)
    return tuple([output.logits[row, index].item() for index in known] for output in (student, teacher))


def soft_label(temperature: float, divergence: str = "forward", standardise: bool = False):
    def reference(student, teacher, batch, row):
        both = known_logits(student, teacher, row)
        if standardise:
            both = tuple(z_scores(logits) for logits in both)
        q, p = (softmax([value / temperature for value in logits]) for logits in both)
        forward, reverse = kullback_leibler(p, q), kullback_leibler(q, p)
        chosen = {"forward": forward, "reverse": reverse, "symmetric": (forward + reverse) / 2}[divergence]
        return temperature**2 * chosen

    return reference


def logit_mse(centre: bool):
    def reference(student, teacher, batch, row):
        s, t = known_logits(student, teacher, row)
        if centre:
            s, t = ([value - sum(logits) / len(logits) for value in logits] for logits in (s, t))
        return sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s)

    return reference


def hard_label(smoothing: float = 0.0, weights: list[float] | None = None):
    def reference(student, teacher, batch, row):
        label = batch.labels[row].item()
        if label == -100:
            return 0.0
        losses = [-math.log(p) for p in softmax(student.logits[row].tolist())]
        weighted = [w * loss for w, loss in zip(weights or [1.0] * len(losses), losses, strict=True)]
        return (1 - smoothing) * weighted[label] + smoothing * sum(weighted) / len(losses)

    return reference


def decoupled_label(target_weight: float, other_weight: float, temperature: float):
    def reference(student, teacher, batch, row):
        known, label = known_of(teacher, row), batch.labels[row].item()
        likeliest = max(known, key=lambda index: teacher.logits[row, index].item())
        target = known.index(label if label in known else likeliest)
        q, p = (softmax([value / temperature for value in logits]) for logits in known_logits(student, teacher, row))
        of_target = kullback_leibler([p[target], 1 - p[target]], [q[target], 1 - q[target]])
        p_rest, q_rest = (
            [values[index] / (1 - values[target]) for index in range(len(known)) if index != target]
            for values in (p, q)
        )
        return temperature**2 * (target_weight * of_target + other_weight * kullback_leibler(p_rest, q_rest))

    return reference


def pearson(first: list[float], second: list[float]) -> float:
    first, second = ([value - sum(values) / len(values) for value in values] for values in (first, second))
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return dot / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def label_correlation(inter_class: float, intra_class: float, temperature: float, student, teacher, batch) -> float:
    """Where the teacher knows the same classes in every row."""
    rows = [row for row, counts in enumerate(batch.row_mask.tolist()) if counts]
    q, p = (
        [softmax([value / temperature for value in known_logits(student, teacher, row)[side]]) for row in rows]
        for side in (0, 1)
    )
    within_rows = [1 - pearson(a, b) for a, b in zip(q, p, strict=True)]
    within_classes = [
        1 - pearson(list(a), list(b)) for a, b in zip(zip(*q, strict=True), zip(*p, strict=True), strict=True)
    ]
    return inter_class * sum(within_rows) / len(within_rows) + intra_class * sum(within_classes) / len(within_classes)
