"""The build script of the facts about languages, on two tiny archives."""

import io
import json
import runpy
import tarfile
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
LIKELY = {"sr": "sr-Cyrl-RS", "sr-ME": "sr-Latn-ME", "sr-RS": "sr-Cyrl-RS", "und": "en-Latn-US", "mhr": "mhr-Cyrl-RU"}
NAMES = {"languages": {"sr": "Serbian", "sr-alt-long": "x"}, "scripts": {"Latn": "Latin"}, "territories": {"ME": "M"}}


def archive(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            data = json.dumps(content).encode()
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(SCRIPTS)
    return runpy.run_path(str(SCRIPTS / "build_language_data.py"))


def build(script: dict[str, Any], folder: Path, classes: str) -> list[str]:
    core = archive(folder / "core.tgz", {"LICENSE": "one", "supplemental/likelySubtags.json": supplemental()})
    files = {f"main/en/{kind}.json": main(kind) for kind in NAMES}
    names = archive(folder / "names.tgz", files)
    (folder / "classes.csv").write_text(classes, encoding="utf-8")
    script["build"](core, names, folder / "classes.csv", folder / "out")
    return (folder / "out" / "languages.tsv").read_text(encoding="utf-8").splitlines()


def supplemental() -> dict[str, Any]:
    return {"supplemental": {"likelySubtags": LIKELY}}


def main(kind: str) -> dict[str, Any]:
    return {"main": {"en": {"localeDisplayNames": {kind: NAMES[kind]}}}}


def test_table_has_one_line_for_each_code_when_built(script: dict[str, Any], tmp_path: Path) -> None:
    lines = build(script, tmp_path, "# a comment\nserbian,0\nserbian,4\nmeadow mari,1\n")
    assert lines == [
        "code\tname\tscript\tclass",
        "Latn\tLatin\t\t",
        "ME\tM\t\t",
        "chm\t\t\t1",
        "mhr\t\tCyrl\t1",
        "sr\tSerbian\tCyrl\t4",
        "sr-ME\t\tLatn\t",
    ]


def test_build_stops_when_a_language_of_the_list_has_no_code(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="'klingonish' of lang2tax.csv is no English name of CLDR"):
        build(script, tmp_path, "klingonish,0\n")


def test_archive_is_refused_when_it_is_another(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has SHA-256"):
        script["check"](script["CORE"], archive(tmp_path / "core.tgz", {}))
