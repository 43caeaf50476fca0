"""The build script, on two tiny archives."""

import io
import json
import runpy
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_quickstart_data.py"
GROUPS = {"groups": {"0": "smileys-emotion", "2": "component", "9": "flags"}}
EMOJI = [
    {"emoji": "😀", "group": 0},
    {"emoji": "❤\ufe0f", "group": 0},
    {"emoji": "🏁", "group": 9},
    {"emoji": "🏻", "group": 2},
    {"emoji": "🄰"},
]
ENGLISH = {
    "😀": {"tts": ["grinning face"], "default": ["face", "grinning face", "smile"]},
    "❤": {"tts": ["red heart"], "default": ["love"]},
    "🏁": {"tts": ["flag"], "default": ["race"]},
}
PORTUGUESE = {"❤": {"default": ["amor", "coração"]}}


def _archive(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            data = json.dumps(content).encode()
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Build into a folder of that name; one annotated emoji is enough for a language."""
    annotations = {
        f"annotations/{language}/annotations.json": {"annotations": {"annotations": entries}}
        for language, entries in {"en": ENGLISH, "pt": PORTUGUESE}.items()
    }
    inherits_everything: dict[str, Any] = {"annotations/und/annotations.json": {"identity": {}}}
    cldr = _archive(tmp_path / "cldr.tgz", {"LICENSE": "one", **annotations, **inherits_everything})
    emojibase = _archive(
        tmp_path / "emojibase.tgz", {"LICENSE": "two", "meta/groups.json": GROUPS, "en/data.json": EMOJI}
    )
    monkeypatch.syspath_prepend(SCRIPT.parent)
    script = runpy.run_path(str(SCRIPT))
    script["read_texts"].__globals__["MINIMUM_ANNOTATED"] = 1

    def run(name: str) -> dict[str, Any]:
        counts: dict[str, Any] = script["build"](cldr, emojibase, tmp_path / name)
        return counts

    return run


def test_files_are_identical_when_built_twice(build: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    build("one")
    build("two")
    one, two = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())} for name in ("one", "two")
    )
    assert len(one) == 5
    assert one == two


def test_text_is_name_then_other_keywords_when_built(build: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    build("out")
    rows = pq.read_table(tmp_path / "out" / "annotations.parquet").to_pylist()
    assert [(row["language"], row["emoji"], row["text"]) for row in rows] == [
        ("en", "❤", "red heart, love"),
        ("en", "😀", "grinning face, face, smile"),
        ("pt", "❤", "amor, coração"),
    ]


def test_flags_and_components_are_left_out_when_built(build: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    counts = build("out")
    rows = pq.read_table(tmp_path / "out" / "emoji.parquet").to_pylist()
    assert {(row["emoji"], row["label"]) for row in rows} == {("❤", "smileys-emotion"), ("😀", "smileys-emotion")}
    assert (counts["languages"], counts["emoji"], counts["annotations"]) == (2, 2, 3)
