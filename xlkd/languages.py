"""Language codes: how they are written, and how a wrong one is refused."""

import re

from xlkd.errors import UserError

# The part of BCP 47 that names a language, a script and a region or a variant: `de`, `zh-Hant`, `pt-BR`, `uz-Cyrl`.
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})*")
_CODE = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")


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
