"""The trimmed `.model` beside a trimmed tokenizer: there, in agreement, or left out in words."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tiny_classifiers import classifier_for, training_text
from tiny_tokenizers import all_texts, sentencepiece_model, texts_of
from transformers import (
    AutoTokenizer,
    DebertaV2Tokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerBase,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

from xlkd import build_student
from xlkd.arguments import VocabularyArguments
from xlkd.students import vocabulary
from xlkd.students.build import Student
from xlkd.students.sentencepiece_file import sentencepiece_file, trim_sentencepiece

BERT_NAMES = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
# The name of the file, the class that reads it, and how it is trained.
KINDS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "xlm-roberta": ("sentencepiece.bpe.model", XLMRobertaTokenizer, {}),
    "t5": ("spiece.model", T5Tokenizer, {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}),
    "deberta-v2": (
        "spm.model",
        DebertaV2Tokenizer,
        {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "normalization_rule_name": "identity", **BERT_NAMES},
    ),
    "llama": (
        "tokenizer.model",
        LlamaTokenizer,
        {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"},
    ),
}
LOGGERS = ("xlkd.students.sentencepiece_file", "xlkd.students.vocabulary")


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but a `.model`, as the class of its tokenizer reads it."""
    name, _, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    (folder / name).write_bytes(sentencepiece_model(1500, **options))
    return folder


def load(source: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder."""
    file = next(source.glob("*.model")).name
    tokenizer_class = next(own for name, own, _ in KINDS.values() if name == file)
    tokenizer: PreTrainedTokenizerBase = tokenizer_class.from_pretrained(source)
    return tokenizer


def student_of(tokenizer: PreTrainedTokenizerBase) -> Student:
    """A student with the pieces of nearly all of the text."""
    vocabulary = VocabularyArguments(coverage=0.99, max_unknown_rise=1.0)
    return build_student(classifier_for("bert", tokenizer), tokenizer, vocabulary=vocabulary, texts=training_text())


@pytest.fixture(scope="module")
def student(source: Path) -> Student:
    """A student with a part of the pieces."""
    return student_of(load(source))


def test_trimmed_model_cuts_as_the_tokenizer_when_saved(source: Path, student: Student, tmp_path: Path) -> None:
    tokenizer = load(source)
    student.save_pretrained(tmp_path)
    path = tmp_path / next(source.glob("*.model")).name
    assert path.stat().st_size < (source / path.name).stat().st_size
    trimmed = sentencepiece.SentencePieceProcessor(model_file=str(path))
    kept = student.vocabulary.kept if student.vocabulary else []
    known = set(kept) - {tokenizer.unk_token_id}
    compared = 0
    for text in all_texts():
        if known.issuperset(tokenizer.encode(text, add_special_tokens=False)):
            assert trimmed.encode(text, out_type=str) == student.processing_class.tokenize(text)
            compared += 1
    assert compared > 50


def test_ids_are_the_same_when_a_folder_has_both_files(student: Student, tmp_path: Path) -> None:
    student.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").exists() and list(tmp_path.glob("*.model"))
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert len(loaded) == len(student.processing_class)
    assert loaded(all_texts())["input_ids"] == student.processing_class(all_texts())["input_ids"]


def test_ids_are_the_same_when_the_model_is_all_that_is_left(student: Student, tmp_path: Path) -> None:
    student.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    loaded = load(tmp_path)
    assert len(loaded) == len(student.processing_class)
    assert loaded(all_texts())["input_ids"] == student.processing_class(all_texts())["input_ids"]


def test_trimmed_folder_is_trimmed_again_when_it_has_both_files(source: Path, student: Student, tmp_path: Path) -> None:
    student.save_pretrained(tmp_path / "first")
    again = AutoTokenizer.from_pretrained(tmp_path / "first")
    smaller = build_student(
        classifier_for("bert", again),
        again,
        vocabulary=VocabularyArguments(coverage=0.9, max_unknown_rise=1.0),
        texts={"en": texts_of("en")},
    )
    smaller.save_pretrained(tmp_path / "second")
    name = next(source.glob("*.model")).name
    assert (tmp_path / "second" / name).stat().st_size < (tmp_path / "first" / name).stat().st_size


def test_trimmed_model_is_left_out_in_words_when_protobuf_is_missing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = load(source)
    monkeypatch.setitem(sys.modules, "sentencepiece.sentencepiece_model_pb2", None)
    monkeypatch.delattr(sentencepiece, "sentencepiece_model_pb2", raising=False)
    with caplog.at_level(logging.INFO, logger=LOGGERS[0]):
        student_of(tokenizer).save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.model"))
    assert "is not trimmed along, since protobuf is not installed; tokenizer.json is" in caplog.text


def test_trimmed_model_is_left_out_in_words_when_it_cuts_otherwise(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vocabulary, "pieces_of", lambda model, texts: [["other"] for _ in texts])
    with caplog.at_level(logging.WARNING, logger=LOGGERS[1]):
        student_of(load(source)).save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.model"))
    assert "is not written: trimmed, it does not cut texts as tokenizer.json does" in caplog.text


def test_special_and_byte_pieces_stay_when_nothing_is_named(source: Path) -> None:
    path = next(source.glob("*.model"))
    content = trim_sentencepiece(path, {"▁"})
    assert content is not None
    before = sentencepiece.SentencePieceProcessor(model_file=str(path))
    after = sentencepiece.SentencePieceProcessor(model_proto=content)
    others = [
        before.id_to_piece(index)
        for index in range(before.get_piece_size())
        if before.is_control(index) or before.is_unknown(index) or before.is_byte(index)
    ]
    pieces = [after.id_to_piece(index) for index in range(after.get_piece_size())]
    assert set(pieces) == {*others, "▁"}
    assert len(pieces) == len(others) + 1


def test_no_file_is_found_when_the_tokenizer_came_without_one(source: Path, tmp_path: Path) -> None:
    tokenizer = load(source)
    assert sentencepiece_file(tokenizer) == source / next(source.glob("*.model")).name
    tokenizer.save_pretrained(tmp_path)
    next(tmp_path.glob("*.model"), tmp_path / "none").unlink(missing_ok=True)
    assert sentencepiece_file(AutoTokenizer.from_pretrained(tmp_path)) is None
