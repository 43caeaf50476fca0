"""How a student is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import TrainingArguments

from xlkd.arguments.mixture import MixtureArguments
from xlkd.errors import UserError, check_choice

Precision = Literal["auto", "float32", "bfloat16", "float16"]
FastMatmul = Literal["auto", "on", "off"]


@dataclass
class DistillationArguments(TrainingArguments):
    """`TrainingArguments` with what distillation adds.

    Args:
        precision (`str`, *optional*, defaults to `"auto"`):
            `"auto"` computes in bfloat16 where the hardware has it, the CPU included, else in float32; `"float32"`,
            `"bfloat16"` and `"float16"` set it. `bf16` and `fp16` of `TrainingArguments` still work.
        max_length (`int`, *optional*, defaults to 128): Texts are cut to this many tokens.
        fast_matmul (`str`, *optional*, defaults to `"auto"`):
            Float32 products through the CPU's vector units: `"auto"` where a check at the start shows that they stay
            float32 (x86-64 without AMX), `"on"` even where they are computed in bfloat16, `"off"`. See
            [`~training.levers.fast_matmul`].
        embedding_learning_rate (`float`, *optional*):
            The learning rate of the student's token embeddings; by default `learning_rate`, as for all other weights.
        average_last (`float`, *optional*, defaults to 0.0):
            Share of the training, at its end, over which the student's weights are averaged, 0 to 1. See
            [`~training.weight_average.WeightAverage`].
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
            "help": "Compute float32 matrix products with all of the CPU's vector units: auto (where they stay "
            "float32), on (even where they become bfloat16), or off."
        },
    )
    max_length: int = field(default=128, metadata={"help": "Texts are cut to this many tokens."})
    embedding_learning_rate: float | None = field(
        default=None, metadata={"help": "Learning rate of the student's token embeddings. Default: learning_rate."}
    )
    average_last: float = field(
        default=0.0,
        metadata={"help": "Share of the training, at its end, over which the student's weights are averaged."},
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
        check_choice("train_sampling_strategy", self.train_sampling_strategy, _SAMPLING)
        if not self.max_length > 0:
            raise UserError(f"max_length {self.max_length} must be above 0: 128 is usual.")
        for name in ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps"):
            if self.__dict__[name] < 1:
                raise UserError(f"{name} {self.__dict__[name]} must be 1 or more.")
        for name in ("learning_rate", "embedding_learning_rate"):
            if (rate := self.__dict__[name]) is not None and not rate >= 0:
                raise UserError(f"{name} {rate} must not be negative: 1e-5 to 5e-4 is usual.")
        if not 0 <= self.average_last <= 1:
            raise UserError(f"average_last {self.average_last} is a share of the training: 0 to 1, 0.4 is usual.")
        if self.average_last and self.load_best_model_at_end:
            raise UserError(
                f"average_last {self.average_last} gives the mean of the last checkpoints, load_best_model_at_end one"
                " of them: set `load_best_model_at_end: false`, or leave average_last out."
            )
        if self.average_last and (self.fsdp or self.deepspeed):
            raise UserError(
                "average_last needs whole weights on every process, which FSDP and DeepSpeed cut up: leave it out."
            )
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


_SAMPLING = ("random", "sequential", "group_by_length", "batch_rebalance")
"""`TrainingArguments` treats any other word as the first."""

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What x86-64 and arm64 call the instructions."""


def best_precision(use_cpu: bool = False) -> Literal["float32", "bfloat16"]:
    """The precision that `precision: auto` means on this machine: bfloat16 where the hardware computes in it."""
    if torch.accelerator.is_available() and not use_cpu:
        return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(False) else "float32"
    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if any(map(capabilities.get, _BFLOAT16)) else "float32"
