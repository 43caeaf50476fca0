"""Models that a run names, and what is made of a head or a body that does not fit."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig

from xlkd.errors import UserError
from xlkd.steps.models import load_classifier
from xlkd.tasks import SentenceEmbedding, SequenceClassification, Task

TASKS = [SequenceClassification(["a", "b"]), SentenceEmbedding()]


@pytest.fixture
def folder(make_model, tokenizer, save_model, tmp_path) -> Path:
    return save_model(tmp_path / "model", make_model(labels=["a", "b", "c"]), tokenizer)


def test_head_is_a_new_one_when_it_has_other_labels(make_model, folder) -> None:
    model = load_classifier(str(folder), TASKS[0])
    assert model.config.id2label == {0: "a", 1: "b"} and model.num_labels == 2
    kept = make_model(labels=["a", "b", "c"]).base_model.state_dict()
    for name, weights in model.base_model.state_dict().items():
        torch.testing.assert_close(weights, kept[name])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_model_is_refused_when_its_weights_are_of_another_shape_than_it_says(folder, task: Task) -> None:
    config = AutoConfig.from_pretrained(folder)
    config.vocab_size += 8
    config.save_pretrained(folder)
    with pytest.raises(
        UserError, match=r"model: its weights .*word_embeddings.* have the shape .* the folder is broken"
    ):
        load_classifier(str(folder), task)
