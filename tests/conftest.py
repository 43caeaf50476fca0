"""A tiny teacher, student, tokenizer and rows, in memory: no test needs a network, and all seeds are fixed."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest
import torch
import transformers.utils.hub
from hub_server import TOKEN, HubServer
from hub_trainer import WaitForUpload, trainer_of
from huggingface_hub import HfApi
from tiny_tokenizer import build_tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from xlkd import DistillationTrainer

LETTERS = {
    "en": "abcdefghij",
    "sw": "klmnopqrst",
    "ru": "абвгдежзик",
    "am": "ሀለሐመሠረሰቀበተ",
    "hi": "कखगघचछजझटठ",
    "zh": "的一是不了人我在有他",
}
WORDS_OF_A_LANGUAGE = 40


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No Hub, and caches of the session's own; programs that a test starts inherit it."""
    caches = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setenv("XLKD_CACHE", str(caches / "xlkd"))
        patch.setenv("HF_DATASETS_CACHE", str(caches / "datasets"))
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", caches / "datasets")
        yield


@pytest.fixture(scope="session")
def words() -> dict[str, list[str]]:
    """Made-up words by language, in several scripts."""
    choice = random.Random(0)
    made: dict[str, list[str]] = {}
    for language, letters in LETTERS.items():
        found: dict[str, None] = {}
        while len(found) < WORDS_OF_A_LANGUAGE:
            found["".join(choice.choices(letters, k=choice.randint(2, 5)))] = None
        made[language] = list(found)
    return made


@pytest.fixture(scope="session")
def tokenizer(words: dict[str, list[str]]) -> PreTrainedTokenizerFast:
    """The usual tokenizer."""
    return build_tokenizer([word for language in words for word in words[language]])


@pytest.fixture(scope="session")
def other_tokenizer(words: dict[str, list[str]]) -> PreTrainedTokenizerFast:
    """A tokenizer with another vocabulary: other ids, and half of the words unknown."""
    return build_tokenizer([word for language in reversed(words) for word in words[language][::-2]])


ModelFactory = Callable[..., PreTrainedModel]


@pytest.fixture
def make_model(tokenizer: PreTrainedTokenizerFast) -> ModelFactory:
    """Makes tiny classifiers."""

    def make(
        layers: int = 2,
        width: int = 16,
        labels: Sequence[str] = ("a", "b", "c"),
        seed: int = 0,
        vocab: int = len(tokenizer),
        dropout: float = 0.0,
        kind: str = "bert",
    ) -> PreTrainedModel:
        config_class, model_class = {
            "bert": (BertConfig, BertForSequenceClassification),
            "xlm-roberta": (XLMRobertaConfig, XLMRobertaForSequenceClassification),
        }[kind]
        config = config_class(
            vocab_size=vocab,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=2 * width,
            max_position_embeddings=80,
            type_vocab_size=2,
            pad_token_id=0,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            classifier_dropout=dropout,
            # Large enough that two texts, and two seeds, get answers that differ.
            initializer_range=0.2,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model: PreTrainedModel = model_class(config)
        return model.eval()

    return make


@pytest.fixture
def student(make_model: ModelFactory) -> PreTrainedModel:
    """A student of one narrow layer."""
    return make_model(layers=1, width=8, seed=1)


@pytest.fixture
def teacher(make_model: ModelFactory) -> PreTrainedModel:
    """A teacher of two wider layers."""
    return make_model(layers=2, width=16, seed=2)


@pytest.fixture(scope="session")
def rows(words: dict[str, list[str]]) -> datasets.Dataset:
    """22 raw rows of 1 to 9 words: 10 labelled in English, 7 parallel and 5 unlabelled in Swahili."""
    choice = random.Random(1)

    def text(language: str) -> str:
        return " ".join(choice.choices(words[language], k=choice.randint(1, 9)))

    made = []
    for index in range(22):
        language = "en" if index < 10 else "sw"
        own = text(language)
        made.append(
            {
                "text": own,
                "teacher_text": text("en") if 10 <= index < 17 else own,
                "label": "abc"[index % 3] if index < 10 else None,
                "language": language,
            }
        )
    return datasets.Dataset.from_list(made)


@pytest.fixture
def save_model() -> Callable[[Path, PreTrainedModel, PreTrainedTokenizerBase], Path]:
    """Saves a model and its tokenizer to a folder, and gives the folder."""

    def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Path:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub that the clients of this process talk to."""
    settings = {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True, "AGENT_HARNESSES_PATH": tmp_path / "agents.json"}
    with HubServer() as server:
        settings |= {"ENDPOINT": server.url}
        settings |= {"HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}"}
        for name, value in settings.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setattr(transformers.utils.hub, "_hf_api", HfApi(endpoint=server.url))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        assert not server.unknown


@pytest.fixture
def make_trainer(student, teacher, tokenizer, rows, tmp_path):
    """Makes trainers that push, and wait for each upload."""

    def make(**options) -> DistillationTrainer:
        trainer = trainer_of(student, teacher, tokenizer, rows, tmp_path / "out", **{"hub_token": TOKEN, **options})
        trainer.add_callback(WaitForUpload(trainer))
        return trainer

    return make
