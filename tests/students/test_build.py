"""A student cut from a teacher, as a program sees it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_classifiers import classifier_for, training_text
from tiny_tokenizers import texts_of, tiny_tokenizer
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    pipeline,
)

from xlkd import build_student
from xlkd.arguments import VocabularyArguments
from xlkd.errors import UserError
from xlkd.students.build import Student, with_vocabulary

MakeModel = Callable[..., PreTrainedModel]
# The tiny models have 40 positions, and the texts that heads and units are chosen by are cut to 128 pieces only.
SHORT = {language: [text[:20] for text in texts] for language, texts in training_text().items()}
SMALL = VocabularyArguments(size=1100, max_unknown_rise=1.0)


def test_map_leads_to_the_block_ends_when_a_number_is_given(make_model: MakeModel) -> None:
    student = build_student(make_model(layers=6), layers=3)
    assert student.layer_map == [(1, 2), (2, 4), (3, 6)]
    assert student.model.config.num_hidden_layers == 3


def test_map_leads_to_the_named_layers_when_a_list_is_given(make_model: MakeModel) -> None:
    assert build_student(make_model(layers=6), layers=[1, 6]).layer_map == [(1, 1), (2, 6)]


@pytest.mark.parametrize(
    ("keep", "layers", "kept"),
    [("first", 2, [1, 2]), ("last", 2, [5, 6]), ("alternate", 2, [4, 6]), ([2, 3], 2, [2, 3]), ([2, 3], None, [2, 3])],
)
def test_map_follows_the_rule_when_one_is_given(
    make_model: MakeModel, keep: Any, layers: int | None, kept: list[int]
) -> None:
    student = build_student(make_model(layers=6), layers=layers, keep=keep)
    assert [teacher_layer for _, teacher_layer in student.layer_map] == kept


def test_all_layers_are_kept_when_none_are_named(make_model: MakeModel) -> None:
    student = build_student(make_model(layers=3))
    assert student.layer_map == [(1, 1), (2, 2), (3, 3)]
    assert student.vocabulary is None and student.processing_class is None


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_embeddings_head_and_labels_are_the_teachers_when_cut(make_model: MakeModel, kind: str) -> None:
    teacher = make_model(layers=4, kind=kind, labels=("no", "yes"))
    student = build_student(teacher, layers=2).model
    theirs = teacher.state_dict()
    outside = {name: value for name, value in student.state_dict().items() if ".layer." not in name}
    assert len(outside) > 5
    assert all(torch.equal(value, theirs[name]) for name, value in outside.items())
    assert student.config.id2label == {0: "no", 1: "yes"}
    assert student.config.label2id == {"no": 0, "yes": 1}


def test_every_parameter_can_be_trained_when_the_teachers_cannot(make_model: MakeModel) -> None:
    tokenizer = tiny_tokenizer("t5")
    teacher = make_model(layers=2, vocab=len(tokenizer)).requires_grad_(False)
    student = build_student(teacher, tokenizer, layers=1, feed_forward=8, vocabulary=SMALL, texts=SHORT)
    assert all(parameter.requires_grad for parameter in student.model.parameters())


def test_range_is_named_when_there_are_not_that_many_layers(make_model: MakeModel) -> None:
    with pytest.raises(UserError, match="student: layers 3 is out of range: the teacher has 2 layers, keep 1 to 2"):
        build_student(make_model(layers=2), layers=3)


@pytest.fixture(scope="module")
def student() -> Student:
    """A student with fewer and narrower layers and a smaller vocabulary."""
    tokenizer = tiny_tokenizer("xlm-roberta")
    return build_student(
        classifier_for("xlm-roberta", tokenizer),
        tokenizer,
        layers=2,
        feed_forward=24,
        vocabulary=SMALL,
        texts=SHORT,
    )


def test_all_cuts_are_made_when_all_are_named(student: Student) -> None:
    assert student.layer_map == [(1, 2), (2, 4)]
    assert student.processing_class is not None and len(student.processing_class) == 1100
    state = student.model.state_dict()
    assert state["roberta.embeddings.word_embeddings.weight"].shape == (1100, 16)
    assert state["roberta.encoder.layer.1.intermediate.dense.weight"].shape == (24, 16)
    assert "roberta.encoder.layer.2.output.dense.weight" not in state


def test_heads_are_cut_too_when_the_family_allows_it(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer("qwen2")
    teacher = classifier_for("qwen3", tokenizer)
    student = build_student(teacher, tokenizer, layers=1, heads=2, feed_forward=8, vocabulary=SMALL, texts=SHORT)
    student.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert loaded.config.num_attention_heads == 2
    assert loaded.get_input_embeddings().weight.shape == (1100, 16)


def test_folder_says_the_same_when_loaded_without_xlkd(student: Student, tmp_path: Path) -> None:
    student.save_pretrained(tmp_path)
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(tmp_path),
        AutoTokenizer.from_pretrained(tmp_path),
    )
    texts = [text[:40] for language in ("en", "am", "ar") for text in texts_of(language)[:5]]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=36, return_tensors="pt")
    with torch.no_grad():
        expected = student.model.eval()(**batch).logits
        assert torch.equal(model.eval()(**batch).logits, expected)


def test_folder_answers_texts_when_loaded_by_a_pipeline(student: Student, tmp_path: Path) -> None:
    student.save_pretrained(tmp_path)
    classify = pipeline("text-classification", str(tmp_path), device="cpu")
    answers = classify(["keycap: 1", "日文的", "☃"], truncation=True, max_length=36)
    assert {answer["label"] for answer in answers} <= set(student.model.config.id2label.values())
    assert len(answers) == 3


def test_teacher_and_tokenizer_are_as_they_were_when_all_is_cut() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    teacher = classifier_for("xlm-roberta", tokenizer)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    config, ids = teacher.config.to_dict(), tokenizer.get_vocab()
    build_student(teacher, tokenizer, layers=1, feed_forward=8, vocabulary=SMALL, texts=SHORT)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert teacher.config.to_dict() == config
    assert tokenizer.get_vocab() == ids


def test_only_named_languages_are_counted_when_there_is_text_of_more() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    vocabulary = VocabularyArguments(languages=["en"], max_unknown_rise=1.0)
    student = build_student(
        classifier_for("bert", tokenizer), tokenizer, vocabulary=vocabulary, texts=training_text() | {"km": ["ខ្មែរ"]}
    )
    assert student.vocabulary is not None
    kept = student.vocabulary.processing_class.get_vocab().keys()
    assert not any("ខ" in piece for piece in kept)
    assert student.vocabulary.languages["km"].unknown > 0


def test_language_that_is_not_counted_must_be_readable_when_the_run_has_it() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    with pytest.raises(UserError, match="unknown pieces rises in km .* km was not counted: name it in `languages`"):
        build_student(
            classifier_for("bert", tokenizer),
            tokenizer,
            vocabulary=VocabularyArguments(languages=["en"], max_unknown_rise=0.3),
            texts={"en": training_text()["en"], "km": ["ខ្មែរ"]},
        )


def test_any_architecture_has_its_vocabulary_trimmed_when_no_layer_is_cut() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 16, "embedding_size": 8, "num_attention_heads": 2}
    teacher = AlbertForSequenceClassification(AlbertConfig(**sizes, intermediate_size=16, num_hidden_layers=2))
    student = build_student(teacher, tokenizer, vocabulary=SMALL, texts=SHORT)
    assert student.model.get_input_embeddings().num_embeddings == len(student.processing_class)
    assert student.layer_map == [(1, 1), (2, 2)]
    assert student.report((teacher, tokenizer), SHORT).student.parameters == student.model.num_parameters()


def test_tokenizer_is_refused_when_the_model_has_fewer_rows() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    teacher = classifier_for("bert", tokenizer)
    teacher.resize_token_embeddings(len(tokenizer) - 5)
    with pytest.raises(UserError, match=f"has {len(tokenizer)} pieces, but the model only {len(tokenizer) - 5} rows"):
        build_student(teacher, tokenizer, vocabulary=SMALL, texts=SHORT)


def test_language_is_named_when_there_is_no_text_of_it() -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    student = Student(classifier_for("bert", tokenizer), tokenizer, [])
    with pytest.raises(UserError, match="no text of sw to count"):
        with_vocabulary(student, VocabularyArguments(languages=["en", "sw"]), training_text())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"vocabulary": SMALL}, "vocabulary is chosen by what the languages' text uses, but no tokenizer was given"),
        ({"feed_forward": 8}, "heads and feed_forward are chosen .* but no tokenizer was given"),
        ({"vocabulary": SMALL, "processing_class": True}, "vocabulary is chosen .* but no text was given"),
        ({"heads": 1, "processing_class": True, "texts": {}}, "heads and feed_forward are .* but no text was given"),
    ],
)
def test_what_is_missing_is_named_when_something_is_chosen_by_text(
    make_model: MakeModel, options: dict[str, Any], match: str
) -> None:
    if options.get("processing_class"):
        options = options | {"processing_class": tiny_tokenizer("bert")}
    with pytest.raises(UserError, match=match):
        build_student(make_model(), **options)
