"""A training that draws its rows by a mixture."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from datasets import Dataset
from test_invariants import launch
from tiny_training import LOSSES, arguments, distance, distil, weights
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, default_data_collator

from xlkd import DistillationTrainer, LiveTeacher, MixtureArguments, UserError
from xlkd.data.sampler import EpochSampler, MixtureSampler
from xlkd.training.mixed_training import MixedTraining

MIXTURE = {"exponent": 0.5, "roles": {"labelled": 1, "parallel": 2, "unlabelled": 1}}
ADAMW = {"optim": "adamw_torch", "learning_rate": 1e-2, "lr_scheduler_type": "linear"}

Make = Callable[..., DistillationTrainer]


@pytest.fixture
def mixed(rows: Dataset) -> Dataset:
    """The 22 rows with their roles: 10 labelled, 7 parallel, 5 unlabelled."""
    return rows.add_column("role", ["labelled"] * 10 + ["parallel"] * 7 + ["unlabelled"] * 5)


@pytest.fixture
def make(
    make_model: Callable[..., PreTrainedModel], tokenizer: PreTrainedTokenizerBase, mixed: Dataset, tmp_path: Path
) -> Make:
    """Makes a trainer of the tiny models; `folder`, `dataset` and `losses` may be others."""

    def trainer(
        folder: str = "out", dataset: Dataset = mixed, losses: Any = LOSSES, **options: Any
    ) -> DistillationTrainer:
        return DistillationTrainer(
            make_model(layers=1, width=8, seed=1, dropout=0.1),
            LiveTeacher(make_model(layers=2, width=16, seed=2), tokenizer),
            losses,
            args=arguments(tmp_path / folder, **{"mixture": MIXTURE, **options}),
            train_dataset=dataset,
            processing_class=tokenizer,
        )

    return trainer


def order_of(trainer: DistillationTrainer, epoch: int) -> list[int]:
    """The rows of an epoch as the sampler draws them."""
    sampler = trainer._get_train_sampler()
    assert isinstance(sampler, MixtureSampler)
    sampler.set_epoch(epoch)
    return list(sampler)


def logged(trainer: DistillationTrainer) -> list[dict[str, float]]:
    """What every window logged."""
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def shares_in(entry: dict[str, float]) -> dict[str, float]:
    """What an entry of the log says of shares."""
    return {name: share for name, share in entry.items() if name.startswith("share_")}


def test_logged_shares_are_those_of_the_rows_drawn_in_the_window(make: Make, mixed: Dataset) -> None:
    trainer = make(max_steps=6, logging_steps=2, per_device_train_batch_size=4, gradient_accumulation_steps=2)
    trainer.train()
    # 22 rows are 3 updates an epoch, of 8, 8 and 6 rows.
    updates = [order_of(trainer, epoch)[start : start + 8] for epoch in (0, 1) for start in (0, 8, 16)]
    assert len(logged(trainer)) == 3
    for number, entry in enumerate(logged(trainer)):
        drawn = updates[2 * number] + updates[2 * number + 1]
        counts = Counter(mixed[row][column] for row in drawn for column in ("role", "language"))
        expected = {f"share_{name}": counts[name] / len(drawn) for name in {*mixed["role"], *mixed["language"]}}
        assert shares_in(entry) == pytest.approx(expected)


def test_logged_shares_add_up_to_one(make: Make) -> None:
    trainer = make(max_steps=3)
    trainer.train()
    for entry in logged(trainer):
        assert sum(entry[f"share_{role}"] for role in MIXTURE["roles"]) == pytest.approx(1)  # type: ignore[attr-defined]
        assert entry["share_en"] + entry["share_sw"] == pytest.approx(1)


def test_rows_that_fill_up_a_batch_are_not_among_the_shares(make: Make) -> None:
    trainer = make()
    inputs = dict(trainer.data_collator([trainer.train_dataset[0], trainer.train_dataset[12]]))
    inputs["row_mask"] = inputs["labels"].new_tensor([True, False]).bool()
    trainer.get_batch_samples(iter([inputs]), 1, trainer.args.device)
    logs = {"loss": 1.0}
    trainer.log(logs)
    assert trainer.state.log_history[-1]["share_labelled"] == 1 and trainer._drawn.sum() == 0


def test_nothing_is_drawn_or_logged_otherwise_when_there_is_no_mixture(make: Make) -> None:
    trainer = make(mixture=None, max_steps=2)
    trainer.train()
    assert shares_in(logged(trainer)[0]) == {}
    assert type(trainer._get_train_sampler()) is type(Trainer._get_train_sampler(trainer))
    assert "mixture_group" not in trainer.train_dataset.column_names


def test_weights_are_the_same_bits_as_without_this_when_there_is_no_mixture(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make("a", mixture=None, max_steps=5)
    ours.train()
    for name in ("_get_train_sampler", "_run_epoch", "get_batch_samples", "log"):
        monkeypatch.setattr(MixedTraining, name, vars(Trainer)[name])
    stock = make("b", mixture=None, max_steps=5)
    stock.train()
    assert distance(weights(ours.model), weights(stock.model)) == 0


def test_every_row_comes_once_an_epoch_when_rows_come_by_length(make: Make) -> None:
    trainer = make(mixture=None, train_sampling_strategy="group_by_length", per_device_train_batch_size=2)
    sampler = trainer._get_train_sampler()
    assert isinstance(sampler, EpochSampler)
    first = list(sampler)
    sampler.set_epoch(1)
    assert sorted(first) == sorted(sampler) == list(range(22)) and first != list(sampler)


def test_seed_of_the_order_is_data_seed_when_there_is_one(make: Make) -> None:
    assert order_of(make(seed=5, data_seed=7), 0) == order_of(make(seed=6, data_seed=7), 0)
    assert order_of(make(seed=7), 0) == order_of(make(seed=5, data_seed=7), 0) != order_of(make(seed=5), 0)


DRAWN: list[tuple[str, dict[str, Any] | None]] = [
    ("random", MIXTURE),
    ("group_by_length", MIXTURE),
    ("group_by_length", None),
]


@pytest.mark.parametrize(("strategy", "mixture"), DRAWN)
@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_resumed_run_equals_straight_run_when_rows_are_drawn_by_us_and_it_was_interrupted_after(
    step: int, strategy: str, mixture: Any, make: Make, tmp_path: Path
) -> None:
    # 22 rows are 3 updates of 8 an epoch: within the first, at its end, and within the second.
    options: dict[str, Any] = {**ADAMW, "max_steps": 7, "save_strategy": "steps", "save_steps": 1}
    options |= {"train_sampling_strategy": strategy, "mixture": mixture}
    options |= {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}
    straight, resumed = make("straight", **options), make("resumed", **options)
    straight.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "straight" / f"checkpoint-{step}"))
    assert distance(weights(straight.model), weights(resumed.model)) == 0
    assert [shares_in(entry) for entry in logged(resumed)] == [shares_in(entry) for entry in logged(straight)]


def test_rows_of_an_update_are_sorted_by_their_tokens_when_told_to(make: Make) -> None:
    options = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 3}
    trainer = make(train_sampling_strategy="group_by_length", **options)
    sampler = trainer._get_train_sampler()
    assert isinstance(sampler, MixtureSampler) and sampler.lengths is not None
    assert sampler.lengths.tolist() == [len(ids) for ids in trainer.train_dataset["input_ids"]]
    assert sampler.rows_of_update == 6
    assert sorted(sampler) == sorted(order_of(make(**options), 0)) != order_of(make(**options), 0)


def test_windows_are_those_of_one_training_when_a_trainer_trains_twice(make: Make) -> None:
    trainer = make(max_steps=3, logging_steps=2)
    trainer.train()
    first = logged(trainer)
    trainer.train()
    assert [shares_in(entry) for entry in logged(trainer)] == [shares_in(entry) for entry in first]


def test_role_without_a_share_moves_no_weight(make: Make, mixed: Dataset) -> None:
    def spoilt(row: dict[str, Any]) -> dict[str, Any]:
        return {"text": "aa"} if row["role"] == "parallel" else {}

    results = []
    for folder, dataset in (("a", mixed), ("b", mixed.map(spoilt))):
        roles = {"labelled": 1, "parallel": 0, "unlabelled": 1}
        trainer = make(folder, dataset, mixture={"roles": roles}, max_steps=4)
        trainer.train()
        assert all(entry["share_parallel"] == 0 for entry in logged(trainer))
        results.append(weights(trainer.model))
    assert distance(*results) == 0


def test_loss_is_refused_when_no_row_that_counts_for_it_is_drawn(make: Make) -> None:
    roles = {"labelled": 0, "parallel": 1, "unlabelled": 1}
    with pytest.raises(UserError, match="counts for the loss hard-label: give labels .* a share to their role"):
        make(mixture={"roles": roles})
    make(mixture={"roles": roles}, losses=[{"name": "soft-label"}])


def test_states_of_tokens_are_allowed_when_parallel_text_is_left_out(make: Make) -> None:
    losses = [{"name": "hidden-state", "layer_map": [[1, 2]], "pool": "none"}]
    with pytest.raises(UserError, match="pool: mean"):
        make(losses=losses, mixture={"roles": {"labelled": 0, "parallel": 1, "unlabelled": 0}})
    make(losses=losses, mixture={"roles": {"labelled": 1, "parallel": 0, "unlabelled": 1}})


def test_training_data_are_refused_when_they_do_not_say_their_role(make: Make, rows: Dataset) -> None:
    with pytest.raises(UserError, match="training data have no column `role`"):
        make(dataset=rows)


def test_rows_that_have_no_number_are_refused(make: Make, mixed: Dataset) -> None:
    with pytest.raises(UserError, match="draws from a datasets.Dataset, not from a IterableDataset"):
        make(dataset=mixed.to_iterable_dataset(), max_steps=1)


def test_mixture_draws_when_the_collator_is_another(
    make_model: Callable[..., PreTrainedModel], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    cut = Dataset.from_dict(
        {
            "input_ids": [[2, 5, 3]] * 6,
            "attention_mask": [[1, 1, 1]] * 6,
            "labels": [0, 1, 2] * 2,
            "role": ["labelled"] * 6,
            "language": ["en"] * 6,
        }
    )
    trainer = DistillationTrainer(
        make_model(layers=1, width=8),
        losses=[{"name": "hard-label"}],
        args=arguments(tmp_path, mixture=MixtureArguments(), max_steps=2),
        train_dataset=cut,
        processing_class=tokenizer,
        data_collator=default_data_collator,
    )
    trainer.train()
    assert trainer.state.global_step == 2 and shares_in(logged(trainer)[0]) == {}


@pytest.fixture
def saved(
    make_model: Callable[..., PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    mixed: Dataset,
    tmp_path: Path,
    save_model: Callable[..., Path],
) -> Path:
    """A folder with all that a training in processes of its own reads."""
    save_model(tmp_path / "student", make_model(layers=1, width=8, seed=1), tokenizer)
    save_model(tmp_path / "teacher", make_model(layers=2, width=16, seed=2), tokenizer)
    mixed.save_to_disk(str(tmp_path / "rows"))
    return tmp_path


def result(folder: Path, name: str) -> Any:
    """The weights that a process wrote."""
    return safetensors.torch.load_file(folder / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "mixture"), DRAWN)
def test_two_processes_equal_one_when_rows_are_drawn_by_us(strategy: str, mixture: Any, saved: Path) -> None:
    options = json.dumps({"mixture": mixture, "train_sampling_strategy": strategy, "logging_steps": 2, "max_steps": 6})
    for processes, batch_size in ((1, 8), (2, 4)):
        launch(processes, "tests/tiny_training.py", saved, "all", batch_size, options)
    assert distance(result(saved, "2-0"), result(saved, "2-1")) == 0
    assert distance(result(saved, "1-0"), result(saved, "2-0")) < 1e-5
    one, two = (json.loads((saved / f"{number}-0.json").read_text()) for number in (1, 2))
    assert len(one) == 3
    for entry, other in zip(one, two, strict=True):
        assert shares_in(entry) == pytest.approx(shares_in(other)) and len(shares_in(entry)) == (5 if mixture else 0)


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [MIXTURE, None], ids=["mixture", "every row once"])
def test_resumed_run_equals_straight_run_when_two_processes_stopped_in_the_second_epoch(
    mixture: Any, saved: Path
) -> None:
    options = {"mixture": mixture, "max_steps": 6, "save_strategy": "steps", "save_steps": 4, **ADAMW}
    launch(2, "tests/tiny_training.py", saved, "all", 4, json.dumps(options))
    straight = result(saved, "2-0")
    resume = {"resume_from_checkpoint": str(saved / "out" / "checkpoint-4")}
    launch(2, "tests/tiny_training.py", saved, "all", 4, json.dumps(options | resume))
    assert distance(straight, result(saved, "2-0")) == 0
    assert np.isfinite(distance(straight, result(saved, "2-1")))


def test_predictions_come_in_the_order_of_rows_when_training_rows_come_by_length(
    student, teacher, tokenizer, rows, tmp_path
):
    options = {"train_sampling_strategy": "group_by_length", "per_device_eval_batch_size": 2}
    trainer = distil(student, teacher, tokenizer, rows, tmp_path, max_steps=1, **options)
    labelled = rows.select(range(10))
    one_by_one = [trainer.predict(labelled.select([index])).predictions[0] for index in range(10)]
    np.testing.assert_allclose(trainer.predict(labelled).predictions, one_by_one, atol=1e-5)
