"""Made-up words: which words they take the place of, and what they are made of."""

import random
import unicodedata

import pytest

from xlkd.data.made_up_words import with_made_up_words
from xlkd.text.letters import script_of_letters

SYLLABLES = [first + second for first in "bdgklmnrstw" for second in "aeiou"]
NAMES = ["".join(random.Random(seed).choices(SYLLABLES, k=3)) for seed in range(300)]
TEXTS = [f"the {name.capitalize()} sees the {other}" for name, other in zip(NAMES[::2], NAMES[1::2], strict=True)]


def made_of(text: str, *others: str, share: float = 1.0) -> list[str]:
    """The words of a text after some were made up, of it and of others."""
    return with_made_up_words([text, *others], share, "sw")[0].split(" ")


def test_words_are_ones_that_no_text_has_when_they_are_made_up() -> None:
    made = {word.lower() for text in with_made_up_words(TEXTS, 1.0, "sw") for word in text.split()}
    assert made & {word for text in TEXTS for word in text.lower().split()} == {"the", "sees"}


def test_word_begins_as_one_and_ends_as_another_when_it_is_made_up() -> None:
    made = {word for text in with_made_up_words(TEXTS, 1.0, "sw") for word in text.lower().split()} - {"the", "sees"}
    for word in made:
        cuts = range(1, len(word))
        assert any(
            any(name.startswith(word[:cut]) for name in NAMES) and any(name.endswith(word[cut:]) for name in NAMES)
            for cut in cuts
        ), word


def test_common_words_stay_when_others_are_made_up() -> None:
    made = with_made_up_words(TEXTS, 1.0, "sw")
    assert [[text.split()[place] for place in (0, 2, 3)] for text in made] == [["the", "sees", "the"]] * len(TEXTS)


def test_share_of_the_words_is_made_up_when_it_is_below_one() -> None:
    made = with_made_up_words(TEXTS, 0.3, "sw")
    changed = sum(
        own != other for pair in zip(TEXTS, made, strict=True) for own, other in zip(*map(str.split, pair), strict=True)
    )
    # 300 words, give or take three standard deviations.
    assert abs(changed / 300 - 0.3) < 3 * (0.3 * 0.7 / 300) ** 0.5


def test_capitals_are_as_before_when_words_are_made_up() -> None:
    small, title, capitals = made_of("kwanza Nairobi SHIRIKISHO")
    assert small.islower() and title.istitle() and capitals.isupper()


def test_punctuation_digits_and_short_words_stay_when_words_are_made_up() -> None:
    made = made_of("“Nairobi, 2024 na\u00a0UN", "Mombasa Kisumu")
    assert (made[0][0], made[0][-1], made[1:]) == ("“", ",", ["2024", "na\u00a0UN"])
    assert made[0] != "“Nairobi,"


def test_words_are_of_one_script_when_the_text_has_two() -> None:
    made = made_of("አዲስ Nairobi አበባ Mombasa ኢትዮጵያ Kisumu")
    assert list(map(script_of_letters, made)) == ["ETHIOPIC", "LATIN"] * 3


def test_marks_stay_on_their_letters_when_words_are_made_up() -> None:
    text = unicodedata.normalize("NFD", "Adélékè Ìbàdàn Ògúnléwé Ọ̀ríìṣà Abẹ́òkúta")
    own = {cluster.lower() for cluster in clusters(text)}
    assert {cluster.lower() for word in made_of(text) for cluster in clusters(word)} <= own


def clusters(text: str) -> list[str]:
    """Letters with their marks."""
    found: list[str] = []
    for character in text:
        if unicodedata.combining(character):
            found[-1] += character
        else:
            found.append(character)
    return found


@pytest.mark.parametrize("text", ["ភ្នំពេញ ជា រាជធានី", "曼谷是泰国的首都", "1996 - 22", ""])
def test_text_is_the_same_when_it_has_no_words_between_spaces(text: str) -> None:
    assert with_made_up_words([text], 1.0, "km") == [text]


def test_word_stays_when_all_that_could_be_made_is_known() -> None:
    # `aaa` alone is rare: of it come `aaa` and `aaaa`, and those are there.
    assert with_made_up_words(["aaaa aaaa aaa"], 1.0, "sw") == ["aaaa aaaa aaa"]


@pytest.mark.parametrize(
    "word",
    ["KwaZulu", "iPhone", "https://example.com/habari", "barua@gmail.com", "ng'ombe", "covid19", "Нairobi", "qurʼon"],
)
def test_word_stays_when_it_is_no_plain_word(word: str) -> None:
    assert made_of(f"Mombasa {word} Kisumu")[1] == word


def test_joined_letters_stay_together_when_words_are_made_up() -> None:
    text = "ප්\u200dරදේශය ලංකාව කොළඹ ශ්\u200dරීලංකා"
    made = " ".join(with_made_up_words([text, "ගාල්ල මාතර නුවර"], 1.0, f"si{seed}")[0] for seed in range(20))
    assert made.count("\u200d") == made.count("්\u200dර") > 0


def test_word_is_replaced_as_a_whole_when_a_joiner_is_in_it() -> None:
    made = made_of("می\u200cخواهم کتاب خوانده")
    assert len(made) == 3 and made[0] != "می\u200cخواهم"


def test_word_of_three_letters_is_replaced_when_it_is_rare() -> None:
    assert made_of("Ada Mombasa Kisumu")[0] != "Ada"


def test_words_are_new_when_the_text_writes_letters_in_two_ways() -> None:
    composed, decomposed = "Adéọlá Ọlálá Adé", unicodedata.normalize("NFD", "Adéọ Ọla Adélá Ọlá")
    known = set(f"{composed} {unicodedata.normalize('NFC', decomposed)}".split())
    for language in map(str, range(50)):
        made = with_made_up_words([composed, decomposed], 1.0, language)
        assert not known & set(unicodedata.normalize("NFC", " ".join(made)).split())


def test_word_is_common_when_it_is_more_than_one_in_two_thousand() -> None:
    words = ["".join(random.Random(seed).choices(SYLLABLES, k=5)) for seed in range(6000)]
    made = with_made_up_words([" ".join([*words, *["rarely"] * 3, *["oftener"] * 4])], 1.0, "sw")[0].split()
    assert "rarely" not in made and made.count("oftener") == 4


def test_words_are_the_same_when_they_are_made_on_another_machine() -> None:
    made = {
        language: with_made_up_words(["Rais Kenyatta alizuru Mombasa jana"], 0.5, language) for language in ("sw", "rw")
    }
    assert made == {"sw": ["Mosa Mbasa kenyatbasa Mombasa jana"], "rw": ["Rais Kenyatana raibasa Raiana alizururu"]}
