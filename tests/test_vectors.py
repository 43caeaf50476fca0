"""A run without labels: sentence vectors, from YAML to a folder that other libraries read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, BertModel

from xlkd import run as program
from xlkd import single_steps
from xlkd.errors import UserError
from xlkd.hub.publishing import published_files
from xlkd.scoring import main_score

TARGETS = ("sw", "am")


def lines(words: dict[str, list[str]], language: str, first: int, number: int) -> list[dict[str, str]]:
    """Rows of three words with an id that all languages share; no two numbers give the same."""
    own = words[language]
    return [
        {"id": str(n), "text": f"{own[n % 40]} {own[n // 40]} {own[7 * n % 40]}"} for n in range(first, first + number)
    ]


@pytest.fixture
def values(tmp_path: Path, make_model, tokenizer, words, save_model) -> dict[str, Any]:
    """A run from English to Swahili and Amharic that works; its teacher is an encoder."""
    classifier = save_model(tmp_path / "classifier", make_model(layers=3), tokenizer)
    save_model(tmp_path / "encoder", BertModel.from_pretrained(classifier), tokenizer)
    for language in ("en", *TARGETS):
        for name, first, number in (("train", 0, 24), ("test", 100, 12)):
            rows = "".join(json.dumps(row) + "\n" for row in lines(words, language, first, number))
            (tmp_path / f"{name}.{language}.jsonl").write_text(rows, encoding="utf-8")
    train, test = (str(tmp_path / f"{name}.{{language}}.jsonl") for name in ("train", "test"))
    return {
        "task": "sentence-embedding",
        "teacher": str(tmp_path / "encoder"),
        "student": {"layers": 2, "feed_forward": 16, "vocabulary": {"size": 125}},
        "source_language": "en",
        "target_languages": list(TARGETS),
        "data": [
            {"role": "parallel", "path": train, "join": "id"},
            {"role": "unlabelled", "path": train, "language": "en"},
            {"role": "evaluation", "path": test, "join": "id"},
        ],
        "losses": [{"name": "embedding"}, {"name": "contrastive"}],
        "num_threads": 1,
        "max_steps": 4,
        "save_strategy": "no",
        "per_device_train_batch_size": 4,
        "precision": "float32",
        "use_cpu": True,
        "disable_tqdm": True,
        "max_length": 16,
        "output_dir": str(tmp_path / "out"),
    }


def start(folder: Path, values: dict[str, Any], main: Any = program.main) -> Any:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return main([str(path)])


def code_of(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


def test_student_and_its_scores_are_in_the_folder_when_the_run_is_done(
    tmp_path: Path, values, words, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = start(tmp_path, values)
    out = tmp_path / "out"
    written = json.loads((out / "zero_shot.json").read_text())
    assert (written["task"], written["metric"], written["labels"]) == ("sentence-embedding", "retrieval-accuracy", [])
    assert (written["setting"], written["selection"]) == ("parallel", "last step")
    assert set(written["languages"]) == set(TARGETS) and written["languages"]["sw"]["transfer_gap"] is None
    assert list(written["languages"]["sw"]["metrics"])[-1] == "similarity-correlation"
    assert {"zero_shot.png", "report.html", "student.json", "outlook.json"} <= {path.name for path in out.iterdir()}
    config = json.loads((out / "config.json").read_text())
    assert (config["architectures"], config["num_hidden_layers"], config["intermediate_size"]) == (["BertModel"], 2, 16)

    # The code of the card, as somebody copies it, gives the vectors that were scored.
    card = (out / "README.md").read_text()
    assert "pipeline_tag: sentence-similarity" in card and "- en\n" in card
    assert "No labels were used; the source is en." in card and "classes apart" not in card
    plain, library = code_of(card)
    assert "SentenceTransformer" in library
    texts = [[row["text"] for row in lines(words, language, 100, 12)] for language in ("sw", "en")]
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    own = re.sub(r"texts = .*", f"texts = {texts[0] + texts[1]!r}", plain)
    known: dict[str, Any] = {}
    exec(own, known)
    swahili, english = known["vectors"][:12], known["vectors"][12:]
    cosines = swahili @ english.T
    right = (cosines.argmax(1) == torch.arange(12)).float().mean().item()
    assert right == pytest.approx(report.languages["sw"]["metrics"]["retrieval-to-source"]["student"])


def test_language_is_not_scored_when_nobody_has_translations_of_test_rows(tmp_path: Path, values) -> None:
    (tmp_path / "test.am.jsonl").unlink()
    report = start(tmp_path, values | {"unscored_languages": ["am"]})
    assert list(report.languages) == ["sw"] and report.unscored == ["am"]


def test_run_is_refused_when_no_language_of_it_would_be_scored(tmp_path: Path, values) -> None:
    with pytest.raises(UserError, match="nothing would be scored"):
        start(tmp_path, values | {"unscored_languages": list(TARGETS)})


def test_files_of_sentence_transformers_are_published_with_the_student(tmp_path: Path, values) -> None:
    start(tmp_path, values | {"max_steps": 1})
    out = tmp_path / "out"
    assert {"modules.json", "sentence_bert_config.json", "1_Pooling/config.json"} <= set(published_files(out))
    modules = json.loads((out / "modules.json").read_text())
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Normalize"]
    width = json.loads((out / "config.json").read_text())["hidden_size"]
    assert json.loads((out / "1_Pooling" / "config.json").read_text())["word_embedding_dimension"] == width
    assert json.loads((out / "sentence_bert_config.json").read_text())["max_seq_length"] == 16


def test_student_is_one_of_sentence_transformers_with_the_same_vectors(tmp_path: Path, values, words) -> None:
    start(tmp_path, values)
    out = tmp_path / "out"
    texts = [row["text"] for row in lines(words, "sw", 100, 12)] + ["".join(words["sw"][0])]
    found = torch.tensor(SentenceTransformer(str(out), device="cpu").encode(texts))
    model, tokenizer = AutoModel.from_pretrained(out).eval(), AutoTokenizer.from_pretrained(out)
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        torch.testing.assert_close(vector, mean / mean.norm(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        (["Transformer", "Pooling"], {"pooling_mode": "cls"}, "pooling cls"),
        (["Transformer", "Pooling"], {"pooling_mode_cls_token": True}, "pooling cls"),
        (["Transformer", "Pooling"], {"pooling_mode": ["mean", "cls"]}, "pooling"),
        (["Transformer", "Pooling", "Dense"], {"pooling_mode": "mean"}, "Dense"),
    ],
)
def test_teacher_is_refused_when_its_vectors_are_not_the_mean_of_its_tokens(
    tmp_path: Path, values, modules: list[str], pooling: dict[str, Any], message: str
) -> None:
    own = [{"type": f"a.models.{kind}", "path": f"{place}_{kind}"} for place, kind in enumerate(modules)]
    folder = tmp_path / "encoder"
    (folder / "modules.json").write_text(json.dumps(own))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    with pytest.raises(UserError, match=f"The teacher .* makes its vectors by .*{message}.* takes the mean over"):
        start(tmp_path, values)
    assert not (tmp_path / "out" / "student.json").exists()


def test_teacher_may_be_a_student_of_ours(tmp_path: Path, values) -> None:
    start(tmp_path, values | {"max_steps": 1})
    assert start(
        tmp_path,
        values | {"teacher": str(tmp_path / "out"), "student": {"layers": 1}, "output_dir": str(tmp_path / "next")},
    )


def test_scores_are_identical_when_run_yaml_runs_again(tmp_path: Path, values) -> None:
    first = start(tmp_path, values)
    again = program.main([str(tmp_path / "out" / "run.yaml"), "--output_dir", str(tmp_path / "again")])
    assert again.languages == first.languages


def test_saved_student_has_the_same_scores_when_it_is_scored_alone(tmp_path: Path, values) -> None:
    report = start(tmp_path, values)
    path = str(tmp_path / "run.yaml")
    again = main_score([path, "--model", str(tmp_path / "out"), "--output_dir", str(tmp_path / "scored")])
    assert again.languages == report.languages


def test_student_that_is_built_alone_is_one_of_sentence_transformers(tmp_path: Path, values) -> None:
    start(tmp_path, values, single_steps.main_build)
    assert {"modules.json", "sentence_bert_config.json"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_student_is_built_alone_without_labels(tmp_path: Path, values) -> None:
    start(tmp_path, values, single_steps.main_build)
    built = AutoModel.from_pretrained(tmp_path / "out")
    assert (built.config.num_hidden_layers, built.config.intermediate_size) == (2, 16)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out")) == 125


def test_answers_are_kept_under_one_name_when_the_teacher_has_a_random_pooler(tmp_path: Path, values) -> None:
    encoder = AutoModel.from_pretrained(values["teacher"], add_pooling_layer=False)
    encoder.save_pretrained(values["teacher"])
    folders = [start(tmp_path, values | {"seed": seed}, single_steps.main_cache) for seed in (0, 1)]
    assert folders[0] == folders[1]


def labelled(values: dict[str, Any]) -> None:
    values["data"].append({**values["data"][1], "role": "labelled"})


def validation(values: dict[str, Any]) -> None:
    values["data"].append({**values["data"][1], "role": "validation"})


def finetuned(values: dict[str, Any]) -> None:
    values["teacher"] = {"model": values["teacher"], "finetune": {"max_steps": 1}}


def mapped(values: dict[str, Any]) -> None:
    values["teacher"] = {"model": values["teacher"], "label_map": {"a": "b"}}


def several(values: dict[str, Any]) -> None:
    values["teacher"] = [values["teacher"], str(Path(values["teacher"]).with_name("classifier"))]


def top_k(values: dict[str, Any]) -> None:
    values["teacher_cache"] = {"folder": "auto", "top_k": 1}


def per_class(values: dict[str, Any]) -> None:
    values["per_class"] = True


def named_labels(values: dict[str, Any]) -> None:
    values["labels"] = ["a", "b"]


def soft_label(values: dict[str, Any]) -> None:
    values["losses"] = [{"name": "soft-label"}]


def hard_label(values: dict[str, Any]) -> None:
    values["losses"] = [{"name": "hard-label"}, {"name": "embedding"}]


def weighted(values: dict[str, Any]) -> None:
    values["losses"] = [{"name": "embedding", "example_weight": "product"}]


def unpaired(values: dict[str, Any]) -> None:
    del values["data"][2]["join"]


def chosen(values: dict[str, Any]) -> None:
    values |= {"eval_strategy": "epoch"}


def best_known(values: dict[str, Any]) -> None:
    values |= {"oracle": True}


BAD = {
    labelled: "data: the role labelled needs labels, and sentence-embedding has none: text of the source language is",
    validation: "data: the role validation needs labels, .* the last step is taken",
    finetuned: "teacher: finetune needs labels, .* is used as it is",
    mapped: "teacher: label_map needs labels",
    several: "teacher: averaging several needs labels, .*: name one",
    top_k: "teacher_cache: top_k needs labels",
    per_class: "per_class: there are no classes to score one by one",
    named_labels: "no classes, so there is nothing to name with labels",
    soft_label: "The loss soft-label needs logits, which the student does not give: use embedding",
    hard_label: "The loss hard-label needs logits, which the student does not give: use embedding",
    weighted: "has example_weight product, which needs logits",
    unpaired: "do not say whose translations they are",
    chosen: "is not scored while a student trains",
    best_known: "is not scored while a student trains",
}


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
def test_run_stops_before_its_teacher_is_loaded_when(tmp_path: Path, values, monkeypatch, change) -> None:
    monkeypatch.setattr(program, "prepare_teacher", lambda *_: pytest.fail("the teacher is loaded"))
    change(values)
    with pytest.raises(UserError, match=BAD[change]):
        start(tmp_path, values)
