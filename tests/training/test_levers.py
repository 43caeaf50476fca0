"""When the fast matrix product is used, and that nothing of it is left behind."""

import json
import logging
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from families import BATCH, classifier
from tiny_training import arguments, distance, weights
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from xlkd import DistillationTrainer, LiveTeacher, UserError
from xlkd.training import levers
from xlkd.training.levers import fast_matmul, is_fast_matmul_used, relative_error_of_medium

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An x86-64 processor without AMX, whose products stay float32; a test may change it."""
    found: dict[str, Any] = {"name": "x86_64", "amx_tile": False, "error": 3e-7}
    monkeypatch.setattr(platform, "machine", lambda: found["name"])
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_tile": found["amx_tile"]})
    monkeypatch.setattr(levers, "relative_error_of_medium", lambda: found["error"])
    is_fast_matmul_used.cache_clear()
    yield found
    is_fast_matmul_used.cache_clear()


@pytest.mark.parametrize(
    ("mode", "changes", "used"),
    [
        ("auto", {}, True),
        ("auto", {"name": "AMD64"}, True),
        ("auto", {"name": "aarch64"}, False),
        ("auto", {"amx_tile": True}, False),
        ("auto", {"error": 2e-3}, False),
        ("on", {"error": 2e-3, "amx_tile": True}, True),
        ("off", {}, False),
    ],
)
def test_fast_matmul_is_used_where_it_is_exact_or_asked_for(
    mode: Any, changes: dict[str, Any], used: bool, machine: dict[str, Any]
) -> None:
    machine.update(changes)
    assert is_fast_matmul_used(mode, CPU) is used


def test_error_is_logged_when_the_check_fails(machine: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    machine["error"] = 2e-3
    with caplog.at_level(logging.INFO, logger="xlkd"):
        is_fast_matmul_used("auto", CPU)
    assert caplog.messages == ["Fast matmul: off (relative error of a product 2e-03: less than float32)."]


def test_error_is_logged_when_the_check_passes(machine: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="xlkd"):
        is_fast_matmul_used("auto", CPU)
    assert caplog.messages == ["Fast matmul: on (relative error of a product 3e-07: float32)."]


def test_gpu_is_left_alone_when_auto_and_refused_when_on(machine: dict[str, Any]) -> None:
    assert not is_fast_matmul_used("auto", GPU)
    with pytest.raises(UserError, match="not on cuda: use `tf32: true`"):
        is_fast_matmul_used("on", GPU)


def test_error_of_medium_is_measured_and_leaves_the_setting() -> None:
    before = torch.get_float32_matmul_precision()
    assert 0 < relative_error_of_medium() < 1e-2
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert", "distilbert", "qwen3", "deberta-v2"])
@torch.no_grad()
def test_answers_are_the_same_when_the_product_is_fast(family: str, machine: dict[str, Any]) -> None:
    model = classifier(family)
    before = model(**BATCH).logits
    chosen = model.config._attn_implementation
    with fast_matmul("auto", CPU, [model]):
        assert torch.get_float32_matmul_precision() == "medium"
        assert model.config._attn_implementation == "eager"
        torch.testing.assert_close(model(**BATCH).logits, before, rtol=1e-4, atol=1e-5)
    assert torch.get_float32_matmul_precision() == "highest"
    assert model.config._attn_implementation == chosen
    assert torch.equal(model(**BATCH).logits, before)


def test_settings_are_restored_when_training_fails(machine: dict[str, Any]) -> None:
    model = classifier("bert")
    with pytest.raises(RuntimeError, match="out of memory"), fast_matmul("auto", CPU, [model]):
        raise RuntimeError("out of memory")
    assert torch.get_float32_matmul_precision() == "highest"
    assert model.config._attn_implementation == "sdpa"


class Settings(TrainerCallback):
    """Notes the settings at every step."""

    def __init__(self, models: list[PreTrainedModel]) -> None:
        self.models = models
        self.seen: set[tuple[str, ...]] = set()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Note them."""
        attention = [model.config._attn_implementation for model in self.models]
        self.seen.add((torch.get_float32_matmul_precision(), *attention))


def trained(
    mode: str,
    models: list[PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    folder: Path,
    **options: Any,
) -> Settings:
    """Train the first model by the second, and return the settings that were seen."""
    student, teacher = models
    seen = Settings(models)
    trainer = DistillationTrainer(
        student,
        LiveTeacher(teacher, tokenizer),
        args=arguments(folder, fast_matmul=mode, max_steps=3, **options),
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=[seen],
    )
    trainer.train()
    trainer.save_model()
    return seen


def test_settings_hold_while_training_and_not_after(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    tmp_path: Path,
    machine: dict[str, Any],
) -> None:
    seen = trained("auto", [student, teacher], tokenizer, rows, tmp_path, save_strategy="steps", save_steps=2)
    assert seen.seen == {("medium", "eager", "eager")}
    assert torch.get_float32_matmul_precision() == "highest"
    assert student.config._attn_implementation == teacher.config._attn_implementation == "sdpa"
    for folder in (tmp_path, tmp_path / "checkpoint-2"):
        assert "attn" not in json.dumps(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def test_student_is_the_same_when_the_product_is_fast(
    make_model: Any, tokenizer: PreTrainedTokenizerBase, rows: Dataset, tmp_path: Path, machine: dict[str, Any]
) -> None:
    students = {}
    for mode in ("off", "auto"):
        student = make_model(layers=1, width=8, seed=1)
        before = weights(student)
        models = [student, make_model(seed=2)]
        seen = trained(mode, models, tokenizer, rows, tmp_path / mode)
        assert seen.seen == {("medium", "eager", "eager") if mode == "auto" else ("highest", "sdpa", "sdpa")}
        students[mode] = weights(student)
    assert distance(students["off"], students["auto"]) < 1e-5 < distance(students["off"], before) / 100
