"""A card says what a run left beside its student, no more; and no value of a user can make it say anything else."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from folders import COMMIT, LABELS, config, data_entry, lay, record, report
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results
from markdown_it import MarkdownIt
from markdown_it.token import Token

from xlkd import UserError, write_model_card
from xlkd.evaluation.metrics import METRICS
from xlkd.folders import hash_of_weights_in
from xlkd.hub.limits import limits_of
from xlkd.hub.metadata import LICENCES
from xlkd.hub.metadata import METRICS as HUB_METRICS
from xlkd.parsing import read_yaml

ATTACK = "---\nlicense: evil\n---\n# x|`y`\n<script>alert(1)</script> ](http://evil.example) {{ 7 * 7 }}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A student's folder with everything in it."""
    return lay(tmp_path / "topics", config=config(), training=record(), zero_shot=report())


def card(folder: Path, **options: Any) -> str:
    return write_model_card(folder, **options).read_text(encoding="utf-8")


def metadata(folder: Path, **options: Any) -> dict[str, Any]:
    found = metadata_load(write_model_card(folder, **options))
    assert found is not None
    return found


def changed(folder: Path, name: str, change: Any) -> Path:
    """The folder with one of its files changed in place."""
    path = folder / f"{name}.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    return folder


def tokens_of(text: str) -> list[Token]:
    """The tokens of a card's Markdown, those inside paragraphs too."""
    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(body)
    return [leaf for token in tokens for leaf in [token, *(token.children or [])]]


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_language_has_its_row_when_it_was_scored(folder: Path) -> None:
    rows = [line for line in section(card(folder), "Languages").splitlines() if line.startswith("| ")]
    assert (
        "| Quechua | qu | Latn | 1 | 400 | 27.0 | 23.0 to 31.0 | 60.0 | 45.0 | -33.0 | -37.0 to -29.0 | 0.200 |" in rows
    )
    assert len(rows) == 2 + 4 + 2 + 5


def test_value_is_a_dash_when_nobody_measured_it(folder: Path) -> None:
    def without_teacher(values: dict[str, Any]) -> None:
        values |= {"teacher": None, "test": None, "size": {}, "speed": {}}
        for scores in values["languages"].values():
            for name in ("teacher", "teacher_low", "teacher_high", "retention", "p_value"):
                scores[name] = None
            for name in ("difference", "difference_low", "difference_high"):
                scores[name] = None

    text = card(changed(folder, "zero_shot", without_teacher))
    assert "| English | en | Latn | 5 | 400 | 80.0 | 76.0 to 84.0 |\n" in text
    assert "Retention" not in text and "less than 90 %" not in text and "beside its teacher" not in text


def test_losses_data_and_papers_are_named_when_they_are_in_the_record(folder: Path) -> None:
    text = card(folder)
    assert "| soft-label | 1.0 | temperature 2.0, smoothing 0.0 |" in text
    assert "| parallel | pairs.jsonl | qu, zh-Hant | - | - |" in text
    assert f"(https://huggingface.co/datasets/somebody/data), split train | en | cc-by-4.0 | {COMMIT} |" in text
    assert section(text, "Citations").split("\n- ")[1:] == [
        "Hinton et al. (2015), Distilling",
        "A (2019), X",
        "B (2020), Y\n",
    ]
    assert "Seed 7, 1600 updates" in text and "xlkd 0.1.0, torch 2.13.0" in text


def test_made_up_words_are_named_when_text_has_some(folder: Path) -> None:
    entry = data_entry("unlabelled", ["qu"], name="raw.txt", repo=None, revision=None, licence=None, made_up_words=0.5)
    changed(folder, "training", lambda values: values["provenance"]["data"].append(entry))
    assert "| unlabelled | raw.txt, made-up words (0.5) | qu | - | - |" in card(folder)


def test_size_on_disk_is_there_when_the_student_was_measured(folder: Path) -> None:
    own = {"layers": 3, "vocabulary": 30_000, "bytes": 71_000_000}
    lay(folder, student={"student": own, "teacher": {**own, "layers": 12, "bytes": 490_000_000}})
    size = section(card(folder), "Size and speed")
    assert "| layers | 3 | 12 |" in size and "| MB on disk | 71.0 | 490.0 |" in size
    assert "| parameters | 17.5 M | 117.7 M |" in size and "| milliseconds for one text | 3.2 | 14.8 |" in size


def test_size_on_disk_is_not_that_of_one_teacher_when_there_are_several(folder: Path) -> None:
    own = {"layers": 3, "vocabulary": 30_000, "bytes": 71_000_000}
    lay(folder, student={"student": own, "teacher": {**own, "layers": 12, "bytes": 490_000_000}})
    both = {"average": "logits", "weights": "uniform", "of_teachers": [None, None], "features": None}
    text = card(changed(folder, "training", lambda values: values["provenance"].update(ensemble=both)))
    size = section(text, "Size and speed")
    assert "| layers | 3 | - |" in size and "| MB on disk | 71.0 | - |" in size


def test_weak_languages_are_named_when_rules_find_them(folder: Path) -> None:
    limits = section(card(folder), "Limits")
    assert "reaches down to what one and the same answer to all texts gets. Quechua (27.0)." in limits
    assert "less than 90 % of the teacher's accuracy. Quechua (27.0), zh-Hant (60.0)." in limits
    assert "wider than 10 points. Yoruba (78.0)." in limits
    assert "teacher itself" not in limits
    assert "None of these languages is one that its teacher does not know." in limits


@pytest.mark.parametrize(
    ("scores", "rule"),
    [
        ({"student_low": 0.25, "student_high": 0.35}, "At or near chance"),
        ({"student_low": 0.2501, "student_high": 0.35}, None),
        ({"teacher_low": 0.25}, "The teacher itself"),
        ({"retention": 0.899}, "Much is lost"),
        ({"transfer_gap": 0.201}, "Far behind the source language"),
        ({"transfer_gap": 0.2}, None),
        ({"retention": 0.9}, None),
        ({"student_high": 0.861}, "Too few rows"),
        ({"student_high": 0.86}, None),
        ({"student_low": None, "student_high": None, "teacher_low": None, "retention": None}, None),
    ],
)
def test_language_is_weak_when_a_bound_is_crossed(scores: dict[str, Any], rule: str | None) -> None:
    values = report()
    values["languages"] = {"sw": values["languages"]["en"] | scores}
    found = [limit.rule for limit in limits_of(values) if limit.languages]
    assert [words.startswith(rule or "-") for words in found] == ([True] if rule else [])


def test_source_language_is_not_behind_itself() -> None:
    values = report()
    values["languages"] = {"en": values["languages"]["en"]}
    assert not [limit for limit in limits_of(values) if "behind the source language" in limit.rule]


def test_rule_is_left_out_when_nothing_is_known_to_apply_it_to() -> None:
    values = report()
    for scores in values["languages"].values():
        scores |= {"retention": None, "teacher_low": None, "chance": None}
    rules = [limit.rule.split(":")[0] for limit in limits_of(values)]
    assert rules == ["Far behind the source language", "Too few rows to tell"]


def test_scores_are_left_out_when_they_are_of_another_student(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "model.safetensors").write_bytes(b"new weights")
    changed(folder, "zero_shot", lambda values: values.update(weights="0" * 32))
    text = card(folder)
    assert "has the scores of other weights" in caplog.text
    assert "Quechua (27.0)" not in text and "zero_shot.png" not in text and "model-index" not in text
    changed(folder, "zero_shot", lambda values: values.update(weights=hash_of_weights_in(folder)))
    assert "Quechua (27.0)" in card(folder)
    changed(folder, "zero_shot", lambda values: values.update(labels=["other", "labels"]))
    assert "Quechua (27.0)" not in card(folder)


def test_card_does_not_say_zero_shot_when_labels_of_a_target_chose_the_checkpoint(folder: Path) -> None:
    changed(folder, "zero_shot", lambda values: values.update(selected_on=["qu"]))
    assert "The checkpoint was chosen by labels in qu: these are no zero-shot scores." in card(folder)


def test_hub_has_a_name_for_every_metric() -> None:
    assert set(HUB_METRICS) == set(METRICS)


def test_nothing_is_said_of_chance_when_a_row_has_not_just_one_class(folder: Path) -> None:
    def as_spans(values: dict[str, Any]) -> None:
        values["metric"] = "span-f1"
        for scores in values["languages"].values():
            scores |= {"metrics": {"span-f1": scores["metrics"]["accuracy"]}, "chance": None}

    limits = section(card(changed(folder, "zero_shot", as_spans)), "Limits")
    assert "chance" not in limits and "less than 90 % of the teacher's span-f1. Quechua (27.0)" in limits
    changed(folder, "zero_shot", lambda values: [values["languages"].pop(code) for code in ("qu", "zh-Hant", "yo")])
    assert "None of these languages keeps less than 90 %" in section(card(folder), "Limits")


def test_no_language_is_called_weak_when_none_is(folder: Path) -> None:
    changed(folder, "zero_shot", lambda values: [values["languages"].pop(code) for code in ("qu", "zh-Hant", "yo")])
    assert "None of these languages is at chance" in section(card(folder), "Limits")


def test_oracle_is_marked_as_no_zero_shot_number_when_it_was_asked_for(folder: Path) -> None:
    assert "zero-shot number" not in card(folder)
    oracle = {"selection": "best mean of the targets", "languages": {"qu": 0.4}, "target": 0.6123}
    text = card(changed(folder, "zero_shot", lambda values: values.update(oracle=oracle)))
    assert "**No zero-shot number:** chosen on data of the target languages (best mean of the targets)" in text
    assert "a mean of 61.2 over the target languages that are scored" in text


def test_pictures_are_linked_when_they_lie_beside_it(folder: Path) -> None:
    assert not [token for token in tokens_of(card(folder)) if token.type == "image"]
    for name in ("zero_shot.png", "report.html"):
        (folder / name).touch()
    tokens = tokens_of(card(folder))
    assert [token.attrs["src"] for token in tokens if token.type == "image"] == ["zero_shot.png"]
    assert "report.html" in [token.attrs["href"] for token in tokens if token.type == "link_open"]


def test_card_says_that_it_has_no_results_when_nobody_scored(folder: Path) -> None:
    (folder / "zero_shot.json").unlink()
    text = card(folder)
    assert "**Nobody has recorded what it is worth:**" in text and "No results." in text
    assert "model-index" not in metadata(folder) and metadata(folder)["language"] == ["en", "qu", "zh"]
    assert "| soft-label |" in text


def test_card_says_that_nobody_knows_the_training_when_only_scores_are_there(folder: Path) -> None:
    (folder / "training.json").unlink()
    text = card(folder)
    assert "Nobody has recorded how it was trained." in text and "Nobody has recorded a licence." in text
    assert "It was scored beside somebody/teacher." in text
    assert "license" not in metadata(folder) and "base_model" not in metadata(folder)
    assert len(metadata(folder)["model-index"][0]["results"]) == 4


def test_card_of_a_run_without_teacher_says_so(folder: Path) -> None:
    text = card(changed(folder, "training", lambda values: values["provenance"].update(teachers=[])))
    assert "- No teacher." in text and "It was distilled" not in text


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config", None, "no config.json"),
        ("training", lambda values: values.update(schema=2), "training.json is not of schema 1"),
        ("training", lambda values: values.pop("losses"), "training.json is not of schema 1"),
        ("zero_shot", lambda values: values.update(schema=2), "zero_shot.json is not of schema 1"),
    ],
)
def test_folder_is_refused_when_it_is_not_a_student_of_this_version(
    folder: Path, name: str, change: Any, message: str
) -> None:
    if change is None:
        (folder / f"{name}.json").unlink()
    else:
        changed(folder, name, change)
    with pytest.raises(UserError, match=message):
        write_model_card(folder)
    assert not (folder / "README.md").exists()


def test_folder_is_refused_when_nothing_says_what_the_student_is(folder: Path) -> None:
    (folder / "training.json").unlink()
    (folder / "zero_shot.json").unlink()
    with pytest.raises(UserError, match="neither training.json nor zero_shot.json"):
        write_model_card(folder)


@pytest.mark.parametrize("content", ["[]", "{", "\x00"])
def test_file_is_refused_when_it_is_no_json_object(folder: Path, content: str) -> None:
    (folder / "zero_shot.json").write_text(content)
    with pytest.raises(UserError, match="zero_shot.json"):
        write_model_card(folder)


def test_card_is_the_same_when_it_is_written_again(folder: Path) -> None:
    assert card(folder) == card(folder)
    assert {path.name for path in folder.iterdir()} == {"config.json", "training.json", "zero_shot.json", "README.md"}


@pytest.mark.parametrize(
    ("changes", "sentence", "call"),
    [
        ({}, "It tells 4 classes apart: animals, food", 'in any of these languages.", truncation=True'),
        (
            {"problem_type": "multi_label_classification"},
            "It says yes or no to each of 4 classes",
            'in any of these languages.", top_k=None, truncation=True',
        ),
        (
            {"problem_type": "regression", "id2label": {"0": "score"}},
            "It says one number, score",
            'in any of these languages.", truncation=True',
        ),
    ],
)
def test_card_says_what_is_answered_when_a_row_has_not_one_class(
    folder: Path, changes: dict[str, Any], sentence: str, call: str
) -> None:
    written = card(changed(folder, "config", lambda values: values.update(changes)))
    assert sentence in written and call in written


def test_code_is_for_words_when_the_task_is(folder: Path) -> None:
    changed(folder, "training", lambda values: values.update(task="token-classification"))
    written = card(folder)
    assert 'pipeline("token-classification"' in written and 'aggregation_strategy="first"' in written
    assert "pipeline_tag: token-classification" in written


@pytest.mark.parametrize(
    ("labels", "is_said"), [(["O", "B-PER", "I-PER", "X"], False), (["O", "B-PER", "E-PER"], True)]
)
def test_parts_of_names_are_left_to_the_reader_when_the_pipeline_does_not_join_them(
    folder: Path, labels: list[str], is_said: bool
) -> None:
    changed(folder, "training", lambda values: values.update(task="token-classification"))
    changed(folder, "config", lambda values: values.update(id2label=dict(enumerate(labels))))
    assert ("a name of several words comes in parts" in card(folder)) == is_said


# Metadata


def test_metadata_has_all_that_the_hub_asks_for_when_everything_is_known(folder: Path) -> None:
    found = metadata(folder, tags=["topics"])
    assert found["language"] == ["en", "qu", "zh", "yo"] and found["language_bcp47"] == ["zh-Hant"]
    assert found["base_model"] == ["somebody/teacher"] and found["base_model_relation"] == "finetune"
    assert found["datasets"] == ["somebody/data"] and found["license"] == "mit"
    assert found["pipeline_tag"] == "text-classification" and found["library_name"] == "transformers"
    assert found["tags"] == ["xlkd", "knowledge-distillation", "cross-lingual", "topics"]
    assert found["metrics"] == ["accuracy", "f1"]


def test_model_index_has_one_result_a_language_and_metric_when_it_is_read_back(folder: Path) -> None:
    name, results = model_index_to_eval_results(metadata(folder)["model-index"])
    assert name == "topics" and len(results) == 4 * 2
    assert len({(result.unique_identifier, result.metric_type) for result in results}) == 8
    first, of_quechua = results[0], results[2]
    assert (first.dataset_type, first.dataset_name) == ("somebody/data", "somebody/data (English)")
    assert (first.dataset_config, first.dataset_split, first.dataset_revision) == ("en", "test", COMMIT)
    assert (first.task_type, first.metric_type, first.metric_value) == ("text-classification", "accuracy", 0.8)
    assert (of_quechua.dataset_config, of_quechua.metric_value) == ("quy_Latn", 0.27)
    assert (results[3].metric_type, results[3].metric_args) == ("f1", {"average": "macro"})


def test_result_is_left_out_when_the_score_is_undefined(folder: Path) -> None:
    def undefine(values: dict[str, Any]) -> None:
        values["languages"]["qu"] |= {"student": None, "student_low": None, "student_high": None}
        values["languages"]["qu"]["metrics"]["accuracy"]["student"] = None

    _, results = model_index_to_eval_results(metadata(changed(folder, "zero_shot", undefine))["model-index"])
    assert [result.metric_type for result in results if "Quechua" in result.dataset_name] == ["f1"]


def test_result_names_its_file_when_the_data_are_local(folder: Path) -> None:
    entry = data_entry("evaluation", ["en", "qu", "zh-Hant", "yo"], name="test.{language}.jsonl", repo=None)
    changed(folder, "training", lambda values: values["provenance"]["data"].__setitem__(2, entry))
    _, results = model_index_to_eval_results(metadata(folder)["model-index"])
    assert {result.dataset_type for result in results} == {"test.-language-.jsonl"}
    assert {result.dataset_split for result in results} == {None}
    assert [result.dataset_config for result in results[::2]] == ["en", "qu", "zh-Hant", "yo"]


def test_data_set_is_no_training_data_when_it_was_only_scored_on(folder: Path) -> None:
    entry = data_entry("evaluation", ["en"], name="somebody/benchmark", repo="somebody/benchmark")
    changed(folder, "training", lambda values: values["provenance"]["data"].__setitem__(2, entry))
    assert metadata(folder)["datasets"] == ["somebody/data"]
    assert "https://huggingface.co/datasets/somebody/benchmark" in card(folder)


def test_base_model_is_left_out_when_it_is_a_folder(folder: Path) -> None:
    change = {"name": "teacher", "repo": None, "revision": None, "licence": None}
    found = metadata(changed(folder, "training", lambda values: values["provenance"]["student"].update(change)))
    assert "base_model" not in found and "base_model_relation" not in found and "license" not in found


@pytest.mark.parametrize(
    "terms",
    ["CC BY-NC 4.0", "research only", "cc-by-sa-4.0", "GPL 3", "lgpl-lr", "cdla-sharing-1.0", "non commercial"],
)
def test_licence_is_nobodys_choice_when_data_come_on_narrower_terms(folder: Path, terms: str) -> None:
    data = [data_entry("labelled", ["en"], licence=terms), data_entry("evaluation", ["qu"])]
    changed(folder, "training", lambda values: values["provenance"].update(data=data))
    assert "license" not in metadata(folder)
    assert f"narrower terms ({terms})" in section(card(folder), "Licence").replace("\\", "")
    assert metadata(folder, license="cc-by-nc-4.0")["license"] == "cc-by-nc-4.0"


def test_licence_is_nobodys_choice_when_a_teacher_comes_on_narrower_terms(folder: Path) -> None:
    teacher = {"name": "t", "repo": None, "revision": None, "licence": "cc-by-nc-4.0"}
    changed(folder, "training", lambda values: values["provenance"]["teachers"].append(teacher))
    assert "license" not in metadata(folder)


@pytest.mark.parametrize(("role", "terms"), [("evaluation", "CC BY-NC 4.0"), ("labelled", "MIT"), ("labelled", None)])
def test_licence_is_that_of_the_model_when_data_allow_it(folder: Path, role: str, terms: str | None) -> None:
    before = metadata(folder)["license"]
    data = [data_entry(role, ["en"], licence=terms)]
    changed(folder, "training", lambda values: values["provenance"].update(data=data))
    assert metadata(folder)["license"] == before


@pytest.mark.parametrize(("licence", "known"), [("Apache-2.0", "apache-2.0"), ("my own", None), ("other", None)])
def test_licence_is_in_the_metadata_when_the_hub_knows_it(folder: Path, licence: str, known: str | None) -> None:
    assert metadata(folder, license=licence).get("license") == known
    assert licence in section(card(folder, license=licence), "Licence")
    assert len(LICENCES) > 60


def test_metadata_are_the_same_when_another_parser_reads_them(folder: Path, tmp_path: Path) -> None:
    # `no` is Norwegian: PyYAML and the Hub's parser must not see false in it.
    changed(folder, "zero_shot", lambda values: values["languages"].update(no=values["languages"]["en"]))
    expected = metadata(folder)
    assert "no" in expected["language"]
    (tmp_path / "metadata.yaml").write_text(card(folder).split("---\n")[1], encoding="utf-8")
    assert read_yaml(tmp_path / "metadata.yaml") == expected


# What users write


def attacked(values: Any) -> Any:
    """The same values with an attack instead of every text, those that are keys of the format left alone."""
    if isinstance(values, dict):
        return {key: attacked(value) for key, value in values.items()}
    if isinstance(values, list):
        return [attacked(value) for value in values]
    return ATTACK if isinstance(values, str) else values


def test_card_has_its_own_shape_when_every_text_is_an_attack(folder: Path, tmp_path: Path) -> None:
    good, evil_record, evil_report = tokens_of(card(folder)), attacked(record()), attacked(report())
    evil_report["metric"] = "accuracy"
    evil_report["languages"] = {f"{code}{ATTACK}": entry for code, entry in evil_report["languages"].items()}
    evil_report["groups"] = {ATTACK: report()["groups"]["low-resource"]}
    evil_config = {"id2label": {str(index): ATTACK for index in range(4)}}
    evil = lay(tmp_path / "evil", config=evil_config, training=evil_record, zero_shot=evil_report)
    text = card(evil, license=ATTACK, tags=[ATTACK])
    tokens = tokens_of(text)

    assert {token.type for token in tokens} <= {token.type for token in good} | {"text_special"}
    headings = [token.type for token in good if token.type == "heading_open"]
    assert [token.type for token in tokens if token.type == "heading_open"] == headings
    links = {token.attrs["href"] for token in tokens if token.type == "link_open"}
    assert all(link.startswith("https://huggingface.co/") for link in links)
    found = ModelCard(text).data.to_dict()
    assert "license" not in found and "base_model" not in found and "datasets" not in found
    assert not [value for value in json.dumps(found).split('"') if "\\n" in value]


@pytest.mark.parametrize("label", ["a|b", "`x`", "<script>", "two\nlines", "no", "1e5", "---"])
def test_label_is_shown_as_it_is_when_it_looks_like_markup(folder: Path, label: str) -> None:
    changed(folder, "config", lambda values: values["id2label"].update({"0": label}))
    shown = "".join(token.content for token in tokens_of(card(folder)) if token.type in ("text", "text_special"))
    assert f"4 classes apart: {' '.join(label.split())}, {LABELS[1]}" in shown


def test_record_stays_as_it_is_when_a_card_is_made_of_it(folder: Path) -> None:
    before = copy.deepcopy(record())
    card(folder)
    assert json.loads((folder / "training.json").read_text()) == before


# The code in it


def code_of(text: str) -> str:
    found = re.findall(r"```python\n(.*?)\n```", text, flags=re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("pairs", [False, True])
def test_code_runs_when_it_is_copied_from_the_card(
    tmp_path: Path, student: Any, tokenizer: Any, save_model: Any, pairs: bool
) -> None:
    name = 'it\'s "mine"'
    save_model(tmp_path / name, student, tokenizer)
    values = record()
    values["provenance"]["data"][0]["pairs"] = pairs
    lay(tmp_path / name, training=values)
    code = "import sys\nsys.modules['xlkd'] = None\n" + code_of(card(tmp_path / name))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\[?\{'label': '[abc]', 'score': [0-9.]+\}\]?\n", done.stdout)


def test_code_names_the_repo_when_the_student_has_one(folder: Path) -> None:
    text = card(changed(folder, "training", lambda values: values.update(repo="org/topics-small")))
    assert 'model="org/topics-small"' in code_of(text) and "# topics-small\n" in text
    assert metadata(folder)["model-index"][0]["name"] == "topics-small"


def test_code_allows_remote_code_when_the_student_needs_it(folder: Path) -> None:
    assert "trust_remote_code" not in card(folder)
    changed(folder, "config", lambda values: values.update(auto_map={"AutoModel": "modeling_x.X"}))
    assert "trust_remote_code=True)" in code_of(card(folder))
