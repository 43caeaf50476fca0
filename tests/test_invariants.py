"""What must not change a training: padding, accumulation, processes, temperature, interruption."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from task_cases import TASK_CASES
from tiny_training import (
    HIDDEN_ONLY,
    LOSSES,
    LOSSES_BY_NAME,
    arguments,
    distance,
    distil,
    weights,
)

from xlkd import DistillationTrainer, LiveTeacher
from xlkd.outputs import Batch

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("losses", "batch_size", "accumulation"),
    [("all", 4, 2), ("all", 2, 4), ("all", 1, 8), ("language-and-start", 2, 4)],
)
def test_weights_are_equal_when_a_window_is_cut_into_batches(
    student, teacher, tokenizer, rows, tmp_path, losses, batch_size, accumulation
):
    # 22 rows in windows of 8: the third window of an epoch is short, and some rows have no label.
    assert len(rows) % 8 and any(label is None for label in rows["label"])
    losses = LOSSES_BY_NAME[losses]
    whole = distil(copy.deepcopy(student), teacher, tokenizer, rows, tmp_path / "a", losses, max_steps=5)
    cut = distil(
        copy.deepcopy(student),
        teacher,
        tokenizer,
        rows,
        tmp_path / "b",
        losses,
        max_steps=5,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=accumulation,
    )
    moved = distance(weights(student), weights(whole.model))
    assert distance(weights(whole.model), weights(cut.model)) < 1e-5 < moved / 100
    assert distance(weights(whole.losses), weights(cut.losses)) < 1e-5


def test_loss_does_not_change_when_a_batch_is_padded(student, teacher, tokenizer, rows, tmp_path):
    trainer = DistillationTrainer(
        student,
        LiveTeacher(teacher, tokenizer),
        LOSSES,
        args=arguments(tmp_path),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    inputs = trainer._collate(trainer._first_rows())
    padded = dict(inputs)
    for side in ("", "teacher_"):
        for name, filler in (("input_ids", tokenizer.pad_token_id), ("attention_mask", 0), ("token_type_ids", 0)):
            if side + name in inputs:
                padded[side + name] = torch.nn.functional.pad(inputs[side + name], (0, 7), value=filler)
    student.eval()
    loss, longer = trainer.compute_loss(student, inputs), trainer.compute_loss(student, padded)
    torch.testing.assert_close(loss, longer, rtol=1e-5, atol=1e-6)


def test_gradients_have_one_scale_when_temperature_changes(make_model, tokenizer, rows, tmp_path):
    moved = []
    for temperature in (1.0, 8.0):
        student = make_model(layers=1, width=8, seed=1)
        before = weights(student)
        losses = [{"name": "soft-label", "temperature": temperature}]
        trainer = distil(student, make_model(seed=2), tokenizer, rows, tmp_path, losses, max_steps=1)
        moved.append(distance(before, weights(trainer.model)))
    assert 0.5 < moved[0] / moved[1] < 2


@pytest.mark.parametrize(
    ("losses", "step"),
    [("all", 1), ("all", 2), ("all", 3), ("all", 4), ("all", 5), ("relations", 3), ("language-and-start", 3)],
)
def test_resumed_run_equals_straight_run_when_interrupted_after(
    losses, step, make_model, teacher, tokenizer, rows, tmp_path
):
    options = {"optim": "adamw_torch", "learning_rate": 1e-2, "max_steps": 6, "lr_scheduler_type": "linear"}
    options |= {"save_strategy": "steps", "save_steps": 1, "gradient_accumulation_steps": 2}
    options |= {"per_device_train_batch_size": 4}

    def run(folder, resume=None):
        trainer = DistillationTrainer(
            make_model(layers=1, width=8, seed=1, dropout=0.1),
            LiveTeacher(teacher, tokenizer),
            LOSSES_BY_NAME[losses],
            args=arguments(folder, **options),
            train_dataset=rows,
            processing_class=tokenizer,
        )
        trainer.train(resume_from_checkpoint=resume)
        return weights(trainer.model) | {f"losses.{k}": v for k, v in weights(trainer.losses).items()}

    straight = run(tmp_path / "straight")
    resumed = run(tmp_path / "resumed", str(tmp_path / "straight" / f"checkpoint-{step}"))
    assert any(name.startswith("losses.") for name in straight)
    assert distance(straight, resumed) == 0


def one_and_two_processes(folder: Path, losses: str, start: dict[str, torch.Tensor]) -> None:
    """Train on what lies in a folder in one process, and in two; all must end with the same weights."""
    for processes, batch_size in ((1, 8), (2, 4)):
        launch(processes, "tests/tiny_training.py", folder, losses, batch_size)
    one, first, second = (safetensors.torch.load_file(folder / f"{name}.safetensors") for name in ("1-0", "2-0", "2-1"))
    assert distance(first, second) == 0
    # Relations make more of a rounding in every step, so the bound is a share of the way that the student went.
    assert distance(one, first) < 1e-4 * distance(start, {name: one[name] for name in start})


@pytest.mark.slow
@pytest.mark.parametrize("losses", sorted(LOSSES_BY_NAME))
def test_two_processes_equal_one(losses, student, teacher, tokenizer, rows, tmp_path, save_model):
    for name, model in (("student", student), ("teacher", teacher)):
        save_model(tmp_path / name, model, tokenizer)
    rows.save_to_disk(str(tmp_path / "rows"))
    one_and_two_processes(tmp_path, losses, weights(student))


@pytest.mark.slow
def test_two_processes_equal_one_word_by_word(tokenizer, words, tmp_path, save_model):
    case = TASK_CASES["token-classification"]
    student, teacher = (case.model(tokenizer, layers=layers, width=8, seed=layers) for layers in (1, 2))
    for name, model in (("student", student), ("teacher", teacher)):
        save_model(tmp_path / name, model, tokenizer)
    case.rows(words).save_to_disk(str(tmp_path / "rows"))
    one_and_two_processes(tmp_path, "by-word", weights(student))


def launch(processes: int, *words: object) -> None:
    """Start a program as the README says; it must exit with 0."""
    config = [] if processes == 1 else ["--config_file", str(ROOT / "scripts/launch/cpu-2.yaml")]
    command = [sys.executable, "-m", "accelerate.commands.launch", *config, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_rows_that_only_fill_up_a_batch_do_not_count(student, teacher, tokenizer, rows, tmp_path):
    trainer = DistillationTrainer(
        student,
        LiveTeacher(teacher, tokenizer),
        HIDDEN_ONLY,
        args=arguments(tmp_path),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    inputs = trainer._collate(trainer._first_rows())
    alone = trainer.data_collator([trainer.train_dataset[0]])
    filled = {**inputs, "row_mask": Batch.from_inputs(inputs).without_rows_from(1).row_mask}
    student.eval()
    torch.testing.assert_close(trainer.compute_loss(student, filled), trainer.compute_loss(student, alone))


@pytest.mark.slow
def test_two_processes_exit_cleanly_twenty_times_of_twenty(student, teacher, tokenizer, rows, tmp_path, save_model):
    for name, model in (("student", student), ("teacher", teacher)):
        save_model(tmp_path / name, model, tokenizer)
    rows.save_to_disk(str(tmp_path / "rows"))
    for _ in range(20):
        launch(2, "tests/tiny_training.py", tmp_path, "all", 4)
