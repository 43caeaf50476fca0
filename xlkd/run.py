"""The whole run, as functions in the order in which things happen.

accelerate launch -m xlkd.run CONFIG.yaml [--key value ...]
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from accelerate import PartialState
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.trainer_utils import get_last_checkpoint

from xlkd.arguments import DistillationArguments, RunArguments, StudentArguments, TeacherArguments
from xlkd.data.checks import Setting, refuse_overlap, setting_of
from xlkd.data.mixture import mix
from xlkd.data.sources import Sources, load_sources
from xlkd.errors import UserError
from xlkd.evaluation.report import ZeroShotReport
from xlkd.evaluation.zero_shot import RunRecord, evaluate_zero_shot
from xlkd.folders import write_text
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.outputs import ModelShape
from xlkd.parsing import parse_run, to_yaml
from xlkd.pretrained import load_config, load_tokenizer, loading, resolve_model
from xlkd.students.build import build_student
from xlkd.students.layers import freeze, kept_layers
from xlkd.tasks import Task, get_task
from xlkd.teachers import LiveTeacher
from xlkd.teachers.finetune import finetune_teacher
from xlkd.trainer import DistillationTrainer

logger = logging.getLogger("xlkd")

DEFAULTS: dict[str, Any] = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "load_best_model_at_end": True,
    "save_total_limit": 2,
    "logging_steps": 50,
    "report_to": "none",
}
"""What a run assumes and `TrainingArguments` does not: the checkpoint is chosen on the validation data."""

SECRETS = ("hub_token", "push_to_hub_token")


def command(program: Callable[[Sequence[str]], object]) -> None:
    """Run a program on the command line: a user's mistake is one sentence and exit status 2, not a traceback."""
    try:
        program(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    # All processes leave together: one that is gone while another still talks to it makes that one abort.
    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()


def main(arguments: Sequence[str]) -> ZeroShotReport | None:
    """Run a YAML file from data to report.

    Args:
        arguments (`Sequence[str]`): The command line, without the program: the file, then `--key value` pairs.

    Returns:
        [`~evaluation.report.ZeroShotReport`] on the main process, `None` on the others.

    Raises:
        [`UserError`]: If something that the user gave is wrong; before the first training step.
    """
    run, args, values = parse_run(arguments, DEFAULTS)
    set_up_process(run, args)
    resume = check_output_dir(args)
    sources = load_sources(run)
    refuse_overlap(sources, run.allow_overlap)
    setting = setting_of(sources, run.source_language)
    task = task_of(run, sources)
    losses = WeightedSum.from_config(run.losses)
    check_models(run, task, losses)
    check_validation(args, sources)
    describe(run, args, setting, sources)

    teacher = prepare_teacher(run, args, task, sources)
    student, tokenizer = prepare_student(run.student, teacher, task)
    trainer = make_trainer(run, args, task, losses, teacher, student, tokenizer, sources)
    write_record(args, values)
    trainer.train(resume_from_checkpoint=resume)
    trainer.save_model(_internal_call=True)

    report = None
    if trainer.is_world_process_zero():
        report = score(run, args, task, setting, teacher, trainer, sources)
        report.save(args.folder)
        print(report.table())
    trainer.accelerator.wait_for_everyone()
    if args.push_to_hub:
        trainer.push_to_hub()
    return report


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


def set_up_process(run: RunArguments, args: DistillationArguments) -> None:
    """Logging, threads and random numbers."""
    main_process = args.process_index == 0
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.INFO if main_process else logging.ERROR)
    datasets.disable_progress_bars()
    if not main_process:
        transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads_of(run, os.environ, PartialState().num_processes))
    set_seed(args.seed)


def threads_of(run: RunArguments, environment: Mapping[str, str], processes: int) -> int:
    """How many threads this process computes with.

    `accelerate launch` exports one thread per process on a CPU machine, which nobody asked for: a 1 does not count as
    the user's word, a larger number does.
    """
    if run.num_threads is not None:
        return run.num_threads
    exported = environment.get("OMP_NUM_THREADS", "")
    if exported.isdigit() and int(exported) > 1:
        return int(exported)
    return max(len(os.sched_getaffinity(0)) // processes, 1)


def check_output_dir(args: DistillationArguments) -> str | None:
    """Make the output folder, and find the checkpoint to go on from.

    Returns:
        `str`, the checkpoint to resume from, or `None`.

    Raises:
        [`UserError`]: If the folder holds another run, cannot be written, or has no checkpoint to resume from.
    """
    folder = args.folder
    if args.resume_from_checkpoint is not None:
        return _checkpoint(folder, args.resume_from_checkpoint)
    if folder.is_dir() and any(folder.iterdir()) and args.process_index == 0:
        raise UserError(
            f"output_dir {folder} holds another run: name another folder (--output_dir NEW), or go on from its last"
            " checkpoint (--resume_from_checkpoint last)."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"output_dir {folder} cannot be written: {error.strerror}. Name another folder.") from error
    PartialState().wait_for_everyone()
    return None


def _checkpoint(folder: Path, named: str | bool) -> str:
    if named not in ("last", "true", True):
        if not Path(str(named)).is_dir():
            raise UserError(f"resume_from_checkpoint {named!r} is not a folder: name a checkpoint, or `last`.")
        return str(named)
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if last is None:
        raise UserError(f"output_dir {folder} has no checkpoint to resume from: leave out --resume_from_checkpoint.")
    return str(last)


def task_of(run: RunArguments, sources: Sources) -> Task:
    """The task with its labels: those of a teacher that is a classifier, else those that the labelled rows have.

    Raises:
        [`UserError`]: If no row has a label, or the teacher's labels are others.
    """
    named = run.labels or sorted(
        {
            label
            for role in ("labelled", "validation", "evaluation")
            for (own, _), dataset in sources.items()
            if own == role
            for label in dataset["label"]
            if label is not None
        }
    )
    task = get_task(run.task, named, run.metric)
    if run.teacher is None or run.teacher.finetune is not None:
        return task
    config = load_config(resolve_model(run.teacher.model), run.teacher.revision, run.teacher.trust_remote_code)
    own = [config.id2label[index] for index in range(config.num_labels)]
    if not task.is_head_of(config):
        raise UserError(
            f"The teacher {run.teacher.model} is not a model for {task.name}: fine-tune it first on the labelled rows,"
            f" `teacher: {{model: {run.teacher.model}, finetune: {{num_train_epochs: 6}}}}`."
        )
    if set(own) != set(named):
        raise UserError(
            f"The teacher's labels ({', '.join(own)}) are not those of the data ({', '.join(named)}): labels are"
            " matched by name, so give the data the teacher's names."
        )
    return get_task(run.task, own, run.metric)


def check_models(run: RunArguments, task: Task, losses: WeightedSum) -> None:
    """Check layers against what the configurations of teacher and student say, before anything is trained.

    Raises:
        [`UserError`]: If a layer is out of range, or a loss lacks a teacher.
    """
    teacher = None
    if run.teacher is not None:
        config = load_config(resolve_model(run.teacher.model), run.teacher.revision, run.teacher.trust_remote_code)
        teacher = ModelShape.of(config)
    if run.student.layers is not None:
        if teacher is None:
            raise UserError(
                "student: `layers` cuts it from the teacher, and there is none: name a teacher or a `model`."
            )
        shape = replace(teacher, layers=len(kept_layers(run.student.layers, teacher.layers)))
    else:
        shape = ModelShape.of(_student_config(run.student, task))
    losses.check(shape, teacher)


def _student_config(student: StudentArguments, task: Task) -> Any:
    assert student.model is not None
    config = load_config(resolve_model(student.model), student.revision, student.trust_remote_code)
    own = [config.id2label[index] for index in range(config.num_labels)]
    if task.is_head_of(config) and own != task.labels:
        raise UserError(
            f"The student {student.model} has the labels {', '.join(own)}, but the task has {', '.join(task.labels)}:"
            " start from a model without this head, or use labels of the same names in the same order."
        )
    return config


def check_validation(args: DistillationArguments, sources: Sources) -> None:
    """Refuse to evaluate while training without rows to do it on.

    Raises:
        [`UserError`]: If there are none.
    """
    if args.eval_strategy != "no" and not any(role == "validation" for role, _ in sources):
        raise UserError(
            "There are no validation rows to choose a checkpoint on: add an entry of role validation or labelled, or"
            " set `eval_strategy: no` and `load_best_model_at_end: false` to take the last step."
        )


def describe(run: RunArguments, args: DistillationArguments, setting: Setting, sources: Sources) -> None:
    """Say what is about to happen."""
    logger.info(
        "Setting: %s. %s, %d thread(s) a process, %d process(es), on %s.",
        setting,
        args.precision_in_use,
        torch.get_num_threads(),
        args.world_size,
        args.device,
    )
    for role in dict.fromkeys(role for role, _ in sources):
        counts = {language: len(dataset) for (own, language), dataset in sources.items() if own == role}
        logger.info("%10s: %d rows in %d language(s).", role, sum(counts.values()), len(counts))


def prepare_teacher(run: RunArguments, args: DistillationArguments, task: Task, sources: Sources) -> LiveTeacher | None:
    """Load the teacher; fine-tune it first where the run says so."""
    if run.teacher is None:
        return None
    if run.teacher.finetune is not None:
        folder = str(finetuned(run, run.teacher, args, task, sources))
        return LiveTeacher(load_classifier(folder, task), load_tokenizer(folder))
    name = resolve_model(run.teacher.model)
    revision, trust_remote_code = run.teacher.revision, run.teacher.trust_remote_code
    with loading(name):
        model = task.auto_class.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    return LiveTeacher(model, load_tokenizer(name, revision, trust_remote_code))


def finetuned(
    run: RunArguments, teacher: TeacherArguments, args: DistillationArguments, task: Task, sources: Sources
) -> Path:
    """The folder of the teacher fine-tuned on the labelled rows, made now or before.

    Raises:
        [`UserError`]: If there are no labelled rows.
    """
    labelled = sources.get(("labelled", run.source_language))
    if labelled is None:
        raise UserError("teacher: `finetune` needs labelled rows: add an entry of role labelled.")
    name = resolve_model(teacher.model)
    tokenizer = load_tokenizer(name, teacher.revision, teacher.trust_remote_code)
    set_seed(args.seed)
    model = load_classifier(name, task, teacher.revision, teacher.trust_remote_code)
    rows = task.preprocess(labelled, tokenizer, None, args.max_length)
    return finetune_teacher(
        model, tokenizer, rows, teacher.finetune or {}, seed=args.seed, precision=args.precision_in_use
    )


def load_classifier(
    name: str, task: Task, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedModel:
    """Load a model with the head of the task, a new one where it has none."""
    with loading(name):
        model: PreTrainedModel = task.auto_class.from_pretrained(
            name,
            revision=revision,
            trust_remote_code=trust_remote_code,
            num_labels=len(task.labels),
            id2label=task.id2label,
            label2id=task.label2id,
        )
    return model


def prepare_student(
    student: StudentArguments, teacher: LiveTeacher | None, task: Task
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Cut the student from the teacher, or load a model of its own; freeze what is to stay."""
    if student.layers is not None:
        assert teacher is not None
        model, layer_map = build_student(teacher.model, student.layers)
        tokenizer = teacher.processing_class
        logger.info("Student: the teacher's layers %s.", ", ".join(str(layer) for _, layer in layer_map))
    else:
        assert student.model is not None
        name = resolve_model(student.model)
        model = load_classifier(name, task, student.revision, student.trust_remote_code)
        tokenizer = load_tokenizer(name, student.revision, student.trust_remote_code)
    if student.freeze is not None:
        freeze(model, student.freeze)
    return model, tokenizer


def make_trainer(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    losses: WeightedSum,
    teacher: LiveTeacher | None,
    student: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sources,
) -> DistillationTrainer:
    """The trainer, with the mixed training data and the validation data by language."""
    if args.metric_for_best_model in (None, "loss"):
        args.metric_for_best_model = f"{run.source_language}_{run.metric}"
        args.greater_is_better = True
    validation = {language: dataset for (role, language), dataset in sources.items() if role == "validation"}
    return DistillationTrainer(
        model=student,
        teacher=teacher,
        losses=losses,
        task=task,
        args=args,
        train_dataset=mix(sources),
        eval_dataset=validation or None,
        processing_class=tokenizer,
    )


def write_record(args: DistillationArguments, values: Mapping[str, Any]) -> None:
    """Write the resolved arguments beside the student; that file runs again. Tokens are left out."""
    if args.process_index == 0:
        kept = {key: value for key, value in values.items() if key not in SECRETS and key != "resume_from_checkpoint"}
        write_text(args.folder / "run.yaml", to_yaml(kept))


def score(
    run: RunArguments,
    args: DistillationArguments,
    task: Task,
    setting: Setting,
    teacher: LiveTeacher | None,
    trainer: DistillationTrainer,
    sources: Sources,
) -> ZeroShotReport:
    """Score student and teacher once, on data that nothing was trained or chosen on."""
    assert isinstance(trainer.processing_class, PreTrainedTokenizerBase)
    record = RunRecord(
        source_language=run.source_language,
        setting=setting,
        selection=selection_of(args),
        teacher=None if run.teacher is None else run.teacher.model,
        student=str(args.folder),
        seed=args.seed,
        groups=run.groups,
    )
    return evaluate_zero_shot(
        trainer.student,
        trainer.processing_class,
        {language: sources["evaluation", language] for language in [run.source_language, *run.target_languages]},
        task,
        record,
        teacher=teacher,
        max_length=args.max_length,
        batch_size=args.per_device_eval_batch_size,
        bfloat16=args.bf16,
    )


def selection_of(args: DistillationArguments) -> str:
    """How the checkpoint was chosen, in words."""
    return f"best {args.metric_for_best_model} on validation" if args.load_best_model_at_end else "last step"


if __name__ == "__main__":
    command(main)
