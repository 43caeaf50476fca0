"""One step of a run alone: what the smaller scripts call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xlkd.arguments import OFF
from xlkd.data.checks import refuse_overlap
from xlkd.data.mixture import mix, texts_by_language
from xlkd.data.sources import load_sources
from xlkd.errors import UserError
from xlkd.models import (
    check_models,
    check_student,
    cut_student,
    finetuned,
    losses_of,
    prepare_base,
    prepare_teacher,
    task_of,
)
from xlkd.outputs import ModelShape
from xlkd.parsing import parse_run
from xlkd.process import check_output_dir, check_space, set_up_process
from xlkd.run import DEFAULTS, write_record
from xlkd.students.report import StudentReport
from xlkd.teachers import build_cache, describe_cache
from xlkd.teachers.cache_plan import folder_of


def main_finetune(arguments: Sequence[str]) -> Path:
    """Fine-tune the teacher of a run alone, and print the folder that it is kept in.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`].

    Raises:
        [`UserError`]: If the run does not fine-tune its teacher, or something else in it is wrong.
    """
    run, args, _ = parse_run(arguments, DEFAULTS)
    if run.teacher is None or run.teacher.finetune is None:
        raise UserError("This run has no teacher to fine-tune: write `teacher: {model: ..., finetune: {...}}`.")
    set_up_process(run, args)
    sources = load_sources(run)
    refuse_overlap(sources, run.allow_overlap)
    folder = finetuned(run, run.teacher, args, task_of(run, sources), sources)
    if args.process_index == 0:
        print(folder)
    return folder


def main_build(arguments: Sequence[str]) -> StudentReport | None:
    """Make the student of a run alone, without training it, and print what it is beside its teacher.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`]; losses and evaluation data may be left out.

    Returns:
        [`~students.report.StudentReport`] on the main process, `None` on the others.

    Raises:
        [`UserError`]: If the student is not cut from the teacher, or something in the run is wrong.
    """
    run, args, values = parse_run(arguments, DEFAULTS)
    if not run.student.is_cut:
        raise UserError(
            f"student: model {run.student.model} is a model of its own, so there is none to build: name the model to"
            " cut it from as `teacher`, and `layers`, `feed_forward` or `vocabulary`."
        )
    set_up_process(run, args)
    check_output_dir(args)
    sources = load_sources(run, complete=False)
    refuse_overlap(sources, run.allow_overlap)
    texts = texts_by_language(sources, run.source_language)
    if run.teacher is not None and run.teacher.finetune is not None:
        check_student(run, task_of(run, sources), texts)
    model, tokenizer = prepare_base(run, args, sources)
    student = cut_student(run.student, model, tokenizer, texts)
    check_space(args, student.model)
    if args.process_index > 0:
        return None
    report = student.report((model, tokenizer), texts)
    student.save_pretrained(args.folder)
    report.save(args.folder)
    write_record(args, values)
    print(report.table())
    return report


def main_cache(arguments: Sequence[str]) -> Path:
    """Ask the teacher of a run about all its training texts, keep the answers, and print the folder.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`]; evaluation data may be left out.

    Raises:
        [`UserError`]: If no loss asks a teacher, or something in the run is wrong.
    """
    run, args, _ = parse_run(arguments, DEFAULTS)
    cache = run.teacher_cache
    if run.teacher is None or cache.folder == OFF:
        raise UserError("There are no answers to keep: name a `teacher`, and `teacher_cache: auto` or a folder.")
    set_up_process(run, args)
    sources = load_sources(run, complete=False)
    refuse_overlap(sources, run.allow_overlap)
    task = task_of(run, sources)
    losses = losses_of(run, task)
    texts = texts_by_language(sources, run.source_language)
    student = check_models(run, args, task, losses, texts)
    teacher = prepare_teacher(run, args, task, sources)
    assert teacher is not None
    needs = losses.needs_for(student, ModelShape.of(teacher.model.config))
    if not needs:
        raise UserError("No loss of this run asks the teacher anything: name one, such as soft-label.")
    rows = task.preprocess(mix(sources, run.source_language), teacher.readers, args.max_length)
    record = describe_cache(
        teacher,
        needs,
        task=task.name,
        max_length=args.max_length,
        precision=args.precision_in_use,
        dtype=cache.dtype,
        top_k=cache.top_k,
    )
    teacher.to(args.device)
    folder = folder_of(cache, record)
    build_cache(teacher, rows, record, folder, batch_size=args.per_device_eval_batch_size)
    if args.process_index == 0:
        print(folder)
    return folder
