"""How time and memory grow with texts, languages and classes: everything but the models.

    python scripts/benchmarks/growth.py
    python scripts/benchmarks/growth.py --texts 1000000

Every row is a process of its own. It writes short texts of made-up words, and does what a run does with them: load,
check, mix, cut into tokens, ask the teacher once for each text (a tiny random model, so that what is timed is the work
around it), and take a few steps. Memory is the peak above what the process held before the first text.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from xlkd.arguments import CacheArguments, DataArguments, DistillationArguments, RunArguments, StudentArguments
from xlkd.data.checks import settle_overlap
from xlkd.data.mixture import mix, texts_by_language
from xlkd.data.sources import load_sources
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import Needs
from xlkd.quickstart import cldr
from xlkd.tasks import SequenceClassification
from xlkd.teachers import LiveTeacher
from xlkd.teachers.cache_plan import ask_once
from xlkd.trainer import DistillationTrainer

WORDS = 5000
ROWS: list[dict[str, int]] = [
    {"texts": 50_000, "languages": 4, "classes": 8},
    {"texts": 100_000, "languages": 4, "classes": 8},
    {"texts": 200_000, "languages": 4, "classes": 8},
    {"texts": 100_000, "languages": 16, "classes": 8},
    {"texts": 100_000, "languages": 64, "classes": 8},
    {"texts": 100_000, "languages": 4, "classes": 80},
]


def main() -> None:
    """Run every row in a process of its own, and print the table; or one row, in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int)
    parser.add_argument("--languages", type=int, default=4)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    named = {"texts": given.texts, "languages": given.languages, "classes": given.classes}
    if given.here:
        print(json.dumps(measured(**named)))
        return
    header: list[str] = []
    for row in ROWS if given.texts is None else [named]:
        words = [word for name, value in row.items() for word in (f"--{name}", str(value))]
        done = subprocess.run(
            [sys.executable, __file__, "--here", *words], stdout=subprocess.PIPE, check=True, text=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        if not header:
            header = [*row, *found]
            print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
        print("| " + " | ".join(str(value) for value in (*row.values(), *found.values())) + " |", flush=True)


def measured(texts: int, languages: int, classes: int) -> dict[str, float]:
    """Microseconds a text of every stage, and the peak of memory."""
    torch.set_num_threads(1)
    taken: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run = write_data(folder, texts, languages, classes)
        tokenizer = tiny_tokenizer()
        teacher, student = (tiny_model(classes, len(tokenizer)) for _ in range(2))
        before = peak()

        @contextmanager
        def stage(name: str) -> Iterator[None]:
            start = time.process_time()
            yield
            taken[name] = round(1e6 * (time.process_time() - start) / texts, 1)

        with stage("load"):
            sources = load_sources(run)
        with stage("check"):
            settle_overlap(sources, "refuse")
        with stage("vocabulary text"):
            texts_by_language(sources, run.source_language)
        task = SequenceClassification([f"class{index}" for index in range(classes)])
        live = LiveTeacher(teacher, tokenizer)
        args = arguments(folder)
        with stage("tokens"):
            rows = task.preprocess(mix(sources, run.source_language), {"": tokenizer, **live.readers}, args.max_length)
        del sources
        needs = Needs(logits=True, pooled_states=frozenset({1}))
        with stage("answers"):
            asked = ask_once(live, rows, needs, CacheArguments(folder=str(folder / "answers")), args, task.name)
        losses = WeightedSum.from_config([{"name": "soft-label"}, {"name": "hidden-state", "layer_map": [[1, 1]]}])
        with stage("trainer and 20 steps"):
            trainer = DistillationTrainer(student, asked, losses, task, args, rows, processing_class=tokenizer)
            trainer.train()
    return {f"{name}, us a text": value for name, value in taken.items()} | {"memory, MB": round(peak() - before)}


def write_data(folder: Path, texts: int, languages: int, classes: int) -> RunArguments:
    """Parallel text, all of it different, and a little labelled and evaluation text."""
    choice = random.Random(0)
    targets = [code for code in cldr.languages() if code != "en"][:languages]

    def text() -> str:
        return " ".join(f"w{choice.randrange(WORDS)}" for _ in range(8))

    def write(name: str, number: int, both: bool) -> None:
        with open(folder / name, "w", encoding="utf-8") as file:
            for index in range(number):
                other = {"en": text()} if both else {"label": f"class{index % classes}"}
                file.write(json.dumps({"text": text(), **other}) + "\n")

    for language in targets:
        write(f"parallel.{language}.jsonl", texts // languages, True)
        write(f"test.{language}.jsonl", 100, False)
    write("train.jsonl", 1000, False)
    write("test.en.jsonl", 100, False)
    return RunArguments(
        source_language="en",
        target_languages=targets,
        student=StudentArguments(layers=1),
        data=[
            DataArguments(role="labelled", path=str(folder / "train.jsonl")),
            DataArguments(role="parallel", path=str(folder / "parallel.{language}.jsonl"), teacher_text="en"),
            DataArguments(role="evaluation", path=str(folder / "test.{language}.jsonl")),
        ],
    )


def arguments(folder: Path) -> DistillationArguments:
    """Twenty steps."""
    return DistillationArguments(
        output_dir=str(folder / "out"),
        precision="float32",
        max_length=32,
        max_steps=20,
        per_device_eval_batch_size=256,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the made-up words."""
    pieces = {piece: index for index, piece in enumerate(["<pad>", "<unk>", *(f"w{index}" for index in range(WORDS))])}
    backend = Tokenizer(models.WordLevel(pieces, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", model_max_length=64)


def tiny_model(classes: int, pieces: int) -> BertForSequenceClassification:
    """One narrow layer."""
    config = BertConfig(
        vocab_size=pieces, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    config.id2label = {index: f"class{index}" for index in range(classes)}
    config.label2id = {name: index for index, name in config.id2label.items()}
    return BertForSequenceClassification(config)


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
