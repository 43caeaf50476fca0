"""Language codes, and the facts about the languages behind them."""

import hashlib
import json

import pytest

from xlkd.errors import UserError
from xlkd.languages import DATA_FOLDER, check_code, check_language, english_name, resource_class, script_of
from xlkd.quickstart.cldr import languages

SIB_200 = "en ar de es fr hi ja ko ru tr vi zh am ha ig km lo mn my ne ps qu rw sd si so sw ug wo yo zu"  # 30 targets


@pytest.mark.parametrize(
    "language", ["sw", "yue", "zh-Hant", "pt-BR", "uz-Cyrl", "es-419", "zh-Hant-TW", "ca-valencia"]
)
def test_language_is_returned_when_it_is_bcp_47(language: str) -> None:
    assert check_language(language) == language


@pytest.mark.parametrize(
    "language", ["swahili", "", "s", "../etc", "sw/", "zh_Hant", "swh_Latn", "sw ", "sw\n", 5, None]
)
def test_language_is_refused_when_it_is_another_thing(language: object) -> None:
    with pytest.raises(UserError) as caught:
        check_language(language)
    assert repr(language) in str(caught.value)
    assert "write sw, zh-Hant or pt-BR" in str(caught.value)


@pytest.mark.parametrize("code", ["swh_Latn", "sw", "zho-Hans", "2"])
def test_code_is_returned_when_it_is_a_word(code: str) -> None:
    assert check_code(code) == code


@pytest.mark.parametrize("code", ["", "../x", "a b", "swh_", 5, None])
def test_code_is_refused_when_it_could_leave_its_folder(code: object) -> None:
    with pytest.raises(UserError, match="only letters, digits, '-' and '_': write swh_Latn"):
        check_code(code)


def test_facts_are_known_of_every_language_of_the_quickstart_and_of_sib_200() -> None:
    codes = {*languages(), *SIB_200.split()}
    assert len(codes) >= 124
    assert [code for code in codes if english_name(code) == code or script_of(code) is None] == []
    assert [code for code in codes if resource_class(code) is None] == []


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        (5, "ar de en es fr ja zh"),
        (4, "ca cs eu fa fi hi hr hu it ko nl pl pt ru sr sv tr vi"),
        (3, "af arz be bg bn bs ceb da el et gl he id ka kk la lt lv ms ro sk sl ta th tl uk ur uz"),
        (2, "am ga ha ht is kok lah lo mr mt pa sa sw ti tn wo xh yo zu"),
        (1, "ig my rw so te ug tet kbp chm"),
        (0, "quc shn pcm bem kr"),
    ],
)
def test_resource_class_is_the_one_of_the_list(number: int, codes: str) -> None:
    assert {code: resource_class(code) for code in codes.split()} == dict.fromkeys(codes.split(), number)


def test_resource_class_is_the_highest_when_the_list_names_a_language_twice() -> None:
    # haitian 2 and haitian creole 0; sesotho 1 and southern sotho 0.
    assert (resource_class("ht"), resource_class("st")) == (2, 1)


def test_resource_class_is_unknown_when_the_list_has_no_such_language() -> None:
    assert (resource_class("tlh"), resource_class("xx")) == (None, None)


@pytest.mark.parametrize(
    ("language", "script"),
    [
        ("sw", "Latn"),
        ("am", "Ethi"),
        ("ja", "Jpan"),
        ("zh", "Hans"),
        ("zh-TW", "Hant"),
        ("zh-tw", "Hant"),
        ("sr", "Cyrl"),
        ("sr-ME", "Latn"),
        ("sr-Cyrl-ME", "Cyrl"),
        ("pa-PK", "Arab"),
        ("uz-cyrl", "Cyrl"),
        ("pt-BR", "Latn"),
        ("ca-valencia", "Latn"),
        ("xx", None),
    ],
)
def test_script_is_the_one_in_the_code_else_the_likely_one(language: str, script: str | None) -> None:
    assert script_of(language) == script


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("yo", "Yoruba"),
        ("PT-br", "Brazilian Portuguese"),
        ("sr-Latn", "Serbian (Latin)"),
        ("zh-Hant-HK", "Traditional Chinese (Hong Kong SAR China)"),
        ("ca-valencia", "Catalan (valencia)"),
        ("xx", "xx"),
        ("xx-Latn", "xx-Latn"),
    ],
)
def test_name_says_all_of_the_code(language: str, name: str) -> None:
    assert english_name(language) == name


def test_facts_are_the_files_that_the_manifest_names() -> None:
    manifest = json.loads((DATA_FOLDER / "MANIFEST.json").read_text(encoding="utf-8"))
    assert len(manifest["files"]) == 2
    for name, expected in manifest["files"].items():
        assert hashlib.sha256((DATA_FOLDER / name).read_bytes()).hexdigest() == expected
