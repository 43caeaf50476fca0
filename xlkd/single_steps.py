"""One step of a run alone: what the smaller scripts call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xlkd.arguments import OFF
from xlkd.data.mixture import check_mixture, texts_by_language
from xlkd.errors import UserError
from xlkd.planning import labels_to_build, losses_of, plan_models, plan_student, task_of, teacher_of
from xlkd.run import read_run, write_record
from xlkd.steps.models import cut_student, prepare_student
from xlkd.steps.process import check_space, prepare_output_dir, set_up_process
from xlkd.steps.sources import read_sources
from xlkd.steps.teaching import check_ensemble, finetuned, prepare_base, prepare_teacher, questionings
from xlkd.steps.training_rows import training_rows
from xlkd.students.report import StudentReport
from xlkd.tasks import task_class
from xlkd.teachers import TeacherCache
from xlkd.teachers.cache_plan import ask_once
from xlkd.teachers.ensemble import base_of


def main_finetune(arguments: Sequence[str]) -> list[Path]:
    """Fine-tune the teachers of a run alone, and print the folders that they are kept in.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`].

    Raises:
        [`UserError`]: If the run does not fine-tune its teacher, or something else in it is wrong.
    """
    run, args, _ = read_run(arguments)
    chosen = [teacher for teacher in run.teachers if teacher.finetune is not None]
    if not chosen:
        raise UserError("This run has no teacher to fine-tune: write `teacher: {model: ..., finetune: {...}}`.")
    set_up_process(run, args)
    sources = read_sources(run, args)
    task = task_of(run, sources)
    folders = [finetuned(run, teacher, args, task, sources) for teacher in chosen]
    if args.process_index == 0:
        print(*folders, sep="\n")
    return folders


def main_build(arguments: Sequence[str]) -> StudentReport | None:
    """Make the student of a run alone, without training it, and print what it is beside its teacher.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`]; losses and evaluation data may be left out.

    Returns:
        [`~students.report.StudentReport`] on the main process, `None` on the others.

    Raises:
        [`UserError`]: If the student is not cut from the teacher, or something in the run is wrong.
    """
    run, args, values = read_run(arguments)
    if not run.student.is_cut:
        raise UserError(
            f"student: model {run.student.model} is a model of its own, so there is none to build: name the model to"
            " cut it from as `teacher`, and `layers`, `feed_forward` or `vocabulary`."
        )
    set_up_process(run, args)
    prepare_output_dir(args)
    sources = read_sources(run, args, complete=False)
    texts = texts_by_language(sources, run.source_language)
    pieces = None
    if run.base_teacher is not None and run.base_teacher.finetune is not None:
        pieces = plan_student(run, task_of(run, sources), texts).pieces
    labels = labels_to_build(run, sources)
    label_map = None if run.base_teacher is None else run.base_teacher.label_map
    model, tokenizer = prepare_base(run, args, sources)
    student = cut_student(run.student, model, tokenizer, texts, labels, label_map, pieces)
    check_space(args, student.model)
    if args.process_index > 0:
        return None
    report = student.report((model, tokenizer), texts)
    student.save_pretrained(args.folder)
    task_class(run.task).save_companions(args.folder, student.model.config, args.max_length)
    report.save(args.folder)
    write_record(args, values)
    print(report.table())
    return report


def main_cache(arguments: Sequence[str]) -> list[Path]:
    """Ask the teachers of a run about all their training texts, keep the answers, and print the folders.

    Args:
        arguments (`Sequence[str]`): The command line, as for [`main`]; evaluation data may be left out.

    Raises:
        [`UserError`]: If no loss asks a teacher, one asks for its attention, or something in the run is wrong.
    """
    run, args, _ = read_run(arguments)
    if not run.teachers or run.teacher_cache.folder == OFF:
        raise UserError("There are no answers to keep: name a `teacher`, and `teacher_cache: auto` or a folder.")
    set_up_process(run, args)
    sources = read_sources(run, args, complete=False)
    check_mixture(args.mixture, sources)
    task = task_of(run, sources)
    losses = losses_of(run, task)
    texts = texts_by_language(sources, run.source_language)
    plan = plan_models(run, args, task, losses, texts, sources)
    check_ensemble(run, losses, plan.shape, sources)
    shape, _ = teacher_of(run, task)
    needs = losses.attached_to(plan.shape, shape).needs
    if not needs:
        raise UserError("No loss of this run asks the teacher anything: name one, such as soft-label.")
    if needs.attention:
        raise UserError(
            "There are no answers to keep: a loss needs the teacher's attention, which is never kept. Train without"
            " this step, or use hidden-state instead of attention-map and attention-relation."
        )
    teacher = prepare_teacher(run, args, task, sources)
    assert teacher is not None
    tokenizer = base_of(teacher).processing_class
    if task.by_word:
        # A teacher answers those words that the student sees too.
        tokenizer = prepare_student(run.student, teacher, task, texts, plan.pieces).processing_class or tokenizer
    rows = training_rows(run, args, task, sources, tokenizer, teacher)
    folders = []
    for part in questionings(teacher, rows, needs, run.teacher_cache):
        asked = ask_once(part.teacher, part.rows, part.needs, part.cache, args, task.name, always=True)
        if isinstance(asked, TeacherCache):
            folders.append(asked.answers.folder)
    if args.process_index == 0:
        print(*folders, sep="\n")
    return folders
