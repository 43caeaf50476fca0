"""One training step of xlkd beside plain fine-tuning and beside other libraries, taken in turn in one process.

    python scripts/benchmarks/speed.py --rounds 12 --memory --peers FOLDER

Base is `transformers.Trainer` fine-tuning a student of three layers and width 384 with all pieces, in float32, with
hard labels. Batches are 32 real texts of 64 tokens; one thread. Rows with a Trainer take a step as `Trainer.train`
does: the batch from its loader, `training_step`, clipping, optimizer, schedule. The others are loops of their own with
clipping and an optimizer. Ratios are of CPU time, medians over the rounds with quartiles in brackets; memory is the
peak of a separate process. The heads are new, so scores mean nothing. All use the C library's allocator as it is;
`xlkd.steps.process.keep_freed_memory` would make every row faster.

Other libraries are optional: TextBrewer 0.2.1.post1 and silverspoon-kd 0.1.0, each with the losses of xlkd's rows (the
hidden states per token, where xlkd's are pooled, since its trimmed vocabulary has other ids):

    pip install --no-deps --target FOLDER textbrewer==0.2.1.post1 silverspoon-kd==0.1.0 tensorboardX
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from speed_contenders import CONTENDERS, Bench, Step
from speed_peers import PEERS, importable

from xlkd.training.levers import fast_matmul

CPU = torch.device("cpu")
PLAIN, LOOP, TEACHER = "plain Trainer, hard labels", "minimal loop, hard labels", "teacher forward"
LIVE, LIVE_EXACT, LIVE_BF16 = "xlkd live", "xlkd live, trimmed, fast matmul", "... and bfloat16 teacher"
CACHED, CACHED_EXACT = "xlkd cached", "xlkd cached, trimmed, fast matmul"
BREWER = "TextBrewer, as documented"
BUILD_BASE = "teacher over 128 texts"
COMPARISONS: list[tuple[str, str, Sequence[str]]] = [
    ("xlkd cached / plain Trainer", CACHED, [PLAIN]),
    ("the same, exact levers", CACHED_EXACT, [PLAIN]),
    ("xlkd live / (teacher forward + minimal step)", LIVE, [TEACHER, LOOP]),
    ("the same, exact levers", LIVE_EXACT, [TEACHER, LOOP]),
    ("xlkd live, exact levers / plain Trainer", LIVE_EXACT, [PLAIN]),
    ("the same, bfloat16 teacher", LIVE_BF16, [PLAIN]),
    ("xlkd live, exact levers / TextBrewer", LIVE_EXACT, [BREWER]),
    ("xlkd cached, exact levers / TextBrewer", CACHED_EXACT, [BREWER]),
    ("building the cache / teacher forward", "cache of 128 texts", [BUILD_BASE]),
    ("the same, fast matmul", "cache of 128 texts, fast matmul", [BUILD_BASE]),
    ("the same, bfloat16 teacher", "cache of 128 texts, bfloat16 teacher", [BUILD_BASE]),
]
"""What the project measures itself by: a row over a row, or over the sum of two."""

BUILD_ROUNDS = 4
"""The rows of many batches take turns in the first rounds only."""

Times = Mapping[str, Sequence[float]]


def main() -> None:
    """Time the contenders, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--only", nargs="+", help="The names of some rows.")
    parser.add_argument("--memory", action="store_true", help="Measure the peak memory of each row too.")
    parser.add_argument("--memory_of", help="Take three steps of one row, and print the peak of this process in MB.")
    parser.add_argument("--peers", type=Path, help="The folder that the other libraries were installed to.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peers is not None:
        sys.path.append(str(arguments.peers))
    found = {name: peer for name, peer in PEERS.items() if importable(peer.module)}
    for name in PEERS.keys() - found.keys():
        print(f"Left out, since {PEERS[name].module} cannot be imported: {name}.")
    builders = {**CONTENDERS, **{name: peer.build for name, peer in found.items()}}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        if arguments.memory_of is not None:
            step = builders[arguments.memory_of](bench)
            bench.forget_teacher()
            print(peak(step))
            return
        names = arguments.only or list(builders)
        cpu, wall = timed({name: builders[name](bench) for name in names}, arguments.rounds)
    peaks = {name: memory_of(name, arguments.peers) for name in names} if arguments.memory else {}
    print(table(cpu, wall, peaks))
    print(comparisons(cpu))


def timed(steps: Mapping[str, Step], rounds: int) -> tuple[Times, Times]:
    """Seconds of CPU and of the clock for every step, taken in turn; the first round warms up."""
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    wall: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            if step.is_long and turn > BUILD_ROUNDS:
                continue
            taken = take(step)
            if turn:
                cpu[name].append(taken[0])
                wall[name].append(taken[1])
        print(f"round {turn} of {rounds}", file=sys.stderr, flush=True)
    return cpu, wall


def take(step: Step) -> tuple[float, float]:
    """Take one step with its own settings, and say how long it took."""
    with fast_matmul("on" if step.fast else "off", CPU, step.models):
        start, started = time.process_time(), time.perf_counter()
        step.run()
        return time.process_time() - start, time.perf_counter() - started


def peak(step: Step) -> int:
    """The most memory that this process held in three steps, in MB."""
    for _ in range(3):
        take(step)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def memory_of(name: str, peers: Path | None) -> int:
    """The peak memory of a row, in MB, in a process of its own."""
    words = [sys.executable, __file__, "--memory_of", name, *([] if peers is None else ["--peers", str(peers)])]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1])


def table(cpu: Times, wall: Times, peaks: Mapping[str, int]) -> str:
    """Every row beside the first one."""
    base = next(iter(cpu))
    lines = ["| one step | CPU time | ratio (quartiles) | by the clock | peak memory |", "|---|---|---|---|---|"]
    for name in cpu:
        memory = f"{peaks[name]} MB, {peaks[name] / peaks[base]:.2f}" if name in peaks else ""
        times = f"{1000 * statistics.median(cpu[name]):.0f} ms | {ratio(cpu, name, [base])}"
        lines.append(f"| {name} | {times} | {ratio(wall, name, [base]).split()[0]} | {memory} |")
    return "\n".join(lines)


def comparisons(cpu: Times) -> str:
    """What the project measures itself by, as far as the rows are there."""
    lines = ["", "| | ratio (quartiles) |", "|---|---|"]
    for title, name, bases in COMPARISONS:
        if {name, *bases} <= cpu.keys():
            lines.append(f"| {title} | {ratio(cpu, name, bases)} |")
    return "\n".join(lines)


def ratio(times: Times, name: str, bases: Sequence[str]) -> str:
    """The median over the rounds of one row over the sum of others, with its quartiles."""
    sums = [sum(of_a_round) for of_a_round in zip(*(times[base] for base in bases), strict=True)]
    # A row of many batches takes part in the first rounds only.
    ratios = [own / other for own, other in zip(times[name], sums, strict=False)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
