"""What losses.py --cost prints: time and memory of a student's step with each loss, beside soft labels alone.

A step is the forward pass of the student, the losses and the backward pass, of 32 real texts of 64 tokens, by a student
of three layers and width 384; no optimizer. The teacher has answered before, and its answer is at hand. One thread; CPU
time of the thread. Contenders take turns; the ratio is the median over the rounds, with its quartiles. Losses per token
have a student with all pieces, frozen, and so has the baseline of their block.

Memory is the most that tensors take beyond what they held at the start of a step, as the profiler hears it from
torch's allocator, given as the difference from soft labels alone: in the forward pass, which ends with the losses, and
in the whole step, whose peak may be at the other end of the student, in the gradient of the embeddings.
"""

import copy
import gc
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from losses_contenders import CONTENDERS, SAME_TEXT, baseline_of
from speed_contenders import BATCH, TOKENS, Bench
from torch import Tensor
from torch.autograd.profiler import profile
from transformers import PreTrainedModel

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher
from xlkd.arguments import Precision
from xlkd.needs import Needs
from xlkd.outputs import Batch, TeacherOutput
from xlkd.students.build import Student
from xlkd.students.layers import freeze
from xlkd.training.seen_attention import attention_shown

WARM_UP = 2


class RememberingTeacher(LiveTeacher):
    """A teacher that is asked about one batch again and again, and computes its answer once."""

    said: TeacherOutput | None = None

    @property
    def models(self) -> list[PreTrainedModel]:
        """The model, for as long as it has not answered."""
        return [self.model] if self.said is None else []

    def outputs(self, batch: Batch, needs: Needs) -> TeacherOutput:
        """The first answer."""
        if self.said is None:
            self.said = super().outputs(batch, needs)
        return self.said


@dataclass
class Cost:
    """What was measured of one contender.

    Args:
        seconds (`list[float]`): CPU time of each step.
        forward_peak (`int`): The most bytes at one moment of the forward pass.
        peak (`int`): The most bytes at one moment of the step.
    """

    seconds: list[float] = field(default_factory=list)
    forward_peak: int = 0
    peak: int = 0


@dataclass
class Step:
    """A step of a contender, always of the same batch.

    Args:
        trainer ([`DistillationTrainer`]): Its trainer.
        inputs (`dict`): The batch.
    """

    trainer: DistillationTrainer
    inputs: dict[str, Any]

    def forward(self) -> Tensor:
        """The loss."""
        trainer = self.trainer
        assert trainer.teacher is not None
        needs, models = trainer.losses.needs | trainer.losses.student_needs, [trainer.student, *trainer.teacher.models]
        with attention_shown(needs, trainer.student, models), trainer.compute_loss_context_manager():
            loss: Tensor = trainer.compute_loss(trainer.student, self.inputs)
        return loss

    def take(self) -> None:
        """All of it."""
        self.forward().backward()
        self.trainer.student.zero_grad()
        self.trainer.losses.zero_grad()


def print_costs(only: Sequence[str] | None, rounds: int, precision: Precision) -> None:
    """Measure, then print the table."""
    torch.set_num_threads(1)
    names = list(dict.fromkeys(own for name in only or CONTENDERS for own in (baseline_of(name), name)))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        steps = {name: step_of(name, bench, precision) for name in names}
        bench.forget_teacher()
        gc.collect()
        costs = {name: Cost() for name in names}
        for turn in range(rounds + WARM_UP):
            for name, step in steps.items():
                start = time.thread_time()
                step.take()
                if turn >= WARM_UP:
                    costs[name].seconds.append(time.thread_time() - start)
            print(f"round {turn + 1} of {rounds + WARM_UP}", file=sys.stderr, flush=True)
        for name, step in steps.items():
            costs[name].forward_peak, costs[name].peak = peak_of(step.forward), peak_of(step.take)
    print("| losses | step | ratio (quartiles) | memory, forward | memory, step |\n|---|---|---|---|---|")
    for name in names:
        print(row(name, costs[name], costs[baseline_of(name)]))


def step_of(name: str, bench: Bench, precision: Precision) -> Step:
    """The step of a contender."""
    student = student_of(name, bench)
    trainer = DistillationTrainer(
        student.model,
        RememberingTeacher(bench.teacher, bench.tokenizer),
        CONTENDERS[name],
        bench.task,
        DistillationArguments(
            output_dir=str(bench.folder / "trainer"), precision=precision, max_length=TOKENS, report_to="none"
        ),
        rows_of(bench),
        processing_class=student.processing_class,
    )
    rows: Any = trainer.train_dataset
    inputs: dict[str, Any] = trainer._prepare_inputs(trainer.data_collator([rows[index] for index in range(BATCH)]))
    student.model.train()
    step = Step(trainer, inputs)
    # The teacher answers now, and is free to go.
    step.take()
    assert isinstance(trainer.teacher, RememberingTeacher)
    del trainer.teacher.model
    return step


def student_of(name: str, bench: Bench) -> Student:
    """A student of its own, so that all find its weights equally far away."""
    student = copy.deepcopy(bench.full if name in SAME_TEXT else bench.trimmed)
    if name in SAME_TEXT:
        freeze(student.model, "embeddings")
    return student


def rows_of(bench: Bench) -> Dataset:
    """Rows with their languages, so that no loss lacks anything."""
    languages = list(bench.texts)
    rows = itertools.islice(bench.rows, BATCH)
    return Dataset.from_list([{**row, "language": languages[i % len(languages)]} for i, row in enumerate(rows)])


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes that tensors took at one moment of some work, beyond its start."""
    with profile(profile_memory=True) as profiler:
        work()
    assert profiler.kineto_results is not None
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [int(event.nbytes()) for event in sorted(events, key=lambda event: event.start_ns())]
    return max(itertools.accumulate(changes, initial=0))


def row(name: str, cost: Cost, base: Cost) -> str:
    """One row of the table."""
    ratios = [own / other for own, other in zip(cost.seconds, base.seconds, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    step = 1000 * statistics.median(cost.seconds)
    memory = [
        f"{own / 1e6:.1f} MB" if cost is base else f"{(own - other) / 1e6:+.2f} MB"
        for own, other in ((cost.forward_peak, base.forward_peak), (cost.peak, base.peak))
    ]
    return f"| {name} | {step:.0f} ms | {middle:.3f} ({low:.3f} to {high:.3f}) | {' | '.join(memory)} |"
