"""The tiny weight file as a fixture, and as an installed package."""

import hashlib
from pathlib import Path

import pytest
from tiny_e5 import tiny_weights

from xlkd.quickstart import encoder


@pytest.fixture
def weights() -> bytes:
    """The tiny weight file."""
    return tiny_weights()


class InstalledPackage:
    """Stands for the distribution that `importlib.metadata` finds: a folder with the weight file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, path: str) -> Path:
        """Where a file of the package lies."""
        return self.folder / path


@pytest.fixture
def weight_file(weights: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny weight file, installed as the package's, with an empty cache."""
    path = tmp_path / "site-packages" / encoder.WEIGHTS_IN_PACKAGE
    path.parent.mkdir(parents=True)
    path.write_bytes(weights)
    package = InstalledPackage(tmp_path / "site-packages")
    monkeypatch.setattr(encoder, "distribution", lambda name: package)
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", hashlib.sha256(weights).hexdigest())
    monkeypatch.setenv("XLKD_CACHE", str(tmp_path / "cache"))
    return path
