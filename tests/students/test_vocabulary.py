"""A smaller vocabulary under a model: what follows it and what stays, family by family."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES
from tiny_classifiers import MORE_ROWS, SIZE, classifier_for, ids_of, training_text
from tiny_tokenizers import BUILDERS, tiny_tokenizer, wordpiece
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForSequenceClassification,
)

from xlkd.students.vocabulary import TrimmedVocabulary, trim_vocabulary

TOKENIZERS = {
    "bert": "bert",
    "roberta": "roberta",
    "xlm-roberta": "xlm-roberta",
    "distilbert": "distilbert",
    "electra": "wordpiece-file",
    "deberta-v2": "deberta-v2",
    "modernbert": "llama3-file",
    "mpnet": "xlm-roberta",
    "eurobert": "unigram-file",
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen2",
}
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 40,
}


@cache
def trimmed_family(family: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, TrimmedVocabulary]:
    """A classifier, its tokenizer, and what became of them."""
    tokenizer = tiny_tokenizer(TOKENIZERS[family])
    model = classifier_for(family, tokenizer)
    return model, tokenizer, trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)


Case = tuple[PreTrainedModel, PreTrainedTokenizerBase, TrimmedVocabulary]


@pytest.fixture(params=FAMILIES)
def case(request: pytest.FixtureRequest) -> Case:
    """One of every family."""
    return trimmed_family(request.param)


def some_texts(case: Case) -> list[str]:
    """Texts of very different lengths, whose pieces are all kept."""
    _, tokenizer, trimmed = case
    known = set(trimmed.kept) - {tokenizer.unk_token_id}
    texts = [text[:60] for own in training_text().values() for text in own]
    found = [text for text in texts if known.issuperset(tokenizer.encode(text, add_special_tokens=False))]
    assert len(found) > 20
    return sorted(found, key=len)[:: len(found) // 8]


@torch.no_grad()
def logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> Any:
    """What a model says of texts in one padded batch."""
    return model.eval()(**tokenizer(texts, padding=True, truncation=True, max_length=36, return_tensors="pt")).logits


def test_logits_are_equal_to_the_last_bit_when_all_pieces_are_kept(case: Case) -> None:
    model, tokenizer, trimmed = case
    texts = some_texts(case)
    before = logits(model, tokenizer, texts)
    assert torch.equal(logits(trimmed.model, trimmed.processing_class, texts), before)
    assert before.std(0).min() > 0
    assert trimmed.logit_difference == 0
    assert trimmed.texts_compared >= 20


def test_rows_are_the_old_ones_when_trimmed(case: Case) -> None:
    model, tokenizer, trimmed = case
    rows = trimmed.model.get_input_embeddings().weight
    assert torch.equal(rows, model.get_input_embeddings().weight[trimmed.kept])
    assert len(rows) == len(trimmed.kept) == len(trimmed.processing_class) == trimmed.model.config.vocab_size == SIZE
    assert trimmed.size_before == len(tokenizer) + MORE_ROWS


def test_all_else_is_as_it_was_when_trimmed(case: Case) -> None:
    model, _, trimmed = case
    old, new = model.state_dict(), trimmed.model.state_dict()
    assert old.keys() == new.keys()
    changed = [name for name in old if not torch.equal(old[name], new[name])]
    assert len(changed) == 1
    assert old[changed[0]].shape[0] == trimmed.size_before


def test_ids_of_the_configuration_follow_when_trimmed(case: Case) -> None:
    model, _, trimmed = case
    named = {name: index for name, index in model.config.to_dict().items() if name.endswith("_token_id")}
    assert len(named) > 2
    for name, index in named.items():
        new = trimmed.model.config.to_dict()[name]
        assert index is None if new is None else trimmed.kept[new] == index
    after = ids_of(trimmed.processing_class)
    assert trimmed.model.config.pad_token_id == after["pad_token_id"]


def test_original_is_as_it_was_when_trimmed(case: Case) -> None:
    model, tokenizer, _ = case
    family = next(name for name in FAMILIES if trimmed_family(name)[0] is model)
    fresh = classifier_for(family, tokenizer)
    assert fresh.config.to_dict() == model.config.to_dict()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in fresh.state_dict().items())


def test_saved_student_says_the_same_when_loaded(case: Case, tmp_path: Path) -> None:
    _, _, trimmed = case
    trimmed.model.save_pretrained(tmp_path)
    trimmed.processing_class.save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    texts = some_texts(case)
    expected = logits(trimmed.model, trimmed.processing_class, texts)
    assert torch.equal(logits(model, tokenizer, texts), expected)


def test_kinds_are_all_there_when_they_are_counted() -> None:
    assert set(TOKENIZERS) == set(FAMILIES)
    assert len(set(TOKENIZERS.values())) >= 9
    assert set(TOKENIZERS.values()) <= set(BUILDERS)


def test_tied_head_and_its_bias_follow_when_trimmed() -> None:
    tokenizer = tiny_tokenizer("bert")
    model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **SMALL)).eval()
    torch.nn.init.normal_(model.cls.predictions.bias)
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    student: Any = trimmed.model
    assert student.get_output_embeddings().weight is student.get_input_embeddings().weight
    assert torch.equal(student.cls.predictions.bias, model.cls.predictions.bias[trimmed.kept])
    text = ["keycap: 1"]
    expected = logits(model, tokenizer, text)[..., trimmed.kept]
    assert torch.allclose(logits(student, trimmed.processing_class, text), expected, atol=1e-6, rtol=0)


def test_untied_head_and_generation_ids_follow_when_trimmed() -> None:
    tokenizer = tiny_tokenizer("llama")
    word = tokenizer.encode("keycap", add_special_tokens=False)[-1]
    beyond = len(tokenizer) + 3
    sizes = {**SMALL, "pad_token_id": 2, "eos_token_id": [2, word, beyond], "tie_word_embeddings": False}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=beyond + 10, **sizes)).eval()
    model.generation_config.eos_token_id = [2, word, beyond]
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    student: Any = trimmed.model
    assert torch.equal(student.lm_head.weight, model.lm_head.weight[trimmed.kept])
    assert not torch.equal(student.lm_head.weight, student.model.embed_tokens.weight)
    for config in (student.config, student.generation_config):
        assert [trimmed.kept[index] for index in config.eos_token_id] == [2, word]
    assert model.generation_config.eos_token_id == [2, word, beyond]


def test_id_is_no_id_any_more_when_the_tokenizer_does_not_have_it() -> None:
    tokenizer = tiny_tokenizer("bert")
    model = classifier_for("bert", tokenizer)
    model.config.bos_token_id = len(tokenizer) + 5
    model.config.eos_token_id = [len(tokenizer) + 5, 7]
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    assert trimmed.model.config.bos_token_id is None
    assert trimmed.kept[trimmed.model.config.eos_token_id] == 7


def test_model_that_asks_for_the_end_of_a_text_is_trimmed_when_given() -> None:
    tokenizer = tiny_tokenizer("t5")
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 20, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    config = T5Config(vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, **sizes)
    trimmed = trim_vocabulary(
        T5ForSequenceClassification(config), tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0
    )
    assert trimmed.logit_difference == 0


def test_other_logits_are_an_error_when_positions_are_counted_from_a_pad_token_that_moves() -> None:
    # RoBERTa's positions begin behind the id of the pad token; pieces before it are trimmed away here.
    tokenizer = tiny_tokenizer("unigram-file")
    config = RobertaConfig(
        vocab_size=len(tokenizer), **{**SMALL, "max_position_embeddings": len(tokenizer) + 40, "initializer_range": 0.3}
    )
    config.pad_token_id = tokenizer.pad_token_id
    with pytest.raises(RuntimeError, match="get other logits"):
        trim_vocabulary(RobertaForSequenceClassification(config), tokenizer, training_text(), size=SIZE)


def test_weights_are_the_same_when_the_model_is_in_half_precision() -> None:
    tokenizer = tiny_tokenizer("bert")
    model = classifier_for("bert", tokenizer).to(torch.bfloat16)
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    rows = model.get_input_embeddings().weight[trimmed.kept]
    assert torch.equal(trimmed.model.get_input_embeddings().weight.float(), rows.float())
    assert trimmed.logit_difference < 0.2


def test_model_stays_in_its_mode_when_trimmed() -> None:
    tokenizer = tiny_tokenizer("bert")
    model = copy.deepcopy(trimmed_family("bert")[0]).train()
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    assert model.training and trimmed.model.training


def test_ids_are_dense_when_the_configuration_names_one_that_the_tokenizer_leaves_out() -> None:
    ids = {piece: 2 * index for index, piece in enumerate(wordpiece("[PAD]", "[UNK]"))}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")
    model = BertForMaskedLM(BertConfig(vocab_size=2 * len(ids), eos_token_id=5, **SMALL))
    trimmed = trim_vocabulary(model, tokenizer, training_text(), size=SIZE, max_unknown_rise=1.0)
    assert sorted(trimmed.processing_class.get_vocab().values()) == list(range(len(trimmed.kept)))
    assert trimmed.model.config.eos_token_id is None
