"""The embedded data set `xlkd:cldr`: name and keywords of emoji in 124 locales; the label is the emoji's group."""

import hashlib
import json
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from xlkd.errors import UserError

QUICKSTART_DATA = "xlkd:cldr"
"""What a run calls it."""

LABELS: tuple[str, ...] = (
    "smileys-emotion",
    "people-body",
    "animals-nature",
    "food-drink",
    "travel-places",
    "activities",
    "objects",
    "symbols",
)
"""The eight labels, in the order of the emoji groups."""

DATA_FOLDER = Path(__file__).parent / "cldr"
EMOJI_FILE = "emoji.parquet"
ANNOTATIONS_FILE = "annotations.parquet"
MANIFEST_FILE = "MANIFEST.json"
SOURCE_LANGUAGE = "en"


def languages() -> list[str]:
    """The locales of the embedded set, as BCP 47 codes in alphabetical order.

    Returns:
        `list[str]`: The codes.

    Raises:
        [`UserError`]: If the package data is damaged.

    Example:

    ```python
    >>> "sw" in languages()
    True
    ```
    """
    return sorted(pc.unique(_annotations()["language"]).to_pylist())


def load_cldr(role: str, language: str) -> datasets.Dataset:
    """One role of the embedded set in one language.

    Args:
        role (`str`): `labelled` or `validation` (English text with its label), `unlabelled` (text of the transfer
            families), `parallel` (the same, with the English text of each emoji as `teacher_text`), or `evaluation`
            (text with its label, test families).
        language (`str`): A code from [`languages`].

    Returns:
        `datasets.Dataset`: `emoji`, `text`, and `label` (the group's name) or `teacher_text` where the role has one.

    Raises:
        [`UserError`]: If the role or the language is unknown, if labels are asked for that the set does not give away,
            or if the package data is damaged.

    Example:

    ```python
    >>> load_cldr("parallel", "sw").column_names
    ['emoji', 'text', 'teacher_text']
    ```
    """
    if role not in _ROLES:
        raise UserError(
            f'The role "{role}" is not one of the embedded set: it has {", ".join(_ROLES)}; '
            f'did you mean "{_nearest(role, list(_ROLES))}"?'
        )
    if language not in languages():
        raise UserError(
            f'The language "{language}" is not in the embedded set: it has the {len(languages())} locales that '
            f'xlkd.quickstart.cldr.languages() lists; did you mean "{_nearest(language, languages())}"?'
        )
    return datasets.Dataset(_ROLES[role](language))


def _labelled(language: str) -> pa.Table:
    return _with_labels("labelled", _source_only("labelled", language))


def _validation(language: str) -> pa.Table:
    return _with_labels("validation", _source_only("validation", language))


def _evaluation(language: str) -> pa.Table:
    return _with_labels("test", language)


def _unlabelled(language: str) -> pa.Table:
    return _texts("transfer", language)


def _parallel(language: str) -> pa.Table:
    english = _texts("transfer", SOURCE_LANGUAGE).rename_columns(["emoji", "teacher_text"])
    return _texts("transfer", language).join(english, "emoji", join_type="inner").sort_by("emoji")


_ROLES: dict[str, Callable[[str], pa.Table]] = {
    "labelled": _labelled,
    "unlabelled": _unlabelled,
    "parallel": _parallel,
    "validation": _validation,
    "evaluation": _evaluation,
}


def _source_only(role: str, language: str) -> str:
    if language != SOURCE_LANGUAGE:
        raise UserError(
            f'The role "{role}" in the language "{language}" is not given away: the embedded set is zero-shot in the '
            f'strict sense, with labels in English only; use the language "{SOURCE_LANGUAGE}", or the role '
            f'"unlabelled", "parallel" or "evaluation".'
        )
    return language


def _texts(split: str, language: str) -> pa.Table:
    """`emoji` and `text` of one split in one language, in code-point order."""
    emoji = _emoji().filter(pc.field("split") == split)["emoji"]
    of_language = _annotations().filter(pc.field("language") == language)
    return of_language.filter(pc.is_in(of_language["emoji"], value_set=emoji)).select(["emoji", "text"])


def _with_labels(split: str, language: str) -> pa.Table:
    labels = _emoji().select(["emoji", "label"])
    return _texts(split, language).join(labels, "emoji", join_type="inner").sort_by("emoji")


@cache
def _emoji() -> pa.Table:
    return _read(EMOJI_FILE)


@cache
def _annotations() -> pa.Table:
    return _read(ANNOTATIONS_FILE)


def _read(name: str) -> pa.Table:
    """Read a table of the package data, after comparing it with the manifest."""
    try:
        expected = json.loads((DATA_FOLDER / MANIFEST_FILE).read_text(encoding="utf-8"))["files"][name]
        content = (DATA_FOLDER / name).read_bytes()
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"The embedded data set in {DATA_FOLDER} is incomplete ({error}): reinstall xlkd.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise UserError(
            f"{DATA_FOLDER / name} has SHA-256 {found} and not {expected} as its {MANIFEST_FILE} says: reinstall xlkd."
        )
    return pq.read_table(pa.BufferReader(content))


def _nearest(value: str, known: list[str]) -> str:
    """The known value that a person most likely meant: same spelling but for case, then longest shared beginning."""
    plain = value.replace("_", "-").lower()
    by_plain = {name.lower(): name for name in known}
    while plain and plain not in by_plain and "-" in plain:
        plain = plain.rpartition("-")[0]
    if plain not in by_plain:
        plain = get_close_matches(plain, by_plain, n=1, cutoff=0.0)[0]
    return by_plain[plain]
