"""Span F1 compared with seqeval's, on CoNLL files: their tags against the same tags, some of them changed at random.

    python scripts/benchmarks/span_f1.py masakhane-ner/data

seqeval is in the extra `test`. Every file below the folder is compared; the last line is the largest difference.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from seqeval.metrics import f1_score

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
        own, theirs = ours(found, gold), float(f1_score(gold, found, zero_division=0))
        largest = max(largest, abs(own - theirs))
        spans += sum(tag.startswith("B-") for row in gold for tag in row)
        print(f"{path}: {own:.6f}, seqeval {theirs:.6f}", flush=True)
    print(f"{len(files)} files, {spans} spans, largest difference {largest:.1e}")


def disturbed(rows: Sequence[Sequence[str]], generator: np.random.Generator) -> list[list[str]]:
    """The same rows with some tags drawn anew, so that many sequences are ill-formed."""
    tags = sorted({tag for row in rows for tag in row})
    return [[str(generator.choice(tags)) if generator.random() < CHANGED else tag for tag in row] for row in rows]


def ours(found: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """The score of xlkd."""
    tags = sorted({tag for rows in (found, gold) for row in rows for tag in row})
    ids = {tag: number for number, tag in enumerate(tags)}
    return SpanF1(tags).of(*(by_word([[ids[tag] for tag in row] for row in rows]) for rows in (found, gold)))


if __name__ == "__main__":
    main()
