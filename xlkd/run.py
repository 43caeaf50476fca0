"""The whole run, as functions in the order in which things happen.

accelerate launch -m xlkd.run CONFIG.yaml [--key value ...]
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.data.checks import Setting, setting_of
from xlkd.data.mixture import check_mixture, texts_by_language
from xlkd.data.planned import check_unscored
from xlkd.data.sources import Sources
from xlkd.errors import UserError, in_one_line
from xlkd.evaluation.pictures import write_pictures
from xlkd.evaluation.report import ZeroShotReport
from xlkd.evaluation.zero_shot import RunRecord, evaluate_zero_shot
from xlkd.folders import RUN_FILE, hash_of_weights_in, write_text
from xlkd.hub.origin import public_name, public_names
from xlkd.hub.record import without_secrets
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.parsing import build_run, read_values, to_yaml
from xlkd.planning import losses_of, plan_models, task_of
from xlkd.steps.forecast import forecast
from xlkd.steps.models import prepare_student
from xlkd.steps.oracle import check_oracle, score_oracle
from xlkd.steps.outlook import look_ahead
from xlkd.steps.process import check_services, check_space, command, prepare_output_dir, set_up_process
from xlkd.steps.record import provenance_of
from xlkd.steps.selection import (
    own_up_to_last_step,
    refuse_loss_of_no_language,
    selected_on,
    selection_languages,
    selection_of,
    settle_selection,
)
from xlkd.steps.sources import read_sources
from xlkd.steps.teaching import ask_all_once, check_ensemble, prepare_teacher
from xlkd.steps.training_rows import training_rows
from xlkd.students.build import Student
from xlkd.tasks import Task, task_class
from xlkd.teachers import Teacher, TeacherCache
from xlkd.teachers.ensemble import base_of
from xlkd.trainer import DistillationTrainer

logger = logging.getLogger("xlkd.run")

DEFAULTS: dict[str, Any] = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "load_best_model_at_end": True,
    "save_total_limit": 2,
    "logging_steps": 50,
    "report_to": "none",
    "train_sampling_strategy": "group_by_length",
    "ddp_timeout": 7 * 24 * 60 * 60,
}
"""Defaults of a run that differ from those of `TrainingArguments`: the checkpoint is chosen on the validation data,
texts of similar length share a batch, which leaves hardly any padding to compute, and processes wait for the one that
scores."""

LAST_STEP: dict[str, Any] = {"eval_strategy": "no", "load_best_model_at_end": False}
"""What it assumes instead where nothing is validated: the last step is taken."""


def read_run(arguments: Sequence[str]) -> tuple[RunArguments, DistillationArguments, dict[str, Any]]:
    """Read `CONFIG.yaml --key value --nested.key value ...`, with what the program assumes of a run of its task.

    Args:
        arguments (`Sequence[str]`): The command line, without the program.

    Returns:
        The run, the training arguments, and both as the plain mapping that `run.yaml` holds.

    Raises:
        [`UserError`]: If the file cannot be read, a key is unknown or missing, or a value has the wrong type.
    """
    values = read_values(arguments)
    # In `TrainingArguments`, what a user wrote can no longer be told from a default.
    refuse_loss_of_no_language(values)
    return build_run(values, defaults_of(values))


def defaults_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a run with these values assumes where they say nothing."""
    has_labels = task_class(values["task"]).has_labels if "task" in values else True
    if not has_labels:
        return DEFAULTS | LAST_STEP
    if values.get("eval_strategy") == "no":
        return DEFAULTS | LAST_STEP
    return DEFAULTS | ({"load_best_model_at_end": False} if values.get("average_last") else {})


def main(arguments: Sequence[str]) -> ZeroShotReport | None:
    """Run a YAML file from data to report.

    Args:
        arguments (`Sequence[str]`): The command line, without the program: the file, then `--key value` pairs.

    Returns:
        [`~evaluation.report.ZeroShotReport`] on the main process, `None` on the others.

    Raises:
        [`UserError`]: If something that the user gave is wrong; before the first training step.
    """
    run, args, values = read_run(arguments)
    set_up_process(run, args)
    resume = prepare_output_dir(args)
    check_services(args)
    sources = read_sources(run, args)
    setting = setting_of(sources, run.source_language, args.mixture)
    task = task_of(run, sources)
    task.check_evaluation(evaluation_of(run, sources), run.source_language)
    if run.per_class:
        task.check_per_class()
    losses = losses_of(run, task)
    texts = texts_by_language(sources, run.source_language)
    plan = plan_models(run, args, task, losses, texts, sources)
    check_ensemble(run, losses, plan.shape, sources)
    settle_selection(run, args, task, sources)
    check_oracle(run, args, sources)
    check_mixture(args.mixture, sources)
    check_unscored(run, args.mixture, sources)
    describe(run, args, task, setting, sources)

    teacher = prepare_teacher(run, args, task, sources)
    student = prepare_student(run.student, teacher, task, texts, plan.pieces)
    check_space(args, student.model)
    write_record(args, values)
    if args.process_index == 0:
        look_at_models(run, args, task, teacher, student, texts, sources)
    trainer = make_trainer(run, args, task, losses, teacher, student, sources)
    if (expected := forecast(trainer)) is not None:
        expected.log()
    if trainer.is_world_process_zero():
        # Before the training, since names on the Hub may mean something else after it.
        trainer.provenance = provenance_of(run, setting, selection_of(run, args, sources), sources, teacher, student)
    trainer.train(resume_from_checkpoint=resume)
    own_up_to_last_step(run, args, trainer, sources)
    trainer.save_model(_internal_call=True)

    report = None
    if trainer.is_world_process_zero():
        if student.vocabulary is not None:
            student.vocabulary.save_sentencepiece(args.folder)
        report = score(run, args, task, setting, teacher, trainer, sources)
        show(report, trainer)
    trainer.accelerator.wait_for_everyone()
    if args.push_to_hub:
        trainer.push_to_hub()
    return report


def look_at_models(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    teacher: Teacher | None,
    student: Student,
    texts: Mapping[str, Sequence[str]],
    sources: Sources,
) -> None:
    """Write and say what the student is beside its teacher, and what the teacher makes of each language.

    Before the training, which leaves the student's forward pass in another precision.
    """
    base = None if teacher is None else base_of(teacher)
    built = student.report(None if base is None else (base.model, base.processing_class), texts)
    built.save(args.folder)
    outlook = look_ahead(run, args, task, teacher, built.languages, sources)
    outlook.save(args.folder)
    outlook.log()


def show(report: ZeroShotReport, trainer: DistillationTrainer) -> None:
    """Write the report, its pictures and the model card beside the student, and print the table."""
    report.save(trainer.args.folder)
    write_pictures(report.to_dict(), trainer.args.folder, trainer.state.log_history)
    print(report.table())
    trainer.create_model_card()


def describe(run: RunArguments, args: DistillationArguments, task: Task, setting: Setting, sources: Sources) -> None:
    """Say what is about to happen."""
    logger.info(
        "Setting: %s. %s, %d thread(s) a process, %d process(es), on %s.",
        setting,
        args.precision_in_use,
        torch.get_num_threads(),
        args.world_size,
        args.device,
    )
    if run.unscored_languages:
        logger.warning("Not scored (unscored_languages): %s.", ", ".join(run.unscored_languages))
    for role in dict.fromkeys(role for role, _ in sources):
        counts = {language: len(dataset) for (own, language), dataset in sources.items() if own == role}
        logger.info("%10s: %d rows in %d language(s).", role, sum(counts.values()), len(counts))
    if task.labels:
        logger.info("    labels: %s.", ", ".join(task.labels))


def make_trainer(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    losses: WeightedSum,
    teacher: Teacher | None,
    student: Student,
    sources: Sources,
) -> DistillationTrainer:
    """The trainer, with the mixed training data, the teacher's answers, and the validation data by language."""
    assert student.processing_class is not None
    asked = teacher
    if teacher is None and run.teacher_cache.named is not None:
        asked = TeacherCache.open(run.teacher_cache.named)
    rows = training_rows(run, args, task, sources, student.processing_class, asked)
    if teacher is not None:
        needs = losses.attached_to(task.shape_of(student.model.config), teacher.shape).needs
        asked = ask_all_once(teacher, rows, needs, run, args, task.name)
    validation = {language: dataset for (role, language), dataset in sources.items() if role == "validation"}
    try:
        return DistillationTrainer(
            model=student.model,
            teacher=asked,
            losses=losses,
            task=task,
            args=args,
            train_dataset=rows,
            eval_dataset=validation or None,
            processing_class=student.processing_class,
        )
    except (ValueError, ImportError, RuntimeError, OSError) as error:
        # Trainer checks its arguments (report_to, fsdp, the Hub) in its constructor, each in its own way.
        if isinstance(error, UserError):
            raise
        raise UserError(f"The training cannot be set up: {in_one_line(error)}") from error


def write_record(args: DistillationArguments, values: Mapping[str, Any]) -> None:
    """Write the resolved arguments beside the student, as a file that can be run again; tokens are left out."""
    if args.process_index == 0:
        kept = without_secrets({key: value for key, value in values.items() if key != "resume_from_checkpoint"})
        write_text(args.folder / RUN_FILE, to_yaml(kept))


def score(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    setting: Setting,
    teacher: Teacher | None,
    trainer: DistillationTrainer,
    sources: Sources,
) -> ZeroShotReport:
    """Score student and teacher once, on data that nothing was trained or chosen on."""
    assert isinstance(trainer.processing_class, PreTrainedTokenizerBase)
    record = RunRecord(
        source_language=run.source_language,
        setting=setting,
        selection=selection_of(run, args, sources),
        # This is published: a path on this machine is nobody's business.
        teacher=public_names([named.model for named in run.teachers]),
        student=public_name(str(args.folder)),
        seed=args.seed,
        groups=run.groups,
        selected_on=selected_on(run, args, sources),
        unscored=run.unscored_languages,
        weights=hash_of_weights_in(args.folder),
    )
    evaluation = evaluation_of(run, sources)
    report = evaluate_zero_shot(
        trainer.student,
        trainer.processing_class,
        evaluation,
        task,
        record,
        teacher=teacher,
        max_length=args.max_length,
        batch_size=args.per_device_eval_batch_size,
        bfloat16=args.bf16,
        per_class=run.per_class,
    )
    if not run.oracle:
        return report
    chosen_by = selection_languages(sources, run)
    return replace(report, oracle=score_oracle(run, args, task, trainer, evaluation, chosen_by))


def evaluation_of(run: RunArguments, sources: Sources) -> dict[str, Dataset]:
    """What is scored, by language."""
    return {language: sources["evaluation", language] for language in run.scored_languages}


if __name__ == "__main__":
    command(main)
