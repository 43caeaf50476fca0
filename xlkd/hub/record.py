"""`training.json`: how a student came about, written beside it; the model card is made of it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from xlkd._version import __version__
from xlkd.arguments import DistillationArguments
from xlkd.errors import UserError
from xlkd.folders import write_json
from xlkd.hub.origin import Origin, model_origin
from xlkd.losses.weighted_sum import WeightedSum

SCHEMA = 1
RECORD_FILE = "training.json"
PACKAGES = ("torch", "transformers", "datasets", "accelerate", "huggingface_hub")

ARGUMENTS = (
    "learning_rate",
    "embedding_learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "optim",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "num_train_epochs",
    "max_steps",
    "average_last",
    "max_length",
    "mixture",
    "train_sampling_strategy",
    "seed",
    "data_seed",
)
"""The training arguments that decide what a student becomes."""

SECRETS = ("hub_token", "push_to_hub_token")


@dataclass(frozen=True)
class Provenance:
    """What a trainer itself does not know of its student: what a run says.

    Args:
        teachers (`list[dict]`): Of every teacher `name`, `repo`, `revision`, `licence`, `parameters`, `finetune`.
        student (`dict`): How it was made: those of the model that it starts from, and how that was cut.
        ensemble (`dict`, *optional*): How several teachers answer as one.
        setting (`str`, *optional*): What training knew of the target languages.
        selection (`str`, *optional*): How the checkpoint was chosen.
        source_language (`str`, *optional*): Language of the labels.
        data (`list[dict]`, *optional*): Of every entry `role`, `languages`, `name`, `repo`, `revision`, `licence`.
        rows (`dict[str, dict[str, int]]`): How many rows were used, by role and language.
    """

    teachers: list[dict[str, Any]]
    student: dict[str, Any]
    ensemble: dict[str, Any] | None = None
    setting: str | None = None
    selection: str | None = None
    source_language: str | None = None
    data: list[dict[str, Any]] | None = None
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def of_models(cls, student: PreTrainedModel, teachers: Sequence[PreTrainedModel]) -> Provenance:
        """What models say of themselves, where there is no run that says more."""
        return cls([_described(model) for model in teachers], _described(student))


@dataclass(frozen=True)
class TrainingRecord:
    """The content of `training.json`.

    Args:
        task (`str`): The task.
        labels (`list[str]`): Names of the classes, in the order of ids.
        repo (`str`, *optional*): The Hub id that the student is pushed to.
        seed (`int`): Seed of the run.
        losses (`list[dict]`): Of every loss `name`, `weight`, its options, and the papers as `citation`.
        arguments (`dict`): The training arguments that decide what the student becomes.
        steps (`int`): How many updates it was trained for.
        seconds (`float`, *optional*): How long that took; of a training that went on, its last sitting.
        versions (`dict[str, str]`): Of xlkd, Python and the libraries.
        hardware (`dict`): Device, its name, processes and threads.
        provenance (`dict`): A [`Provenance`].
        log_history (`list[dict]`): What the trainer logged.
        schema (`int`, *optional*, defaults to 1): Version of the format.

    Example:

    ```python
    >>> TrainingRecord.load("runs/quickstart").losses[0]["name"]
    'soft-label'
    ```
    """

    task: str
    labels: list[str]
    repo: str | None
    seed: int
    losses: list[dict[str, Any]]
    arguments: dict[str, Any]
    steps: int
    seconds: float | None
    versions: dict[str, str]
    hardware: dict[str, Any]
    provenance: dict[str, Any]
    log_history: list[dict[str, Any]]
    schema: int = SCHEMA

    def save(self, folder: str | Path) -> Path:
        """Write `training.json` into a folder; it appears whole or not at all."""
        path = Path(folder) / RECORD_FILE
        write_json(path, {"schema": self.schema, **asdict(self)}, default=str)
        return path

    @classmethod
    def load(cls, folder: str | Path) -> TrainingRecord:
        """Read the `training.json` of a folder.

        Raises:
            [`UserError`]: If it is not a record of this schema.
        """
        path = Path(folder) / RECORD_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"The record {path} cannot be read: {error}. Name the folder of a finished run.") from error
        if not isinstance(values, dict) or values.get("schema") != SCHEMA or {*values} != {*cls.__dataclass_fields__}:
            raise UserError(f"The record {path} is not of schema {SCHEMA}: train again with this version.")
        return cls(**values)


def describe_losses(losses: WeightedSum) -> list[dict[str, Any]]:
    """The terms with their weights, all their options, and their papers."""
    citations = [loss.citation for _, loss in losses.items()]
    return [{**entry, "citation": citation} for entry, citation in zip(losses.config(), citations, strict=True)]


def describe_arguments(args: DistillationArguments) -> dict[str, Any]:
    """The training arguments that decide what a student becomes, and what they come to."""
    values = args.to_dict()
    return {name: values[name] for name in ARGUMENTS} | {
        "precision": args.precision_in_use,
        "rows_per_update": args.train_batch_size * args.gradient_accumulation_steps * args.world_size,
    }


def describe_hardware(args: DistillationArguments) -> dict[str, Any]:
    """What the training ran on."""
    device = args.device.type
    name = torch.cuda.get_device_name(args.device) if device == "cuda" else platform.processor() or platform.machine()
    return {
        "device": device,
        "name": name,
        "system": platform.system(),
        "processes": args.world_size,
        "threads": torch.get_num_threads(),
    }


def versions() -> dict[str, str]:
    """The versions of all that decides a number."""
    return {"xlkd": __version__, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def without_secrets(values: Any) -> Any:
    """The same values without tokens, however deep they lie."""
    if isinstance(values, Mapping):
        return {key: without_secrets(value) for key, value in values.items() if key not in SECRETS}
    return [without_secrets(value) for value in values] if isinstance(values, list) else values


def _described(model: PreTrainedModel) -> dict[str, Any]:
    name = model.config.name_or_path
    origin = model_origin(name) if name else Origin(f"a {type(model).__name__}")
    return {**asdict(origin), "parameters": model.num_parameters()}
