"""The time of one training step of the quickstart with different vocabularies, taken in turn in one process.

    python scripts/benchmarks/step.py --num_threads 1

Every turn gives the same batch to all variants: teacher, student, backward, clipping and optimizer, as the trainer does
them. What is left of the command line goes to every run. The first variant is the base of the ratios.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from xlkd.data.mixture import texts_by_language
from xlkd.data.sources import load_sources
from xlkd.planning import losses_of, task_of
from xlkd.run import make_trainer, read_run
from xlkd.steps.models import prepare_student
from xlkd.steps.process import set_up_process
from xlkd.steps.teaching import prepare_teacher

CONFIG = Path(__file__).parent.parent / "configs" / "quickstart.yaml"
FULL = ["--student.vocabulary", "null"]
VARIANTS = {
    "all pieces, embeddings frozen": [*FULL, "--student.freeze", "embeddings", "--embedding_learning_rate", "null"],
    "all pieces": FULL,
    "48,000 pieces": ["--student.vocabulary.size", "48000"],
    "30,000 pieces": [],
    "10,000 pieces": [
        "--student.vocabulary.size",
        "10000",
        "--student.vocabulary.max_unknown_rise",
        "0.05",
    ],
}


def main() -> None:
    """Time the steps, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=40)
    arguments, overrides = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        variants = {name: variant(name, [*words, *overrides], folder) for name, words in VARIANTS.items()}
        times: dict[str, list[float]] = {name: [] for name in variants}
        for turn in range(arguments.turns + 3):
            for name, step in variants.items():
                taken = step(turn)
                if turn >= 3:
                    times[name].append(taken)
    base = next(iter(times.values()))
    print("| variant | step | ratio (quartiles) |\n|---|---|---|")
    for name, taken_all in times.items():
        low, middle, high = statistics.quantiles([own / other for own, other in zip(taken_all, base, strict=True)], n=4)
        step_time = 1000 * statistics.median(taken_all)
        print(f"| {name} | {step_time:.0f} ms | {middle:.2f} ({low:.2f} to {high:.2f}) |")


def variant(name: str, words: Sequence[str], folder: str) -> Callable[[int], float]:
    """A function that takes the step with the batch of a turn, and says how many seconds it took."""
    run, args, _ = read_run([str(CONFIG), "--output_dir", str(Path(folder) / "run"), *words])
    set_up_process(run, args)
    sources = load_sources(run)
    task = task_of(run, sources)
    teacher = prepare_teacher(run, args, task, sources)
    student = prepare_student(run.student, teacher, task, texts_by_language(sources, run.source_language))
    trainer = make_trainer(run, args, task, losses_of(run, task), teacher, student, sources)
    loader = trainer.get_train_dataloader()
    batches = [batch for batch, _ in zip(loader, range(60), strict=False)]
    optimizer = trainer.create_optimizer()
    trained = [parameter for parameter in student.model.parameters() if parameter.requires_grad]
    model: Any = trainer.accelerator.prepare_model(student.model).train()

    def step(turn: int) -> float:
        inputs = trainer._prepare_inputs(batches[turn % len(batches)])
        start = time.perf_counter()
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(model, inputs)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, args.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - start

    return step


if __name__ == "__main__":
    main()
