"""Whole runs of tasks whose rows have no class, several, or a number, and what is left of them without xlkd."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoConfig, AutoModelForSequenceClassification, BertModel, pipeline

from xlkd import run as program
from xlkd.errors import UserError
from xlkd.scoring import main_score
from xlkd.single_steps import main_build

NAMES = ["insult", "threat", "toxic"]


def texts(words: list[str], first: int, number: int) -> list[str]:
    """Texts of three words; no two numbers give the same."""
    return [f"{words[n % 40]} {words[n // 40]} {words[7 * n % 40]}" for n in range(first, first + number)]


def classes_of(number: int) -> list[str] | None:
    """None to all three classes; nobody knows those of every fifth row."""
    return None if number % 5 == 4 else [name for bit, name in enumerate(NAMES) if number >> bit & 1]


def number_of(number: int) -> float | None:
    """Numbers from 0 to 4.5; nobody knows every fifth."""
    return None if number % 5 == 4 else (number * 7 % 10) / 2


class Workshop:
    """A run from English to Swahili in a folder, to be changed and started."""

    def __init__(self, folder: Path, words, label_of) -> None:
        self.folder, self.words = folder, words
        for name, language, first, number in (
            ("train", "en", 0, 16),
            ("dev", "en", 20, 8),
            ("test.en", "en", 100, 8),
            ("test.sw", "sw", 100, 8),
        ):
            rows = [
                {"text": text, "label": label_of(n)}
                for n, text in enumerate(texts(words[language], first, number), start=first)
            ]
            self.write(f"{name}.jsonl", rows)
        self.write("raw.jsonl", [{"text": text} for text in texts(words["sw"], 0, 12)])
        self.values = {
            "teacher": str(folder / "teacher"),
            "student": {"layers": 1},
            "source_language": "en",
            "target_languages": ["sw"],
            "data": [
                {"role": "labelled", "path": str(folder / "train.jsonl")},
                {"role": "unlabelled", "path": str(folder / "raw.jsonl")},
                {"role": "validation", "path": str(folder / "dev.jsonl")},
                {"role": "evaluation", "path": str(folder / "test.{language}.jsonl")},
            ],
            "num_threads": 1,
            "max_steps": 3,
            "per_device_train_batch_size": 8,
            "eval_strategy": "steps",
            "eval_steps": 3,
            "save_strategy": "steps",
            "save_steps": 3,
            "precision": "float32",
            "use_cpu": True,
            "disable_tqdm": True,
            "max_length": 16,
            "output_dir": str(folder / "out"),
        }

    def write(self, name: str, rows) -> None:
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def start(self, **changes):
        """Run it, and give what its report says."""
        self.values |= changes
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        program.main([str(path)])
        return json.loads((Path(self.values["output_dir"]) / "zero_shot.json").read_text())


@pytest.fixture
def several(tmp_path, make_model, tokenizer, words, save_model) -> Workshop:
    """A run of rows with any number of classes."""
    save_model(tmp_path / "teacher", make_model(labels=NAMES, seed=3), tokenizer)
    made = Workshop(tmp_path, words, classes_of)
    losses = [
        {"name": "soft-label", "example_weight": "student-entropy"},
        {"name": "hard-label"},
        {"name": "logit-mse"},
    ]
    made.values |= {"task": "multi-label-classification", "losses": losses}
    return made


@pytest.fixture
def numbers(tmp_path, make_model, tokenizer, words, save_model) -> Workshop:
    """A run of rows with a number each."""
    save_model(tmp_path / "teacher", make_model(labels=["score"], seed=3), tokenizer)
    made = Workshop(tmp_path, words, number_of)
    losses = [{"name": "logit-mse"}, {"name": "hard-label", "weight": 0.1}, {"name": "hidden-state"}]
    made.values |= {"task": "regression", "losses": losses}
    return made


def logits_of(folder: Path, tokenizer, text: str) -> torch.Tensor:
    """What the saved student says, without a pipeline."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt")).logits[0]


def test_student_says_yes_or_no_to_each_class_when_rows_have_several(several, tokenizer):
    report = several.start(per_class=True)
    assert report["metric"] == "micro-f1" and report["labels"] == NAMES
    assert list(report["languages"]["sw"]["metrics"]) == ["micro-f1", "macro-f1"]
    # Rows without a label are left out.
    assert report["languages"]["sw"]["n"] == sum(classes_of(n) is not None for n in range(100, 108))
    classify = pipeline("text-classification", model=str(several.folder / "out"))
    text = texts(several.words["sw"], 7, 1)[0]
    said = {entry["label"]: entry["score"] for entry in classify(text, top_k=None)}
    expected = logits_of(several.folder / "out", tokenizer, text).sigmoid().tolist()
    assert said == pytest.approx(dict(zip(NAMES, expected, strict=True)), abs=1e-5)


def test_student_says_a_number_when_rows_have_one(numbers, tokenizer):
    report = numbers.start()
    assert report["metric"] == "pearson" and report["labels"] == ["score"]
    assert list(report["languages"]["en"]["metrics"]) == ["pearson", "spearman"]
    text = texts(numbers.words["sw"], 7, 1)[0]
    tell = pipeline("text-classification", model=str(numbers.folder / "out"), function_to_apply="none")
    (said,) = tell(text)
    assert said["label"] == "score"
    assert said["score"] == pytest.approx(logits_of(numbers.folder / "out", tokenizer, text).item(), abs=1e-5)
    assert AutoConfig.from_pretrained(numbers.folder / "out").problem_type == "regression"


@pytest.mark.parametrize("name", ["several", "numbers"])
def test_encoder_becomes_a_teacher_when_it_is_fine_tuned(name, request):
    made = request.getfixturevalue(name)
    BertModel.from_pretrained(made.folder / "teacher").save_pretrained(made.folder / "teacher")
    finetune = {"max_steps": 2, "per_device_train_batch_size": 8, "use_cpu": True}
    report = made.start(teacher={"model": str(made.folder / "teacher"), "finetune": finetune})
    assert report["languages"]["sw"]["teacher"] is not None
    # A row without a label would have made the teacher, and the student that is cut from it, no numbers at all.
    student = AutoModelForSequenceClassification.from_pretrained(made.folder / "out")
    assert all(weight.isfinite().all() for weight in student.parameters())
    assert report["labels"] == (NAMES if name == "several" else ["score"])


def test_classes_are_columns_when_the_file_is_csv(several):
    path = several.folder / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *NAMES])
        for n, text in enumerate(texts(several.words["en"], 0, 16)):
            own = classes_of(n)
            writer.writerow([text, *("" if own is None else int(name in own) for name in NAMES)])
    by_lists = several.start()
    several.values["data"][0] |= {"path": str(path), "label": NAMES}
    by_columns = several.start(output_dir=str(several.folder / "again"))
    assert by_columns["weights"] == by_lists["weights"]
    assert by_columns["languages"] == by_lists["languages"]


def test_numbers_are_read_when_the_file_is_csv(numbers):
    rows = zip(texts(numbers.words["en"], 0, 16), map(number_of, range(16)), strict=True)
    lines = [f"{text},{'' if number is None else number}" for text, number in rows]
    (numbers.folder / "train.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    by_lines = numbers.start()
    numbers.values["data"][0]["path"] = str(numbers.folder / "train.csv")
    assert numbers.start(output_dir=str(numbers.folder / "again"))["weights"] == by_lines["weights"]


def test_pairs_are_read_when_text_names_two_columns(numbers):
    for name in ("train", "dev", "test.en", "test.sw", "raw"):
        path = numbers.folder / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        numbers.write(path.name, [{**row, "other": f"{row['text']} {row['text'][:2]}"} for row in rows])
    for entry in numbers.values["data"]:
        entry["text"] = ["text", "other"]
    assert numbers.start()["languages"]["sw"]["n"]
    tell = pipeline("text-classification", model=str(numbers.folder / "out"))
    text = texts(numbers.words["sw"], 7, 1)[0]
    assert tell({"text": text, "text_pair": "a"}) != tell({"text": text, "text_pair": text})


def test_teachers_of_other_labels_answer_as_one_when_labels_are_mapped(several, make_model, tokenizer, save_model):
    other = save_model(several.folder / "other", make_model(labels=["abuse", "danger", "menace"], seed=5), tokenizer)
    label_map = {"abuse": "insult", "danger": "threat", "menace": "threat"}
    teachers = [{"model": str(several.folder / "teacher")}, {"model": str(other), "label_map": label_map}]
    report = several.start(
        teacher=teachers, ensemble={"weights": "confidence"}, teacher_cache=str(several.folder / "c")
    )
    assert report["languages"]["sw"]["teacher"] is not None and (several.folder / "c" / "1" / "cache.json").is_file()


def test_saved_student_is_scored_alone_when_it_says_numbers(numbers):
    trained = numbers.start()
    kept = ("task", "source_language", "target_languages", "data", "use_cpu", "precision", "max_length")
    values = {name: numbers.values[name] for name in kept} | {"output_dir": str(numbers.folder / "scored")}
    path = numbers.folder / "score.yaml"
    path.write_text(yaml.safe_dump(values))
    report = main_score([str(path), "--model", str(numbers.folder / "out")])
    assert report.to_dict()["languages"]["sw"]["student"] == pytest.approx(
        trained["languages"]["sw"]["student"], abs=1e-4
    )


REFUSED = {
    "a teacher of one class a row": ("several", {}, "single_label_classification", "is a model for single_label"),
    "top_k": ("several", {"teacher_cache": {"folder": "auto", "top_k": 1}}, None, "top_k 1 keeps the likeliest"),
    "two names of a number": ("numbers", {"labels": ["a", "b"]}, None, "must be one name"),
    "soft labels of numbers": ("numbers", {"losses": [{"name": "soft-label"}]}, None, "use logit-mse"),
    "another name of the number": ("numbers", {"labels": ["grade"]}, None, "label_map: {score: grade"),
    "confidence of a number": ("numbers", {"ensemble": {"weights": "confidence"}}, None, "weights confidence"),
    "row weights of a number": (
        "numbers",
        {"losses": [{"name": "logit-mse", "example_weight": "product"}]},
        None,
        "example_weight product, and a number",
    ),
}


@pytest.mark.parametrize(("name", "changes", "problem_type", "message"), REFUSED.values(), ids=REFUSED)
def test_run_is_refused_before_it_trains_when_it_cannot_be(name, changes, problem_type, message, request):
    made = request.getfixturevalue(name)
    config = made.folder / "teacher" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"problem_type": problem_type}))
    if "ensemble" in changes:
        shutil.copytree(made.folder / "teacher", made.folder / "second")
        made.values["teacher"] = [str(made.folder / name) for name in ("teacher", "second")]
    with pytest.raises(UserError, match=message):
        made.start(**changes)
    assert not (made.folder / "out" / "config.json").exists()


def test_teacher_that_is_no_better_than_chance_is_no_weight(numbers, make_model, tokenizer, save_model):
    save_model(numbers.folder / "second", make_model(labels=["score"], seed=5), tokenizer)
    opposite = AutoModelForSequenceClassification.from_pretrained(numbers.folder / "teacher")
    for weight in opposite.classifier.parameters():
        weight.data.neg_()
    save_model(numbers.folder / "opposite", opposite, tokenizer)
    teachers = [str(numbers.folder / name) for name in ("teacher", "opposite")]
    with pytest.raises(UserError, match="has pearson -0.*on validation, which is no weight"):
        numbers.start(teacher=teachers, ensemble={"weights": "validation"}, losses=[{"name": "logit-mse"}])


def test_last_step_is_taken_and_said_when_validation_is_never_defined(numbers, caplog):
    rows = [{"text": text, "label": 1.0} for text in texts(numbers.words["en"], 20, 8)]
    numbers.write("dev.jsonl", rows)
    report = numbers.start()
    assert report["selection"] == "last step"
    assert "No checkpoint was chosen: en_pearson was undefined" in caplog.text
    assert "Checkpoint: last step" in (numbers.folder / "out" / "README.md").read_text()


def test_last_step_is_taken_when_nothing_is_validated(numbers):
    report = numbers.start(eval_strategy="no", save_strategy="no")
    assert report["selection"] == "last step"


def test_number_of_a_teacher_is_taken_when_nobody_named_it(numbers, make_model, tokenizer, save_model):
    save_model(numbers.folder / "teacher", make_model(labels=["LABEL_0"], seed=3), tokenizer)
    assert numbers.start()["labels"] == ["score"]


@pytest.mark.parametrize("problem_type", [None, "multi_label_classification", "regression"])
def test_head_of_another_task_is_replaced_when_a_teacher_is_fine_tuned(numbers, problem_type):
    config = numbers.folder / "teacher" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"problem_type": problem_type}))
    for name, first, language in (
        ("train", 0, "en"),
        ("dev", 20, "en"),
        ("test.en", 100, "en"),
        ("test.sw", 100, "sw"),
    ):
        rows = [
            {"text": text, "label": "xyz"[n % 3]} for n, text in enumerate(texts(numbers.words[language], first, 16))
        ]
        numbers.write(f"{name}.jsonl", rows)
    finetune = {"max_steps": 2, "per_device_train_batch_size": 8, "use_cpu": True}
    report = numbers.start(
        task="sequence-classification",
        losses=[{"name": "soft-label"}],
        teacher={"model": str(numbers.folder / "teacher"), "finetune": finetune},
    )
    assert report["labels"] == ["x", "y", "z"] and report["languages"]["sw"]["teacher"] is not None


def test_labels_are_refused_when_a_number_is_none(numbers):
    numbers.write("train.jsonl", [{"text": "a b", "label": "good"}])
    with pytest.raises(UserError, match="label 'good', which is no number"):
        numbers.start()


def test_fine_tuning_is_refused_when_nobody_knows_any_number(numbers):
    numbers.write("train.jsonl", [{"text": text, "label": None} for text in texts(numbers.words["en"], 0, 8)])
    BertModel.from_pretrained(numbers.folder / "teacher").save_pretrained(numbers.folder / "teacher")
    with pytest.raises(UserError, match="`finetune` needs labelled rows"):
        numbers.start(
            teacher={"model": str(numbers.folder / "teacher"), "finetune": {"max_steps": 1}},
            losses=[{"name": "logit-mse"}],
        )


@pytest.mark.parametrize(("name", "labels"), [("several", ["toxic"]), ("numbers", ["grade"])])
def test_student_is_built_alone_when_its_labels_are_mapped(name, labels, request):
    made = request.getfixturevalue(name)
    label_map = {"score": "grade"} if name == "numbers" else {}
    made.values |= {"labels": labels, "teacher": {"model": str(made.folder / "teacher"), "label_map": label_map}}
    made.values["data"] = [entry for entry in made.values["data"] if entry["role"] == "unlabelled"]
    path = made.folder / "build.yaml"
    path.write_text(yaml.safe_dump(made.values), encoding="utf-8")
    main_build([str(path)])
    config = AutoConfig.from_pretrained(made.folder / "out")
    assert list(config.id2label.values()) == labels
    assert config.problem_type == {"several": "multi_label_classification", "numbers": "regression"}[name]
