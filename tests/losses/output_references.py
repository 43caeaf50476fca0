"""The formulas of the losses on logits, in plain loops of float64."""

import math


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


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


def soft_labels(temperature: float, divergence: str = "forward", weights: list[float] | None = None):
    """Of rows with any number of classes: a yes and a no for each."""

    def reference(student, teacher, batch, row):
        terms = []
        for index in known_of(teacher, row):
            q, p = (sigmoid(output.logits[row, index].item() / temperature) for output in (student, teacher))
            forward, reverse = (kullback_leibler([a, 1 - a], [b, 1 - b]) for a, b in ((p, q), (q, p)))
            chosen = {"forward": forward, "reverse": reverse, "symmetric": (forward + reverse) / 2}[divergence]
            terms.append(temperature**2 * chosen * (1.0 if weights is None else weights[index]))
        return sum(terms) / len(terms) if terms else 0.0

    return reference


def hard_labels(smoothing: float = 0.0, weights: list[float] | None = None):
    """Of rows with any number of classes."""

    def reference(student, teacher, batch, row):
        terms = []
        for index, (logit, label) in enumerate(
            zip(student.logits[row].tolist(), batch.labels[row].tolist(), strict=True)
        ):
            target, yes = (1 - smoothing) * label + smoothing / 2, sigmoid(logit)
            term = -target * math.log(yes) - (1 - target) * math.log(1 - yes)
            terms.append(term * (1.0 if weights is None else weights[index]))
        return sum(terms) / len(terms)

    return reference


def relative_entropies(output, teacher, row) -> float:
    """The mean entropy of a yes or no, as a share of log 2."""
    terms = []
    for index in known_of(teacher, row):
        yes = sigmoid(output.logits[row, index].item())
        terms.append(-sum(p * math.log(p) for p in (yes, 1 - yes)) / math.log(2))
    return sum(terms) / len(terms)
