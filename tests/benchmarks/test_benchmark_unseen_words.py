"""The benchmark of names that were not read: which spans it counts where."""

import sys
from pathlib import Path

from datasets import Dataset

sys.path.append(str(Path(__file__).parents[2] / "scripts" / "benchmarks"))

from unseen_words import counts_of, f1, words_in


def test_words_of_a_language_are_those_of_its_training_text_alone() -> None:
    texts = {
        ("labelled", "en"): "a b",
        ("unlabelled", "sw"): "c d",
        ("parallel", "sw"): "e",
        ("evaluation", "sw"): "f",
    }
    assert words_in({entry: Dataset.from_dict({"text": [text]}) for entry, text in texts.items()}, "sw") == set("cde")


def test_span_is_seen_when_the_text_has_all_of_its_words() -> None:
    gold = [["B-X", "I-X", "O", "B-X"], ["B-X"]]
    found = [["B-X", "I-X", "B-X", "B-Y"], ["O"]]
    counts = counts_of(["a new b c", "new"], found, gold, known={"a", "b", "c"})
    assert counts == {
        # `a new` is gold and found, `new` is gold.
        (False, "gold"): 2,
        (False, "found"): 1,
        (False, "both"): 1,
        # `c` is found with another type, `b` is none.
        (True, "gold"): 1,
        (True, "found"): 2,
    }
    assert f1(counts, seen=False) == 2 / 3 and f1(counts, seen=True) == 0
