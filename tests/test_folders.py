"""Folders that appear whole or not at all."""

from pathlib import Path

import pytest

from xlkd.errors import UserError
from xlkd.folders import free_bytes, replace_folder, user_cache, write_json, write_text


def fill(text: str, folder: Path) -> None:
    """Write one file."""
    (folder / "file").write_text(text)


def test_cache_is_where_xlkd_cache_says_when_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLKD_CACHE", "~/somewhere")
    assert user_cache() == Path.home() / "somewhere"


def test_cache_is_in_the_users_cache_when_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLKD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert user_cache() == Path("/elsewhere/xlkd")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path.home() / ".cache" / "xlkd"


def test_folder_is_made_when_there_was_none(tmp_path: Path) -> None:
    replace_folder(tmp_path / "deep" / "new", lambda folder: fill("one", folder))
    assert (tmp_path / "deep" / "new" / "file").read_text() == "one"


def test_old_folder_goes_when_a_new_one_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "old").touch()
    replace_folder(tmp_path / "new", lambda folder: fill("two", folder))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_folder_of_another_process_stays_when_it_is_as_good(tmp_path: Path) -> None:
    replace_folder(tmp_path / "new", lambda folder: fill("one", folder))
    replace_folder(tmp_path / "new", lambda folder: fill("two", folder), stays=Path.exists)
    assert (tmp_path / "new" / "file").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_old_folder_stays_when_writing_fails(tmp_path: Path) -> None:
    replace_folder(tmp_path / "kept", lambda folder: fill("one", folder))

    def fail(folder: Path) -> None:
        fill("half", folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace_folder(tmp_path / "kept", fail)
    assert (tmp_path / "kept" / "file").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_full_disk_is_explained_when_writing_fails(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"kept cannot be written: No space left on device\. Free some space"):
        replace_folder(tmp_path / "kept", fail)


def test_reason_is_named_when_the_parent_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        replace_folder(tmp_path / "file" / "new", lambda folder: fill("one", folder))


def test_text_replaces_the_old_when_written(tmp_path: Path) -> None:
    for text in ("ሰላም", "second"):
        write_text(tmp_path / "file", text)
        assert (tmp_path / "file").read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_json_is_written_as_people_read_it_when_its_folder_is_not_there_yet(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "new" / "file.json", {"am": "ሰላም"})
    assert (tmp_path / "deep" / "new" / "file.json").read_text(encoding="utf-8") == '{\n  "am": "ሰላም"\n}\n'
    assert [path.name for path in (tmp_path / "deep" / "new").iterdir()] == ["file.json"]


def test_json_is_written_by_the_options_when_some_are_given(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", tmp_path / "ሰላም", default=lambda path: path.name, ensure_ascii=True)
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == '"\\u1230\\u120b\\u121d"\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", float("nan"), allow_nan=False)


def test_free_space_is_that_of_the_parent_when_the_folder_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
