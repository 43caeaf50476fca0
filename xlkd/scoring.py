"""Scores without a run: any classifier by its Hub id or folder, and saved runs beside one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from xlkd.arguments import VALIDATION, DistillationArguments, RunArguments, ScoredModelArguments
from xlkd.data.checks import labels_in
from xlkd.data.sources import Sources, require_evaluation_data
from xlkd.errors import UserError
from xlkd.evaluation.alignment import check_languages, check_records
from xlkd.evaluation.comparison import Comparison, compare_runs
from xlkd.evaluation.pictures import write_pictures
from xlkd.evaluation.predictions import PredictionsRecord, SavedRun, load_run
from xlkd.evaluation.report import ZeroShotReport
from xlkd.evaluation.zero_shot import RunRecord, evaluate_zero_shot
from xlkd.folders import hash_of_weights_in
from xlkd.hub.origin import public_name, public_names
from xlkd.needs import labels_of
from xlkd.parsing import build, build_run, override, read_yaml
from xlkd.planning import check_length, labels_of_data
from xlkd.planning.without_labels import task_without_labels
from xlkd.pretrained import companions_of, config_of, load_pretrained, load_tokenizer, move, resolve_model
from xlkd.run import defaults_of, evaluation_of
from xlkd.steps.process import prepare_output_dir, set_up_process
from xlkd.steps.sources import read_sources
from xlkd.steps.teaching import prepare_teacher
from xlkd.tasks import Task, get_task, task_class

AGAINST = "--against"


def main_score(arguments: Sequence[str]) -> ZeroShotReport | Comparison | None:
    """Score a model on data by language, or compare saved runs.

    Args:
        arguments (`Sequence[str]`): Either `[CONFIG.yaml] --model MODEL --key value ...`, with the keys of a run, or
            the folders of saved runs, one a seed. `--against RUN ...` compares with other saved runs.

    Returns:
        The report, or the comparison; `None` on all processes but the main one.

    Raises:
        [`UserError`]: If something that the user gave is wrong.
    """
    words, against = _split(arguments)
    first_flag = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    named, flags = words[:first_flag], words[first_flag:]
    values: dict[str, Any] = {}
    if named and Path(named[0]).suffix in (".yaml", ".yml"):
        values = read_yaml(named.pop(0))
    override(values, flags)
    if "model" in values:
        if named:
            raise UserError(f"{', '.join(named)}: name either saved runs to compare, or a `--model` to score.")
        return score_model(values, against)
    if not named:
        raise UserError("Name a model to score, `--model FOLDER --data ...`, or the folders of saved runs to compare.")
    return compare_saved(named, against, values)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words without `--against` and what follows it, which may be several: a shell spells out `runs/seed-*`."""
    # As with every other option, `--against=RUN` is the same.
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith(f"{AGAINST}=") else [word])]
    if AGAINST not in words:
        return words, []
    place = words.index(AGAINST)
    after = words[place + 1 :]
    end = next((number for number, word in enumerate(after) if word.startswith("--")), len(after))
    if end == 0:
        raise UserError(f"{AGAINST} has no value: write {AGAINST} RUN, the folder of a saved run.")
    return [*words[:place], *after[end:]], after[:end]


def compare_saved(runs: Sequence[str], against: Sequence[str], values: dict[str, Any]) -> Comparison:
    """Compare saved runs, print the table, and write it where `output_dir` says.

    Raises:
        [`UserError`]: If a folder holds no predictions, or the runs cannot be compared.
    """
    if unknown := [key for key in values if key != "output_dir"]:
        raise UserError(
            f"--{unknown[0]} does not apply to saved runs, which take --against and --output_dir: leave it out, or name"
            " a `--model` to score."
        )
    others = [load_run(folder) for folder in against] or None
    comparison = compare_runs([load_run(folder) for folder in runs], others)
    if "output_dir" in values:
        comparison.save(str(values["output_dir"]))
    print(comparison.table())
    return comparison


def score_model(values: dict[str, Any], against: Sequence[str]) -> ZeroShotReport | None:
    """Score a model beside its teacher, print the table, and write the report and the predictions.

    Args:
        values (`dict[str, Any]`): The keys of a run, and `model` ([`ScoredModelArguments`]) in place of its student.
        against (`Sequence[str]`): Folders of saved runs to compare it with.

    Raises:
        [`UserError`]: If labels do not match, there are no evaluation data, or the model cannot be loaded.
    """
    scored: ScoredModelArguments = build(ScoredModelArguments, values["model"], "model")
    student = {"model": scored.model, "revision": scored.revision, "trust_remote_code": scored.trust_remote_code}
    kept = {key: value for key, value in values.items() if key != "model"}
    _narrow(kept)
    run, args, _ = build_run({**kept, "student": student}, defaults_of(kept))
    set_up_process(run, args)
    prepare_output_dir(args)
    others = [load_run(folder) for folder in against]
    sources, task = _data_of(run, args, scored)
    for other in others:
        _check_comparable(run, args, task, scored, other)
    check_length(run.student, args.max_length)
    teacher = prepare_teacher(run, args, task, sources)
    if args.process_index > 0:
        return None
    name = resolve_model(scored.model)
    report = evaluate_zero_shot(
        _load(name, scored, task, args),
        load_tokenizer(name, scored.revision, scored.trust_remote_code),
        evaluation_of(run, sources),
        task,
        _record_of(run, args, scored),
        teacher=teacher,
        max_length=args.max_length,
        batch_size=args.per_device_eval_batch_size,
        bfloat16=args.bf16,
        label_map=scored.label_map,
        per_class=run.per_class,
    )
    report.save(args.folder)
    write_pictures(report.to_dict(), args.folder)
    print(report.table())
    if others:
        comparison = compare_runs([load_run(args.folder)], others)
        comparison.save(args.folder)
        print(comparison.table())
    return report


def _check_comparable(
    run: RunArguments, args: DistillationArguments, task: Task, scored: ScoredModelArguments, other: SavedRun
) -> None:
    """Refuse to be compared with another run before anything is scored, as far as that is known."""
    teacher = " + ".join(run.teacher_names) or None
    record = PredictionsRecord(
        task.name,
        task.metric,
        list(task.metrics),
        task.labels,
        run.source_language,
        scored.model,
        teacher,
        args.seed,
    )
    planned = SavedRun(scored.model, record, {})
    check_records(planned, other)
    check_languages(planned, other, run.scored_languages if task.scores_source else run.scored_languages[1:])


def _narrow(values: dict[str, Any]) -> None:
    """A run's YAML may be scored in some of its languages: its groups and unscored languages are then of those.

    A run itself refuses others, since they may be a mistake.
    """
    groups, unscored, targets = (values.get(key) for key in ("groups", "unscored_languages", "target_languages"))
    if not isinstance(targets, list):
        return
    if isinstance(unscored, list):
        values["unscored_languages"] = unscored = [language for language in unscored if language in targets]
    scored = [language for language in targets if not isinstance(unscored, list) or language not in unscored]
    if isinstance(groups, dict):
        values["groups"] = {
            name: [language for language in own if language in scored] if isinstance(own, list) else own
            for name, own in groups.items()
        }


def _load(name: str, scored: ScoredModelArguments, task: Task, args: DistillationArguments) -> PreTrainedModel:
    model = load_pretrained(task.auto_class, name, scored.revision, scored.trust_remote_code)
    return move(model, args.device)


def _record_of(run: RunArguments, args: DistillationArguments, scored: ScoredModelArguments) -> RunRecord:
    return RunRecord(
        source_language=run.source_language,
        student=public_name(scored.model),
        teacher=public_names([teacher.model for teacher in run.teachers]),
        seed=args.seed,
        groups=run.groups,
        unscored=run.unscored_languages,
        weights=hash_of_weights_in(resolve_model(scored.model)),
    )


def _data_of(run: RunArguments, args: DistillationArguments, scored: ScoredModelArguments) -> tuple[Sources, Task]:
    """The data that scoring reads, and the task with the labels of the model, or of the data where a map matches them.

    Raises:
        [`UserError`]: If the data have a label that the model has not, or there are no classes to score one by one.
    """
    config = config_of(scored)
    if not task_class(run.task).is_head_of(config):
        raise UserError(f"The model {scored.model} is not a model for {run.task}: name one with such a head.")
    task_class(run.task).check_answers(config, f"The model {scored.model}")
    task_class(run.task).check_companions(companions_of(scored), f"The model {scored.model}")
    for teacher in run.teachers:
        task_class(run.task).check_companions(companions_of(teacher), f"The teacher {teacher.model}")
    own = labels_of(config)
    mapped = scored.label_map is not None
    roles = ["evaluation"]
    if run.ensemble_weights == VALIDATION or any(teacher.finetune is not None for teacher in run.teachers):
        # What the teacher was fine-tuned or is weighed on.
        roles += ["labelled", "validation"]
    read = replace(run, data=[entry for entry in run.data if entry.role in roles])
    sources = read_sources(read, args, complete=False)
    require_evaluation_data(sources, read)
    if not task_class(run.task).has_labels:
        return sources, _task_without_labels(run, scored)
    labels = own if not mapped else run.labels or labels_of_data(run, sources, "evaluation")
    if unknown := sorted(labels_in(sources, "evaluation") - set(labels)):
        raise UserError(
            f"The data have the label {', '.join(unknown)}, and {scored.model} has {', '.join(own)}: labels are matched"
            " by name. Where one of the model's means the same, say so, `--model '{model: ..., label_map: {ITS_LABEL:"
            f" {unknown[0]}, ...}}}}'`; where none does, rename it in the data, `label_map: {{{unknown[0]}: ...}}` of"
            " the entry."
        )
    task = get_task(run.task, labels, run.metric)
    if run.per_class:
        task.check_per_class()
    return sources, task


def _task_without_labels(run: RunArguments, scored: ScoredModelArguments) -> Task:
    if scored.label_map is not None:
        raise UserError(f"model: label_map has nothing to map, since {run.task} has no labels: leave it out.")
    task = task_without_labels(run, ["evaluation"])
    if run.per_class:
        task.check_per_class()
    return task
