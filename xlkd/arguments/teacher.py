"""The teachers of a run, how several answer as one, and where their answers are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from xlkd.arguments.training import Precision
from xlkd.errors import UserError, check_choice, is_whole_number
from xlkd.languages import check_language


@dataclass
class TeacherArguments:
    """The teacher."""

    model: str = field(metadata={"help": "Hub id or folder of a model for the task, or of an encoder to fine-tune."})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Whether to run code that comes with the model."})
    finetune: dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "Fine-tune it first on the labelled rows with these training arguments, such as "
            "{num_train_epochs: 6}; it may have `freeze` and a `seed` of its own too. The result is kept and reused."
        },
    )
    label_map: dict[str, str | None] | None = field(
        default=None,
        metadata={
            "help": "Maps labels of the teacher to those of the student, {contradiction: not_entailment}; null for "
            "none. Labels that it leaves out are matched by name."
        },
    )
    precision: Precision = field(
        default="auto",
        metadata={
            "help": "What it computes in while it teaches. auto: as the student; bfloat16, float16: its weights are "
            "held in it too, which is fastest and takes half the memory; float32: even beside a student in bfloat16."
        },
    )
    languages: list[str] | None = field(
        default=None,
        metadata={"help": "In an ensemble: the languages that it knows; it is asked about no others. Default: all."},
    )
    weight: float | None = field(
        default=None, metadata={"help": "In an ensemble: how much it counts; one without a weight counts 1."}
    )

    def __post_init__(self) -> None:
        if self.label_map is not None and self.finetune is not None:
            raise UserError(
                "teacher: `label_map` has nothing to map, since `finetune` gives the teacher the labels of the data:"
                " leave out one of them."
            )
        seed = (self.finetune or {}).get("seed", 0)
        if not is_whole_number(seed) or seed < 0:
            raise UserError(f"teacher.finetune: seed {seed!r} must be a whole number, 0 or more.")
        check_choice("teacher: precision", self.precision, get_args(Precision))
        for language in self.languages or []:
            check_language(language)
        if self.languages == []:
            raise UserError(f"teacher: languages of {self.model} are none: name one, or leave it out for all.")


FIXED, VALIDATION = "fixed", "validation"


@dataclass
class EnsembleArguments:
    """How several teachers answer as one."""

    weights: str | dict[str, list[float]] | None = field(
        default=None,
        metadata={
            "help": "uniform, fixed (each teacher's `weight`), confidence (inverse entropy, row by row), validation "
            "(the score on the source language's validation rows), or by language, {sw: [1, 3], default: [1, 1]}. "
            "Default: fixed where a teacher has a weight, else uniform."
        },
    )
    average: str = field(
        default="probabilities", metadata={"help": "What is averaged: probabilities or logits (a geometric mean)."}
    )
    features: str | int | None = field(
        default=None,
        metadata={
            "help": "The teacher that hidden states come from, and that the student is cut from: its `model`, or its "
            "position, counted from 0. Losses on hidden states need it. Default: the student is cut from the first."
        },
    )

    def __post_init__(self) -> None:
        for name, value, known in (
            ("weights", self.weights, ("uniform", FIXED, "confidence", VALIDATION)),
            ("average", self.average, ("probabilities", "logits")),
        ):
            if isinstance(value, str):
                check_choice(f"ensemble: {name}", value, known)


AUTO, OFF = "auto", "off"


@dataclass
class CacheArguments:
    """Where the teacher's answers are kept, so that it is asked once for each text."""

    folder: str = field(
        default=AUTO,
        metadata={
            "help": "auto (in the user's cache, when the teacher would be asked twice about a text), off, or a folder."
        },
    )
    dtype: str = field(default="float16", metadata={"help": "Type of the numbers on disk: float16 or float32."})
    top_k: int | None = field(
        default=None, metadata={"help": "How many of each text's largest logits to keep. Default: all."}
    )

    def __post_init__(self) -> None:
        if self.folder.lower() in ("", "none", "no", "false", "null", "on", "yes", "true"):
            raise UserError(
                f"teacher_cache: {self.folder!r} is neither {AUTO}, {OFF} nor a folder (one of that name is"
                f" ./{self.folder})."
            )
        if self.dtype not in ("float16", "float32"):
            raise UserError(f"teacher_cache: dtype {self.dtype!r} must be float16 or float32.")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"teacher_cache: top_k {self.top_k} must be 1 or more; left out, all logits are kept.")

    @property
    def named(self) -> Path | None:
        """The folder that the user named."""
        return None if self.folder in (AUTO, OFF) else Path(self.folder).expanduser()
