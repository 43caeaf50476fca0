"""What holds of a trimmed tokenizer whatever the text is, kind by kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tokenizers import BUILDERS, all_texts
from tokenizers import pre_tokenizers
from trimmed_tokenizers import Trim, trim

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None)
ALPHABETS = {
    "latin": "abcdefghijklmnopqrstuvwxyzABCDEFẹọṣàéîñőđư\u0301\u0323",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяЁ",
    "ethiopic": "ሀለሐመሠረሰቀበተኀነአከወዐዘየደገጠጰጸፀፈፐ፡።",
    "khmer": "កខគឃងចឆជឈញាិីឹឺុូ្៎។",
    "devanagari": "कखगघचछजझटठडढणतथदधनपािीुूेैोौ्ंः।",
    "cjk": "的一是不了人我在有他这中大来上国。，「」カナかな한글",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويًٌٍَُ،؟",
    "marks": "0123456789٣४៥.,;:!?()[]{}<>-–—'\"“”%&@#/\\|_~^`$€+=*",
    "emoji": "😀🦄👩🏽‍💻🇰🇪❤️☃\u200d\ufe0f",
    "spaces": " \t\n\u00a0\u200b▁",
}
# Text of any characters, but for halves of surrogate pairs, which no file can hold.
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SCRIPTS = st.sampled_from(sorted(ALPHABETS)).flatmap(lambda name: st.text(ALPHABETS[name], min_size=1, max_size=8))
WORDS = sorted({word for text in all_texts() for word in text.split()})
TEXTS = st.one_of(
    ANYTHING,
    st.lists(SCRIPTS, max_size=8).map(" ".join),
    st.lists(SCRIPTS, max_size=8).map("".join),
    st.lists(st.one_of(st.sampled_from(WORDS), SCRIPTS), max_size=6).map(" ".join),
)


def agrees(pair: Trim, text: str) -> bool:
    """Assert what must hold of a text; whether all its pieces are kept."""
    old, new = pair.before.encode(text), pair.after.encode(text)
    assert all(0 <= index < len(pair.kept) for index in new)
    known = set(pair.kept) - {pair.before.unk_token_id}
    if not known.issuperset(pair.before.encode(text, add_special_tokens=False)):
        return False
    assert pair.old(new) == old
    for skip in (False, True):
        assert pair.after.decode(new, skip_special_tokens=skip) == pair.before.decode(old, skip_special_tokens=skip)
    return True


@pytest.mark.parametrize("kind", BUILDERS)
def test_ids_and_round_trip_agree_when_texts_are_of_any_kind(kind: str) -> None:
    pair = trim(kind)

    @SETTINGS
    @given(TEXTS)
    def check(text: str) -> None:
        agrees(pair, text)

    check()


@pytest.mark.parametrize("kind", BUILDERS)
def test_cuts_are_the_old_ones_when_texts_are_made_of_kept_pieces(kind: str) -> None:
    pair = trim(kind)
    # Pieces as they stand in text: without marks of word beginnings, bytes as characters; parts of characters left out.
    surfaces = [pair.before.decode([index]).strip().removeprefix("##") for index in pair.kept]
    made_of = sorted({surface for surface in surfaces if surface and "\ufffd" not in surface})
    pieces = st.lists(st.sampled_from(made_of), min_size=1, max_size=6)
    compared = []

    @SETTINGS
    @given(st.one_of(pieces.map(" ".join), pieces.map("".join)))
    def check(text: str) -> None:
        compared.append(agrees(pair, text))

    check()
    assert sum(compared) >= 10


def test_every_character_of_unicode_can_be_read_back_when_pieces_are_bytes() -> None:
    pair = trim("gpt2")
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    assert alphabet <= set(pair.after.get_vocab())

    @SETTINGS
    @given(ANYTHING)
    def check(text: str) -> None:
        assert pair.after.decode(pair.after.encode(text)) == text

    check()
