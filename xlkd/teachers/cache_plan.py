"""Whether a run asks its teacher in every step, or once for each text."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from datasets import Dataset

from xlkd.arguments import AUTO, OFF, CacheArguments, DistillationArguments
from xlkd.errors import UserError
from xlkd.folders import free_bytes, user_cache
from xlkd.needs import Needs
from xlkd.teachers.answer_store import Questions
from xlkd.teachers.base import Teacher
from xlkd.teachers.cache import RECORD, CacheRecord
from xlkd.teachers.cache_build import build_cache, describe_cache
from xlkd.teachers.cache_checks import check_keepable, covering, unanswered
from xlkd.teachers.live import LiveTeacher
from xlkd.text.words import WORD_SPANS
from xlkd.training.levers import fast_matmul

logger = logging.getLogger(__name__)


def ask_once(
    teacher: LiveTeacher,
    dataset: Dataset,
    needs: Needs,
    cache: CacheArguments,
    args: DistillationArguments,
    task: str,
    *,
    share: float = 1.0,
    always: bool = False,
) -> Teacher:
    """Ask a teacher about all its texts now and keep the answers, where that is wanted.

    Args:
        teacher ([`~teachers.LiveTeacher`]): The teacher.
        dataset (`datasets.Dataset`): Preprocessed training rows.
        needs ([`Needs`]): What the losses ask of it.
        cache ([`CacheArguments`]): `auto` keeps answers when the run asks for more of them than there are different
            texts, and they take no more than half of the free disk.
        args ([`DistillationArguments`]): The length and precision of the run.
        task (`str`): The name of the task.
        share (`float`, *optional*, defaults to 1.0): How many of all training rows the data set has, where an ensemble
            asks this teacher about some of them only.
        always (`bool`, *optional*, defaults to `False`): Whether `auto` keeps them in any case.

    Returns:
        [`~teachers.TeacherCache`], or the teacher itself.

    Raises:
        [`UserError`]: If the folder that is named is of another teacher, or has no room.
    """
    if not needs or cache.folder == OFF:
        return teacher
    check_keepable(needs, cache.named)
    if needs.attention:
        logger.info("Teacher: asked in every step, since a loss needs its attention, which is never kept.")
        return teacher
    record = describe_cache(
        teacher,
        needs,
        task=task,
        max_length=args.max_length,
        precision=precision_of(teacher, args),
        dtype=cache.dtype,
        top_k=cache.top_k,
        by_word=teacher.prefix + WORD_SPANS in dataset.column_names,
    )
    folder = folder_of(cache, record)
    record = covering(record, folder)
    questions = Questions.of(dataset, teacher.prefix, teacher.processing_class)
    missing = unanswered(questions, record, folder)
    optional = cache.folder == AUTO and not always
    if optional and not _pays(record, questions, missing, folder, times_asked(args, len(dataset), share)):
        return teacher
    teacher.to(args.device)
    try:
        with fast_matmul(args.fast_matmul, args.device, teacher.models):
            return build_cache(teacher, dataset, record, folder, batch_size=args.per_device_eval_batch_size)
    except UserError as error:
        # With several processes the others would wait for this one.
        if not optional or args.world_size > 1:
            raise
        logger.warning("Teacher: asked in every step, since its answers cannot be kept. %s", error)
        return teacher


def precision_of(teacher: LiveTeacher, args: DistillationArguments) -> str:
    """What decides, beside its weights, how precise a teacher's answers are in a training."""
    own = teacher.precision_in(args.precision_in_use)
    return f"{own}, fast products" if args.fast_matmul == "on" else own


def folder_of(cache: CacheArguments, record: CacheRecord) -> Path:
    """Where a cache goes: the folder that is named, else one in the user's cache; a run that asked more has one too."""
    if cache.named is not None:
        return cache.named
    folders = user_cache() / "answers"
    own = folders / record.fingerprint
    wider = (path.parent for path in sorted(folders.glob(f"*/{RECORD}")) if _has_more(path.parent, record))
    return own if own.exists() else next(wider, own)


def _has_more(folder: Path, record: CacheRecord) -> bool:
    try:
        return covering(record, folder) != record
    except UserError:
        # Broken, or of another version: whoever needs that cache is told so.
        return False


def times_asked(args: DistillationArguments, rows: int, share: float = 1.0) -> int:
    """How many rows a training shows its teacher, repeated ones counted each time.

    Args:
        args ([`DistillationArguments`]): The training.
        rows (`int`): The rows that the teacher is asked about.
        share (`float`, *optional*, defaults to 1.0): How many of all training rows these are.
    """
    if args.max_steps > 0:
        batch: int = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        return math.ceil(args.max_steps * batch * share)
    return math.ceil(args.num_train_epochs * rows)


def _pays(record: CacheRecord, questions: Questions, missing: Questions, folder: Path, asked: int) -> bool:
    """Decide, and say why."""
    texts, size, free = len(questions), record.bytes_of(missing), free_bytes(folder)
    if asked <= texts:
        logger.info("Teacher: asked in every step, since it reads each of %d texts once.", texts)
        return False
    if size > free / 2:
        logger.info(
            "Teacher: asked in every step, since its answers to %d texts would take %.1f of %.1f GB that are free.",
            texts,
            size / 1e9,
            free / 1e9,
        )
        return False
    logger.info(
        "Teacher: asked once for each of %d texts, %d of them before, instead of %d times; %.1f MB go to %s.",
        texts,
        texts - len(missing),
        asked,
        size / 1e6,
        folder,
    )
    return True
