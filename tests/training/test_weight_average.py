"""A student whose weights are the mean over the last part of its training."""

from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from tiny_training import LOSSES, arguments, distance, weights
from transformers import TrainerCallback

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher, UserError
from xlkd.training.weight_average import AVERAGE_FILE, WeightAverage


@pytest.fixture
def train(make_model, teacher, tokenizer, rows, tmp_path):
    """Trains for six steps, with a checkpoint after each, into a folder of this name."""

    def start(folder, resume=None, average_last=0.5, max_steps=6, freeze=None):
        student = make_model(layers=1, width=8, seed=1, dropout=0.1)
        if freeze is not None:
            student.get_parameter(freeze).requires_grad_(False)
        options = {"average_last": average_last, "max_steps": max_steps, "save_strategy": "steps", "save_steps": 1}
        trainer = DistillationTrainer(
            student,
            LiveTeacher(teacher, tokenizer),
            LOSSES,
            args=arguments(tmp_path / folder, learning_rate=0.05, optim="adamw_torch", **options),
            train_dataset=rows,
            processing_class=tokenizer,
        )
        trainer.train(resume_from_checkpoint=None if resume is None else str(tmp_path / resume))
        return weights(trainer.model)

    return start


def saved(folder, steps):
    return [safetensors.torch.load_file(folder / f"checkpoint-{step}" / "model.safetensors") for step in steps]


@pytest.mark.parametrize(("share", "steps"), [(0.5, [4, 5, 6]), (1.0, [1, 2, 3, 4, 5, 6]), (0.01, [6])])
def test_student_is_the_mean_of_its_last_checkpoints(train, tmp_path, share, steps) -> None:
    found = train("run", average_last=share)
    last = saved(tmp_path / "run", steps)
    for name, own in found.items():
        torch.testing.assert_close(own, sum(checkpoint[name] for checkpoint in last) / len(steps))


def test_student_is_that_of_the_last_step_when_nothing_is_averaged(train, tmp_path) -> None:
    found = train("run", average_last=0.0)
    assert distance(found, saved(tmp_path / "run", [6])[0]) == 0
    assert not list(tmp_path.rglob(AVERAGE_FILE))


@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_resumed_run_equals_straight_run_when_interrupted_after(train, step) -> None:
    assert distance(train("straight"), train("resumed", f"straight/checkpoint-{step}")) == 0


def test_checkpoint_has_the_mean_of_what_is_trained_alone(train, tmp_path) -> None:
    name = "bert.embeddings.word_embeddings.weight"
    found = train("run", freeze=name)
    kept = safetensors.torch.load_file(tmp_path / "run" / "checkpoint-4" / AVERAGE_FILE)
    assert set(kept) == set(found) - {name}


def test_mean_is_exact_when_the_student_is_in_half_precision() -> None:
    model, average = torch.nn.Linear(1, 1, bias=False, dtype=torch.bfloat16), WeightAverage()
    args, state = SimpleNamespace(average_last=1.0), SimpleNamespace(max_steps=800, global_step=0)
    values = torch.linspace(0.5, 0.52, 800).bfloat16()
    for state.global_step, value in enumerate(values, start=1):
        model.weight.data.fill_(value)
        average.on_step_end(args, state, None, model=model)
    average.on_train_end(args, state, None, model=model)
    assert model.weight.item() == values.float().mean().bfloat16().item() != 0.5


def test_training_that_ends_early_says_how_much_of_it_is_averaged(caplog) -> None:
    args, state = SimpleNamespace(average_last=0.5), SimpleNamespace(max_steps=6, global_step=2)
    WeightAverage().on_train_end(args, state, None, model=torch.nn.Linear(1, 1))
    assert "The training ended at step 2 of 6: 0 updates were averaged." in caplog.text


def test_other_callbacks_see_the_mean_when_the_training_ends(make_model, teacher, tokenizer, rows, tmp_path) -> None:
    class Export(TrainerCallback):
        def on_train_end(self, args, state, control, **kwargs):
            self.weights = {name: own.clone() for name, own in weights(kwargs["model"]).items()}

    export = Export()
    student = make_model(layers=1, width=8, seed=1)
    trainer = DistillationTrainer(
        student,
        LiveTeacher(teacher, tokenizer),
        args=arguments(tmp_path, max_steps=4, average_last=1.0),
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=[export],
    )
    trainer.train()
    assert distance(export.weights, weights(trainer.model)) == 0


@pytest.mark.parametrize("other", [{"average_last": 1.0}, {"average_last": 0.2}, {"max_steps": 12}])
def test_training_does_not_go_on_when_another_part_of_it_is_averaged(train, other) -> None:
    train("run")
    with pytest.raises(UserError, match="checkpoint of step 5 has the mean of the weights after 2 updates, and this"):
        train("other", "run/checkpoint-5", **other)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"average_last": 40}, "average_last 40 is a share of the training: 0 to 1"),
        ({"average_last": -0.1}, "average_last -0.1 is a share"),
        ({"average_last": 0.4, "fsdp": "full_shard"}, "average_last needs whole weights on every process"),
        (
            {"average_last": 0.4, "load_best_model_at_end": True, "eval_strategy": "epoch", "save_strategy": "epoch"},
            "average_last 0.4 gives the mean .* set `load_best_model_at_end: false`, or leave average_last out",
        ),
    ],
)
def test_average_is_refused_when(options, sentence, tmp_path) -> None:
    with pytest.raises(UserError, match=sentence):
        DistillationArguments(output_dir=str(tmp_path), **options)
