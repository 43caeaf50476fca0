"""What a report costs: the intervals of 105 languages, and scoring beside the forward passes that it cannot do without.

    python scripts/benchmarks/scoring.py
    python scripts/benchmarks/scoring.py --model runs/quickstart --teacher TEACHER --languages 10

First: 105 languages of 400 rows and 8 classes, 1,000 resamples, student and teacher: seconds of processor time on one
core for all that a report holds. Then, if models are named: all of scoring in the languages of the embedded set,
against the forward passes alone on the same batches of the same rows, in turns, in processor time too; their ratio
should be at most 1.05. `--threads` says how many cores; 1 is least disturbed by what else the machine does.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from xlkd import LiveTeacher, RunRecord, evaluate_zero_shot
from xlkd.evaluation.asking import TIMED, WARM_UP
from xlkd.evaluation.predictions import LanguagePredictions
from xlkd.evaluation.report import ZeroShotReport
from xlkd.needs import labels_of
from xlkd.quickstart import cldr
from xlkd.tasks import SequenceClassification

LANGUAGES, ROWS, CLASSES = 105, 400, 8
BATCH, MAX_LENGTH = 64, 128


def made_up(language: str, generator: np.random.Generator) -> LanguagePredictions:
    """Predictions of which about 60 % and 75 % are right."""
    labels = np.arange(ROWS) % CLASSES
    student, teacher = (
        np.where(generator.random(ROWS) < share, labels, generator.integers(CLASSES, size=ROWS))
        for share in (0.6, 0.75)
    )
    return LanguagePredictions(language, labels, student, teacher, [str(row) for row in range(ROWS)])


def intervals(metric: str, per_class: bool) -> float:
    """Seconds of processor time for the report of all languages."""
    generator = np.random.default_rng(0)
    predictions = [made_up(language, generator) for language in cldr.languages()[:LANGUAGES]]
    start = time.process_time()
    ZeroShotReport.from_predictions(
        predictions,
        task="sequence-classification",
        metric=metric,
        metrics=SequenceClassification.metrics,
        setting="unknown",
        selection="unknown",
        source_language="en",
        teacher="teacher",
        student="student",
        seed=0,
        labels=list(cldr.LABELS),
        groups={},
        size={},
        speed={},
        per_class=per_class,
    )
    return time.process_time() - start


@torch.no_grad()
def forward_passes(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> float:
    """Seconds of processor time of the forward passes alone.

    Texts of like length together, and as many texts alone as scoring times.
    """
    encoded = sorted(tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"], key=len)
    alone = [[encoded[place]] for place in np.linspace(0, len(encoded) - 1, TIMED).astype(int)]
    cut = [encoded[start : start + BATCH] for start in range(0, len(encoded), BATCH)]
    batches = [tokenizer.pad({"input_ids": ids}, return_tensors="pt") for ids in cut + alone + alone[-1:] * WARM_UP]
    start = time.process_time()
    for batch in batches:
        model(**batch)
    return time.process_time() - start


def in_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender gives, round by round."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            found[name].append(contender())
    return found


def overhead(model: str, teacher: str, languages: list[str], rounds: int) -> None:
    """Print the time of scoring against the forward passes of both models."""
    models = [AutoModelForSequenceClassification.from_pretrained(name).eval() for name in (model, teacher)]
    tokenizers = [AutoTokenizer.from_pretrained(name) for name in (model, teacher)]
    data = {language: cldr.load_cldr("evaluation", language).rename_column("emoji", "key") for language in languages}
    texts = [text for own in data.values() for text in own["text"]]
    task = SequenceClassification(labels_of(models[0].config))

    def scoring() -> float:
        start = time.process_time()
        record = RunRecord("en", student=model, teacher=teacher)
        lent = LiveTeacher(models[1], tokenizers[1])
        evaluate_zero_shot(models[0], tokenizers[0], data, task, record, teacher=lent, batch_size=BATCH)
        return time.process_time() - start

    def passes() -> float:
        return sum(forward_passes(own, tokenizer, texts) for own, tokenizer in zip(models, tokenizers, strict=True))

    found = in_turns({"forward passes": passes, "scoring": scoring}, rounds)
    for name, seconds in found.items():
        print(f"{name:>16}: {statistics.median(seconds):6.2f} s for {len(texts)} texts in {len(languages)} languages")
    ratios = [whole / alone for whole, alone in zip(found["scoring"], found["forward passes"], strict=True)]
    print(f"{'ratio':>16}: {statistics.median(ratios):6.3f} (of rounds: {', '.join(f'{own:.3f}' for own in ratios)})")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a student for the labels of the embedded set")
    parser.add_argument("--teacher", help="its teacher")
    parser.add_argument("--languages", type=int, default=LANGUAGES, help="how many languages to score")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for metric in ("accuracy", "macro-f1"):
        for per_class in (False, True):
            seconds = intervals(metric, per_class)
            print(f"intervals of {LANGUAGES} languages, {metric}, classes {per_class}: {seconds:.2f} s")
    if arguments.model and arguments.teacher:
        # English first: the source language is always scored.
        languages = list(dict.fromkeys(["en", *cldr.languages()]))[: arguments.languages]
        overhead(arguments.model, arguments.teacher, languages, arguments.rounds)


if __name__ == "__main__":
    main()
