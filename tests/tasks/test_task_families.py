"""Every task on every family of models: cut from its teacher, a student learns."""

import pytest
import torch
from families import FAMILIES
from task_cases import TASK_CASES
from tiny_training import arguments

from xlkd import build_student


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("name", sorted(TASK_CASES))
def test_student_learns_when_it_is_cut_from_a_teacher_of(family, name, tokenizer, words, tmp_path) -> None:
    case = TASK_CASES[name]
    config = FAMILIES[family]()
    config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    if case.task.has_labels:
        config.id2label, config.label2id = case.task.id2label, case.task.label2id
        case.task.say_answers(config)
    torch.manual_seed(0)
    teacher = case.task.auto_class.from_config(config).eval()
    student = build_student(teacher, layers=2).model
    # Adam, since the slopes of these losses differ by orders of magnitude.
    options = {"optim": "adamw_torch", "learning_rate": 5e-3, "per_device_train_batch_size": 16}
    args = arguments(tmp_path, max_steps=12, **options)
    trainer = case.trainer(student, teacher, tokenizer, words, args, case.objective)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    # Every step sees all rows.
    assert losses[-1] < 0.95 * losses[0]
