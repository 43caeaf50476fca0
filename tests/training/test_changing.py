"""Weights and temperatures that change: an interrupted training goes on with the numbers of one that was not."""

import pytest
from tiny_training import LOSSES, arguments, distance, weights

from xlkd import DistillationTrainer, LiveTeacher

CHANGING = [
    {"name": "soft-label", "temperature": {"start": 4.0, "end": 1.0, "schedule": "cosine", "until": 0.7}},
    {"name": "hidden-state", "layer_map": [[1, 2]], "weight": {"start": 2.0, "end": 0.0, "schedule": "linear"}},
    {"name": "hard-label", "weight": {"start": 0.0, "end": 1.0, "schedule": "step", "until": 0.5}},
]


def run(folder, losses, make_model, teacher, tokenizer, rows, resume=None):
    options = {"optim": "adamw_torch", "learning_rate": 1e-2, "max_steps": 6, "lr_scheduler_type": "linear"}
    options |= {"save_strategy": "steps", "save_steps": 1, "gradient_accumulation_steps": 2}
    options |= {"per_device_train_batch_size": 4}
    trainer = DistillationTrainer(
        make_model(layers=1, width=8, seed=1, dropout=0.1),
        LiveTeacher(teacher, tokenizer),
        losses,
        args=arguments(folder, **options),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def weights_of(trainer):
    return weights(trainer.model) | {f"losses.{name}": value for name, value in weights(trainer.losses).items()}


@pytest.mark.parametrize("step", [1, 3, 4, 5])
def test_resumed_run_equals_straight_run_when_numbers_change(step, make_model, teacher, tokenizer, rows, tmp_path):
    parts = (CHANGING, make_model, teacher, tokenizer, rows)
    straight = run(tmp_path / "straight", *parts)
    resumed = run(tmp_path / "resumed", *parts, resume=str(tmp_path / "straight" / f"checkpoint-{step}"))
    assert distance(weights_of(straight), weights_of(resumed)) == 0
    logged = {entry["step"]: entry for entry in straight.state.log_history if "loss" in entry}
    again = {entry["step"]: entry for entry in resumed.state.log_history if "loss" in entry}
    moved = ["temperature_soft-label", "weight_hidden-state", "weight_hard-label"]
    assert all(len({entry[name] for entry in logged.values()}) > 1 for name in moved)
    assert [[entry[name] for name in moved] for entry in again.values()] == [
        [entry[name] for name in moved] for entry in logged.values()
    ]


def test_training_is_another_when_a_weight_changes(make_model, teacher, tokenizer, rows, tmp_path):
    parts = (make_model, teacher, tokenizer, rows)
    constant = run(tmp_path / "constant", LOSSES, *parts)
    halved = [{**LOSSES[0], "weight": {"start": 1.0, "end": 0.5}}, *LOSSES[1:]]
    changing = run(tmp_path / "changing", halved, *parts)
    assert distance(weights_of(constant), weights_of(changing)) > 1e-4
