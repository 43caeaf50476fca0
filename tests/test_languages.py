"""Language codes."""

import pytest

from xlkd.errors import UserError
from xlkd.languages import check_code, check_language


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
