"""The rows that a run trains on, as student and teacher read them."""

from __future__ import annotations

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.data.mixture import mix
from xlkd.data.planned import drawn
from xlkd.data.sources import Sources
from xlkd.errors import UserError
from xlkd.steps.word_alignment import align_words
from xlkd.tasks import Task
from xlkd.teachers import LiveTeacher, Teacher, TeacherEnsemble
from xlkd.teachers.ensemble import base_of


def training_rows(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    sources: Sources,
    tokenizer: PreTrainedTokenizerBase,
    teacher: Teacher | None,
) -> Dataset:
    """Mix the roles and languages that have a share, align words of parallel text that are labelled, and preprocess.

    Args:
        run ([`RunArguments`]): The run.
        args ([`DistillationArguments`]): Its training arguments.
        task ([`~tasks.Task`]): Its task.
        sources (`dict` from role and language to `datasets.Dataset`): Its data.
        tokenizer (`PreTrainedTokenizerBase`): The student's.
        teacher ([`~teachers.Teacher`], *optional*): Who will be asked about the rows.

    Raises:
        [`UserError`]: If a row does not fit the task, or nobody can align its words.
    """
    sources = drawn(sources, args.mixture)
    mixed = mix(sources, run.source_language)
    readers = {"": tokenizer, **({} if teacher is None else teacher.readers)}
    if task.by_word and any(role == "parallel" for role, _ in sources):
        aligner = _aligner_of(teacher)
        aligner.to(args.device)
        mixed = align_words(mixed, aligner, readers=readers, max_length=args.max_length)
    return task.preprocess(mixed, readers, args.max_length)


def _aligner_of(teacher: Teacher | None) -> LiveTeacher:
    """The teacher whose vectors say which words of parallel text mean the same."""
    base = base_of(teacher) if isinstance(teacher, LiveTeacher | TeacherEnsemble) else None
    if base is None:
        raise UserError(
            "Parallel text needs a teacher that computes, by whose vectors its words are aligned: name one in"
            " `teacher`."
        )
    return base
