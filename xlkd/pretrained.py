"""Models and tokenizers by Hub id or folder, with the errors in words."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import huggingface_hub.errors
import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.hub import cached_file

from xlkd.errors import UserError
from xlkd.quickstart.encoder import QUICKSTART_ENCODER, e5_small_folder

logger = logging.getLogger(__name__)


def resolve_model(name: str) -> str:
    """The folder of the offline encoder for `xlkd:e5-small`; any other Hub id or folder as it is.

    Raises:
        [`UserError`]: If another name begins with `xlkd:`, or a path leads to no folder.
    """
    if name == QUICKSTART_ENCODER:
        return str(e5_small_folder())
    if name.startswith("xlkd:"):
        raise UserError(f"Unknown model {name!r} (did you mean {QUICKSTART_ENCODER}?).")
    if name.startswith(("/", "./", "../", "~")):
        if not os.path.isdir(folder := os.path.expanduser(name)):
            raise UserError(f"The model folder {name!r} does not exist: check the path.")
        return folder
    return name


def load_config(name: str, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Load a model's configuration.

    Raises:
        [`UserError`]: If the configuration cannot be had.
    """
    with loading(name):
        return AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)


def load_tokenizer(name: str, revision: str | None = None, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer.

    Raises:
        [`UserError`]: If the tokenizer cannot be had.
    """
    with loading(name):
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)


def load_pretrained(
    auto_class: Any, name: str, revision: str | None = None, trust_remote_code: bool = False, **options: Any
) -> Any:
    """Load a model in full precision, whatever its weights are saved in.

    What is trained needs it: in bfloat16 a small update is lost. What is not may be run in less, `precision`; left to
    the checkpoint, autocast would meet float16 weights that it cannot mix with.

    Args:
        auto_class (`type`): A class of Transformers that loads it.
        name (`str`): Its Hub id or folder.
        revision (`str`, *optional*): The revision.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Whether code of its own is run.
        options (`dict`, *optional*): What else `from_pretrained` takes.

    Raises:
        [`UserError`]: If the model cannot be had.
    """
    with loading(name):
        return auto_class.from_pretrained(
            name, revision=revision, trust_remote_code=trust_remote_code, dtype=torch.float32, **options
        )


def read_companion(name: str, path: str, revision: str | None = None) -> Any:
    """What a JSON file beside a model holds; `None` where there is no such file, or nobody can say.

    Args:
        name (`str`): The model's Hub id or folder.
        path (`str`): The file's path in it.
        revision (`str`, *optional*): The revision.

    Raises:
        [`UserError`]: If the file is no JSON.
    """
    try:
        found = cached_file(name, path, revision=revision, _raise_exceptions_for_missing_entries=False)
    except OSError as error:
        # The model itself was read, from a cache perhaps, which need not have all its files.
        logger.warning("Whether %s has %s is not known: %s", name, path, str(error).strip().partition("\n")[0][:200])
        return None
    with loading(name):
        return None if found is None else json.loads(Path(found).read_text(encoding="utf-8"))


class Named(Protocol):
    """A model as a run names it."""

    @property
    def model(self) -> str | None:
        """Its Hub id or folder."""

    @property
    def revision(self) -> str | None:
        """The revision that is asked for."""

    @property
    def trust_remote_code(self) -> bool:
        """Whether code of its own is run."""


def config_of(named: Named) -> Any:
    """The configuration of a model that a run names.

    Raises:
        [`UserError`]: If the configuration cannot be had.
    """
    return load_config(resolve_model(str(named.model)), named.revision, named.trust_remote_code)


def tokenizer_of(named: Named) -> PreTrainedTokenizerBase:
    """The tokenizer of a model that a run names.

    Raises:
        [`UserError`]: If the tokenizer cannot be had.
    """
    return load_tokenizer(resolve_model(str(named.model)), named.revision, named.trust_remote_code)


def move(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """Move a model to a device; the annotations of its own `to` are those of a decorator."""
    torch.nn.Module.to(model, device)
    return model


def companions_of(named: Named) -> Callable[[str], Any]:
    """What reads JSON files beside a model that a run names, by their path ([`read_companion`])."""
    return lambda path: read_companion(resolve_model(str(named.model)), path, named.revision)


@contextlib.contextmanager
def loading(name: str) -> Iterator[None]:
    """Turn what `from_pretrained` raises into a sentence about the model `name`.

    Raises:
        [`UserError`]: If the model cannot be loaded.
    """
    try:
        yield
    except (OSError, ValueError, ImportError, huggingface_hub.errors.HfHubHTTPError) as error:
        if isinstance(error, UserError):
            raise
        first = str(error).strip().partition("\n")[0][:200]
        kind = "folder" if os.path.isdir(name) else "folder or Hub id"
        raise UserError(
            f"The model {name!r} could not be loaded: {first} Check the {kind}, and the connection to the Hub."
        ) from error
