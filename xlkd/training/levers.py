"""What makes training faster without changing what is computed: it is on by itself where that is so."""

from __future__ import annotations

import contextlib
import functools
import logging
import platform
from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel

from xlkd.arguments import FastMatmul
from xlkd.errors import UserError

logger = logging.getLogger(__name__)

FLOAT32_LEVEL = 1e-5
"""The relative error of a product up to which it counts as float32: that is at 1e-7 to 1e-6, bfloat16 at 1e-3."""


@contextlib.contextmanager
def fast_matmul(mode: FastMatmul, device: torch.device, models: Sequence[PreTrainedModel]) -> Iterator[None]:
    """Let float32 matrix products use all of the CPU's vector units, with the attention that goes with it.

    PyTorch hands float32 products to oneDNN once bfloat16 is *permitted* inside them, and oneDNN takes the permission
    up only where the CPU has AMX. Fused attention makes many small products, which become slower by it; so the models
    compute attention step by step meanwhile (`eager`), which is the same formula, and in bfloat16 is faster too.
    Both settings are as they were afterwards.

    Args:
        mode (`str`): `"auto"` where a check shows that it stays float32, `"on"` even where it does not, or `"off"`.
        device (`torch.device`): What the models compute on.
        models (`Sequence[PreTrainedModel]`): The models; one whose attention was chosen by hand keeps it.

    Raises:
        [`UserError`]: If it is asked for on anything but a CPU.

    Example:

    ```python
    >>> with fast_matmul("auto", torch.device("cpu"), [student, teacher]):
    ...     loss = student(**inputs).logits.sum()
    ```
    """
    if not is_fast_matmul_used(mode, device):
        yield
        return
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with eager_attention([model for model in models if model.config._attn_implementation == "sdpa"]):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


@contextlib.contextmanager
def eager_attention(models: Sequence[PreTrainedModel]) -> Iterator[None]:
    """Let models compute attention step by step while this lasts: the same formula, with probabilities to look at.

    Args:
        models (`Sequence[PreTrainedModel]`): The models.
    """
    before = [(model, model.config._attn_implementation) for model in models]
    changed = [(model, implementation) for model, implementation in before if implementation != "eager"]
    try:
        for model, _ in changed:
            model.set_attn_implementation("eager")
        yield
    finally:
        for model, implementation in changed:
            model.set_attn_implementation(implementation)


@functools.cache
def is_fast_matmul_used(mode: FastMatmul, device: torch.device) -> bool:
    """Decide, and say in the log what was decided and why; once in a process.

    Raises:
        [`UserError`]: If it is asked for on anything but a CPU.
    """
    if mode == "on" and device.type != "cpu":
        raise UserError(f"fast_matmul: on is for training on a CPU, not on {device.type}: use `tf32: true` on a GPU.")
    if mode == "off" or device.type != "cpu" or (mode == "auto" and not _is_candidate()):
        return False
    error = relative_error_of_medium()
    used = mode == "on" or error < FLOAT32_LEVEL
    verdict = "float32" if error < FLOAT32_LEVEL else "less than float32"
    logger.info("Fast matmul: %s (relative error of a product %.0e: %s).", "on" if used else "off", error, verdict)
    return used


def _is_candidate() -> bool:
    """Whether this is an x86-64 CPU without AMX, where permitted bfloat16 is not taken up."""
    capabilities = torch.cpu.get_capabilities()
    return platform.machine().lower() in ("x86_64", "amd64") and not capabilities.get("amx_tile", False)


def relative_error_of_medium() -> float:
    """The error of a float32 product under `torch.set_float32_matmul_precision("medium")`, beside float64.

    The product is of the size that a linear layer makes, since small ones may take another path.
    """
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 384, generator=generator)
    right = torch.randn(384, 1536, generator=generator)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        product = left @ right
    finally:
        torch.set_float32_matmul_precision(precision)
    exact = left.double() @ right.double()
    return float((product - exact).norm() / exact.norm())
