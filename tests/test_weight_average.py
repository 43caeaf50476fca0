"""A student whose weights are the mean over the last part of its training."""

import pytest
import safetensors.torch
import torch
from training import LOSSES, arguments, distance, weights

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher, UserError
from xlkd.weight_average import AVERAGE_FILE


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


def test_frozen_weights_stay_as_they_are(train, make_model) -> None:
    name = "bert.embeddings.word_embeddings.weight"
    found = train("run", freeze=name)
    torch.testing.assert_close(found[name], make_model(layers=1, width=8, seed=1).state_dict()[name], rtol=0, atol=0)


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
        (
            {"average_last": 0.4, "load_best_model_at_end": True, "eval_strategy": "epoch", "save_strategy": "epoch"},
            "average_last 0.4 gives the mean .* set `load_best_model_at_end: false`, or leave average_last out",
        ),
    ],
)
def test_average_is_refused_when(options, sentence, tmp_path) -> None:
    with pytest.raises(UserError, match=sentence):
        DistillationArguments(output_dir=str(tmp_path), **options)
