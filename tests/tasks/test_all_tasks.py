"""What holds for every task: its name is all that a trainer, a loss or a cache knows of it."""

import copy

import pytest
import torch
from task_cases import TASK_CASES, TaskCase
from tiny_training import arguments, distance, weights

from xlkd import LiveTeacher, TeacherEnsemble, build_cache, describe_cache
from xlkd.losses import LOSSES
from xlkd.needs import Needs
from xlkd.tasks import TASKS
from xlkd.text.words import WORD_CONTEXT, WORD_SPANS


@pytest.fixture(params=sorted(TASK_CASES))
def case(request) -> TaskCase:
    return TASK_CASES[request.param]


@pytest.fixture
def models(case, tokenizer):
    return case.model(tokenizer, layers=1, width=8, seed=1), case.model(tokenizer, layers=2, width=16, seed=2)


def test_every_task_has_a_case_when_all_are_listed() -> None:
    assert set(TASK_CASES) == set(TASKS)


def padded(inputs: dict[str, torch.Tensor], pad_token_id: int) -> dict[str, torch.Tensor]:
    """The same batch with seven more columns of padding, and two more places for words where there are words."""
    fillers = {"input_ids": pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    longer = dict(inputs)
    for name, value in inputs.items():
        kind = name.removeprefix("teacher_")
        if kind in fillers:
            longer[name] = torch.nn.functional.pad(value, (0, 7), value=fillers[kind])
        elif kind == WORD_SPANS:
            longer[name] = torch.nn.functional.pad(value, (0, 0, 0, 2), value=-1)
            longer["labels"] = torch.nn.functional.pad(inputs["labels"], (0, 2), value=-100)
            longer[WORD_CONTEXT] = torch.nn.functional.pad(inputs[WORD_CONTEXT], (0, 2))
    return longer


VARIANTS = {name: {"name": name} for name in sorted(LOSSES)} | {
    "soft-label reverse": {"name": "soft-label", "divergence": "reverse"},
    "soft-label symmetric": {"name": "soft-label", "divergence": "symmetric"},
    "soft-label of sequences": {"name": "soft-label", "posterior": "sequence"},
    "soft-label of likely sequences": {"name": "soft-label", "posterior": "sequence", "transitions": 0.5},
    "logit-mse as it is": {"name": "logit-mse", "centre": False},
    "label-correlation intra-class": {"name": "label-correlation", "inter_class": 0.0},
    "hidden-state of tokens": {"name": "hidden-state", "layer_map": [[1, 2]], "pool": "none"},
    "hidden-state of first tokens": {"name": "hidden-state", "layer_map": [[1, 1]], "pool": "first"},
    "hidden-state of words": {"name": "hidden-state", "layer_map": [[0, 1], [1, 2]], "pool": "word"},
    "hidden-state of first pieces": {"name": "hidden-state", "distance": "mse", "pool": "word-first"},
    "hidden-state normalised": {"name": "hidden-state", "distance": "normalised-mse"},
    "embedding cosine": {"name": "embedding", "distance": "cosine", "pool": "first"},
    "kernel-alignment biased": {"name": "kernel-alignment", "estimator": "biased"},
    "attention-map mse": {"name": "attention-map", "distance": "mse"},
}
"""Every loss as it is by itself, and with the options that look at something else of a batch."""
OF_WORDS = {name for name, loss in VARIANTS.items() if loss.get("posterior") or "word" in str(loss.get("pool"))}


@pytest.mark.parametrize("name", VARIANTS)
def test_loss_is_the_same_when_a_batch_is_padded(case, models, tokenizer, words, tmp_path, name) -> None:
    if VARIANTS[name]["name"] in case.without or (name in OF_WORDS and not case.task.by_word):
        pytest.skip("does not fit the task")
    student, teacher = models
    trainer = case.trainer(
        student, teacher, tokenizer, words, arguments(tmp_path), [VARIANTS[name], {"name": case.task.default_loss}]
    )
    with trainer.ready():
        inputs = trainer._collate([trainer.train_dataset[index] for index in range(8)])
        student.eval()
        loss = trainer.compute_loss(student, dict(inputs))
        longer = trainer.compute_loss(student, padded(inputs, tokenizer.pad_token_id))
        loss.backward()
    assert loss.isfinite() and loss > 0
    torch.testing.assert_close(loss, longer, rtol=1e-5, atol=1e-6)


def test_weights_are_equal_when_a_window_is_cut_into_batches(case, models, tokenizer, words, tmp_path) -> None:
    student, teacher = models
    trained = []
    for size, steps in ((8, 1), (2, 4)):
        args = arguments(tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=steps, max_steps=4)
        trainer = case.trainer(copy.deepcopy(student), teacher, tokenizer, words, args, case.objective)
        trainer.train()
        trained.append(weights(trainer.model))
    moved = distance(weights(student), trained[0])
    assert distance(*trained) < 1e-5 < moved / 100


def test_student_is_the_same_when_the_teacher_was_asked_before(case, models, tokenizer, words, tmp_path) -> None:
    student, teacher = models
    live = LiveTeacher(teacher, tokenizer)
    rows = case.task.preprocess(case.rows(words), {"": tokenizer, **live.readers}, 32)
    needs = case.task.asks(live.shape) | Needs(pooled_states=frozenset({0, 2}))
    options = {"task": case.task.name, "max_length": 32, "precision": "float32", "dtype": "float32"}
    record = describe_cache(live, needs, by_word=case.task.by_word, **options)
    cached = build_cache(live, rows, record, tmp_path / "cache", batch_size=3)
    trained = []
    for asked in (live, cached):
        args = arguments(tmp_path / "out", max_steps=4)
        trainer = case.trainer(copy.deepcopy(student), asked, tokenizer, words, args, case.objective)
        trainer.train()
        trained.append(weights(trainer.model))
    assert distance(*trained) < 1e-5 < distance(weights(student), trained[0]) / 100


def test_student_learns_from_a_teacher_when_it_has_another_tokenizer(
    case, models, tokenizer, other_tokenizer, words, tmp_path
) -> None:
    student, _ = models
    teacher = case.model(other_tokenizer, layers=2, width=16, seed=2)
    args = arguments(tmp_path, max_steps=60, learning_rate=0.1)
    trainer = case.trainer(student, teacher, tokenizer, words, args, None, other_tokenizer)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


def test_mean_of_two_teachers_is_that_of_the_one_when_they_are_alike(
    case, models, tokenizer, other_tokenizer, words, tmp_path
) -> None:
    if not case.task.has_labels:
        pytest.skip("vectors of several teachers are not averaged")
    student, teacher = models
    other = case.model(other_tokenizer, layers=1, width=8, seed=5)
    twice = TeacherEnsemble({"one": LiveTeacher(teacher, tokenizer), "copy": LiveTeacher(teacher, tokenizer)})
    different = TeacherEnsemble({"one": LiveTeacher(teacher, tokenizer), "other": LiveTeacher(other, other_tokenizer)})
    trained = []
    for asked in (teacher, twice, different):
        args = arguments(tmp_path, max_steps=3, per_device_train_batch_size=5)
        trainer = case.trainer(copy.deepcopy(student), asked, tokenizer, words, args, None)
        trainer.train()
        trained.append(weights(trainer.model))
    assert distance(*trained[:2]) < 1e-5 < distance(trained[0], trained[2]) / 10


def test_student_is_plain_transformers_when_it_is_saved(case, models, tokenizer, words, tmp_path) -> None:
    student, teacher = models
    args = arguments(tmp_path, max_steps=1)
    trainer = case.trainer(student, teacher, tokenizer, words, args, case.objective)
    trainer.train()
    trainer.save_model(str(tmp_path / "saved"))
    again = case.task.auto_class.from_pretrained(tmp_path / "saved")
    assert distance(weights(student), weights(again)) == 0
    assert again.config.id2label == case.task.id2label or not case.task.has_labels
