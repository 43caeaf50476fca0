"""A mistake is one sentence before the first training step; a good run leaves a student that loads anywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from families import GROUPED
from huggingface_hub import ModelCard
from joblib import cpu_count
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertModel,
    EuroBertConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
)

from xlkd import run as program
from xlkd import single_steps
from xlkd.arguments import DataArguments, RunArguments, ScoredModelArguments, TeacherArguments, VocabularyArguments
from xlkd.data.sources import load_sources
from xlkd.errors import UserError
from xlkd.evaluation.report import ZeroShotReport
from xlkd.folders import hash_of_weights_in
from xlkd.hub.publishing import published_files
from xlkd.hub.record import TrainingRecord
from xlkd.losses import LOSSES
from xlkd.planning import task_of, teacher_of
from xlkd.scoring import main_score
from xlkd.steps import process
from xlkd.steps.teaching import prepare_teacher
from xlkd.students.report import StudentReport
from xlkd.tasks import TASKS, get_task
from xlkd.teachers import LiveTeacher, TeacherCache, TeacherEnsemble

TARGETS = ("sw", "am")
Save = Callable[[Path, PreTrainedModel, PreTrainedTokenizerBase], Path]
MakeModel = Callable[..., PreTrainedModel]


@dataclass
class Run:
    """A good run in a folder: its YAML as a mapping to change, and its files."""

    folder: Path
    values: dict[str, Any]

    def write(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write a jsonl file."""
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (self.folder / name).write_text("".join(lines), encoding="utf-8")

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Read a jsonl file."""
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]

    def start(self, *arguments: str) -> Any:
        """Run it in this process."""
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        return program.main([str(path), *arguments])


def texts(words: list[str], first: int, number: int) -> list[dict[str, Any]]:
    """Labelled rows of three words; no two numbers give the same."""
    size = len(words)
    return [
        {"text": f"{words[n % size]} {words[n // size]} {words[7 * n % size]}", "label": "abc"[n % 3]}
        for n in range(first, first + number)
    ]


@pytest.fixture
def good(
    tmp_path: Path,
    make_model: MakeModel,
    tokenizer: PreTrainedTokenizerBase,
    words: dict[str, list[str]],
    save_model: Save,
) -> Run:
    """A run from English to Swahili and Amharic that works."""
    save_model(tmp_path / "teacher", make_model(layers=3), tokenizer)
    data = [
        {"role": "labelled", "path": "train.jsonl"},
        {"role": "parallel", "path": "parallel.{language}.jsonl", "teacher_text": "en"},
        {"role": "validation", "path": "dev.jsonl"},
        {"role": "evaluation", "path": "test.{language}.jsonl"},
    ]
    values = {
        "teacher": str(tmp_path / "teacher"),
        "student": {"layers": 2},
        "source_language": "en",
        "target_languages": list(TARGETS),
        "data": [{**entry, "path": str(tmp_path / entry["path"])} for entry in data],
        "losses": [
            {"name": "soft-label", "temperature": 2.0},
            {"name": "hidden-state", "layer_map": [[2, 3]]},
            {"name": "hard-label", "weight": 0.5},
        ],
        "num_threads": 1,
        "max_steps": 4,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_strategy": "steps",
        "save_steps": 2,
        "per_device_train_batch_size": 4,
        "precision": "float32",
        "use_cpu": True,
        "disable_tqdm": True,
        "max_length": 16,
        "output_dir": str(tmp_path / "out"),
    }
    made = Run(tmp_path, values)
    made.write("train.jsonl", texts(words["en"], 0, 12))
    made.write("dev.jsonl", texts(words["en"], 12, 6))
    for language in ("en", *TARGETS):
        made.write(f"test.{language}.jsonl", texts(words[language], 100, 6))
    for language in TARGETS:
        own, english = texts(words[language], 0, 8), texts(words["en"], 40, 8)
        pairs = zip(own, english, strict=True)
        made.write(f"parallel.{language}.jsonl", [{"text": a["text"], "en": b["text"]} for a, b in pairs])
    return made


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every training step, of the student or of a teacher."""
    taken: list[int] = []
    step = Trainer.training_step

    def counted(self: Trainer, *arguments: Any, **options: Any) -> torch.Tensor:
        taken.append(self.state.global_step)
        return step(self, *arguments, **options)

    monkeypatch.setattr(Trainer, "training_step", counted)
    return taken


def change_first(run: Run, name: str, **changes: Any) -> None:
    """Change the first row of a file."""
    first, *rest = run.rows(name)
    run.write(name, [{**first, **changes}, *rest])


def one_encoder(run: Run, tokenizer_of: str = "teacher") -> None:
    """Replace the teacher by an encoder without a head."""
    encoder = BertModel.from_pretrained(run.folder / tokenizer_of)
    encoder.save_pretrained(run.folder / "teacher")


def named(*labels: str, folder: str = "teacher") -> Callable[[Run], None]:
    """Give the teacher's labels other names."""

    def change(run: Run) -> None:
        path = run.folder / folder / "config.json"
        config = json.loads(path.read_text())
        ids = {label: index for index, label in enumerate(labels)}
        config |= {"id2label": {str(index): label for label, index in ids.items()}, "label2id": ids}
        path.write_text(json.dumps(config))

    return change


def label_map(more: dict[str, Any] | None = None, /, **mapping: Any) -> Callable[[Run], None]:
    """Map the teacher's labels."""
    return lambda run: run.values.update(
        teacher={"model": str(run.folder / "teacher"), "label_map": mapping, **(more or {})}
    )


def own_student(run: Run) -> None:
    """A student of its own, whose head has the labels in another order."""
    path = run.folder / "teacher" / "config.json"
    config = json.loads(path.read_text())
    config |= {"id2label": {"0": "c", "1": "b", "2": "a"}, "label2id": {"c": 0, "b": 1, "a": 2}}
    (run.folder / "student").mkdir()
    (run.folder / "student" / "config.json").write_text(json.dumps(config))
    run.values["student"] = {"model": str(run.folder / "student")}


def no_weights(run: Run) -> None:
    """Take the teacher's weights away."""
    (run.folder / "teacher" / "model.safetensors").unlink()


def training_without_labels(run: Run) -> None:
    """Leave only translations to train on, and nothing to choose a checkpoint on."""
    run.values["data"] = [entry for entry in run.values["data"] if entry["role"] in ("parallel", "evaluation")]
    run.values["losses"] = [{"name": "soft-label"}]


def occupied(run: Run) -> None:
    """Put a file where the student will go."""
    (run.folder / "out").mkdir()
    (run.folder / "out" / "config.json").write_text("{}")


def under_a_file(run: Run) -> None:
    """Name an output folder inside a regular file."""
    run.values["output_dir"] = str(run.folder / "train.jsonl" / "out")


def value(key: str, new: Any) -> Callable[[Run], None]:
    """Set a key of the YAML; dots go down."""

    def change(run: Run) -> None:
        inside: Any = run.values
        *path, last = [int(step) if step.isdigit() else step for step in key.split(".")]
        for step in path:
            inside = inside[step]
        inside[last] = new

    return change


def content(name: str, new: bytes) -> Callable[[Run], None]:
    """Set the content of a file."""
    return lambda run: run.folder.joinpath(name).write_bytes(new) and None


BAD: dict[str, tuple[Callable[[Run], None], list[str]]] = {
    "unknown key": (value("learning_rat", 1), ["Unknown key 'learning_rat'", "did you mean learning_rate?"]),
    "unknown loss": (value("losses.0.name", "soft-labels"), ["Unknown loss 'soft-labels'", "did you mean soft-label?"]),
    "unknown loss option": (
        value("losses.0.temprature", 2),
        ["has no option 'temprature'", "did you mean temperature?"],
    ),
    "weight in words": (value("losses.0.weight", "much"), ["loss soft-label 'much' must be a finite number"]),
    "no losses": (value("losses", []), ["No losses were given"]),
    "unknown task": (value("task", "classification"), ["Unknown task 'classification'"]),
    "unknown metric": (value("metric", "acuracy"), ["no metric 'acuracy'", "accuracy"]),
    "wrong precision": (value("precision", "bf16"), ["precision 'bf16' is unknown", "bfloat16"]),
    "wrong role": (value("data.0.role", "train"), ["Unknown role 'train'"]),
    "made-up words of labelled rows": (
        value("data.0.made_up_words", 0.5),
        ["made_up_words is for text that a teacher answers to, not for role labelled", "an entry of role unlabelled"],
    ),
    "made-up words of pairs": (
        value("data.0", {"role": "unlabelled", "path": "x.txt", "text": ["a", "b"], "made_up_words": 0.5}),
        ["made_up_words is for single texts, not for the pairs ['a', 'b']"],
    ),
    "made-up words, too many": (
        value("data.0", {"role": "unlabelled", "path": "x.txt", "made_up_words": 50}),
        ["made_up_words 50 must be above 0 and at most 1"],
    ),
    "wrong strategy": (
        value("eval_strategy", "sometimes"),
        ["eval_strategy 'sometimes' is unknown; it is one of no, steps, epoch"],
    ),
    "wrong column": (value("data.0.text", "txt"), ["has no column 'txt'", "did you mean text?", "text, label"]),
    "wrong label column": (value("data.3.label", "gold"), ["has no column 'gold'", "it has text, label"]),
    "wrong label name": (
        lambda run: change_first(run, "test.am.jsonl", label="bb"),
        ["have the label bb, which neither the teacher (a, b, c) nor a labelled row teaches", "label_map"],
    ),
    "label that is not named": (
        value("labels", ["a", "b"]),
        ["has the label 'c'", "`labels` does not name: a, b. Add it there, or map it", "`label_map: {c: ...}`"],
    ),
    "integer label": (lambda run: change_first(run, "train.jsonl", label=1), ["the integer label 1 without a name"]),
    "no label in common": (
        named("x", "y", "z"),
        ["The teacher's labels (x, y, z) and the student's (a, b, c) have none in common", "label_map: {x: a, ...}"],
    ),
    "one label in common": (named("a", "y", "z"), ["(a, y, z) teach only a of the student's (a, b, c)"]),
    "unknown label of the teacher": (
        label_map(spots="a"),
        ["label_map: 'spots' is not a label of the teacher, which has a, b, c"],
    ),
    "unknown label of the student": (label_map(a="aa"), ["'aa' (did you mean a?) is not a label of the student"]),
    "label map of a number": (label_map(a=1), ["teacher.label_map.a must be text, not 1"]),
    "label map of a list": (value("teacher", {"model": "x", "label_map": ["a"]}), ["must hold `key: value` pairs"]),
    "label map and fine-tuning": (
        label_map({"finetune": {}}, a="b"),
        ["`label_map` has nothing to map", "`finetune` gives the teacher the labels of the data"],
    ),
    "student's labels differ": (own_student, ["has the labels c, b, a, but the task has a, b, c"]),
    "empty file": (content("train.jsonl", b""), ["train.jsonl (labelled, en) is empty"]),
    "not UTF-8": (content("dev.jsonl", b'{"text": "gr\xf6\xdfe", "label": "a"}\n'), ["dev.jsonl", "is not UTF-8"]),
    "not JSON": (content("dev.jsonl", b"hello\n"), ["dev.jsonl (validation, en) is not a readable .jsonl file"]),
    "missing file": (value("data.0.path", "nowhere.jsonl"), ["nowhere.jsonl", "cannot be read: No such file", "local"]),
    "language without evaluation data": (
        value("data.3.language", ["en", "sw"]),
        ["No evaluation data for am", "take am out of target_languages", "unscored_languages"],
    ),
    "unscored language without text": (
        lambda run: (value("unscored_languages", ["am"])(run), value("data.1.language", "sw")(run)),
        ["unscored_languages: there is no text in am to train on either"],
    ),
    "language without a file": (value("target_languages", ["sw", "yo"]), ["parallel.yo.jsonl", "No such file"]),
    "overlap": (
        lambda run: change_first(run, "train.jsonl", text=run.rows("test.en.jsonl")[0]["text"].upper() + " "),
        ["1 evaluation rows are in the training data too (en 1)", "overlap: drop"],
    ),
    "student layer out of range": (value("losses.1.layer_map", [[3, 3]]), ["names student layer 3", "has 2 layers"]),
    "teacher layer out of range": (value("losses.1.layer_map", [[2, 4]]), ["names teacher layer 4", "has 3 layers"]),
    "layer map of one": (
        value("losses.1.layer_map", [2]),
        ["layer_map entry 2 must be [student layer, teacher layer]"],
    ),
    "too many layers": (value("student.layers", 4), ["layers 4 is out of range: the teacher has 3 layers"]),
    "unknown layers": (value("student.layers", [1, 4]), ["layers [1, 4] must name layers 1 to 3"]),
    "wrong freeze": (value("student.freeze", "head"), ["freeze: 'head' must be `embeddings` or a number of layers"]),
    "freeze too many": (value("student.freeze", 3), ["freeze: 3", "at most 2"]),
    "student of both kinds": (value("student.model", "x"), ["layers cut it from the teacher", "`model` names one"]),
    "student of neither kind": (value("student", {"freeze": "embeddings"}), ["give `layers`", "or `model`"]),
    "unknown rule for layers": (value("student.keep", "lasts"), ["keep 'lasts' is unknown", "did you mean last?"]),
    "other layers than their number": (value("student.keep", [1]), ["layers 2", "keep: [1]"]),
    "rule without a number": (value("student", {"keep": "last"}), ["keep 'last' says which layers, but not how many"]),
    "heads of a BERT": (value("student.heads", 1), ["heads", "BertForSequenceClassification", "feed_forward"]),
    "too many feed-forward units": (value("student.feed_forward", 64), ["feed_forward 64 is out of range", "32"]),
    "vocabulary too small": (value("student.vocabulary", {"size": 3}), ["size 3 is too small"]),
    "vocabulary too large": (value("student.vocabulary", {"size": 9999}), ["size 9999 does not trim the 245 pieces"]),
    "vocabulary by size and coverage": (
        value("student.vocabulary", {"size": 100, "coverage": 0.9}),
        ["vocabulary has size and coverage: give one"],
    ),
    "coverage in percent": (value("student.vocabulary", {"coverage": 99}), ["coverage 99.0 must be above 0"]),
    "unknown vocabulary key": (
        value("student.vocabulary", {"sizes": 100}),
        ["Unknown key 'sizes' in student.vocabulary", "did you mean size?"],
    ),
    "vocabulary of a language without text": (
        value("student.vocabulary", {"languages": ["en", "yo"]}),
        ["vocabulary has no text of yo"],
    ),
    "vocabulary that cannot read a language": (
        value("student.vocabulary", {"coverage": 0.3}),
        ["the share of unknown pieces rises in en", "more text of these languages", "max_unknown_rise"],
    ),
    "vocabulary that does not count a language": (
        value("student.vocabulary", {"languages": ["en"]}),
        ["unknown pieces rises in", "sw by 100.0", "sw, am was not counted: name it in `languages`"],
    ),
    "vocabulary text of all languages in one file": (
        value("student.vocabulary", {"text": "all.txt"}),
        ["all.txt is one file for 3 languages", "put {language} into the path"],
    ),
    "vocabulary text that is not there": (
        value("student.vocabulary", {"text": "more.{language}.txt"}),
        ["more.en.txt", "No such file"],
    ),
    "vocabulary text from the evaluation data": (
        lambda run: run.values["student"].update(vocabulary={"text": str(run.folder / "test.{language}.jsonl")}),
        ["18 evaluation rows are in the training data too"],
    ),
    "rate of embeddings that are frozen": (
        lambda run: run.values.update(student={"layers": 2, "freeze": "embeddings"}, embedding_learning_rate=1e-3),
        ["embedding_learning_rate 0.001 has nothing to train"],
    ),
    "negative rate of embeddings": (value("embedding_learning_rate", -1.0), ["embedding_learning_rate -1.0 must not"]),
    "teacher without a head": (one_encoder, ["is not a model for sequence-classification", "finetune"]),
    "teacher without weights": (no_weights, ["could not be loaded", "model.safetensors", "Check the folder"]),
    "no teacher for a loss": (lambda run: run.values.pop("teacher") and None, ["there is none: name a teacher"]),
    "output folder in use": (occupied, ["out holds another run", "--output_dir NEW"]),
    "output folder under a file": (under_a_file, ["out cannot be written", "Name another folder"]),
    "unreachable Hub": (
        value("teacher", "nobody/nothing"),
        ["'nobody/nothing' could not be loaded", "connect", "Check the folder or Hub id, and the connection"],
    ),
    "unreachable data": (
        value("data.0.path", "nobody/nothing"),
        ["The data set 'nobody/nothing' (labelled, en) could not be had from the Hub", "the connection"],
    ),
    "unknown xlkd model": (value("teacher", "xlkd:e5-smal"), ["Unknown model 'xlkd:e5-smal'", "xlkd:e5-small"]),
    "resume from nothing": (value("resume_from_checkpoint", "last"), ["has no checkpoint to resume from"]),
    "resume from a missing folder": (
        value("resume_from_checkpoint", "nowhere"),
        ["'nowhere' is not a whole checkpoint"],
    ),
    "unknown metric for the best": (
        value("metric_for_best_model", "en_acc"),
        ["'en_acc' is not measured", "en_accuracy"],
    ),
    "language named twice": (
        value("data.3.language", ["en", "sw", "am", "sw"]),
        ["language ['en', 'sw', 'am', 'sw']", "names none, or one twice"],
    ),
    "no language": (value("data.1.language", []), ["language [] of", "names none, or one twice"]),
    "revision of a student that is cut": (
        value("student.revision", "v2"),
        ["revision and trust_remote_code are of a `model` of its own", "under `teacher`"],
    ),
    "loss of no language": (
        value("metric_for_best_model", "loss"),
        ["validated language by language", "`metric_for_best_model: en_loss`"],
    ),
    "texts longer than the model": (value("max_length", 5000), ["max_length 5000 is out of range", "reads 4 to 64"]),
    "texts without room for a word": (value("max_length", 2), ["max_length 2 is out of range"]),
    "negative rate": (value("learning_rate", -1.0), ["learning_rate -1.0 must not be negative"]),
    "no batch": (value("per_device_train_batch_size", 0), ["per_device_train_batch_size 0 must be 1 or more"]),
    "no accumulation": (value("gradient_accumulation_steps", 0), ["gradient_accumulation_steps 0 must be 1 or more"]),
    "unknown reporter": (value("report_to", "wandbb"), ["report_to: wandbb is not supported"]),
    "reporter that is not there": (
        lambda run: (finetune()(run), run.values.update(report_to="swanlab")),
        ["report_to", "swanlab to be installed"],
    ),
    "unknown order": (
        value("train_sampling_strategy", "by_length"),
        ["train_sampling_strategy 'by_length' is unknown", "group_by_length"],
    ),
    "map without labels": (value("data.1.label_map", {"a": "b"}), ["role parallel has no labels: leave it out"]),
    "one column as a pair": (value("data.0.text", ["text", "text"]), ["['text', 'text'] is one column twice"]),
    "label smoothing": (value("label_smoothing_factor", 0.1), ["label_smoothing_factor", "do not apply"]),
    "kept layers of an own student": (
        lambda run: run.values.update(student={"model": "x"}, losses=[{"name": "hidden-state", "layer_map": "kept"}]),
        ["layer_map: kept are the layers that are cut", "name the pairs"],
    ),
    "layer map without pairs": (value("losses.1.layer_map", 3), ["layer_map 3 must be a list of pairs"]),
    "loss named by a list": (value("losses.0.name", ["a"]), ["Unknown loss ['a']"]),
    "infinite weight": (value("losses.0.weight", float("inf")), ["must be a finite number"]),
    "missing model folder": (value("teacher", "./nope"), ["folder './nope' does not exist"]),
    "language outside the run": (value("data.1.language", "yo"), ["is in yo, which the run does not have"]),
    "labelled in a target": (value("data.0.language", "sw"), ["labelled rows in sw", "source language en only"]),
    "no training data": (lambda run: run.values["data"].__delitem__(slice(0, 2)), ["There are no training data"]),
    "nothing to choose on": (training_without_labels, ["validation"]),
}


def finetune(**options: Any) -> Callable[[Run], None]:
    """Fine-tune the teacher first."""
    return lambda run: run.values.update(teacher={"model": str(run.folder / "teacher"), "finetune": options})


BAD |= {
    "unknown finetune argument": (
        finetune(num_epochs=1),
        ["teacher.finetune", "num_epochs", "did you mean num_train_epochs"],
    ),
    "label that nothing teaches": (
        lambda run: (finetune()(run), change_first(run, "test.am.jsonl", label="bb")),
        ["have the label bb, which neither the teacher nor a labelled row teaches", "`label_map: {bb: ...}` of its"],
    ),
    "wrong finetune value": (
        finetune(eval_strategy="sometimes"),
        ["teacher.finetune.eval_strategy", "sometimes", "no, steps, epoch"],
    ),
    "wrong finetune seed": (finetune(seed="one"), ["teacher.finetune: seed 'one' must be a whole number"]),
    "truth as finetune seed": (finetune(seed=True), ["teacher.finetune: seed True must be a whole number"]),
    "wrong finetune freeze": (finetune(freeze="head"), ["freeze: 'head'"]),
    "mixture of a fine-tuning": (finetune(mixture={"exponent": 0.5}), ["teacher.finetune: mixture does not apply"]),
}


def mixture(**options: Any) -> Callable[[Run], None]:
    """Draw the training rows by a mixture."""
    return value("mixture", options)


BAD |= {
    "unknown mixture key": (
        mixture(exponents=0.5),
        ["Unknown key 'exponents' in mixture", "did you mean exponent?"],
    ),
    "mixture in a word": (value("mixture", "even"), ["mixture must hold `key: value` pairs", "not 'even'"]),
    "exponent in words": (mixture(exponent="half"), ["mixture.exponent must be a number, not 'half'"]),
    "exponent out of range": (mixture(exponent=2), ["exponent 2.0 must lie between 0 and 1"]),
    "exponent that is no number": (mixture(exponent=float("nan")), ["exponent nan must lie between 0 and 1"]),
    "unknown role in the mixture": (
        mixture(roles={"labeled": 1, "parallel": 1}),
        ["unknown role 'labeled'", "did you mean labelled?"],
    ),
    "role of the mixture without rows": (
        mixture(roles={"labelled": 1, "parallel": 1, "unlabelled": 1}),
        ["roles names unlabelled, of which the training data have no rows", "add an entry"],
    ),
    "role that the mixture forgets": (
        mixture(roles={"labelled": 1}),
        ["does not say how much of parallel", "0 to leave it out"],
    ),
    "negative ratio": (mixture(roles={"labelled": -1, "parallel": 1}), ["the ratio -1.0 of labelled", "0 or more"]),
    "mixture of nothing": (mixture(roles={"labelled": 0, "parallel": 0}), ["roles gives no role a share"]),
    "mixture without rows for a loss": (
        mixture(roles={"labelled": 0, "parallel": 1}),
        ["counts for the loss hard-label", "a share to their role"],
    ),
    "mixture in another order": (
        lambda run: run.values.update(mixture={}, train_sampling_strategy="sequential"),
        ["train_sampling_strategy sequential does not apply to a mixture", "group_by_length"],
    ),
}


def tuned(change: Callable[[Run], None]) -> Callable[[Run], None]:
    """The change, in a run whose teacher would be fine-tuned first: the mistake is to be told before that."""

    def both(run: Run) -> None:
        finetune(num_train_epochs=1)(run)
        change(run)

    return both


def file_as_cache(run: Run) -> None:
    """Name a file for the teacher's answers."""
    run.values["teacher_cache"] = str(run.folder / "train.jsonl")


BAD |= {
    "cache is a file": (tuned(file_as_cache), ["teacher_cache", "train.jsonl is a file"]),
    "cache is another folder": (tuned(lambda run: run.values.update(teacher_cache=str(run.folder))), ["is no cache"]),
    "top_k of too few classes": (
        tuned(value("teacher_cache", {"top_k": 3})),
        ["top_k 3 must be between 1 and 2"],
    ),
    "cache with a wrong type": (tuned(value("teacher_cache", {"dtype": "int8"})), ["dtype 'int8'", "float16"]),
    "layers before fine-tuning": (tuned(value("student.layers", 13)), ["13"]),
    "vocabulary before fine-tuning": (tuned(value("student.vocabulary", {"size": 100_000})), ["100000"]),
    "freeze before fine-tuning": (tuned(value("student.freeze", 9)), ["freeze: 9"]),
    "fast matmul in other words": (value("fast_matmul", "yes"), ["fast_matmul 'yes' is unknown"]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_run_stops_before_training_when(good: Run, steps: list[int], case: str) -> None:
    change, parts = BAD[case]
    change(good)
    with pytest.raises(UserError) as caught:
        good.start()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    for part in parts:
        assert part in str(caught.value)
    assert steps == []


class Reached(Exception):
    """The run went on to load its teacher."""


@pytest.fixture
def planning_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a run where it would load its teacher."""

    def reached(*_: Any) -> None:
        raise Reached

    monkeypatch.setattr(program, "prepare_teacher", reached)
    monkeypatch.setattr(single_steps, "prepare_teacher", reached)


def losses(*entries: dict[str, Any]) -> Callable[[Run], None]:
    """Set the losses."""
    return lambda run: run.values.update(losses=list(entries))


def four_labels(loss: dict[str, Any]) -> Callable[[Run], None]:
    """Data with a label that the teacher, who knows three, does not know."""

    def change(run: Run) -> None:
        change_first(run, "train.jsonl", label="d")
        losses(loss)(run)

    return change


def only(role: str, language: str, loss: dict[str, Any]) -> Callable[[Run], None]:
    """One loss, on training rows of one role in one language."""

    def change(run: Run) -> None:
        kept = [entry for entry in run.values["data"] if entry["role"] in (role, "validation", "evaluation")]
        kept[0] = {**kept[0], "language": language, "path": kept[0]["path"].replace("{language}", language)}
        run.values.update(data=kept, losses=[loss])

    return change


FEW = "the teacher knows only 3 classes (a, b, c)"
BY_TOKEN = "compares token by token, but teacher and student read different tokens in every row"
EARLY: dict[str, tuple[Callable[[Run], None], str]] = {
    "decoupled labels of few classes": (four_labels({"name": "decoupled-label"}), FEW),
    "correlation of few classes": (four_labels({"name": "label-correlation"}), FEW),
    "standardised logits of few classes": (four_labels({"name": "soft-label", "standardise": True}), FEW),
    "an adversary of one language": (
        only("labelled", "en", {"name": "language-adversarial"}),
        "language-adversarial tells languages apart, but the training rows name en",
    ),
    "an adversary of one language with a share": (
        lambda run: (
            losses({"name": "language-adversarial"}, {"name": "hard-label"})(run),
            mixture(roles={"labelled": 1, "parallel": 0})(run),
        ),
        "language-adversarial tells languages apart, but the training rows name en",
    ),
    "states of tokens of translations": (only("parallel", "sw", {"name": "hidden-state", "pool": "none"}), BY_TOKEN),
    "attention of translations": (only("parallel", "sw", {"name": "attention-relation"}), BY_TOKEN),
    "a penalty alone": (losses({"name": "l2-sp"}), "l2-sp is a penalty and teaches nothing alone: add soft-label"),
    "a batch without two rows to compare": (
        lambda run: (losses({"name": "similarity-preserving"})(run), value("per_device_train_batch_size", 1)(run)),
        "compares the rows of a batch with one another and needs 2 or more, but a batch has 1",
    ),
    "hard labels without labelled rows": (
        only("parallel", "sw", {"name": "hard-label"}),
        "counts for the loss hard-label: give labels",
    ),
    "hard labels of a role without a share": (
        mixture(roles={"labelled": 0, "parallel": 1}),
        "counts for the loss hard-label: give labels",
    ),
}


@pytest.mark.usefixtures("planning_only")
@pytest.mark.parametrize("case", list(EARLY))
def test_run_stops_before_its_teacher_is_loaded_when_the_losses_are(good: Run, case: str) -> None:
    change, part = EARLY[case]
    change(good)
    with pytest.raises(UserError) as caught:
        good.start()
    assert part in str(caught.value)


@pytest.mark.usefixtures("planning_only")
def test_attention_is_refused_before_the_teacher_is_loaded_when_the_student_keeps_fewer_heads(
    good: Run, tokenizer: PreTrainedTokenizerBase, save_model: Save
) -> None:
    names = {"id2label": dict(enumerate("abc")), "label2id": {name: place for place, name in enumerate("abc")}}
    config = EuroBertConfig(**{**GROUPED, **names, "vocab_size": len(tokenizer)})
    save_model(good.folder / "teacher", AutoModelForSequenceClassification.from_config(config), tokenizer)
    good.values |= {"losses": [{"name": "attention-map"}], "student": {"layers": 2, "heads": 2}}
    with pytest.raises(UserError, match="compares head with head, but the student has 2 and the teacher 4"):
        good.start()


@pytest.mark.usefixtures("planning_only")
@pytest.mark.parametrize(
    "change",
    [
        tuned(four_labels({"name": "decoupled-label"})),
        losses({"name": "language-adversarial"}),
        losses({"name": "hidden-state", "pool": "none"}, {"name": "hard-label"}, {"name": "l2-sp"}),
    ],
    ids=["a teacher to fine-tune knows all labels", "two languages in all roles", "some rows of each kind"],
)
def test_run_goes_on_to_its_teacher_when_the_losses_have(good: Run, change: Callable[[Run], None]) -> None:
    change(good)
    with pytest.raises(Reached):
        good.start()


def test_status_is_2_and_nothing_but_the_sentence_is_printed_when_the_user_errs(
    good: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = good.folder / "run.yaml"
    path.write_text(yaml.safe_dump({**good.values, "metric": "acuracy"}))
    monkeypatch.setattr(sys, "argv", ["distill.py", str(path)])
    with pytest.raises(SystemExit) as caught:
        process.command(program.main)
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert re.search(r"^error: There is no metric 'acuracy': did you mean 'accuracy'\?.*$", printed, re.MULTILINE)
    assert "Traceback" not in printed


def test_run_stops_before_training_when_nobody_is_logged_in(
    good: Run, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xlkd.steps.process.get_token", lambda: None)
    good.values["push_to_hub"] = True
    with pytest.raises(UserError, match="nobody is logged in to the Hub: run `hf auth login`"):
        good.start()
    assert not steps


def test_output_folder_is_refused_when_it_may_not_be_written(
    good: Run, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The superuser may write everywhere, so the answer of the system is given here.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match="out cannot be written: Permission denied. Name another folder"):
        good.start()
    assert steps == []


@pytest.mark.parametrize(("strategy", "rows"), [("steps", 11), ("no", 12)])
def test_rows_are_kept_for_validation_when_a_checkpoint_is_chosen(
    good: Run, monkeypatch: pytest.MonkeyPatch, strategy: str, rows: int
) -> None:
    read: list[int] = []
    monkeypatch.setattr(program, "setting_of", lambda sources, *_: read.append(len(sources["labelled", "en"])) or 1 / 0)
    good.values["data"] = [entry for entry in good.values["data"] if entry["role"] != "validation"]
    good.values |= {"eval_strategy": strategy, "load_best_model_at_end": strategy != "no"}
    with pytest.raises(ZeroDivisionError):
        good.start()
    assert read == [rows]


def test_full_disk_is_found_before_training(good: Run, steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "free_bytes", lambda folder: 1000)
    with pytest.raises(UserError, match=r"has 0\.0 GB free, but the run writes .* GB: free some space"):
        good.start()
    assert steps == []


def test_every_checkpoint_is_counted_when_all_are_kept(good: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    kept = process._checkpoints_kept
    monkeypatch.setattr(process, "_checkpoints_kept", lambda args: asked.append(kept(args)) or 10**9)
    for changes in (
        {},
        {"save_steps": 0.25, "eval_steps": 0.25},
        {"save_total_limit": 3},
        {"save_strategy": "epoch", "max_steps": -1, "num_train_epochs": 7, "eval_strategy": "epoch"},
        {"save_strategy": "no", "load_best_model_at_end": False},
    ):
        good.values |= {"save_total_limit": None, **changes}
        with pytest.raises(UserError, match="free some space"):
            good.start()
    assert asked == [2, 4, 4, 7, 0]


def test_last_step_is_taken_when_nothing_is_validated(good: Run) -> None:
    for name in ("eval_steps", "save_strategy", "save_steps"):
        del good.values[name]
    good.values["eval_strategy"] = "no"
    assert good.start().selection == "last step"


@pytest.mark.parametrize("finetune", [None, {"max_steps": 1}])
def test_teacher_computes_in_full_precision_when_its_weights_are_saved_in_half(
    good: Run, monkeypatch: pytest.MonkeyPatch, finetune: dict[str, Any] | None
) -> None:
    folder = str(good.folder / "teacher")
    AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    good.values["teacher"] = {"model": folder, "finetune": finetune}
    seen: list[torch.dtype] = []
    make_trainer = program.make_trainer

    def look(run: Any, args: Any, task: Any, losses: Any, teacher: LiveTeacher, student: Any, *rest: Any) -> Any:
        seen.extend([teacher.model.dtype, student.model.dtype])
        return make_trainer(run, args, task, losses, teacher, student, *rest)

    monkeypatch.setattr(program, "make_trainer", look)
    good.start()
    assert seen == [torch.float32, torch.float32]


OWN_CODE = """
from transformers import BertConfig, BertForSequenceClassification


class OwnConfig(BertConfig):
    model_type = "of-its-own"


class OwnForSequenceClassification(BertForSequenceClassification):
    config_class = OwnConfig
"""


def test_model_runs_its_own_code_wherever_it_is_loaded_when_it_is_trusted(good: Run) -> None:
    folder = good.folder / "teacher"
    (folder / "own.py").write_text(OWN_CODE)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "of-its-own"}
    kinds = {"AutoConfig": "OwnConfig", "AutoModelForSequenceClassification": "OwnForSequenceClassification"}
    config["auto_map"] = {auto: f"own.{name}" for auto, name in kinds.items()}
    (folder / "config.json").write_text(json.dumps(config))
    good.write("dev.sw.jsonl", good.rows("dev.jsonl"))
    good.values["data"].append({"role": "validation", "language": "sw", "path": str(good.folder / "dev.sw.jsonl")})
    good.values |= {"oracle": True, "save_total_limit": None}
    good.values["teacher"] = {"model": str(folder), "finetune": {"max_steps": 1}}
    with pytest.raises(UserError, match="could not be loaded: .* custom code"):
        good.start()
    good.values["teacher"]["trust_remote_code"] = True
    assert good.start().oracle is not None
    good.values["output_dir"] = str(good.folder / "again")
    assert good.start().oracle is not None


def test_teacher_is_not_asked_about_a_role_without_a_share(good: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(program, "ask_all_once", lambda teacher, rows, *_: asked.extend(rows["role"]) or 1 / 0)
    good.values["mixture"] = {"roles": {"labelled": 1, "parallel": 0}}
    with pytest.raises(ZeroDivisionError):
        good.start()
    assert set(asked) == {"labelled"}


def test_no_path_is_published_when_one_folder_is_a_teacher_twice(good: Run) -> None:
    BertModel.from_pretrained(good.folder / "teacher").save_pretrained(good.folder / "teacher")
    named = {"model": str(good.folder / "teacher"), "finetune": {"max_steps": 1}}
    good.values["teacher"] = [named, {**named, "finetune": {"max_steps": 1, "seed": 1}}]
    good.values["ensemble"] = {"features": 0}
    assert good.start().teacher == "teacher (0) + teacher (1)"
    out = good.folder / "out"
    for name in published_files(out):
        content = (out / name).read_bytes()
        assert str(good.folder).encode() not in content, name


def test_help_has_every_key_and_needs_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("sys.argv", ["distill.py", "--help"])
    process.command(lambda words: pytest.fail("it was run"))
    said = capsys.readouterr().out
    entries = [*fields(RunArguments), *fields(DataArguments), *fields(TeacherArguments), *fields(VocabularyArguments)]
    for name in [*(entry.name for entry in entries), *LOSSES, *TASKS, "embedding_learning_rate"]:
        assert re.search(rf"(^| |\{{){re.escape(name)}\b", said, re.M), name
    assert re.search(r"max_length .* 128\.", said)
    assert "label_map" not in said.partition("source_language")[0]


def test_help_has_the_keys_that_a_program_has_besides(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.argv", ["score_languages.py", "--help"])
    process.command(lambda words: pytest.fail("it was run"), own={"model": ScoredModelArguments})
    block = capsys.readouterr().out.partition("\nsource_language")[0]
    assert "\nmodel " in block
    for entry in fields(ScoredModelArguments):
        assert f"\n    {entry.name} " in block


def test_run_starts_again_when_it_stopped_before_its_first_checkpoint(good: Run) -> None:
    (good.folder / "out").mkdir()
    (good.folder / "out" / "run.yaml").write_text("task: sequence-classification")
    assert good.start("--max_steps", "1", "--eval_strategy", "no", "--load_best_model_at_end", "false") is not None


def test_last_whole_checkpoint_is_taken_when_the_newest_is_half_written(good: Run) -> None:
    for step, name in ((2, "trainer_state.json"), (10, "trainer_state.json"), (11, "config.json")):
        (good.folder / f"out/checkpoint-{step}").mkdir(parents=True)
        (good.folder / f"out/checkpoint-{step}" / name).write_text("{}")
    assert process._checkpoint(good.folder / "out", "last").name == "checkpoint-10"


def test_column_of_each_language_is_read_when_the_table_is_wide(good: Run, words: dict[str, list[str]]) -> None:
    columns = {language: texts(words[language], 0, 8) for language in TARGETS} | {"en": texts(words["en"], 40, 8)}
    good.write("wide.jsonl", [{name: rows[n]["text"] for name, rows in columns.items()} for n in range(8)])
    good.values["data"][1] = {
        "role": "parallel",
        "path": str(good.folder / "wide.jsonl"),
        "text": "{language}",
        "teacher_text": "en",
    }
    report = good.start("--max_steps", "1", "--eval_strategy", "no", "--load_best_model_at_end", "false")
    assert report is not None and report.setting == "parallel"


def test_student_trains_in_float32_when_it_was_saved_in_bfloat16(
    good: Run, make_model: MakeModel, tokenizer: PreTrainedTokenizerBase, save_model: Save
) -> None:
    save_model(good.folder / "student", make_model(layers=2).to(torch.bfloat16), tokenizer)
    good.values["student"] = {"model": str(good.folder / "student")}
    good.start("--max_steps", "1", "--eval_strategy", "no", "--load_best_model_at_end", "false")
    assert json.loads((good.folder / "out" / "config.json").read_text())["dtype"] == "float32"


def test_shares_are_logged_when_the_rows_are_drawn_by_a_mixture(good: Run) -> None:
    good.values["mixture"] = {"exponent": 0.5, "roles": {"labelled": 0.25, "parallel": 1}}
    assert good.start("--mixture.exponent", "0", "--logging_steps", "4") is not None
    record = yaml.safe_load((good.folder / "out" / "run.yaml").read_text())
    assert record["mixture"] == {"exponent": 0, "roles": {"labelled": 0.25, "parallel": 1}}
    state = json.loads((good.folder / "out" / "checkpoint-4" / "trainer_state.json").read_text())
    (entry,) = [entry for entry in state["log_history"] if "loss" in entry]
    shares = {name: entry[f"share_{name}"] for name in ("labelled", "parallel", "en", *TARGETS)}
    assert shares["labelled"] + shares["parallel"] == pytest.approx(1)
    assert shares["en"] == shares["labelled"] and shares["sw"] + shares["am"] == pytest.approx(shares["parallel"])


@pytest.mark.parametrize("unscored", [["am"], ["sw", "am"]])
def test_student_is_trained_and_not_scored_when_nobody_has_evaluation_rows(
    good: Run, unscored: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for language in unscored:
        (good.folder / f"test.{language}.jsonl").unlink()
    report = good.start("--unscored_languages", json.dumps(unscored))
    assert f"Not scored (unscored_languages): {', '.join(unscored)}." in caplog.text
    assert set(report.languages) == {"en", *TARGETS} - set(unscored)
    assert report == ZeroShotReport.load(good.folder / "out") and report.unscored == unscored
    outlook = json.loads((good.folder / "out/outlook.json").read_text(encoding="utf-8"))
    assert set(outlook["teacher"]) == set(outlook["cut"]) == {"en", *TARGETS}
    assert TrainingRecord.load(good.folder / "out").provenance["rows"]["parallel"] == {"sw": 8, "am": 8}
    written = [(good.folder / "out" / name).read_text(encoding="utf-8") for name in ("README.md", "report.html")]
    for told in (report.table(), *written):
        words = " ".join(told.split())
        assert "Not scored: " in words and "Amharic (am). What the student is worth there is unknown." in words
    # Of the source language alone there is neither a zero-shot score nor a gap.
    said = ("behind the source language" in written[0], '<span class="badge">zero-shot' in written[1])
    assert said == (unscored == ["am"],) * 2
    card = ModelCard.load(good.folder / "out/README.md")
    assert card.data.language == ["en", *(own for own in TARGETS if own not in unscored), *unscored]
    assert f"in 3 language(s), with its scores in {3 - len(unscored)} of them" in card.text


def test_setting_is_source_only_when_nothing_is_drawn_from_the_translations(good: Run) -> None:
    good.values["mixture"] = {"roles": {"labelled": 1, "parallel": 0}}
    report = good.start("--max_steps", "2")
    assert report is not None and report.setting == "source-only"


def test_run_goes_on_when_overlap_is_allowed(good: Run) -> None:
    change_first(good, "train.jsonl", text=good.rows("test.en.jsonl")[0]["text"])
    assert good.start("--overlap", "allow", "--max_steps", "2") is not None


PROGRAM_WITHOUT_XLKD = """
import sys
sys.modules["xlkd"] = None
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
classify = pipeline("text-classification", model=sys.argv[1], device="cpu")
print(model.config.num_hidden_layers, sorted(model.config.label2id), classify(sys.argv[2])[0]["label"])
"""


@pytest.mark.slow
def test_student_loads_without_xlkd_when_the_run_is_done(
    good: Run, words: dict[str, list[str]], steps: list[int]
) -> None:
    report = good.start()
    out = good.folder / "out"
    assert len(steps) == 4
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "run.yaml", "zero_shot.json"} <= names
    assert "training_args.bin" not in names
    written = json.loads((out / "zero_shot.json").read_text())
    assert set(written["languages"]) == {"en", *TARGETS} == set(report.languages)
    assert written["setting"] == "parallel"

    text = " ".join(words["sw"][:3])
    answered = subprocess.run(
        [sys.executable, "-c", PROGRAM_WITHOUT_XLKD, str(out), text],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=good.folder,
    )
    assert answered.returncode == 0, answered.stderr
    layers, *_ = answered.stdout.split()
    assert layers == "2"
    assert "['a', 'b', 'c']" in answered.stdout


@pytest.mark.slow
def test_scores_are_identical_when_run_yaml_runs_again(good: Run) -> None:
    first = good.start()
    again = program.main([str(good.folder / "out" / "run.yaml"), "--output_dir", str(good.folder / "again")])
    assert again is not None
    assert again.languages == first.languages
    weights = [(good.folder / name / "model.safetensors").read_bytes() for name in ("out", "again")]
    assert weights[0] == weights[1]


def test_no_thread_is_left_when_a_run_was_refused(good: Run) -> None:
    before = threading.active_count()
    with pytest.raises(UserError):
        good.start("--metric", "none")
    assert threading.active_count() <= before


ROOT = Path(__file__).parent.parent


def launch(run: Run, *arguments: str, config: str | None = None) -> subprocess.CompletedProcess[str]:
    """Start a run as the README says."""
    path = run.folder / "run.yaml"
    path.write_text(yaml.safe_dump(run.values), encoding="utf-8")
    launcher = ["--config_file", str(ROOT / config)] if config else []
    command = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", *launcher, "scripts/distill.py"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.run(
        [*command, str(path), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_all_cores_and_the_best_precision_are_used_when_launched(good: Run) -> None:
    del good.values["num_threads"], good.values["precision"]
    done = launch(good)
    assert done.returncode == 0, done.stderr[-3000:]
    precision = "bfloat16" if torch.cpu.get_capabilities().get("avx512_bf16") else "float32"
    assert f"{precision}, {cpu_count()} thread(s) a process, 1 process(es)" in done.stderr
    assert "mean of targets" in done.stdout


@pytest.mark.slow
def test_two_processes_share_the_cores_when_launched(good: Run) -> None:
    del good.values["num_threads"]
    done = launch(good, config="scripts/launch/cpu-2.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{max(cpu_count() // 2, 1)} thread(s) a process, 2 process(es)" in done.stderr
    assert done.stdout.count("mean of targets") == 1


@pytest.mark.slow
def test_launcher_fails_and_the_sentence_is_shown_when_the_user_errs(good: Run) -> None:
    done = launch(good, "--lerning_rate", "1")
    assert done.returncode != 0
    assert "error: Unknown key 'lerning_rate' (did you mean learning_rate?)." in done.stderr


def test_threads_are_the_users_when_the_user_named_them() -> None:
    class Silent:
        num_threads = None

    class Named:
        num_threads = 3

    cores = cpu_count()
    assert process.threads_of(Named, {"OMP_NUM_THREADS": "7"}) == 3
    assert process.threads_of(Silent, {"OMP_NUM_THREADS": "7"}) == 7
    assert process.threads_of(Silent, {"OMP_NUM_THREADS": "1"}) == cores
    assert process.threads_of(Silent, {"LOCAL_WORLD_SIZE": str(2 * cores)}) == 1


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        asked: list[tuple[int, int]] = []

        @classmethod
        def mallopt(cls, option: int, value: int) -> int:
            cls.asked.append((option, value))
            return 1

    monkeypatch.setattr(process.ctypes, "CDLL", lambda name: Library)
    for name, expected in (("", []), ("glibc", [(-1, 2**31 - 1), (-3, 2**31 - 1)])):
        monkeypatch.setattr(process.platform, "libc_ver", lambda name=name: (name, "2.36"))
        process.keep_freed_memory()
        assert Library.asked == expected


def test_tokens_are_not_in_the_record_when_they_were_given(good: Run) -> None:
    good.values |= {"hub_token": "hf_secret", "max_steps": 1, "eval_strategy": "no", "load_best_model_at_end": False}
    good.start()
    assert "hf_secret" not in (good.folder / "out" / "run.yaml").read_text()
    assert program.without_secrets({"teacher": [{"finetune": {"hub_token": "hf_secret", "seed": 1}}]}) == {
        "teacher": [{"finetune": {"seed": 1}}]
    }


def short(run: Run) -> Run:
    """The run with one step and no selection."""
    run.values |= {"max_steps": 1, "eval_strategy": "no", "load_best_model_at_end": False}
    return run


def test_student_has_fewer_layers_units_and_pieces_when_it_is_cut(good: Run) -> None:
    good.values["student"] = {
        "layers": 2,
        "keep": "last",
        "feed_forward": 16,
        "vocabulary": {"size": 100, "max_unknown_rise": 1.0},
    }
    short(good).start()
    config = json.loads((good.folder / "out" / "config.json").read_text())
    assert (config["num_hidden_layers"], config["intermediate_size"], config["vocab_size"]) == (2, 16, 100)
    report = json.loads((good.folder / "out" / "student.json").read_text())
    assert (report["student"]["vocabulary"], report["teacher"]["vocabulary"]) == (100, 245)
    assert set(report["languages"]) == {"en", *TARGETS}


def test_layer_map_is_what_was_kept_when_a_loss_says_so(good: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(program, "make_trainer", lambda run, args, task, losses, *rest: seen.append(losses) or 1 / 0)
    good.values["student"]["layers"] = [1, 3]
    good.values["losses"][1]["layer_map"] = "kept"
    with pytest.raises(ZeroDivisionError):
        short(good).start()
    assert seen[0].config()[1]["layer_map"] == [[1, 1], [2, 3]]


def test_text_named_for_the_vocabulary_is_counted(good: Run, words: dict[str, list[str]]) -> None:
    for language in ("en", *TARGETS):
        good.write(f"more.{language}.jsonl", [{"text": word} for word in words[language]])
    text = str(good.folder / "more.{language}.jsonl")
    good.values["student"] = {"layers": 2, "vocabulary": {"text": text, "max_unknown_rise": 0.05}}
    short(good).start()
    kept = json.loads((good.folder / "out" / "tokenizer.json").read_text())["model"]["vocab"].keys()
    assert len(kept & set(words["am"])) > 0.85 * len(words["am"])
    assert not kept & set(words["zh"])


def test_run_is_not_resumed_when_its_vocabulary_is_another(good: Run, words: dict[str, list[str]]) -> None:
    good.values["student"]["vocabulary"] = {"size": 60, "max_unknown_rise": 1.0}
    good.values |= {"max_steps": 2, "eval_strategy": "no", "load_best_model_at_end": False}
    good.start()
    for language in TARGETS:
        own = texts(words[language][::-1], 300, 8)
        good.write(f"parallel.{language}.jsonl", [{"text": row["text"], "en": words["en"][0]} for row in own])
    with pytest.raises(UserError, match="checkpoint-2 has another vocabulary .* has changed since"):
        good.start("--max_steps", "4", "--resume_from_checkpoint", "last")


def test_vocabulary_of_an_own_student_is_trimmed_too(
    good: Run, make_model: MakeModel, tokenizer: PreTrainedTokenizerBase, save_model: Save
) -> None:
    save_model(good.folder / "student", make_model(layers=2), tokenizer)
    good.values["student"] = {
        "model": str(good.folder / "student"),
        "vocabulary": {"size": 100, "max_unknown_rise": 1.0},
    }
    short(good).start()
    assert json.loads((good.folder / "out" / "config.json").read_text())["vocab_size"] == 100


def build(run: Run) -> StudentReport:
    """Make the student of a run alone."""
    path = run.folder / "run.yaml"
    path.write_text(yaml.safe_dump(run.values), encoding="utf-8")
    return single_steps.main_build([str(path)])


def test_student_is_built_alone_when_there_are_no_losses_and_no_evaluation_data(
    good: Run, steps: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    del good.values["losses"], good.values["data"][2:]
    good.values["student"]["vocabulary"] = {"size": 100, "max_unknown_rise": 1.0}
    report = build(good)
    printed = capsys.readouterr().out
    model = AutoModelForSequenceClassification.from_pretrained(good.folder / "out")
    assert steps == []
    assert model.config.vocab_size == 100
    assert report.student.parameters == model.num_parameters()
    assert "pieces in the vocabulary" in printed and "\nsw " in printed
    assert (good.folder / "out" / "student.json").is_file()


def test_report_has_all_languages_when_the_vocabulary_is_whole(good: Run) -> None:
    languages = build(good).languages
    assert set(languages) == {"en", *TARGETS}
    assert {check.same for check in languages.values()} == {1.0}


def test_bare_encoder_is_cut_when_the_teacher_has_no_head(good: Run) -> None:
    one_encoder(good)
    build(good)
    assert json.loads((good.folder / "out" / "config.json").read_text())["architectures"] == ["BertModel"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (value("student", {"model": "x"}), "model x is a model of its own, so there is none to build"),
        (lambda run: run.values.pop("teacher"), "there is none: name one"),
        (lambda run: (one_encoder(run), run.values["student"].update(feed_forward=8)), "has no head for"),
        (lambda run: (one_encoder(run), label_map(a="b")(run)), "is not a model for sequence-classification"),
        (label_map(a="x"), "'x' is not a label of the student"),
    ],
)
def test_student_is_not_built_when(good: Run, change: Callable[[Run], Any], message: str) -> None:
    change(good)
    with pytest.raises(UserError, match=message):
        build(good)


def test_teacher_is_asked_before_training_alone_when_its_answers_are_kept(
    good: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good.values["teacher_cache"] = str(good.folder / "answers")
    path = good.folder / "run.yaml"
    path.write_text(yaml.safe_dump(good.values), encoding="utf-8")
    assert single_steps.main_cache([str(path)]) == [good.folder / "answers"]
    assert capsys.readouterr().out.strip() == str(good.folder / "answers")
    asked: list[int] = []
    answer = LiveTeacher.answer
    monkeypatch.setattr(LiveTeacher, "answer", lambda *words: asked.append(1) or answer(*words))
    # The look ahead is before that, and asks about other texts.
    make_trainer = program.make_trainer
    monkeypatch.setattr(program, "make_trainer", lambda *words: asked.clear() or make_trainer(*words))
    trained: list[int] = []
    score = program.score
    monkeypatch.setattr(program, "score", lambda *words: trained.append(len(asked)) or score(*words))
    good.start()
    assert trained == [0] and asked


def test_student_learns_from_answers_alone_when_the_teacher_is_elsewhere(
    good: Run, make_model: MakeModel, tokenizer: PreTrainedTokenizerBase, save_model: Save
) -> None:
    good.values["teacher_cache"] = str(good.folder / "answers")
    path = good.folder / "run.yaml"
    path.write_text(yaml.safe_dump(good.values), encoding="utf-8")
    single_steps.main_cache([str(path)])
    shutil.rmtree(good.folder / "teacher")
    del good.values["teacher"]
    good.values["student"] = {"model": str(save_model(good.folder / "own", make_model(layers=2), tokenizer))}
    report = good.start()
    assert report.languages["sw"]["teacher"] is None


def test_labels_that_answers_alone_do_not_know_are_told_before_training(
    good: Run, make_model: MakeModel, tokenizer: PreTrainedTokenizerBase, save_model: Save, monkeypatch: Any
) -> None:
    good.values["teacher_cache"] = str(good.folder / "answers")
    path = good.folder / "run.yaml"
    path.write_text(yaml.safe_dump(good.values), encoding="utf-8")
    single_steps.main_cache([str(path)])
    del good.values["teacher"]
    good.values["student"] = {"model": str(save_model(good.folder / "own", BertModel(make_model().config), tokenizer))}
    four_labels({"name": "decoupled-label"})(good)
    monkeypatch.setattr(program, "prepare_teacher", lambda *_: pytest.fail("It is too late."))
    with pytest.raises(UserError, match=re.escape(FEW)):
        good.start()


def test_run_looks_ahead_before_it_trains(
    good: Run, words: dict[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="xlkd")
    good.write("dev.jsonl", texts(words["en"], 12, 27))
    good.start()
    ahead = json.loads((good.folder / "out/outlook.json").read_text(encoding="utf-8"))
    assert set(ahead["teacher"]) == set(ahead["cut"]) == {"en", *TARGETS}
    # A teacher of random weights: 27 texts of three labels show that, six do not.
    assert ahead["at_chance"] == ["en"]
    assert "No evaluation row is in the training data." in caplog.text
    assert "The teacher is at chance in en, the language of the labels" in caplog.text
    assert "Training: 4 updates of about" in caplog.text


@pytest.fixture
def two(good: Run, make_model: MakeModel, other_tokenizer: PreTrainedTokenizerBase, save_model: Save) -> Run:
    """A run with two teachers; the second has another architecture, tokenizer and width, and does not know Amharic."""
    second = make_model(
        layers=2, width=24, labels=("b", "c", "a"), seed=4, vocab=len(other_tokenizer), kind="xlm-roberta"
    )
    save_model(good.folder / "second", second, other_tokenizer)
    good.values["teacher"] = [
        str(good.folder / "teacher"),
        {"model": str(good.folder / "second"), "languages": ["en", "sw"], "weight": 2.0},
    ]
    good.values["ensemble"] = {"features": str(good.folder / "teacher")}
    return good


def test_nobody_need_know_a_language_when_it_is_learnt_from_translations_and_not_scored(two: Run) -> None:
    two.values["teacher"][0] = {"model": two.values["teacher"][0], "languages": ["en", "sw"]}
    two.values["losses"] = [{"name": "soft-label"}]
    report = two.start("--unscored_languages", "[am]", "--max_steps", "2")
    assert set(report.languages) == {"en", "sw"}
    outlook = json.loads((two.folder / "out/outlook.json").read_text(encoding="utf-8"))
    assert set(outlook["teacher"]) == {"en", "sw"} and set(outlook["cut"]) == {"en", "sw", "am"}


@pytest.mark.parametrize("weights", ["fixed", "confidence", "validation", {"sw": [1, 3], "default": [1, 1]}])
def test_several_teachers_are_one_when_the_run_names_a_list(two: Run, weights: Any) -> None:
    if weights != "fixed":
        del two.values["teacher"][1]["weight"]
    two.values["ensemble"] |= {"weights": weights, "average": "logits"}
    report = two.start()
    assert report.teacher == "teacher + second"
    models = [AutoModelForSequenceClassification.from_pretrained(two.folder / name) for name in ("teacher", "second")]
    assert report.size["teacher"]["parameters"] == sum(model.num_parameters() for model in models)
    assert all(scores["teacher"] is not None for scores in report.languages.values())
    shutil.copy(two.folder / "out" / "run.yaml", two.folder / "again.yaml")
    again = program.main([str(two.folder / "again.yaml"), "--output_dir", str(two.folder / "again")])
    assert again.languages == report.languages


def test_student_is_cut_from_the_teacher_of_the_features(two: Run) -> None:
    two.values["ensemble"]["features"] = 1
    two.values["losses"] = [{"name": "soft-label"}, {"name": "hidden-state", "layer_map": [[1, 2]]}]
    two.values["student"] = {"layers": 1}
    two.start()
    student = AutoModelForSequenceClassification.from_pretrained(two.folder / "out")
    assert (student.config.model_type, student.config.hidden_size) == ("xlm-roberta", 24)
    assert list(student.config.id2label.values()) == ["b", "c", "a"]


def test_each_teacher_is_asked_once_about_what_it_knows_when_answers_are_kept(
    two: Run, other_tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.values["teacher_cache"] = str(two.folder / "answers")
    # Swahili is read by the second teacher alone, and all else by the first.
    two.values["teacher"] = [
        {"model": str(two.folder / "teacher"), "languages": ["en", "am"]},
        {"model": str(two.folder / "second"), "languages": ["sw"]},
    ]
    two.values["data"].append({"role": "unlabelled", "language": "sw", "path": str(two.folder / "more.jsonl")})
    two.values["losses"] = [{"name": "soft-label"}]
    swahili = [{"text": row["text"] + " " + row["text"]} for row in two.rows("parallel.sw.jsonl")]
    two.write("more.jsonl", swahili)
    path = two.folder / "run.yaml"
    path.write_text(yaml.safe_dump(two.values), encoding="utf-8")
    folders = single_steps.main_cache([str(path)])
    assert folders == [two.folder / "answers" / "0", two.folder / "answers" / "1"]
    english = len(two.rows("train.jsonl")) + len(two.rows("parallel.sw.jsonl"))
    # Words that the second does not know are one to it.
    different = {tuple(other_tokenizer(row["text"])["input_ids"]) for row in swahili}
    assert [len(TeacherCache.open(folder).answers) for folder in folders] == [english, len(different)]
    asked: list[int] = []
    answer = LiveTeacher.answer
    monkeypatch.setattr(LiveTeacher, "answer", lambda *words: asked.append(1) or answer(*words))
    # The look ahead is before that, and asks about other texts.
    make_trainer = program.make_trainer
    monkeypatch.setattr(program, "make_trainer", lambda *words: asked.clear() or make_trainer(*words))
    trained: list[int] = []
    score = program.score
    monkeypatch.setattr(program, "score", lambda *words: trained.append(len(asked)) or score(*words))
    two.start()
    assert trained == [0] and asked


def test_each_teacher_is_fine_tuned_when_it_is_an_encoder(two: Run) -> None:
    two.values["teacher"][1]["finetune"] = {"num_train_epochs": 1}
    BertModel.from_pretrained(two.folder / "teacher").save_pretrained(two.folder / "teacher")
    two.values["teacher"][0] = {"model": str(two.folder / "teacher"), "finetune": {"num_train_epochs": 1}}
    path = two.folder / "run.yaml"
    path.write_text(yaml.safe_dump(two.values), encoding="utf-8")
    folders = single_steps.main_finetune([str(path)])
    assert [AutoConfig.from_pretrained(folder).model_type for folder in folders] == ["bert", "xlm-roberta"]
    assert two.start().languages["sw"]["teacher"] is not None


def fine_tuned(run: Run, cache: str, *teachers: dict[str, Any], seed: int = 0) -> list[dict[str, torch.Tensor]]:
    """The weights of the encoder's fine-tunings with these options, in a cache of this name."""
    BertModel.from_pretrained(run.folder / "teacher").save_pretrained(run.folder / "encoder")
    AutoTokenizer.from_pretrained(run.folder / "teacher").save_pretrained(run.folder / "encoder")
    alike = {"per_device_train_batch_size": 4, "use_cpu": True, "warmup_steps": 0, "lr_scheduler_type": "constant"}
    model = str(run.folder / "encoder")
    run.values["teacher"] = [{"model": model, "finetune": alike | options} for options in teachers]
    run.values["ensemble"] = {"features": 0} if len(teachers) > 1 else None
    path = run.folder / "run.yaml"
    path.write_text(yaml.safe_dump({**run.values, "seed": seed}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLKD_CACHE", str(run.folder / cache))
        folders = single_steps.main_finetune([str(path)])
    return [safetensors.torch.load_file(folder / "model.safetensors") for folder in folders]


def test_products_that_are_not_float32_make_a_teacher_of_their_own(good: Run) -> None:
    options = [{"max_steps": 1, "fast_matmul": fast} for fast in ("auto", "off", "on")]
    fine_tuned(good, "cache", *options)
    assert len(list((good.folder / "cache" / "teachers").iterdir())) == 2


def test_teacher_is_the_mean_of_its_steps_when_it_is_fine_tuned_so(good: Run) -> None:
    one, two, mean = (
        fine_tuned(good, "cache", options)[0]
        for options in ({"max_steps": 1}, {"max_steps": 2}, {"max_steps": 2, "average_last": 1.0})
    )
    assert not torch.equal(one["classifier.weight"], two["classifier.weight"])
    for name, weights in mean.items():
        torch.testing.assert_close(weights, (one[name] + two[name]) / 2, msg=name)


def test_teachers_are_those_of_their_own_seeds_when_they_are_fine_tuned_with_several(good: Run) -> None:
    several = fine_tuned(good, "several", {"max_steps": 1, "seed": 0}, {"max_steps": 1, "seed": 1})
    alone = [fine_tuned(good, f"alone-{seed}", {"max_steps": 1}, seed=seed)[0] for seed in (0, 1)]
    for own, other in zip(several, alone, strict=True):
        assert all(torch.equal(own[name], other[name]) for name in other)
    assert not torch.equal(several[0]["classifier.weight"], several[1]["classifier.weight"])


def test_scores_are_the_weights_when_these_are_by_validation(two: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="xlkd")
    del two.values["teacher"][1]["weight"]
    two.values["teacher"][1]["precision"] = "bfloat16"
    two.values["ensemble"]["weights"] = "validation"
    path = two.folder / "run.yaml"
    path.write_text(yaml.safe_dump(two.values), encoding="utf-8")
    run, args, _ = program.read_run([str(path)])
    sources = load_sources(run)
    task = task_of(run, sources)
    ensemble = prepare_teacher(run, args, task, sources)
    assert isinstance(ensemble, TeacherEnsemble)
    for position, name in enumerate(("teacher", "second")):
        model = AutoModelForSequenceClassification.from_pretrained(two.folder / name)
        tokenizer = AutoTokenizer.from_pretrained(two.folder / name)
        right = 0
        for row in two.rows("dev.jsonl"):
            encoded = tokenizer(row["text"], return_tensors="pt", truncation=True, max_length=16)
            right += model.config.id2label[int(model(**encoded).logits.argmax())] == row["label"]
        assert ensemble.weights[position] == right / 6
        # A student may be cut from it yet, so its weights are still whole.
        assert ensemble.models[position].dtype == torch.float32
        assert f"{name}: accuracy {right / 6:.3f} on validation" in caplog.text


def test_card_tells_how_teachers_answer_as_one_when_the_run_says_nothing_of_it(two: Run) -> None:
    del two.values["ensemble"]
    two.values["losses"] = [{"name": "soft-label"}]
    two.start()
    assert "the mean of probabilities" in (two.folder / "out" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cache", ["auto", "off", "folder"])
def test_teacher_is_scored_only_when_no_training_row_is_in_its_languages(
    two: Run, caplog: pytest.LogCaptureFixture, cache: str
) -> None:
    caplog.set_level("INFO", logger="xlkd")
    two.values["teacher_cache"] = str(two.folder / "answers") if cache == "folder" else cache
    # All that a teacher reads in this training is English.
    two.values["teacher"][1]["languages"] = ["sw"]
    assert two.start().languages["sw"]["teacher"] is not None
    assert "second: asked about no training row" in caplog.text
    assert f"Teacher {two.folder / 'teacher'}: asked about no" not in caplog.text


def test_teachers_teach_together_what_none_of_them_knows_alone(two: Run) -> None:
    named("a", "b", "x")(two)
    named("y", "b", "c", folder="second")(two)
    two.values["teacher"][1].pop("languages")
    # No row with a label to learn from, so that each class must be a teacher's.
    two.values["data"] = [entry for entry in two.values["data"] if entry["role"] != "labelled"]
    two.values["losses"] = [{"name": "soft-label"}]
    report = two.start()
    assert all(0 <= scores["teacher"] <= 1 for scores in report.languages.values())
    student = AutoModelForSequenceClassification.from_pretrained(two.folder / "out")
    assert list(student.config.id2label.values()) == ["a", "b", "c"]


def test_all_labels_are_known_when_one_teacher_is_still_to_be_fine_tuned(two: Run) -> None:
    named("a", "b", "x")(two)
    two.values["teacher"][1]["finetune"] = {"num_train_epochs": 1}
    (two.folder / "run.yaml").write_text(yaml.safe_dump(two.values), encoding="utf-8")
    run, *_ = program.read_run([str(two.folder / "run.yaml")])
    shape, _ = teacher_of(run, get_task("sequence-classification", ["a", "b", "c"]))
    assert shape is not None and shape.labels == ("a", "b", "c")


def several(change: Callable[[list[Any], dict[str, Any]], object]) -> Callable[[Run], object]:
    """Change the teachers and the block `ensemble` of a run with two."""

    def changed(run: Run) -> None:
        change(run.values["teacher"], run.values["ensemble"])

    return changed


BAD_ENSEMBLE: dict[str, tuple[Callable[[Run], object], list[str]]] = {
    "one teacher": (
        lambda run: run.values.update(teacher=run.values["teacher"][0]),
        ["ensemble has no effect without several teachers"],
    ),
    "wrong finetune argument of the second": (
        lambda run: (
            run.values["teacher"].__setitem__(0, {"model": str(run.folder / "teacher"), "finetune": {}}),
            run.values["teacher"][1].update(finetune={"num_epochs": 1}),
        ),
        ["teacher.finetune", "did you mean num_train_epochs"],
    ),
    "one teacher in a list": (
        lambda run: (run.values.update(teacher=run.values["teacher"][1:]), run.values.pop("ensemble")),
        ["teacher: languages, teacher: weight has no effect without several teachers"],
    ),
    "no teacher in a list": (
        lambda run: (run.values.update(teacher=[]), run.values.pop("ensemble")),
        ["teacher: the list is empty"],
    ),
    "unknown features": (several(lambda _, block: block.update(features="third")), ["features 'third' is no teacher"]),
    "features out of range": (
        several(lambda _, block: block.update(features=2)),
        ["features 2 is no teacher", "0 to 1"],
    ),
    "a teacher twice": (
        several(lambda teachers, block: (teachers[1].update(model=teachers[0]), block.update(features=0))),
        ["stands twice in the list", "fine-tunings differ by `finetune: {seed: 1}`"],
    ),
    "features of two": (
        several(lambda teachers, block: (teachers[1].update(model=teachers[0]), block.update(features=teachers[0]))),
        ["are several teachers: give a position"],
    ),
    "no features": (
        several(lambda _, block: block.pop("features")),
        ["the 2 teachers of the ensemble have different ones", "as `features`, one of"],
    ),
    "features that do not know a language": (
        several(lambda teachers, _: teachers.__setitem__(0, {"model": teachers[0], "languages": ["am"]})),
        ["need hidden states", "it does not know en"],
    ),
    "nobody who knows a language": (
        lambda run: run.values["teacher"].__setitem__(0, {"model": run.values["teacher"][0], "languages": ["en"]}),
        ["Nobody in the ensemble is asked about text in am", "knows en, "],
    ),
    "no languages": (several(lambda teachers, _: teachers[1].update(languages=[])), ["languages of", "are none"]),
    "a language that is none": (
        several(lambda teachers, _: teachers[1].update(languages=["Swahili!"])),
        ["'Swahili!' is not a language code"],
    ),
    "too few weights": (
        several(lambda teachers, block: (teachers[1].pop("weight"), block.update(weights={"default": [1]}))),
        ["has 1 weight(s), but 2 members"],
    ),
    "a negative weight": (
        several(lambda teachers, _: teachers[1].update(weight=-2.0)),
        ["weight -2.0 of the ensemble must be a finite number, and not negative"],
    ),
    "weights without a language": (
        several(lambda teachers, block: (teachers[1].pop("weight"), block.update(weights={"sw": [1, 1]}))),
        ["asked about text in en, am", "weights are given for sw"],
    ),
    "a weight that does not count": (
        several(lambda _, block: block.update(weights="confidence")),
        ["teacher: weight has no effect beside `ensemble: {weights: confidence}`"],
    ),
    "fixed weights that are not given": (
        several(lambda teachers, block: (teachers[1].pop("weight"), block.update(weights="fixed"))),
        ["weights fixed are those of the teachers"],
    ),
    "unknown weights": (
        several(lambda _, block: block.update(weights="confident")),
        ["weights 'confident' is unknown", "did you mean confidence?"],
    ),
    "unknown average": (several(lambda _, block: block.update(average="mean")), ["average 'mean' is unknown"]),
    "validation of a stranger": (
        several(
            lambda teachers, block: (
                teachers[1].pop("weight"),
                teachers[1].update(languages=["sw"]),
                block.update(weights="validation"),
            )
        ),
        ["weights validation are scores on rows in en, which", "second does not know"],
    ),
    "an unknown key of a member": (
        several(lambda teachers, _: teachers[1].update(langauges=["sw"])),
        ["Unknown key 'langauges' in teacher.1", "did you mean languages?"],
    ),
    "a member without a model": (several(lambda teachers, _: teachers[1].pop("model")), ["teacher.1 has no `model`"]),
    "other labels of a member": (
        named("x", "y", "z", folder="second"),
        ["The teacher's labels (x, y, z) and the student's", "have none in common"],
    ),
    "a label that no teacher knows": (
        lambda run: (
            named("a", "b", "x")(run),
            named("y", "b", "a", folder="second")(run),
            run.values.update(data=[entry for entry in run.values["data"] if entry["role"] != "labelled"]),
        ),
        ["have the label c, which neither the teacher (a, b, x; y, b, a) nor a labelled row teaches"],
    ),
    "texts longer than a member reads": (
        lambda run: shorten(run, "second"),
        ["max_length 16 is out of range", "second reads 4 to 8"],
    ),
}


def shorten(run: Run, name: str) -> None:
    """Let a model read no more than 8 tokens."""
    path = run.folder / name / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_max_length": 8}))


@pytest.mark.parametrize("case", list(BAD_ENSEMBLE))
def test_run_stops_before_training_when_the_ensemble_has(two: Run, steps: list[int], case: str) -> None:
    change, parts = BAD_ENSEMBLE[case]
    change(two)
    with pytest.raises(UserError) as caught:
        two.start()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert not steps


def renamed(run: Run, names: dict[str, str]) -> None:
    """Rename the labels of the data; rows whose label has no new name are dropped."""
    for path in run.folder.glob("*.jsonl"):
        rows = run.rows(path.name)
        kept = [{**row, "label": names[row["label"]]} for row in rows if "label" in row and row["label"] in names]
        run.write(path.name, kept if "label" in rows[0] else rows)


CROSSED: dict[str, tuple[dict[str, str], dict[str, str | None] | None, list[str]]] = {
    "subset": ({"a": "a", "b": "b"}, None, ["a", "b"]),
    "superset": ({"a": "a", "b": "b", "c": "new"}, None, ["a", "b", "new"]),
    "many to one": ({"a": "a", "b": "rest", "c": "rest"}, {"b": "rest", "c": "rest"}, ["a", "rest"]),
    "dropped": ({"a": "a", "b": "b", "c": "c"}, {"b": None}, ["a", "b", "c"]),
}


@pytest.mark.parametrize("case", list(CROSSED))
def test_student_has_the_labels_of_its_task_when_the_teacher_has_others(good: Run, case: str) -> None:
    names, mapping, labels = CROSSED[case]
    renamed(good, names)
    label_map(**mapping)(good) if mapping else None
    report = short(good).start()
    config = AutoModelForSequenceClassification.from_pretrained(good.folder / "out").config
    assert config.id2label == dict(enumerate(labels))
    assert config.label2id == {label: index for index, label in enumerate(labels)}
    assert all(0 <= scores["teacher"] <= 1 for scores in report.languages.values())
    written = yaml.safe_load((good.folder / "out" / "run.yaml").read_text())
    assert written["teacher"] == good.values["teacher"]


def test_scores_are_identical_when_a_run_with_a_label_map_runs_again(good: Run) -> None:
    label_map(a=None)(good)
    first = short(good).start()
    again = program.main([str(good.folder / "out" / "run.yaml"), "--output_dir", str(good.folder / "again")])
    assert again is not None and again.languages == first.languages


def test_labels_that_are_lost_are_named_once_when_the_run_starts(good: Run, caplog: pytest.LogCaptureFixture) -> None:
    renamed(good, {"a": "a", "b": "b"})
    short(good).start()
    lost = [record.message for record in caplog.records if record.message.startswith("Labels by name")]
    assert lost == ["Labels by name: c teaches nothing, and soft labels are renormalised without it."]


def test_label_that_no_row_has_is_allowed_when_the_user_names_it(good: Run) -> None:
    good.values["labels"] = ["a", "b", "c", "rare"]
    short(good).start()
    assert AutoModelForSequenceClassification.from_pretrained(good.folder / "out").config.num_labels == 4


def test_student_that_is_built_alone_has_the_labels_of_the_data(good: Run) -> None:
    renamed(good, {"a": "a", "b": "rest", "c": "rest"})
    label_map(b="rest", c="rest")(good)
    build(good)
    config = AutoModelForSequenceClassification.from_pretrained(good.folder / "out").config
    assert config.id2label == {0: "a", 1: "rest"}


def test_student_that_is_built_alone_has_the_teachers_labels_when_the_data_have_none(good: Run) -> None:
    good.values["data"] = [entry for entry in good.values["data"] if entry["role"] == "parallel"]
    build(good)
    assert AutoModelForSequenceClassification.from_pretrained(good.folder / "out").config.num_labels == 3


@pytest.mark.parametrize("loss", ["attention-map", "attention-relation"])
def test_named_cache_is_refused_before_any_training_when_a_loss_needs_attention(
    good: Run, steps: list[int], loss: str
) -> None:
    good.values |= {"losses": [{"name": loss}], "teacher_cache": str(good.folder / "answers")}
    with pytest.raises(UserError, match="answers cannot hold what attention-map and attention-relation need"):
        good.start()
    assert steps == [] and not (good.folder / "answers").exists()


@pytest.mark.usefixtures("planning_only")
def test_answers_are_not_kept_beforehand_when_a_loss_needs_attention(good: Run) -> None:
    losses({"name": "attention-relation"}, {"name": "soft-label"})(good)
    path = good.folder / "run.yaml"
    path.write_text(yaml.safe_dump(good.values), encoding="utf-8")
    with pytest.raises(UserError, match="attention, which is never kept. Train without this step, or use hidden-state"):
        single_steps.main_cache([str(path)])


def test_teacher_is_asked_in_every_step_when_a_loss_needs_attention(
    good: Run, caplog: pytest.LogCaptureFixture
) -> None:
    good.values |= {"losses": [{"name": "attention-relation"}, {"name": "soft-label"}], "max_steps": 20}
    with caplog.at_level("INFO"):
        good.start()
    assert "asked in every step, since a loss needs its attention" in caplog.text


def test_loss_is_refused_before_any_training_when_its_relation_heads_do_not_divide(good: Run, steps: list[int]) -> None:
    good.values["losses"] = [{"name": "attention-relation", "relation_heads": 3}]
    with pytest.raises(UserError, match="relation_heads 3 must divide .* use one of 1, 2, 4, 8, 16"):
        good.start()
    assert steps == []


def test_card_and_record_are_beside_the_student_when_a_run_ends(good: Run) -> None:
    short(good).start()
    folder = good.folder / "out"
    card, record = (folder / "README.md").read_text(), TrainingRecord.load(folder)
    assert "| Swahili | sw |" in card and "cut from teacher, its layers " in card
    assert "| parallel | parallel.\\{language\\}.jsonl | sw, am | - | - |" in card
    assert record.provenance["rows"]["parallel"] == {"sw": 8, "am": 8} and record.steps == 1
    assert [entry["name"] for entry in record.losses] == ["soft-label", "hidden-state", "hard-label"]


def test_no_path_of_the_user_is_published_when_all_is_local(good: Run) -> None:
    short(good).start()
    published = [good.folder / "out" / name for name in published_files(good.folder / "out")]
    assert len(published) >= 6
    assert not [path.name for path in published if str(good.folder).encode() in path.read_bytes()]
    assert str(good.folder) not in (good.folder / "out/training.json").read_text()


@pytest.fixture
def with_target_labels(good: Run, words: dict[str, list[str]]) -> Run:
    """A run that has validation rows in Swahili too, and keeps all checkpoints."""
    good.write("dev.sw.jsonl", texts(words["sw"], 200, 6))
    path = str(good.folder / "dev.sw.jsonl")
    good.values["data"].append({"role": "validation", "path": path, "language": "sw"})
    good.values |= {"save_total_limit": None, "oracle": True, "eval_steps": 1, "save_steps": 1}
    return good


def test_oracle_is_the_checkpoint_that_is_best_on_labels_of_targets(
    with_target_labels: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    report = with_target_labels.start()
    out = with_target_labels.folder / "out"
    steps = sorted(int(path.name.rpartition("-")[2]) for path in out.glob("checkpoint-*"))
    assert steps == [1, 2, 3, 4]
    history = json.loads((out / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
    scores = {entry["step"]: entry["eval_sw_accuracy"] for entry in history if "eval_sw_accuracy" in entry}
    best = min(step for step in steps if scores[step] == max(scores.values()))
    assert (
        report.oracle["selection"]
        == f"checkpoint-{best}, best mean accuracy ({100 * scores[best]:.1f}) on labels of sw"
    )
    alone = main_score(
        [str(out / "run.yaml"), "--model", str(out / f"checkpoint-{best}"), "--output_dir", str(out / "scores")]
    )
    assert report.oracle["languages"] == {name: own["student"] for name, own in alone.languages.items()}
    assert report.oracle["target"] == alone.means["target"]["student"]
    printed = " ".join(capsys.readouterr().out.split())
    assert "oracle, mean of targets *" in printed and f"* checkpoint-{best}, best mean" in printed
    assert "no zero-shot number" in printed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save_total_limit": 2}, "save_total_limit 2"),
        ({"eval_strategy": "no", "load_best_model_at_end": False}, "eval_strategy is no"),
        ({"save_strategy": "no", "load_best_model_at_end": False}, "save_strategy no"),
    ],
)
def test_oracle_is_refused_before_training_when_no_checkpoint_is_scored_and_kept(
    with_target_labels: Run, changes: dict[str, Any], message: str, steps: list[int]
) -> None:
    with_target_labels.values |= changes
    with pytest.raises(UserError, match=f"oracle: .*{message}"):
        with_target_labels.start()
    assert steps == []


def test_oracle_is_refused_when_no_target_has_labels(good: Run, steps: list[int]) -> None:
    good.values |= {"oracle": True, "save_total_limit": None}
    with pytest.raises(UserError, match="oracle: .*labels in target languages, and there are none"):
        good.start()
    assert steps == []


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (None, "best en_accuracy on validation"),
        ("sw_accuracy", "best sw_accuracy on validation with labels in sw, not zero-shot"),
        ("eval_mean_accuracy", "best eval_mean_accuracy on validation with labels in sw, not zero-shot"),
    ],
)
def test_selection_says_which_labels_it_read(with_target_labels: Run, metric: str | None, expected: str) -> None:
    changes = {"oracle": False, "metric_for_best_model": metric, "greater_is_better": True, "max_steps": 1}
    with_target_labels.values |= changes
    report = with_target_labels.start()
    assert report.selection == expected
    assert report.selected_on == (["sw"] if "sw" in expected else [])
    # By this a card knows whose scores these are.
    assert report.weights == hash_of_weights_in(with_target_labels.folder / "out") is not None


def test_classes_are_reported_when_the_run_asks(good: Run) -> None:
    good.values |= {"per_class": True, "max_steps": 1, "eval_steps": 1, "save_steps": 1}
    good.start()
    written = json.loads((good.folder / "out" / "zero_shot.json").read_text())
    assert set(written["languages"]["sw"]["classes"]) == {"a", "b", "c"}
    assert (good.folder / "out" / "predictions.safetensors").is_file()
