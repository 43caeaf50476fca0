"""Folders that xlkd writes: the user's cache, and results that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xlkd.errors import UserError

RUN_FILE, STUDENT_FILE, OUTLOOK_FILE = "run.yaml", "student.json", "outlook.json"
"""What a run writes into its folder before it trains."""


def user_cache() -> Path:
    """The folder for what can be made again: `$XLKD_CACHE`, else `$XDG_CACHE_HOME/xlkd`, else `~/.cache/xlkd`."""
    if named := os.environ.get("XLKD_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xlkd"


def replace_folder(
    folder: Path, write: Callable[[Path], None], stays: Callable[[Path], bool] = lambda older: False
) -> None:
    """Write a folder beside its place and rename it, so that nobody ever reads half of it.

    Args:
        folder (`Path`): Where it goes; an older one there is replaced.
        write (`Callable[[Path], None]`): Fills the folder that it is given.
        stays (`Callable[[Path], bool]`, *optional*): Whether one that is there by then stays, as another process may
            have made the same one and be reading it. By default none does.

    Raises:
        [`UserError`]: If there is no space or no permission.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            write(new)
            if stays(folder):
                return
            if folder.exists():
                folder.rename(Path(scratch) / "old")
            new.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}. Free some space, or name another folder"
            " (XLKD_CACHE names the one for what is kept between runs)."
        ) from error


def write_json(path: Path, values: Any, **options: Any) -> None:
    """Write values as a JSON file under a temporary name and rename it.

    Args:
        path (`Path`): The file; its folder is made.
        values: What JSON can hold.
        options: As for `json.dumps`.
    """
    options = {"indent": 2, "ensure_ascii": False} | options
    write_text(path, json.dumps(values, **options) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it; its folder is made."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}-{os.getpid()}.tmp")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def hash_of_weights_in(folder: str | Path) -> str | None:
    """A hash of the weights that lie in a folder, by which scores are known to be of them; `None` where there are none.

    Args:
        folder (`str` or `Path`): The folder.
    """
    digest = hashlib.sha256()
    files = sorted(Path(folder).glob("model*.safetensors"))
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32] if files else None


def free_bytes(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
