"""A whole run whose teacher, student and data come from the Hub, and whose student goes there."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import ORGANISATION, TOKEN, Failure, HubServer
from hub_trainer import CARD, STUDENT
from huggingface_hub import ModelCard, metadata_load

ROOT = Path(__file__).parents[2]
REPO = f"{ORGANISATION}/topics"
RESULTS = {"zero_shot.json", "zero_shot.png", "report.html"}

READER = """
import sys
sys.modules["xlkd"] = None
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
repo, revision = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(repo, revision=revision)
tokenizer = AutoTokenizer.from_pretrained(repo, revision=revision)
print(pipeline("text-classification", model=repo, revision=revision)("one two"))
"""


def rows(words: Sequence[str], first: int, number: int) -> bytes:
    """Labelled rows, as a jsonl file; no two numbers give the same."""
    size = len(words)
    made = [
        {"text": f"{words[n % size]} {words[n // size]} {words[7 * n % size]}", "label": "abc"[n % 3]}
        for n in range(first, first + number)
    ]
    return "".join(json.dumps(row) + "\n" for row in made).encode()


def in_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def card_with(licence: str) -> bytes:
    return f"---\nlicense: {licence}\n---\n\n# Something\n".encode()


@pytest.fixture
def server(tmp_path: Path, make_model: Any, tokenizer: Any, words: Any, save_model: Any) -> Iterator[HubServer]:
    """A Hub with a teacher, a model to start from, and a data set."""
    with HubServer() as hub:
        for name, layers, licence in (("teacher", 3, "apache-2.0"), ("small", 1, "mit")):
            folder = save_model(tmp_path / name, make_model(layers=layers), tokenizer)
            hub.lay(f"somebody/{name}", {**in_folder(folder), "README.md": card_with(licence)})
        data = {"train.jsonl": rows(words["en"], 0, 24), "README.md": card_with("cc-by-4.0")}
        hub.lay("datasets/somebody/data", data)
        for language in ("en", "sw"):
            (tmp_path / f"test.{language}.jsonl").write_bytes(rows(words[language], 100, 6))
        (tmp_path / "raw.sw.jsonl").write_bytes(rows(words["sw"], 0, 8))
        yield hub
        assert not hub.unknown


def environment(server: HubServer, tmp_path: Path) -> dict[str, str]:
    own = {"HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    own |= {"HF_DATASETS_CACHE": str(tmp_path / "home/datasets"), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **server.environment, **own}


def run(server: HubServer, tmp_path: Path, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Start the run of this file in a program of its own."""
    values = {
        "teacher": "somebody/teacher",
        "student": "somebody/small",
        "source_language": "en",
        "target_languages": ["sw"],
        "data": [
            {"role": "labelled", "path": "somebody/data"},
            {"role": "unlabelled", "path": str(tmp_path / "raw.{language}.jsonl"), "license": "CC0-1.0"},
            {"role": "evaluation", "path": str(tmp_path / "test.{language}.jsonl")},
        ],
        "num_threads": 1,
        "max_steps": 1,
        "eval_strategy": "no",
        "save_strategy": "no",
        "load_best_model_at_end": False,
        "per_device_train_batch_size": 4,
        "precision": "float32",
        "use_cpu": True,
        "disable_tqdm": True,
        "max_length": 16,
        "output_dir": str(tmp_path / "out"),
        "push_to_hub": True,
        "hub_model_id": REPO,
        "hub_private_repo": True,
        **changes,
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "xlkd.run", str(tmp_path / "run.yaml")]
    return subprocess.run(
        command, cwd=tmp_path, env=environment(server, tmp_path), capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_student_comes_back_by_its_id_when_all_of_a_run_is_on_the_hub(server: HubServer, tmp_path: Path) -> None:
    done = run(server, tmp_path, hub_revision="first")
    assert done.returncode == 0, done.stderr[-3000:]
    published = server.branches[REPO]["first"]
    assert set(published) == STUDENT | CARD | RESULTS
    assert server.private[REPO] is True and not server.files[REPO]
    for secret in (TOKEN, str(tmp_path)):
        assert not [path for path, content in published.items() if secret.encode() in content]
    card = ModelCard(published["README.md"].decode())
    assert card.data.base_model == ["somebody/small"] and card.data.license == "mit"
    assert card.data.datasets == ["somebody/data"] and card.data.language == ["en", "sw"]
    of_data, of_teacher = (server.commits[repo][0].sha for repo in ("datasets/somebody/data", "somebody/teacher"))
    assert re.search(rf"\| labelled \| \[somebody/data\].* \| en \| cc-by-4.0 \| {of_data} \|", card.text)
    assert "| unlabelled | raw.\\{language\\}.jsonl | sw | CC0-1.0 | - |" in card.text
    assert f"revision {of_teacher}, licence apache-2.0" in card.text

    reader = [sys.executable, "-c", READER, REPO, "first"]
    home = {"HF_HOME": str(tmp_path / "another-home"), "PYTHONPATH": ""}
    read = subprocess.run(
        reader, cwd=tmp_path, env={**environment(server, tmp_path), **home}, capture_output=True, text=True
    )
    assert read.returncode == 0, read.stderr[-3000:]
    assert re.search(r"'label': '[abc]'", read.stdout)


@pytest.mark.slow
def test_run_has_its_results_when_the_hub_refuses_them(server: HubServer, tmp_path: Path) -> None:
    server.failures.append(Failure(".*/commit/.*", 403))
    done = run(server, tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "mean of targets (1)" in done.stdout
    assert f"error: The student was not uploaded to {REPO}: " in done.stderr and "hf upload" in done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= STUDENT | CARD | RESULTS | {"run.yaml", "training.json"} and not server.files[REPO]
    assert metadata_load(tmp_path / "out/README.md")["model-index"][0]["name"] == "topics"


@pytest.mark.slow
def test_run_is_refused_before_it_trains_when_nobody_may_push_there(server: HubServer, tmp_path: Path) -> None:
    done = run(server, tmp_path, hub_model_id="somebody-else/topics")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert re.search("error: .*somebody-else/topics cannot be had on the Hub: .*403", done.stderr)
    assert "train_runtime" not in done.stdout
