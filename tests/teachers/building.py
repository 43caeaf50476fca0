"""Builds a cache from what a test laid into a folder; a program, to be killed or started twice."""

import sys
import time
from pathlib import Path

from accelerate import PartialState
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from xlkd import LiveTeacher, build_cache, describe_cache
from xlkd.needs import Needs
from xlkd.steps.process import command
from xlkd.tasks import SequenceClassification
from xlkd.teachers import cache_build


def main(words: list[str]) -> None:
    """Build it, slowly where that is said."""
    PartialState(cpu=True)
    folder = Path(words[0])
    live = LiveTeacher(
        AutoModelForSequenceClassification.from_pretrained(folder / "teacher"),
        AutoTokenizer.from_pretrained(folder / "teacher"),
    )
    if "slowly" in words:
        cache_build.SHARD_TEXTS = 2
        answer = live.answer
        live.answer = lambda inputs, needs: time.sleep(0.5) or answer(inputs, needs)
    rows = SequenceClassification(["a", "b", "c"]).preprocess(
        Dataset.load_from_disk(str(folder / "rows")), live.readers, 32
    )
    needs = Needs(logits=True, pooled_states=frozenset({2}))
    record = describe_cache(live, needs, task="sequence-classification", max_length=32, precision="float32")
    build_cache(live, rows, record, folder / "cache", batch_size=2)


if __name__ == "__main__":
    command(main)
    sys.exit(0)
