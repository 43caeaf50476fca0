"""Random answers of each form, and each metric as a loop that follows its definition."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import pearsonr, spearmanr

from xlkd.evaluation.answers import Answers, by_word

CLASSES = ["a", "b", "c", "d"]
TAGS = ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]
Generator = np.random.Generator
Pair = tuple[Answers, Answers]


@dataclass(frozen=True)
class Case:
    """A metric: its labels, answers to draw, and its definition on lists."""

    labels: list[str]
    draw: Callable[[Generator, int], Pair]
    definition: Callable[[list, list], float]


def class_ids(generator: Generator, count: int) -> Pair:
    labels = generator.integers(4, size=count)
    return np.where(generator.random(count) < 0.6, labels, generator.integers(4, size=count)), labels


def flags(generator: Generator, count: int) -> Pair:
    labels = generator.random((count, 4)) < [0.1, 0.3, 0.5, 0.7]
    return labels ^ (generator.random((count, 4)) < 0.2), labels


def numbers(generator: Generator, count: int) -> Pair:
    labels = generator.normal(3.0, 1.5, count).round(1)
    return 0.1 * labels + generator.normal(0.5, 0.1, count), labels


def tags(generator: Generator, count: int) -> Pair:
    """Tags at random, so that most sequences are ill-formed; some rows are empty."""
    lengths = generator.integers(9, size=count)
    labels = [generator.choice([0, *range(9)], length) for length in lengths]
    found = [np.where(generator.random(len(row)) < 0.8, row, generator.integers(9, size=len(row))) for row in labels]
    return by_word(found), by_word(labels)


def vectors_found(generator: Generator, count: int) -> Pair:
    found = (generator.random((count, 2)) < [0.7, 0.5]).astype(float)
    return np.column_stack([found, generator.uniform(-1, 1, count)]), np.ones(count)


def f1(right: int, found: int, gold: int) -> float:
    return 2 * right / (found + gold) if found + gold else float("nan")


def loop_accuracy(predictions: list, labels: list) -> float:
    return sum(int(a == b) for a, b in zip(predictions, labels, strict=True)) / len(labels)


def sets(answers: list) -> list[set[int]]:
    """The classes of each row."""
    return [{own} if not isinstance(own, list) else {n for n, flag in enumerate(own) if flag} for own in answers]


def loop_macro_f1(predictions: list, labels: list) -> float:
    found, gold = sets(predictions), sets(labels)
    scores = []
    for class_id in range(4):
        counts = [sum(class_id in own for own in answers) for answers in (found, gold)]
        right = sum(class_id in one & other for one, other in zip(found, gold, strict=True))
        scores.append(f1(right, *counts))
    defined = [score for score in scores if score == score]
    return sum(defined) / len(defined)


def loop_micro_f1(predictions: list, labels: list) -> float:
    found, gold = sets(predictions), sets(labels)
    right = sum(len(one & other) for one, other in zip(found, gold, strict=True))
    return f1(right, sum(map(len, found)), sum(map(len, gold)))


def split(tag: str) -> tuple[str, str]:
    return (tag, "") if tag == "O" else (tag.split("-")[0], tag.split("-")[1])


def ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """Whether a span ends between two words: the rules of conlleval.pl, with S as well, one by one."""
    (tag, kind), (next_tag, next_kind) = before, now
    pairs = [("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O"), ("E", "B")]
    pairs += [("B", "S"), ("I", "S"), ("E", "S"), *(("S", other) for other in "BIESO")]
    return (tag, next_tag) in pairs or (tag != "O" and kind != next_kind)


def starts(before: tuple[str, str], now: tuple[str, str]) -> bool:
    """Whether a span starts with the second of two words: likewise."""
    (tag, kind), (next_tag, next_kind) = before, now
    pairs = [("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E"), ("E", "B")]
    pairs += [(other, "S") for other in "BIESO"] + [("S", other) for other in "BIE"]
    return (tag, next_tag) in pairs or (next_tag != "O" and kind != next_kind)


def loop_spans(row: list[str]) -> set[tuple[int, int, str]]:
    spans, start, before = set(), 0, ("O", "")
    for place, tag in enumerate([*row, "O"]):
        now = split(tag)
        if ends(before, now):
            spans.add((start, place, before[1]))
        if starts(before, now):
            start = place
        before = now
    return spans


def loop_span_f1(predictions: list, labels: list) -> float:
    right = found = gold = 0
    for one, other in zip(predictions, labels, strict=True):
        spans = [loop_spans([TAGS[tag] for tag in row]) for row in (one, other)]
        right += len(spans[0] & spans[1])
        found += len(spans[0])
        gold += len(spans[1])
    return f1(right, found, gold)


def loop_tag_accuracy(predictions: list, labels: list) -> float:
    pairs = [pair for one, other in zip(predictions, labels, strict=True) for pair in zip(one, other, strict=True)]
    return sum(int(one == other) for one, other in pairs) / len(pairs)


def mean_of_column(*columns: int) -> Callable[[list, list], float]:
    def mean(predictions: list, labels: list) -> float:
        return sum(row[column] for row in predictions for column in columns) / len(predictions) / len(columns)

    return mean


CASES = {
    "accuracy": Case(CLASSES, class_ids, loop_accuracy),
    "macro-f1": Case(CLASSES, class_ids, loop_macro_f1),
    "micro-f1": Case(CLASSES, flags, loop_micro_f1),
    "macro-f1 of several": Case(CLASSES, flags, loop_macro_f1),
    "span-f1": Case(TAGS, tags, loop_span_f1),
    "tag-accuracy": Case(TAGS, tags, loop_tag_accuracy),
    "pearson": Case(["score"], numbers, lambda one, other: pearsonr(one, other).statistic),
    "spearman": Case(["score"], numbers, lambda one, other: spearmanr(one, other).statistic),
    "retrieval-accuracy": Case([], vectors_found, mean_of_column(0, 1)),
    "retrieval-to-source": Case([], vectors_found, mean_of_column(0)),
    "retrieval-from-source": Case([], vectors_found, mean_of_column(1)),
    "similarity-correlation": Case([], vectors_found, mean_of_column(2)),
}


def listed(answers: Answers) -> list:
    """Answers as plain lists."""
    return [row.tolist() if isinstance(row, np.ndarray) else row for row in answers.tolist()]


def name_of(case: str) -> str:
    """The metric of a case."""
    return case.partition(" ")[0]
