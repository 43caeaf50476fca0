"""The process of a run: its errors, threads, random numbers and output folder."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from accelerate import PartialState
from huggingface_hub import get_token
from joblib import cpu_count
from transformers import PreTrainedModel, set_seed
from transformers.integrations.integration_utils import get_reporting_integration_callbacks
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.errors import UserError, in_one_line
from xlkd.folders import OUTLOOK_FILE, RUN_FILE, STUDENT_FILE, free_bytes
from xlkd.steps.help import help_text


def command(
    program: Callable[[Sequence[str]], object], takes_a_run: bool = True, own: Mapping[str, type[Any]] | None = None
) -> None:
    """Run a program on the command line: a user's mistake is one sentence and exit status 2, not a traceback.

    Args:
        program (`Callable[[Sequence[str]], object]`): The program; it is given the command line.
        takes_a_run (`bool`, *optional*, defaults to `True`): Whether its options are the keys of a run, for `--help`.
        own (`Mapping[str, type]`, *optional*): Keys that a run does not have, with the dataclasses that they hold.
    """
    if takes_a_run and {"-h", "--help"} & set(sys.argv[1:]):
        print(f"{sys.modules['__main__'].__doc__}\n{help_text(own or {})}")
        return
    try:
        program(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    # All processes leave together: one that is gone while another still talks to it makes that one abort.
    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()


def set_up_process(run: RunArguments, args: DistillationArguments) -> None:
    """Logging, threads and random numbers."""
    main_process = args.process_index == 0
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("xlkd").setLevel(logging.INFO if main_process else logging.ERROR)
    datasets.disable_progress_bars()
    if not main_process:
        transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads_of(run, os.environ))
    keep_freed_memory()
    set_seed(args.seed)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next step, where the C library is glibc.

    It gives big blocks back at once otherwise, and every step would fault the pages of the gradient of the embedding
    table in anew: a fifth of a step on a CPU. What is computed is the same.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            library.mallopt(option, 2**31 - 1)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def threads_of(run: RunArguments, environment: Mapping[str, str]) -> int:
    """How many threads this process computes with.

    `accelerate launch` exports one thread per process on a CPU machine, which nobody asked for: a 1 does not count as
    the user's word, a larger number does.
    """
    if run.num_threads is not None:
        return run.num_threads
    exported = environment.get("OMP_NUM_THREADS", "")
    if exported.isdigit() and int(exported) > 1:
        return int(exported)
    return max(int(cpu_count()) // int(environment.get("LOCAL_WORLD_SIZE", "1")), 1)


def prepare_output_dir(args: DistillationArguments) -> str | None:
    """Make the output folder, and find the checkpoint to go on from.

    Returns:
        `str`, the checkpoint to resume from, or `None`.

    Raises:
        [`UserError`]: If the folder holds another run, cannot be written, or has no checkpoint to resume from.
    """
    folder = args.folder
    checkpoint = None
    if args.resume_from_checkpoint is not None:
        checkpoint = _checkpoint(folder, args.resume_from_checkpoint)
    if args.process_index == 0 and (checkpoint is None or checkpoint.resolve().parent != folder.resolve()):
        _refuse_another_run(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"output_dir {folder} cannot be written: {error.strerror}. Name another folder.") from error
    PartialState().wait_for_everyone()
    return None if checkpoint is None else str(checkpoint)


def check_services(args: DistillationArguments) -> None:
    """Find out before the work whether what a training reports to is there, and who pushes to the Hub.

    Raises:
        [`UserError`]: If a reporter is unknown or not installed, or nobody is logged in to the Hub.
    """
    try:
        for callback in get_reporting_integration_callbacks(args.report_to):
            callback()
    except (ValueError, ImportError, RuntimeError) as error:
        raise UserError(f"report_to: {in_one_line(error)}") from error
    if args.push_to_hub and not (args.hub_token or get_token()):
        raise UserError("push_to_hub: nobody is logged in to the Hub: run `hf auth login`, or set HF_TOKEN.")


def _refuse_another_run(folder: Path) -> None:
    # A run that stopped before its first checkpoint leaves its records alone: nothing is lost by writing over them.
    if not folder.is_dir() or {path.name for path in folder.iterdir()} <= {RUN_FILE, STUDENT_FILE, OUTLOOK_FILE}:
        return
    resume = ", or go on from its last checkpoint (--resume_from_checkpoint last)" if _checkpoints(folder) else ""
    raise UserError(f"output_dir {folder} holds another run: name another folder (--output_dir NEW){resume}.")


def _checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, the newest last: the state of the trainer is written after everything else."""
    found = [path.parent for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*/trainer_state.json")]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _checkpoint(folder: Path, named: str) -> Path:
    if named != "last":
        if not (Path(named) / "trainer_state.json").is_file():
            raise UserError(f"resume_from_checkpoint {named!r} is not a whole checkpoint: name one, or `last`.")
        return Path(named)
    if not (whole := _checkpoints(folder)):
        raise UserError(f"output_dir {folder} has no checkpoint to resume from: leave out --resume_from_checkpoint.")
    return whole[-1]


def check_space(args: DistillationArguments, student: PreTrainedModel) -> None:
    """Find a full disk before the work, not after.

    Raises:
        [`UserError`]: If the student and its checkpoints will not fit.
    """
    size = sum(parameter.numel() * parameter.element_size() for parameter in student.parameters())
    # A checkpoint holds the student, and two moments for every weight that is trained; and the mean.
    copies = 3 if args.average_last else 2
    trained = sum(weight.numel() * weight.element_size() for weight in student.parameters() if weight.requires_grad)
    kept = _checkpoints_kept(args)
    needed, free = size + kept * (size + copies * trained), free_bytes(args.folder)
    if free < needed:
        raise UserError(
            f"output_dir {args.folder} has {free / 1e9:.1f} GB free, but the run writes {needed / 1e9:.1f} GB: free"
            " some space, name another folder, or keep fewer checkpoints (`save_total_limit`, `save_strategy: no`)."
        )


def _checkpoints_kept(args: DistillationArguments) -> int:
    """How many checkpoints lie there at once: one more than the limit, while the oldest is not gone yet."""
    if args.save_strategy == "no":
        return 0
    if args.save_total_limit is not None:
        return args.save_total_limit + 1
    if args.save_strategy == "steps" and args.max_steps > 0:
        return math.ceil(args.max_steps / args.save_steps if args.save_steps >= 1 else 1 / args.save_steps)
    # Of steps in epochs the number is not known here: no fewer than one an epoch is a fair guess.
    return math.ceil(args.num_train_epochs) if args.max_steps <= 0 else 2
