"""The embedded data set: what each role gives, what is refused, and that the package data is whole."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from xlkd.errors import UserError
from xlkd.quickstart import cldr
from xlkd.quickstart.cldr import DATA_FOLDER, LABELS, MANIFEST_FILE, languages, load_cldr

# English; eleven with many resources; eighteen with few.
DEFAULT_LANGUAGES = [
    "en",
    *("de", "fr", "es", "ru", "tr", "ar", "hi", "zh", "ja", "ko", "vi"),
    *("sw", "am", "yo", "ha", "zu", "so", "ne", "si", "km"),
    *("my", "lo", "mn", "ug", "ps", "sd", "qu", "wo", "rw"),
]
MANIFEST = json.loads((DATA_FOLDER / MANIFEST_FILE).read_text(encoding="utf-8"))


@pytest.fixture
def own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package data that a test may damage."""
    folder = tmp_path / "cldr"
    shutil.copytree(DATA_FOLDER, folder)
    monkeypatch.setattr(cldr, "DATA_FOLDER", folder)
    _forget()
    yield folder
    _forget()


def _forget() -> None:
    cldr._emoji.cache_clear()
    cldr._annotations.cache_clear()


def test_package_data_is_complete_when_listed() -> None:
    licences = {package["licence_file"]: package["licence"] for package in MANIFEST["packages"]}
    assert licences == {"LICENSE-unicode.txt": "Unicode-3.0", "LICENSE-emojibase.txt": "MIT"}
    assert set(MANIFEST["files"]) == {"emoji.parquet", "annotations.parquet", *licences}
    assert {path.name for path in DATA_FOLDER.iterdir()} == {MANIFEST_FILE, *MANIFEST["files"]}


@pytest.mark.parametrize("name", MANIFEST["files"])
def test_checksum_matches_when_recomputed(name: str) -> None:
    assert hashlib.sha256((DATA_FOLDER / name).read_bytes()).hexdigest() == MANIFEST["files"][name]


def test_package_data_is_small_when_measured() -> None:
    assert sum(path.stat().st_size for path in DATA_FOLDER.iterdir()) < 3_700_000


def test_languages_are_all_there_when_listed() -> None:
    assert len(languages()) == MANIFEST["counts"]["languages"] == 124
    assert set(DEFAULT_LANGUAGES) <= set(languages())
    assert languages() == sorted(set(languages()))


@pytest.mark.parametrize(
    ("role", "language", "columns", "rows"),
    [
        ("labelled", "en", ["emoji", "text", "label"], 540),
        ("validation", "en", ["emoji", "text", "label"], 100),
        ("unlabelled", "en", ["emoji", "text"], 540),
        ("unlabelled", "sw", ["emoji", "text"], 540),
        ("unlabelled", "wo", ["emoji", "text"], 451),
        ("parallel", "sw", ["emoji", "text", "teacher_text"], 540),
        ("evaluation", "sw", ["emoji", "text", "label"], 399),
    ],
)
def test_role_has_its_columns_and_rows_when_loaded(role: str, language: str, columns: list[str], rows: int) -> None:
    dataset = load_cldr(role, language)
    assert dataset.column_names == columns
    assert len(dataset) == rows
    assert all(all(row.values()) for row in dataset)


def test_transfer_rows_add_up_when_counted_over_the_default_languages() -> None:
    # 30 x 540 less what Uyghur (100), Wolof (89) and Kinyarwanda (100) do not annotate.
    assert sum(len(load_cldr("parallel", language)) for language in DEFAULT_LANGUAGES) == 15_911


def test_labels_are_group_names_when_loaded() -> None:
    assert set(load_cldr("labelled", "en")["label"]) == set(LABELS)


def test_rows_are_translations_when_parallel() -> None:
    english = dict(zip(load_cldr("unlabelled", "en")["emoji"], load_cldr("unlabelled", "en")["text"], strict=True))
    parallel = load_cldr("parallel", "wo")
    assert [english[emoji] for emoji in parallel["emoji"]] == parallel["teacher_text"]
    assert parallel["text"] != parallel["teacher_text"]


def test_text_is_name_then_other_keywords_when_read() -> None:
    rows = dict(zip(load_cldr("evaluation", "en")["emoji"], load_cldr("evaluation", "en")["text"], strict=True))
    assert rows["5⃣"] == "keycap: 5, 5, five, keycap"


def test_no_labelled_or_evaluation_emoji_is_in_transfer_when_loaded() -> None:
    kept_apart = {
        *load_cldr("labelled", "en")["emoji"],
        *load_cldr("validation", "en")["emoji"],
        *(emoji for language in DEFAULT_LANGUAGES for emoji in load_cldr("evaluation", language)["emoji"]),
    }
    assert len(kept_apart) == 540 + 100 + 400
    for language in DEFAULT_LANGUAGES:
        assert kept_apart.isdisjoint(load_cldr("unlabelled", language)["emoji"])
        assert kept_apart.isdisjoint(load_cldr("parallel", language)["emoji"])


@pytest.mark.parametrize("role", ["labelled", "validation"])
def test_labels_are_refused_when_the_language_is_not_english(role: str) -> None:
    with pytest.raises(UserError, match=f'"{role}" in the language "sw".*zero-shot.*use the language "en"'):
        load_cldr(role, "sw")


@pytest.mark.parametrize(
    ("language", "nearest"), [("swh", "sw"), ("en_US", "en"), ("zh-hant", "zh-Hant"), ("yo-NG", "yo")]
)
def test_unknown_language_is_refused_with_the_nearest_when_misspelt(language: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f'"{language}" is not in .*did you mean "{nearest}"'):
        load_cldr("unlabelled", language)


def test_unknown_role_is_refused_with_the_nearest_when_misspelt() -> None:
    with pytest.raises(UserError, match='"labeled" is not one .*did you mean "labelled"'):
        load_cldr("labeled", "en")


def test_damaged_table_is_refused_when_its_checksum_differs(own_copy: Path) -> None:
    table = own_copy / "emoji.parquet"
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"emoji\.parquet has SHA-256 .* reinstall xlkd\.$"):
        load_cldr("labelled", "en")


def test_missing_table_is_refused_when_the_installation_is_incomplete(own_copy: Path) -> None:
    (own_copy / "annotations.parquet").unlink()
    with pytest.raises(UserError, match=r"incomplete .*annotations\.parquet.*reinstall xlkd\.$"):
        languages()
