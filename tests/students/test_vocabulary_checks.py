"""What a vocabulary is verified on, and when it is refused."""

from typing import Any

import pytest
from tiny_classifiers import classifier_for, training_text
from tiny_tokenizers import LANGUAGES, texts_of, tiny_tokenizer
from transformers import ByT5Tokenizer

from xlkd.errors import UserError
from xlkd.students.choice import HELD_OUT_TEXTS, split_texts
from xlkd.students.vocabulary import TrimmedVocabulary, trim_vocabulary


def trimmed_to(kind: str, texts: dict[str, list[str]], **options: Any) -> TrimmedVocabulary:
    """A tokenizer of one kind, under a tiny model, trimmed by some text."""
    tokenizer = tiny_tokenizer(kind)
    return trim_vocabulary(classifier_for("bert", tokenizer), tokenizer, texts, **options)


def refusal(kind: str, texts: dict[str, list[str]], **options: Any) -> str:
    """The words in which a vocabulary is refused."""
    with pytest.raises(UserError) as caught:
        trimmed_to(kind, texts, **options)
    return str(caught.value)


def number_after(words: str, message: str) -> int:
    """The number that follows some words."""
    return int(message.split(words)[1].split()[0])


def with_hidden_script() -> dict[str, list[str]]:
    """English text, with texts in Khmer letters all of which happen to be held out."""
    hidden = split_texts({"km": texts_of("km")})[1]["km"]
    assert len(hidden) > 5
    return {"en": [*texts_of("en"), *hidden]}


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "sentencepiece-bpe-file", "wordlevel-file"])
def test_smallest_size_is_named_when_the_size_is_too_small(kind: str) -> None:
    message = refusal(kind, training_text(), size=10)
    assert message.startswith("student: vocabulary size 10 is too small: ")
    smallest = number_after("alone are ", message)
    assert len(trimmed_to(kind, training_text(), size=smallest, max_unknown_rise=1.0).kept) == smallest


def test_total_is_named_when_the_size_is_too_large() -> None:
    total = len(tiny_tokenizer("xlm-roberta"))
    message = refusal("xlm-roberta", training_text(), size=total)
    assert f"vocabulary size {total} does not trim the {total} pieces that there are: leave it out" in message


def test_language_is_named_when_it_has_no_text() -> None:
    assert "no text of sw to count" in refusal("bert", {"en": ["a"], "sw": []}, size=1000)
    assert "no text of sw to count" in refusal("bert", {"en": ["a"], "sw": []}, size=1000, languages=["en"])


def test_tokenizer_is_named_when_it_is_slow() -> None:
    tokenizer = ByT5Tokenizer()
    with pytest.raises(UserError, match="ByT5Tokenizer is no fast tokenizer: leave it out"):
        trim_vocabulary(classifier_for("bert", tokenizer), tokenizer, training_text(), size=300)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "sentencepiece-bpe-file"])
def test_size_that_is_named_does_when_too_much_would_be_unknown(kind: str) -> None:
    texts = training_text()
    smallest = number_after("alone are ", refusal(kind, texts, size=10))
    message = refusal(kind, texts, size=smallest, max_unknown_rise=0.0)
    assert "rises in am by " in message and ", zh by " in message and " en by " not in message
    size = number_after("A size of ", message)
    checks = trimmed_to(kind, texts, size=size, max_unknown_rise=0.0).languages
    assert all(check.unknown_rise <= 0 for check in checks.values())


def test_rise_is_allowed_when_the_bound_says_so() -> None:
    smallest = number_after("alone are ", refusal("bert", training_text(), size=10))
    rise = trimmed_to("bert", training_text(), size=smallest, max_unknown_rise=1.0).languages["zh"].unknown_rise
    assert 0.02 < rise < 0.5
    assert trimmed_to("bert", training_text(), size=smallest, max_unknown_rise=rise).languages["zh"].unknown > rise / 2
    assert "zh by" in refusal("bert", training_text(), size=smallest, max_unknown_rise=rise - 0.001)


def test_no_size_is_named_when_none_would_do() -> None:
    message = refusal("xlm-roberta", with_hidden_script(), size=1500)
    assert "rises in en by" in message and "No size would do" in message and "A size of" not in message


@pytest.mark.parametrize("options", [{"size": 1500}, {"coverage": 1.0}, {}])
def test_held_out_text_is_not_counted_when_trimmed(options: dict[str, Any]) -> None:
    tokenizer = tiny_tokenizer("xlm-roberta")
    trimmed = trimmed_to("xlm-roberta", with_hidden_script(), max_unknown_rise=1.0, **options)
    khmer = {piece for piece in tokenizer.get_vocab() if any("ក" <= character <= "៛" for character in piece)}
    assert len(khmer) > 50
    assert not khmer & set(trimmed.processing_class.get_vocab()) - {"។", "៛"}
    assert trimmed.languages["en"].unknown > trimmed.languages["en"].unknown_before


@pytest.mark.parametrize("language", LANGUAGES)
def test_language_can_be_trimmed_alone_when_it_has_text(language: str) -> None:
    check = trimmed_to("xlm-roberta", {language: texts_of(language)}, max_unknown_rise=0.05).languages[language]
    assert check.texts > 5
    assert check.unknown_rise <= 0.05


def test_texts_are_held_out_by_content_when_they_are_many() -> None:
    texts = {"en": [f"text {index}" for index in range(2000)]}
    counted, held_out = split_texts(texts)
    assert 150 < len(held_out["en"]) < 250
    assert sorted([*counted["en"], *held_out["en"]]) == sorted(texts["en"])
    again = split_texts({"en": texts["en"][::-1]})[1]["en"]
    assert set(again) == set(held_out["en"])


def test_held_out_texts_are_at_most_a_fixed_number_when_texts_are_many() -> None:
    counted, held_out = split_texts({"en": [f"text {index}" for index in range(8000)]})
    assert len(held_out["en"]) == HELD_OUT_TEXTS
    assert len(counted["en"]) == 8000 - HELD_OUT_TEXTS


def test_texts_count_once_when_they_stand_twice() -> None:
    counted, held_out = split_texts({"en": ["a", "b", "a", "c", "b"]})
    assert sorted({*counted["en"], *held_out["en"]}) == ["a", "b", "c"]
    assert len(counted["en"]) == len(set(counted["en"]))


@pytest.mark.parametrize("texts", [["b"], ["a", "c", "d"]])
def test_texts_are_verified_on_themselves_when_too_few(texts: list[str]) -> None:
    counted, held_out = split_texts({"en": texts})
    assert counted["en"] and held_out["en"]
