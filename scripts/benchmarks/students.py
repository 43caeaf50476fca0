"""What a student of each size is worth on the quickstart: layers, width and vocabulary, in score, size and speed.

    python scripts/benchmarks/students.py runs/students --seeds 0

Every row is a run of its own in `OUT/ROW-SEED`; a run that is there already is read, not run again. What is left of the
command line goes to every run: `--num_threads 1`. All rows of a seed ask one fine-tuned teacher, once for each text.

Transformers cannot save a BERT with fewer heads (the size of a head follows from their number). To see what they would
cost, the row `half-heads` silences the heads that matter least instead; its size and speed are those of the default.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from xlkd import UserError, ZeroShotReport
from xlkd.data.mixture import texts_by_language
from xlkd.data.sources import load_sources
from xlkd.planning import losses_of, task_of
from xlkd.run import make_trainer, read_run, score
from xlkd.steps.models import prepare_student
from xlkd.steps.process import set_up_process
from xlkd.steps.teaching import prepare_teacher
from xlkd.students.build import Student
from xlkd.students.layers import blocks_of
from xlkd.students.report import StudentReport
from xlkd.teachers import LiveTeacher

CONFIG = Path(__file__).parent.parent / "configs" / "quickstart.yaml"
FULL = ["--student.vocabulary", "null"]
FROZEN = ["--student.freeze", "embeddings", "--embedding_learning_rate", "null"]
ROWS: dict[str, tuple[str, list[str]]] = {
    "2-layers": ("2 layers", ["--student.layers", "2"]),
    "3-layers": ("**3 layers, 30,000 pieces (the default)**", []),
    "6-layers": ("6 layers", ["--student.layers", "6"]),
    "12-layers": ("12 layers", ["--student.layers", "12"]),
    "half-feed-forward": ("3 layers, half of the feed-forward units", ["--student.feed_forward", "768"]),
    "half-heads": ("3 layers, half of the heads silenced", []),
    "10k": (
        "3 layers, 10,000 pieces",
        ["--student.vocabulary.size", "10000", "--student.vocabulary.max_unknown_rise", "0.05"],
    ),
    "full": ("3 layers, all 250,037 pieces", FULL),
    "full-frozen": ("3 layers, all pieces, embeddings frozen", [*FULL, *FROZEN]),
}
SILENCED = "half-heads"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    arguments, overrides = parser.parse_known_args()
    for seed in arguments.seeds:
        for row in arguments.rows:
            if not (arguments.out / f"{row}-{seed}" / "zero_shot.json").is_file():
                run(row, seed, arguments.out, overrides)
    print(table(arguments.out))


def run(row: str, seed: int, out: Path, overrides: Sequence[str]) -> None:
    """One run: as `xlkd.run.main`, but without scoring the teacher."""
    folder = out / f"{row}-{seed}"
    words = [str(CONFIG), "--output_dir", str(folder), "--seed", str(seed), *ROWS[row][1], *overrides]
    described, args, _ = read_run(words)
    set_up_process(described, args)
    sources = load_sources(described)
    task = task_of(described, sources)
    teacher = prepare_teacher(described, args, task, sources)
    assert isinstance(teacher, LiveTeacher)
    texts = texts_by_language(sources, described.source_language)
    student = prepare_student(described.student, teacher, task, texts)
    if row == SILENCED:
        silence_heads(student, teacher, [text for own in texts.values() for text in own[:8]])
    folder.mkdir(parents=True, exist_ok=True)
    student.report((teacher.model, teacher.processing_class), texts).save(folder)
    losses = losses_of(described, task)
    trainer = make_trainer(described, args, task, losses, teacher, student, sources)
    trainer.train()
    score(described, args, task, "parallel", None, trainer, sources).save(folder)


def silence_heads(student: Student, teacher: LiveTeacher, texts: Sequence[str]) -> None:
    """Let only the better half of the heads of every layer speak, by gradient times weight of what they say."""
    of_teacher: list[Any] = [*blocks_of(teacher.model)[1]]
    of_student: list[Any] = [*blocks_of(student.model)[1]]
    weights = [of_teacher[layer - 1].attention.output.dense.weight for _, layer in student.layer_map]
    heads = teacher.model.config.num_attention_heads
    importance = [torch.zeros(heads) for _ in weights]
    for start in range(0, len(texts), 8):
        inputs = teacher.processing_class(list(texts[start : start + 8]), padding=True, return_tensors="pt")
        logits = teacher.model(**inputs).logits
        gradients = torch.autograd.grad(functional.cross_entropy(logits, logits.argmax(-1)), weights)
        for own, weight, gradient in zip(importance, weights, gradients, strict=True):
            own += (weight * gradient).abs().sum(0).unflatten(0, (heads, -1)).sum(-1).detach()
    for layer, own in zip(of_student, importance, strict=True):
        kept = torch.zeros(heads).index_fill(0, own.topk(heads // 2).indices, 1.0)
        mask = kept.repeat_interleave(teacher.shape.width // heads)
        layer.attention.output.dense.register_forward_pre_hook(
            lambda _, inputs, mask=mask: (inputs[0] * mask, *inputs[1:])
        )


def table(out: Path) -> str:
    """Scores of the runs that are there, means over their seeds; size and time against the teacher are of the first."""
    lines = [
        "| student | seeds | English | 11 high-resource | 18 low-resource | parameters | on disk | 1 text | 32 texts |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row, (title, _) in ROWS.items():
        folders = sorted(
            path.parent for path in out.glob(f"{row}-*/zero_shot.json") if path.parent.name.rpartition("-")[0] == row
        )
        if folders:
            lines.append(f"| {title} | {' | '.join(cells(folders))} |")
    return "\n".join(lines)


def cells(folders: Sequence[Path]) -> list[str]:
    """One cell a column."""
    reports = [ZeroShotReport.load(folder / "zero_shot.json") for folder in folders]
    scores = [{**report.means, **report.groups} for report in reports]
    means = [
        sum(score[name]["student"] for score in scores) / len(scores)
        for name in ("source", "high-resource", "low-resource")
    ]
    size = StudentReport.load(folders[0])
    own, teacher = size.student, size.teacher
    if teacher is None:
        raise UserError(f"{folders[0]} does not say what its teacher is: remove it and run again.")
    return [
        ", ".join(str(report.seed) for report in reports),
        *(f"{mean:.3f}" for mean in means),
        f"{own.parameters / 1e6:.1f} M",
        f"{own.bytes / 1e6:.0f} MB ({own.bytes / teacher.bytes:.2f})",
        *(f"{taken / teacher.milliseconds[texts]:.2f}" for texts, taken in own.milliseconds.items()),
    ]


if __name__ == "__main__":
    main()
