"""Any classifier is scored without a run, and saved runs are compared: the program, from its words to its files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xlkd.errors import UserError
from xlkd.evaluation.predictions import load_run
from xlkd.evaluation.report import ZeroShotReport
from xlkd.scoring import main_score

LANGUAGES = ("en", "sw", "am")


@pytest.fixture
def folder(tmp_path: Path, make_model: Any, tokenizer: Any, words: dict[str, list[str]], save_model: Any) -> Path:
    """A folder with two classifiers, `one` and `two`, and labelled rows of three languages."""
    save_model(tmp_path / "one", make_model(seed=1), tokenizer)
    save_model(tmp_path / "two", make_model(seed=2), tokenizer)
    for language in LANGUAGES:
        own = words[language]
        rows = [
            {"text": f"{own[n]} {own[n + 1]} {own[2 * n]}", "label": "abc"[(n * n + len(own[n])) % 3]}
            for n in range(18)
        ]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (tmp_path / f"test.{language}.jsonl").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def values(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "source_language": "en",
        "target_languages": ["sw", "am"],
        "data": [{"role": "evaluation", "path": str(folder / "test.{language}.jsonl")}],
        "use_cpu": True,
        "precision": "float32",
        "num_threads": 1,
        "max_length": 16,
        **changes,
    }


def score(folder: Path, model: str = "one", out: str = "scores", *more: str, **changes: Any) -> Any:
    """Score a model of the folder."""
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(values(folder, **changes)), encoding="utf-8")
    return main_score([str(path), "--model", str(folder / model), "--output_dir", str(folder / out), *more])


def relabel(folder: Path, model: str, *labels: str) -> None:
    path = folder / model / "config.json"
    config = json.loads(path.read_text())
    ids = {label: index for index, label in enumerate(labels)}
    config |= {"id2label": {str(index): label for label, index in ids.items()}, "label2id": ids}
    path.write_text(json.dumps(config))


def test_model_is_scored_beside_its_teacher_when_there_is_no_run(folder: Path, capsys: pytest.CaptureFixture) -> None:
    report = score(folder, teacher=str(folder / "two"))
    assert list(report.languages) == list(LANGUAGES)
    assert (report.student, report.teacher) == ("one", "two")
    assert ZeroShotReport.load(folder / "scores") == report
    assert {path.name for path in (folder / "scores").iterdir()} == {
        "zero_shot.json",
        "predictions.safetensors",
        "zero_shot.png",
        "report.html",
    }
    assert "mean of targets" in capsys.readouterr().out
    alone = score(folder, "two", "alone")
    assert {name: own["student"] for name, own in alone.languages.items()} == {
        name: own["teacher"] for name, own in report.languages.items()
    }
    assert (alone.teacher, alone.test) == (None, None)


def test_flags_alone_are_enough_when_there_is_no_yaml(folder: Path) -> None:
    given = values(folder, model=str(folder / "one"), output_dir=str(folder / "flags"))
    flags = [word for key, value in given.items() for word in (f"--{key}", json.dumps(value))]
    assert main_score(flags).languages == score(folder).languages


def test_training_of_a_runs_yaml_is_not_looked_at(folder: Path) -> None:
    data = [*values(folder)["data"], {"role": "labelled", "path": "nowhere.jsonl"}]
    training = {"student": {"layers": 1}, "losses": [{"name": "soft-label"}], "max_steps": 3, "data": data}
    assert score(folder, "one", "run", **training).languages == score(folder).languages


def test_labels_are_matched_by_name_when_a_teacher_has_them_in_another_order(folder: Path) -> None:
    straight = score(folder, teacher=str(folder / "two"))
    relabel(folder, "two", "c", "a", "b")
    turned = score(folder, "one", "turned", teacher=str(folder / "two"))
    assert turned.languages["sw"]["student"] == straight.languages["sw"]["student"]
    assert turned.labels == ["a", "b", "c"]
    counts = [entry.teacher for entry in turned.predictions]
    for before, after in zip(straight.predictions, counts, strict=True):
        # Class 0 of the model is now called c, which is the task's class 2.
        assert ((before.teacher + 2) % 3).tolist() == after.tolist()


def test_model_with_other_labels_is_refused_and_then_mapped(folder: Path) -> None:
    straight = score(folder)
    relabel(folder, "one", "LABEL_0", "LABEL_1", "LABEL_2")
    with pytest.raises(
        UserError, match=r"have the label a, b, c, and .*one has LABEL_0.*label_map: {ITS_LABEL: a, ...}"
    ):
        score(folder, "one", "refused")
    names = [word for n, label in enumerate("abc") for word in (f"--model.label_map.LABEL_{n}", label)]
    assert score(folder, "one", "mapped", *names).languages == straight.languages


def test_classes_are_scored_one_by_one_when_asked(folder: Path) -> None:
    report = score(folder, "one", "classes", "--per_class", "true", teacher=str(folder / "two"))
    assert set(report.languages["sw"]["classes"]) == {"a", "b", "c"}
    assert len(report.languages["sw"]["classes"]["a"]["teacher"]["f1"]) == 3


def test_hopeless_comparison_is_refused_before_anything_is_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(folder, "two", "other")
    monkeypatch.setattr("xlkd.scoring.evaluate_zero_shot", lambda *args, **options: pytest.fail("it was scored"))
    with pytest.raises(UserError, match="cannot be compared: only one of them has the languages am"):
        score(folder, "one", "new", "--against", str(folder / "other"), target_languages=["sw"])
    with pytest.raises(UserError, match="their metric is macro-f1 and accuracy"):
        score(folder, "one", "newer", "--against", str(folder / "other"), metric="macro-f1")


def test_groups_of_a_run_are_narrowed_when_it_is_scored_in_some_of_its_languages(folder: Path) -> None:
    groups = {"both": ["sw", "am"], "other": ["am"]}
    report = score(folder, "one", "some", groups=groups, target_languages=["sw"], unscored_languages=["am"])
    assert {name: own["n_languages"] for name, own in report.groups.items()} == {"both": 1}
    assert report.unscored == []


def test_language_is_left_out_when_it_is_unscored(folder: Path, capsys: pytest.CaptureFixture) -> None:
    score(folder, "two", "other", target_languages=["sw"])
    groups, against = {"both": ["sw", "am"]}, str(folder / "other")
    report = score(folder, "one", "some", "--against", against, groups=groups, unscored_languages=["am"])
    assert list(report.languages) == ["en", "sw"] and report.unscored == ["am"]
    assert report.groups["both"]["n_languages"] == 1
    assert "mean of targets" in capsys.readouterr().out


def test_saved_run_is_compared_while_a_model_is_scored(folder: Path, capsys: pytest.CaptureFixture) -> None:
    score(folder, "two", "other")
    report = score(folder, "one", "new", "--against", str(folder / "other"))
    comparison = json.loads((folder / "new" / "comparison.json").read_text())
    other = load_run(folder / "other").languages["sw"]
    expected = report.languages["sw"]["student"] - (other.student == other.labels).mean()
    assert comparison["languages"]["sw"]["difference"] == pytest.approx(expected)
    assert comparison["language_test"] == "exact McNemar" in capsys.readouterr().out


def test_seeds_are_summed_up_and_compared_when_folders_are_named(
    folder: Path, capsys: pytest.CaptureFixture, make_model: Any, tokenizer: Any, save_model: Any
) -> None:
    for seed in range(4):
        save_model(folder / f"model-{seed}", make_model(seed=10 + seed), tokenizer)
        score(folder, f"model-{seed}", f"seed-{seed}", seed=seed)
    runs = [str(folder / f"seed-{seed}") for seed in range(4)]
    capsys.readouterr()
    summary = main_score(runs)
    assert summary.target["spread"] > 0 and summary.against is None
    assert "mean of targets" in capsys.readouterr().out
    written = folder / "comparison"
    comparison = main_score([*runs[:2], "--against", *runs[2:], "--output_dir", str(written)])
    assert (comparison.runs, comparison.against) == (runs[:2], runs[2:])
    assert json.loads((written / "comparison.json").read_text())["test"] == "multi-bootstrap over seeds and items"


def test_runs_on_other_rows_are_refused(folder: Path) -> None:
    score(folder, "one", "before")
    path = folder / "test.sw.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[2:]), encoding="utf-8")
    score(folder, "two", "after")
    with pytest.raises(UserError, match=r"before and .*after cannot be compared: 2 rows .*\(sw 2\)"):
        main_score([str(folder / "before"), "--against", str(folder / "after")])


def headless(folder: Path) -> None:
    path = folder / "one" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": ["BertModel"]}))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name a model to score"),
        (["runs/nowhere"], "runs/nowhere has no predictions.safetensors"),
        (["runs/a", "--model", "x"], "runs/a: name either saved runs to compare, or a `--model`"),
        (["runs/a", "--metric", "accuracy"], "--metric does not apply to saved runs"),
        (["runs/a", "--against"], "--against has no value"),
        (["--model", "x", "--modle", "y"], "Unknown key 'modle'"),
        (["--model", "{model: x, label_mop: y}"], "Unknown key 'label_mop' in model .did you mean label_map"),
        (["--model", "x", "--output_dir", "y"], "has no `source_language`"),
    ],
)
def test_words_are_refused_when(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        main_score(words)


@pytest.mark.parametrize(
    ("change", "changes", "message"),
    [
        (headless, {}, "one is not a model for sequence-classification"),
        (None, {"target_languages": ["sw", "yo"]}, r"test\.yo\.jsonl .* cannot be read"),
        (None, {"data": []}, "No evaluation data for en, sw, am"),
        (None, {"labels": ["a", "b"]}, "has the label 'c'"),
        (None, {"max_length": 500}, "max_length 500 is out of range"),
        (None, {"teacher": "./nowhere"}, "model folder './nowhere' does not exist"),
    ],
)
def test_model_is_not_scored_when(
    folder: Path, change: Callable[[Path], None] | None, changes: dict[str, Any], message: str
) -> None:
    if change is not None:
        change(folder)
    with pytest.raises(UserError, match=message):
        score(folder, **changes)
    assert not (folder / "scores" / "zero_shot.json").exists()


def test_teacher_is_not_fine_tuned_on_rows_that_it_is_scored_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (folder / "test.en.jsonl").read_text().splitlines(keepends=True)
    others = [json.dumps({"text": f"other {number}", "label": "abc"[number % 3]}) + "\n" for number in range(30)]
    (folder / "train.jsonl").write_text("".join([*rows[:5], *others]))
    seen: list[int] = []
    monkeypatch.setattr(
        "xlkd.scoring.prepare_teacher", lambda run, args, task, sources: seen.append(len(sources["labelled", "en"]))
    )
    data = [*values(folder)["data"], {"role": "labelled", "path": str(folder / "train.jsonl")}]
    teacher = {"model": str(folder / "two"), "finetune": {"max_steps": 1}}
    with pytest.raises(UserError, match="5 evaluation rows are in the training data too"):
        score(folder, "one", "refused", data=data, teacher=teacher)
    score(folder, "one", "dropped", data=data, teacher=teacher, overlap="drop", eval_strategy="no")
    assert seen == [30]


def test_other_runs_are_named_with_or_without_an_equals_sign(folder: Path) -> None:
    score(folder, "two", "other")
    score(folder, "one", "mine")
    mine, other = str(folder / "mine"), str(folder / "other")
    assert main_score([mine, f"--against={other}"]).target == main_score([mine, "--against", other]).target
