"""Language codes: how they are written, how a wrong one is refused, and what is known of the language behind one.

Names and scripts are those of Unicode CLDR, resource classes those of Joshi et al. (2020);
`language_data/MANIFEST.json` says from which files.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from xlkd.errors import UserError

# The part of BCP 47 that names a language, a script and a region or a variant: `de`, `zh-Hant`, `pt-BR`, `uz-Cyrl`.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})*")
_CODE = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")

DATA_FOLDER = Path(__file__).parent / "language_data"
FACTS_FILE = "languages.tsv"


def check_language(language: object) -> str:
    """Return a BCP 47 language code as given, or refuse it.

    A code becomes part of file names and metric names, so nothing else than a code may pass.

    Raises:
        [`UserError`]: If it is not such a code.

    Example:

    ```python
    >>> check_language("zh-Hant")
    'zh-Hant'
    ```
    """
    if not isinstance(language, str) or not is_language(language):
        raise UserError(f"{language!r} is not a language code of BCP 47: write sw, zh-Hant or pt-BR.")
    return language


def is_language(code: str) -> bool:
    """Whether a word is written as a language code of BCP 47."""
    return _LANGUAGE.fullmatch(code) is not None


def check_code(code: object) -> str:
    """Return a data set's own code of a language (`swh_Latn`) as given, or refuse it.

    Raises:
        [`UserError`]: If it has other characters than letters, digits, `-` and `_`.
    """
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise UserError(f"The code {code!r} under `codes` may have only letters, digits, '-' and '_': write swh_Latn.")
    return code


def resource_class(language: str) -> int | None:
    """How much data a language had in 2020: 5 (English, Spanish) down to 0 (hardly any), the class of Joshi et al.

    A language that their list has under several names has the highest of their classes.

    Args:
        language (`str`): A BCP 47 code; script and region do not matter.

    Returns:
        `int`, 0 to 5; `None` where the list does not name the language. See [The State and Fate of Linguistic
        Diversity and Inclusion in the NLP World](https://aclanthology.org/2020.acl-main.560).

    Example:

    ```python
    >>> [resource_class(language) for language in ("en", "sw", "yo-BJ", "quc")]
    [5, 2, 2, 0]
    ```
    """
    return next((fact.resource_class for fact in _known(language) if fact.resource_class is not None), None)


def script_of(language: str) -> str | None:
    """The script that a language is written in, by its ISO 15924 code: the one in the code, else the likely one.

    Args:
        language (`str`): A BCP 47 code.

    Returns:
        `str`, or `None` where CLDR does not say.

    Example:

    ```python
    >>> [script_of(language) for language in ("sw", "am", "zh", "zh-Hant", "zh-TW", "sr-Latn")]
    ['Latn', 'Ethi', 'Hans', 'Hant', 'Hant', 'Latn']
    ```
    """
    _, *rest = language.split("-")
    if rest and len(rest[0]) == 4 and rest[0].isalpha():
        return rest[0].capitalize()
    return next((fact.script for fact in _known(language) if fact.script), None)


def english_name(language: str) -> str:
    """The English name of a language, with what else its code says in brackets; the code where there is no name.

    Args:
        language (`str`): A BCP 47 code.

    Example:

    ```python
    >>> [english_name(language) for language in ("sw", "zh-Hant", "pa-Arab", "yo-BJ", "xx")]
    ['Swahili', 'Traditional Chinese', 'Punjabi (Arabic)', 'Yoruba (Benin)', 'xx']
    ```
    """
    named = next((code for code in _prefixes(_canonical(language)) if code in _facts() and _facts()[code].name), None)
    if named is None:
        return language
    rest = [tag for tag in _canonical(language)[len(named) :].split("-") if tag]
    details = [_facts()[tag].name if tag in _facts() else tag for tag in rest]
    return f"{_facts()[named].name} ({', '.join(details)})" if details else _facts()[named].name


class _Fact(NamedTuple):
    """A line of the table; the codes of scripts and territories have names alone."""

    name: str
    script: str
    resource_class: int | None


@cache
def _facts() -> dict[str, _Fact]:
    _, *lines = (DATA_FOLDER / FACTS_FILE).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return {code: _Fact(name, script, int(number) if number else None) for code, name, script, number in rows}


def _known(language: str) -> list[_Fact]:
    """What is known of a language in its region, then of the language, then of the language of all regions."""
    code, *rest = _canonical(language).split("-")
    regions = [tag for tag in rest if len(tag) == 2 or tag.isdigit()]
    return [_facts()[key] for key in (*(f"{code}-{region}" for region in regions), code) if key in _facts()]


def _prefixes(language: str) -> list[str]:
    tags = language.split("-")
    return ["-".join(tags[:length]) for length in range(len(tags), 0, -1)]


def _canonical(language: str) -> str:
    """The code in the case of BCP 47, whatever case a user writes."""
    code, *rest = language.split("-")
    cases = {4: str.capitalize, 2: str.upper}
    return "-".join([code.lower(), *(cases.get(len(tag), str.lower)(tag) for tag in rest)])
