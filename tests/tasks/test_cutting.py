"""Texts cut into words, and words into the pieces of readers that do not agree."""

import pytest

from xlkd.errors import UserError
from xlkd.tasks.cutting import CutText, agreed_words, cut_texts, found_words, given_words, token_spans


def words_in(text: str) -> list[str]:
    return [text[start:end] for start, end in found_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Habari za asubuhi", ["Habari", "za", "asubuhi"]),
        ("“Habari, dunia!”", ["“", "Habari", ",", "dunia", "!", "”"]),
        ("U.S. 2,000 don't", ["U.S", ".", "2,000", "don't"]),
        ("...", [".", ".", "."]),
        ("我爱北京 (2020年)", ["我", "爱", "北", "京", "(", "2020", "年", ")"]),
        ("នៅកម្ពុជា។ ok", ["នៅ", "ក", "ម្", "ពុ", "ជា", "។", "ok"]),
        ("ላይ ነበር።", ["ላይ", "ነበር", "።"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_running_text_is_cut_at_spaces_and_punctuation_and_letters_of_scripts_without(text, words) -> None:
    assert words_in(text) == words


def test_words_stay_as_they_are_when_the_text_was_split_before() -> None:
    text = "U.S. -- (a)b"
    assert [text[start:end] for start, end in given_words(text)] == ["U.S.", "--", "(a)b"]


def reading(*visible) -> CutText:
    return CutText({}, list(visible))


def test_words_are_joined_when_a_token_reaches_over_their_border() -> None:
    letters = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6)]
    one, other = reading((0, 2), (2, 3), (3, 4), (5, 6)), reading(None, (0, 1), (1, 3), (3, 4), (5, 6), None)
    assert agreed_words(letters, [one]) == [(0, 2), (2, 3), (3, 4), (5, 6)]
    assert agreed_words(letters, [other]) == [(0, 1), (1, 3), (3, 4), (5, 6)]
    # Neither border inside the first three letters is one for both.
    assert agreed_words(letters, [one, other]) == [(0, 3), (3, 4), (5, 6)]
    assert agreed_words([], [one]) == []


def test_tokens_of_a_word_are_those_that_begin_in_it() -> None:
    words = [(0, 3), (4, 9), (9, 10)]
    assert token_spans(words, [None, (0, 3), (4, 6), (6, 9), (9, 10), None]) == [(1, 2), (2, 4), (4, 5)]
    # Cut off in the second word, and the last is not there.
    assert token_spans(words, [None, (0, 3), (4, 6), None]) == [(1, 2), (2, 3), None]
    # The tokenizer drops the first word.
    assert token_spans(words, [None, (4, 9), (9, 10)]) == [None, (1, 2), (2, 3)]


def test_tokens_say_where_they_are_when_pieces_begin_with_a_space(tokenizer, words) -> None:
    text = f"{words['en'][0]}  {words['en'][1]}"
    (cut,) = cut_texts(tokenizer, [text], 64)
    assert [span and text[slice(*span)] for span in cut.visible] == [None, *text.split(), None]
    assert len(cut.inputs["input_ids"]) == 4
    (short,) = cut_texts(tokenizer, [text], 3)
    assert len(short.visible) == 3


def test_tokenizer_is_refused_when_it_does_not_know_where_its_tokens_are(tokenizer, monkeypatch) -> None:
    monkeypatch.setattr(type(tokenizer), "is_fast", property(lambda self: False))
    with pytest.raises(UserError, match="does not say where in a text its tokens are.*use one that is fast"):
        cut_texts(tokenizer, ["a"], 8)
