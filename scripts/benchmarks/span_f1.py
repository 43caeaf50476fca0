"""Span F1 compared with seqeval's, on CoNLL files: their tags against the same tags, some of them changed at random.

    python scripts/benchmarks/span_f1.py masakhane-ner/data

seqeval is in the extra `test`. Every file below the folder is compared, over all types and by each; the last line is
the largest difference.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from xlkd.data.conll import is_conll, read_conll
from xlkd.evaluation.answers import by_word
from xlkd.evaluation.metrics import SpanF1

CHANGED = 0.2
"""The share of tags that are drawn anew."""


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    files = [path for path in sorted(parser.parse_args().folder.rglob("*.txt")) if is_conll(str(path))]
    generator = np.random.default_rng(0)
    largest, spans = 0.0, 0
    for path in files:
        gold = read_conll([str(path)])["label"][:]
        found = disturbed(gold, generator)
        own, theirs = ours(found, gold), seqevals(found, gold)
        largest = max(largest, float(np.abs(own - theirs).max()))
        spans += sum(tag.startswith("B-") for row in gold for tag in row)
        print(f"{path}: {own[0]:.6f}, seqeval {theirs[0]:.6f}", flush=True)
    print(f"{len(files)} files, {spans} spans, largest difference {largest:.1e}")


def disturbed(rows: Sequence[Sequence[str]], generator: np.random.Generator) -> list[list[str]]:
    """The same rows with some tags drawn anew, so that many sequences are ill-formed."""
    tags = sorted({tag for row in rows for tag in row})
    return [[str(generator.choice(tags)) if generator.random() < CHANGED else tag for tag in row] for row in rows]


def ours(found: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The score of xlkd; then precision, recall and F1 of each type, in the order of the alphabet."""
    tags = sorted({tag for rows in (found, gold) for row in rows for tag in row})
    ids = {tag: number for number, tag in enumerate(tags)}
    answers = [by_word([[ids[tag] for tag in row] for row in rows]) for rows in (found, gold)]
    metric = SpanF1(tags)
    sums = metric.tally(*answers).sum(axis=0)
    scores: NDArray[np.float64] = np.concatenate([[metric.score(sums)], metric.class_scores(sums).ravel()])
    return np.nan_to_num(scores)


def seqevals(found: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The same of seqeval, which has 0 where nothing is found or gold."""
    by_type = precision_recall_fscore_support(gold, found, average=None, zero_division=0)[:3]
    scores: NDArray[np.float64] = np.concatenate(
        [[f1_score(gold, found, zero_division=0)], np.stack(by_type, axis=-1).ravel()]
    )
    return scores


if __name__ == "__main__":
    main()
