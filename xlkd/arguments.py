"""What a run can be told: one dataclass per concern, every field with its help."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import TrainingArguments

from xlkd.errors import UserError, check_choice, did_you_mean
from xlkd.languages import check_code, check_language
from xlkd.mixture_arguments import MixtureArguments

Role = Literal["labelled", "unlabelled", "parallel", "validation", "evaluation"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
FastMatmul = Literal["auto", "on", "off"]


@dataclass
class DataArguments:
    """One entry under `data`: text of one role, from one place, in one language or many."""

    role: Role = field(metadata={"help": "labelled, unlabelled, parallel, validation or evaluation."})
    path: str = field(
        metadata={
            "help": "A local file or glob (jsonl, json, csv, tsv, parquet, txt), a Hub id, or xlkd:cldr. "
            "{language} or {code} in it stands for each language in turn."
        }
    )
    language: str | list[str] | None = field(
        default=None,
        metadata={
            "help": "The languages of this entry. Default: the source language for labelled and validation, all "
            "targets for unlabelled and parallel, source and targets for evaluation."
        },
    )
    text: str | list[str] = field(
        default="text", metadata={"help": "Column of the text, or two columns: premise and hypothesis."}
    )
    teacher_text: str | list[str] | None = field(
        default=None, metadata={"help": "Column of the source-language text that the teacher reads (parallel only)."}
    )
    label: str = field(default="label", metadata={"help": "Column of the hard label."})
    join: str | None = field(
        default=None,
        metadata={
            "help": "Column that names the same sentence in every language: joins the two sides of parallel text that "
            "lie in two files, and lets intervals over languages know that they share their sentences."
        },
    )
    codes: dict[str, str] = field(
        default_factory=dict, metadata={"help": "The data set's own code of a language, {sw: swh_Latn}, for {code}."}
    )
    name: str | None = field(default=None, metadata={"help": "Configuration of a Hub data set; may hold {code}."})
    split: str = field(default="train", metadata={"help": "Split of a Hub data set."})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub data set."})

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            known = ", ".join(get_args(Role))
            raise UserError(f"Unknown role {self.role!r}{did_you_mean(self.role, get_args(Role))}; known are {known}.")
        for language in self.languages:
            check_language(language)
        for language, code in self.codes.items():
            check_language(language)
            check_code(code)
        for column in (self.text, self.teacher_text):
            if isinstance(column, list) and len(column) != 2:
                raise UserError(f"data: text {column!r} must be one column or two (premise, hypothesis).")
        if self.teacher_text is not None and self.teacher_text == self.text:
            raise UserError(f"data: text and teacher_text are one column, {self.text!r}: name the two sides.")
        if self.teacher_text is not None and self.role != "parallel":
            raise UserError(f"data: teacher_text belongs to role parallel, not to {self.role}: change the role.")
        if self.teacher_text is not None and isinstance(self.teacher_text, list) != isinstance(self.text, list):
            raise UserError(
                f"data: text {self.text!r} and teacher_text {self.teacher_text!r} must be one column each, or two each."
            )

    @property
    def languages(self) -> list[str]:
        """The languages that the entry names itself; empty when its role decides."""
        if self.language is None:
            return []
        return self.language if isinstance(self.language, list) else [self.language]


@dataclass
class TeacherArguments:
    """The teacher."""

    model: str = field(metadata={"help": "Hub id or folder of a classifier, or of an encoder to fine-tune first."})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Whether to run code that comes with the model."})
    finetune: dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "Fine-tune it first on the labelled rows, with these training arguments, {num_train_epochs: 6}; "
            "`freeze` is understood too. The result is kept and reused."
        },
    )
    label_map: dict[str, str | None] | None = field(
        default=None,
        metadata={
            "help": "The student's label for a label of the teacher, {contradiction: not_entailment}; null for none. "
            "Labels that it leaves out are matched by equal names."
        },
    )
    precision: Precision = field(
        default="auto",
        metadata={
            "help": "What it computes in while it teaches. auto: as the student; bfloat16 and float16 hold its weights "
            "in them too, which is fastest and takes half the memory; float32 also beside a student in bfloat16."
        },
    )
    languages: list[str] | None = field(
        default=None,
        metadata={"help": "In an ensemble: the languages that it knows; it is asked about no others. Default: all."},
    )
    weight: float | None = field(
        default=None, metadata={"help": "In an ensemble: how much it counts, beside the others' 1."}
    )

    def __post_init__(self) -> None:
        if self.label_map is not None and self.finetune is not None:
            raise UserError(
                "teacher: `label_map` has nothing to map, since `finetune` gives the teacher the labels of the data:"
                " leave out one of them."
            )
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
            "help": "The teacher that hidden states are taken from, and the student is cut from: its `model`, or its "
            "position, counted from 0. Needed by losses on hidden states. Default: the first is cut."
        },
    )

    def __post_init__(self) -> None:
        for name, value, known in (
            ("weights", self.weights, ("uniform", FIXED, "confidence", VALIDATION)),
            ("average", self.average, ("probabilities", "logits")),
        ):
            if isinstance(value, str) and value not in known:
                raise UserError(
                    f"ensemble: {name} {value!r} is unknown{did_you_mean(value, known)}; it is one of"
                    f" {', '.join(known)}."
                )


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
        default=None, metadata={"help": "How many logits to keep of each text, the largest. Default: all."}
    )

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise UserError(f"teacher_cache: dtype {self.dtype!r} must be float16 or float32.")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"teacher_cache: top_k {self.top_k} must be 1 or more; left out, all logits are kept.")

    @property
    def named(self) -> Path | None:
        """The folder that the user named."""
        return None if self.folder in (AUTO, OFF) else Path(self.folder).expanduser()


@dataclass
class VocabularyArguments:
    """What a student keeps of its vocabulary: `size` pieces, or as many as `coverage` takes."""

    size: int | None = field(default=None, metadata={"help": "How many pieces to keep, special tokens included."})
    coverage: float | None = field(
        default=None,
        metadata={
            "help": "Instead of size: as many pieces as make up this share of each language's text, 0.9999. Without "
            "either all that stand in it."
        },
    )
    languages: list[str] | None = field(
        default=None, metadata={"help": "Whose text is counted. Default: the source language and the targets."}
    )
    text: str | None = field(
        default=None,
        metadata={
            "help": "A file or glob with more text to count, corpora/{language}.txt, beside the run's training text."
        },
    )
    max_unknown_rise: float = field(
        default=0.02, metadata={"help": "How much the share of unknown pieces may rise in any language."}
    )

    def __post_init__(self) -> None:
        if self.size is not None and self.coverage is not None:
            raise UserError("student: vocabulary has size and coverage: give one.")
        if self.size is not None and self.size < 1:
            raise UserError(f"student: vocabulary size {self.size} must be 1 or more: 30000 is usual.")
        if self.coverage is not None and not 0 < self.coverage <= 1:
            raise UserError(
                f"student: vocabulary coverage {self.coverage} must be above 0, at most 1: 0.9999 is usual."
            )
        if not 0 <= self.max_unknown_rise <= 1:
            raise UserError(f"student: vocabulary max_unknown_rise {self.max_unknown_rise} must lie between 0 and 1.")
        for language in self.languages or []:
            check_language(language)
        if self.languages is not None and (not self.languages or len(set(self.languages)) < len(self.languages)):
            raise UserError(
                "student: vocabulary languages must name one or more, each once; left out, all are counted."
            )


@dataclass
class StudentArguments:
    """The student: cut from the teacher, or a model of its own (`model`)."""

    model: str | None = field(default=None, metadata={"help": "Hub id or folder of a model to start from."})
    layers: int | list[int] | None = field(
        default=None, metadata={"help": "Cut it from the teacher: how many layers, or which ones, [4, 8, 12]."}
    )
    keep: str | list[int] = field(
        default="block-ends",
        metadata={"help": "Which layers: block-ends (of equal blocks), alternate, first, last, or a list."},
    )
    heads: int | None = field(default=None, metadata={"help": "How many attention heads each layer keeps."})
    feed_forward: int | None = field(
        default=None, metadata={"help": "How many feed-forward units each layer keeps, the most important ones."}
    )
    vocabulary: VocabularyArguments | None = field(
        default=None, metadata={"help": "What it keeps of its vocabulary: {size: 30000}. Default: all of it."}
    )
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Whether to run code that comes with the model."})
    freeze: str | int | None = field(
        default=None, metadata={"help": "`embeddings`, or a number: the embeddings and that many first layers."}
    )

    def __post_init__(self) -> None:
        of_its_own = self.model is not None
        cut = {"layers": self.layers, "heads": self.heads, "feed_forward": self.feed_forward}
        cut_by = [name for name, value in cut.items() if value is not None]
        if self.keep != "block-ends" and self.layers is None and not isinstance(self.keep, list):
            raise UserError(f"student: keep {self.keep!r} says which layers, but not how many: give `layers` too.")
        if isinstance(self.keep, list):
            cut_by.append("keep")
        if of_its_own and cut_by:
            raise UserError(
                f"student: {', '.join(cut_by)} cut it from the teacher, but `model` names one of its own: give one."
            )
        if not of_its_own and not cut_by and self.vocabulary is None:
            raise UserError(
                "student: give `layers`, `feed_forward` or `vocabulary` (cut it from the teacher), or `model` (a Hub id"
                " or folder)."
            )

    @property
    def is_cut(self) -> bool:
        """Whether it is cut from the teacher."""
        return self.model is None


@dataclass
class RunArguments:
    """One run, beside what [`DistillationArguments`] says about training."""

    source_language: str = field(metadata={"help": "Language of the labels."})
    target_languages: list[str] = field(metadata={"help": "Languages that the student is for."})
    student: StudentArguments = field(metadata={"help": "The student."})
    data: list[DataArguments] = field(default_factory=list, metadata={"help": "The data, by role."})
    losses: list[dict[str, Any]] = field(
        default_factory=lambda: [{"name": "soft-label"}],
        metadata={"help": "The losses: {name, weight, options}. Default: soft labels."},
    )
    teacher: TeacherArguments | list[TeacherArguments] | None = field(
        default=None, metadata={"help": "The teacher, or a list of several; may be left out when no loss needs one."}
    )
    ensemble: EnsembleArguments | None = field(
        default=None, metadata={"help": "How several teachers answer as one: {weights, average, features}."}
    )
    teacher_cache: CacheArguments = field(
        default_factory=CacheArguments,
        metadata={"help": "Where the teacher's answers are kept: auto, off, a folder, or {folder, dtype, top_k}."},
    )
    task: str = field(default="sequence-classification", metadata={"help": "What the models do."})
    labels: list[str] | None = field(default=None, metadata={"help": "Names of the classes, in the order of ids."})
    metric: str = field(default="accuracy", metadata={"help": "The score that is reported first."})
    groups: dict[str, list[str]] = field(
        default_factory=dict, metadata={"help": "Groups of languages whose mean is reported, {low: [sw, yo]}."}
    )
    allow_overlap: bool = field(
        default=False, metadata={"help": "Go on when sentences of the evaluation data are in the training data too."}
    )
    num_threads: int | None = field(
        default=None,
        metadata={"help": "Threads of this process. Default: the machine's cores shared by its processes."},
    )

    def __post_init__(self) -> None:
        check_language(self.source_language)
        for language in self.target_languages:
            check_language(language)
        if self.source_language in self.target_languages:
            raise UserError(
                f"target_languages holds the source language {self.source_language}: leave it out, it is reported"
                " anyway."
            )
        if len(set(self.target_languages)) < len(self.target_languages):
            raise UserError("target_languages names a language twice: name each once.")
        if self.num_threads is not None and self.num_threads < 1:
            raise UserError(
                f"num_threads {self.num_threads} must be 1 or more; left out, the machine's cores are shared."
            )
        known = {self.source_language, *self.target_languages}
        for name, languages in self.groups.items():
            if unknown := [language for language in languages if language not in known]:
                raise UserError(
                    f"groups: {name} holds {', '.join(unknown)}, which the run does not have: add to target_languages."
                )
        self._check_ensemble()

    def _check_ensemble(self) -> None:
        if self.teacher == []:
            raise UserError("teacher: the list is empty: name one or more, or leave `teacher` out.")
        given = {
            f"teacher: {name}"
            for name in ("languages", "weight")
            if any(vars(own)[name] is not None for own in self.teachers)
        }
        alone = sorted(given | ({"ensemble"} if self.ensemble is not None else set()))
        if len(self.teachers) < 2 and alone:
            raise UserError(
                f"{', '.join(alone)} has no effect without several teachers: leave it out, or name more, `teacher: [A,"
                " B]`."
            )
        if "teacher: weight" in given and self.ensemble_weights != FIXED:
            raise UserError(
                f"teacher: weight has no effect beside `ensemble: {{weights: {self.ensemble_weights}}}`: leave out one."
            )
        if "teacher: weight" not in given and self.ensemble_weights == FIXED:
            raise UserError("ensemble: weights fixed are those of the teachers: give one a `weight`, or write uniform.")
        # Refuses what `features` must not be.
        _ = self.base_position

    @property
    def teachers(self) -> list[TeacherArguments]:
        """The teachers, none, one or several."""
        several = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        return [teacher for teacher in several if teacher is not None]

    @property
    def ensemble_weights(self) -> str | dict[str, list[float]]:
        """What the weights of several teachers are."""
        if self.ensemble is not None and self.ensemble.weights is not None:
            return self.ensemble.weights
        return "uniform" if all(teacher.weight is None for teacher in self.teachers) else FIXED

    @property
    def teacher_names(self) -> list[str]:
        """What the teachers are called: their models, and their positions too where two have one model."""
        models = [teacher.model for teacher in self.teachers]
        return [model if models.count(model) == 1 else f"{model} ({position})" for position, model in enumerate(models)]

    @property
    def base_position(self) -> int:
        """The position of the teacher that the student is cut from: the one of the features, else the first.

        Raises:
            [`UserError`]: If `features` names none, or two.
        """
        features = None if self.ensemble is None else self.ensemble.features
        models = [teacher.model for teacher in self.teachers]
        if features is None:
            return 0
        if isinstance(features, int) and 0 <= features < len(models):
            return features
        if features not in models:
            raise UserError(
                f"ensemble: features {features!r} is no teacher{did_you_mean(str(features), models)}: name one of"
                f" {', '.join(models)}, or a position, 0 to {len(models) - 1}."
            )
        if models.count(str(features)) > 1:
            raise UserError(f"ensemble: features {features!r} are several teachers: give a position, counted from 0.")
        return models.index(str(features))

    @property
    def base_teacher(self) -> TeacherArguments | None:
        """The teacher that the student is cut from."""
        return self.teachers[self.base_position] if self.teachers else None


@dataclass
class DistillationArguments(TrainingArguments):
    """`TrainingArguments` with what distillation adds.

    Args:
        precision (`str`, *optional*, defaults to `"auto"`):
            `"auto"` computes in bfloat16 where the hardware has it, the CPU included, else in float32; `"float32"`,
            `"bfloat16"` and `"float16"` say it. `bf16` and `fp16` of `TrainingArguments` go on working.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        fast_matmul (`str`, *optional*, defaults to `"auto"`):
            Float32 products through the CPU's vector units: `"auto"` where a check at the start shows that they stay
            float32 (x86-64 without AMX), `"on"` even where they are computed in bfloat16, `"off"`. See
            [`~levers.fast_matmul`].
        embedding_learning_rate (`float`, *optional*):
            The learning rate of the table of the student's pieces; by default `learning_rate`, as for all others.
        mixture ([`MixtureArguments`] or a `dict` or JSON of its values, *optional*):
            Which share of the training each role and each language gets. By default every row comes once an epoch.

    Raises:
        [`UserError`]: If a value is not one of these.

    Example:

    ```python
    >>> args = DistillationArguments(output_dir="runs/sw", precision="float32", max_steps=1000)
    ```
    """

    precision: Precision = field(
        default="auto", metadata={"help": "auto (bfloat16 where the hardware has it), float32, bfloat16 or float16."}
    )
    fast_matmul: FastMatmul = field(
        default="auto",
        metadata={
            "help": "Float32 products through the CPU's vector units: auto (where they stay float32), on (even where "
            "they become bfloat16), or off."
        },
    )
    max_length: int = field(default=128, metadata={"help": "Texts are cut to this many tokens."})
    embedding_learning_rate: float | None = field(
        default=None, metadata={"help": "Learning rate of the table of the student's pieces. Default: learning_rate."}
    )
    mixture: MixtureArguments | str | None = field(
        default=None,
        metadata={
            "help": "Shares of roles and languages, {exponent: 0.5, roles: {labelled: 1, parallel: 2}}. Default: every "
            "row once an epoch."
        },
    )
    # DistributedDataParallel would mark the projectors ready twice; parameters without gradient are frozen instead.
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata={"help": "Must be false: the trainer freezes parameters that get no gradient."}
    )

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, get_args(Precision))
        check_choice("fast_matmul", self.fast_matmul, get_args(FastMatmul))
        if not self.max_length > 0:
            raise UserError(f"max_length {self.max_length} must be above 0: 128 is usual.")
        for name in ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"):
            if self.__dict__[name] < 1:
                raise UserError(f"{name} {self.__dict__[name]} must be 1 or more.")
        for name in ("learning_rate", "embedding_learning_rate"):
            if (rate := self.__dict__[name]) is not None and not rate >= 0:
                raise UserError(f"{name} {rate} must not be negative: 1e-5 to 5e-4 is usual.")
        if self.label_smoothing_factor or self.batch_eval_metrics:
            raise UserError(
                "label_smoothing_factor and batch_eval_metrics do not apply to distillation: leave them out."
            )
        if self.ddp_find_unused_parameters:
            raise UserError("ddp_find_unused_parameters: true breaks losses with projectors: leave it out.")
        self.mixture = MixtureArguments.of(self.mixture)
        if self.mixture is not None and self.train_sampling_strategy not in ("random", "group_by_length"):
            raise UserError(
                f"train_sampling_strategy {self.train_sampling_strategy} does not apply to a mixture, which draws in an"
                " order of its own: leave it out, or take group_by_length."
            )
        if not torch.accelerator.is_available():
            # TrainingArguments refuses bf16, and Accelerate several processes, on a CPU that they were not told to use.
            self.use_cpu = True
        if not (self.bf16 or self.fp16):
            precision = best_precision(self.use_cpu) if self.precision == "auto" else self.precision
            self.bf16 = precision == "bfloat16"
            self.fp16 = precision == "float16"
        super().__post_init__()  # type: ignore[no-untyped-call]

    def to_dict(self) -> dict[str, Any]:
        """The arguments as plain values, which make the same ones again."""
        values: dict[str, Any] = super().to_dict()  # type: ignore[no-untyped-call]
        return values | {"mixture": asdict(self.mixture) if isinstance(self.mixture, MixtureArguments) else None}

    @property
    def folder(self) -> Path:
        """`output_dir`, as a path."""
        return Path(self.output_dir or "trainer_output")

    @property
    def precision_in_use(self) -> Literal["float32", "bfloat16", "float16"]:
        """What `precision`, `bf16` and `fp16` come to."""
        return "bfloat16" if self.bf16 else "float16" if self.fp16 else "float32"


_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""How x86-64 and arm64 call the instructions."""


def best_precision(use_cpu: bool = False) -> Literal["float32", "bfloat16"]:
    """The precision that `precision: auto` means on this machine: bfloat16 where the hardware computes in it."""
    if torch.accelerator.is_available() and not use_cpu:
        return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if any(map(capabilities.get, _BFLOAT16)) else "float32"
