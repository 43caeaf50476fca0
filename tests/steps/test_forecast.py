"""What is said of the time and memory of a training, and that nothing is left of finding out."""

import psutil
import pytest
import torch
from datasets import IterableDataset
from tiny_training import LOSSES, arguments, distance, trainer_of, weights

from xlkd import DistillationTrainer, LiveTeacher, build_cache, describe_cache
from xlkd.needs import Needs
from xlkd.steps.forecast import Forecast, duration, forecast
from xlkd.tasks import SequenceClassification

TASK = SequenceClassification(["a", "b", "c"])


@pytest.fixture
def make_trainer(student, teacher, tokenizer, rows, tmp_path):
    def make(dataset=rows, model=student, **options) -> DistillationTrainer:
        return trainer_of(model, teacher, tokenizer, dataset, tmp_path, **options)

    return make


@pytest.mark.parametrize(
    "options",
    [
        {"max_steps": 3},
        {"num_train_epochs": 2},
        {"num_train_epochs": 2, "gradient_accumulation_steps": 2},
        {"num_train_epochs": 1, "per_device_train_batch_size": 5},
    ],
    ids=str,
)
def test_updates_are_those_of_the_training(options, make_trainer):
    trainer = make_trainer(**options)
    expected = forecast(trainer)
    trainer.train()
    assert expected.updates == trainer.state.global_step


def test_training_is_the_same_when_it_was_forecast(make_model, make_trainer):
    trained = []
    for look in (False, True):
        trainer = make_trainer(model=make_model(layers=1, width=8, seed=1, dropout=0.1), max_steps=3)
        if look:
            forecast(trainer)
        trainer.train()
        log = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        trained.append((weights(trainer.model), log))
    assert distance(trained[0][0], trained[1][0]) == 0
    assert trained[0][1] == trained[1][1]


def test_training_is_forecast_in_bfloat16_when_answers_are_kept_in_float16(student, teacher, tokenizer, rows, tmp_path):
    live = LiveTeacher(teacher, tokenizer)
    prepared = TASK.preprocess(rows, {"": tokenizer, **live.readers}, 32)
    record = describe_cache(
        live, Needs(logits=True), task=TASK.name, max_length=32, precision="bfloat16", dtype="float16"
    )
    cache = build_cache(live, prepared, record, tmp_path / "cache")
    args = arguments(tmp_path, precision="bfloat16", max_steps=2)
    trainer = DistillationTrainer(student, cache, LOSSES[:1], args=args, train_dataset=rows, processing_class=tokenizer)
    assert forecast(trainer).updates == 2
    assert trainer.train().training_loss > 0


def test_memory_grows_with_the_batch_when_weights_are_the_same(make_trainer):
    small, large = (forecast(make_trainer(per_device_train_batch_size=size)).bytes for size in (1, 8))
    trained = sum(4 * weight.numel() for weight in make_trainer().student.parameters())
    # A gradient and two moments for each weight.
    assert 3 * trained < small < large


def test_memory_has_no_gradients_of_frozen_weights(make_trainer, student):
    before = forecast(make_trainer()).bytes
    student.get_input_embeddings().weight.requires_grad_(False)
    frozen = 4 * student.get_input_embeddings().weight.numel()
    assert forecast(make_trainer()).bytes == pytest.approx(before - 3 * frozen, rel=0.05)


def test_there_is_no_forecast_when_rows_are_a_stream(make_trainer, tokenizer):
    text = {"input_ids": [1, 2], "attention_mask": [1, 1], "labels": 0}
    row = text | {f"teacher_{name}": value for name, value in text.items() if name != "labels"}
    stream = IterableDataset.from_generator(lambda: iter([row] * 4))
    assert forecast(make_trainer(stream, max_steps=1)) is None


def test_warning_names_the_batch_size_when_memory_is_short(make_trainer, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
    assert "lower per_device_train_batch_size" in forecast(make_trainer()).warning()


def test_nothing_is_warned_of_when_memory_is_enough():
    assert Forecast(10, 0.5, 1_000_000_000, 2_000_000_000).warning() is None


def test_sentence_has_time_and_memory():
    said = Forecast(1600, 0.25, 1_000_000_000, 8_000_000_000).sentence()
    assert said == "Training: 1600 updates of about 0.25 s, 7 min in all; 1.0 GB beside the models, 8.0 GB are free."


@pytest.mark.parametrize(("seconds", "words"), [(5, "5 s"), (89, "89 s"), (100, "2 min"), (3600, "1 h 0 min")])
def test_duration_is_in_words(seconds, words):
    assert duration(seconds) == words


def test_student_computes_in_the_precision_of_the_training_when_it_is_timed(make_trainer):
    trainer = make_trainer(precision="bfloat16", use_cpu=True)
    seen = []
    layer = trainer.student.base_model.encoder.layer[0].output.dense
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    forecast(trainer)
    assert torch.float32 not in seen and torch.bfloat16 in seen


def test_memory_is_that_of_the_weights_when_activations_are_computed_anew(make_trainer):
    plain, again = (forecast(make_trainer(gradient_checkpointing=own)).bytes for own in (False, True))
    assert again == 3 * sum(4 * weight.numel() for weight in make_trainer().student.parameters()) < plain


def test_updates_are_those_of_the_training_when_a_role_has_no_share(make_trainer, rows):
    roles = rows.add_column("role", ["labelled", "unlabelled"] * 11)
    trainer = make_trainer(roles, num_train_epochs=2, mixture={"roles": {"labelled": 0, "unlabelled": 1}})
    expected = forecast(trainer)
    trainer.train()
    assert expected.updates == trainer.state.global_step
