"""Where a model or a data set comes from: its place, its revision and its licence, as far as anybody says."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from huggingface_hub import metadata_load
from huggingface_hub.errors import HFValidationError
from transformers.utils.hub import hf_api

from xlkd.arguments.run import numbered
from xlkd.errors import in_one_line
from xlkd.quickstart import cldr
from xlkd.quickstart.encoder import PACKAGE, PACKAGE_VERSION, QUICKSTART_ENCODER

logger = logging.getLogger(__name__)

RepoType = Literal["model", "dataset"]


@dataclass(frozen=True)
class Origin:
    """Where a model or a data set comes from.

    Args:
        name (`str`): What to call it: its Hub id, or the last part of a local path; the rest is nobody's business.
        repo (`str`, *optional*): Its Hub id, where it has one.
        revision (`str`, *optional*): The commit of the Hub, or the version of a package.
        licence (`str`, *optional*): Its licence, as it says itself.
    """

    name: str
    repo: str | None = None
    revision: str | None = None
    licence: str | None = None


_ENCODER_ORIGIN = Origin(
    QUICKSTART_ENCODER, "intfloat/multilingual-e5-small", f"{PACKAGE} {PACKAGE_VERSION}, 4 bits a weight", "mit"
)


def public_name(name: str) -> str:
    """What to call a model in public: its Hub id as it is, of a folder the last part of its path."""
    folder = Path(name).expanduser()
    return folder.resolve().name if folder.is_dir() else name


def public_names(names: Sequence[str]) -> str | None:
    """What to call several models in public, none of them after its path; `None` where there are none."""
    return " + ".join(numbered(list(map(public_name, names)))) or None


def model_origin(name: str, revision: str | None = None) -> Origin:
    """Find out where a model comes from.

    Args:
        name (`str`): Its Hub id, its folder, or `xlkd:e5-small`.
        revision (`str`, *optional*): The revision that was asked for.
    """
    if name == QUICKSTART_ENCODER:
        return _ENCODER_ORIGIN
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Origin(public_name(name), licence=_licence_in(folder))
    return _hub_origin(name, revision, "model")


def data_origin(path: str, revision: str | None = None, licence: str | None = None, local: bool = False) -> Origin:
    """Find out where the data of an entry come from.

    Args:
        path (`str`): The path of the entry: a file, a Hub id, or `xlkd:cldr`.
        revision (`str`, *optional*): The revision that was asked for.
        licence (`str`, *optional*): The licence that the user states.
        local (`bool`, *optional*, defaults to `False`): Whether the path is one of a file.
    """
    if path == cldr.QUICKSTART_DATA:
        return _cldr_origin()
    if local:
        return Origin(Path(path).name, licence=licence)
    found = _hub_origin(path, revision, "dataset")
    return Origin(found.name, found.repo, found.revision, licence or found.licence)


def _cldr_origin() -> Origin:
    packages = json.loads((cldr.DATA_FOLDER / cldr.MANIFEST_FILE).read_text(encoding="utf-8"))["packages"]
    versions = ", ".join(f"{package['name']} {package['version']}" for package in packages)
    return Origin(cldr.QUICKSTART_DATA, None, versions, ", ".join(package["licence"] for package in packages))


def _hub_origin(name: str, revision: str | None, repo_type: RepoType) -> Origin:
    """The commit that a revision means now, and its licence; from the cache where there is no network."""
    try:
        found = hf_api().snapshot_download(name, repo_type=repo_type, revision=revision, allow_patterns=["README.md"])
    except HFValidationError:
        return Origin(Path(name).name)
    except (OSError, RuntimeError) as error:
        # The model itself was read, from a cache perhaps; a card that does not say the commit is still a card.
        logger.warning("The commit of %s is not known: %s.", name, in_one_line(error, 200).rstrip("."))
        return Origin(name, name, revision)
    folder = Path(found)
    return Origin(name, name, folder.name, _licence_in(folder))


def _licence_in(folder: Path) -> str | None:
    """What the card in a folder says of the licence; the name of one that the Hub does not know."""
    try:
        metadata: dict[str, Any] = metadata_load(folder / "README.md") or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None
    licence = metadata.get("license")
    named = metadata.get("license_name") if licence == "other" else licence
    return ", ".join(map(str, named)) if isinstance(named, list) else None if named is None else str(named)
