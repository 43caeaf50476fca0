"""What goes up, where to, and how to go on when it does not."""

import json
import logging
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub.utils._http
import pytest
from folders import report
from hub_server import ORGANISATION, TOKEN, Failure
from hub_trainer import CARD, REPO, STUDENT
from huggingface_hub import ModelCard, metadata_load

from xlkd import UserError
from xlkd.hub.publishing import published_files, upload_command
from xlkd.hub.record import TrainingRecord

PUBLIC = ["README.md", "config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json"]
PUBLIC += ["modeling_own.py", "sentencepiece.bpe.model", "tokenizer.json", "vocab.txt"]
PUBLIC += ["zero_shot.json", "zero_shot.png", "report.html"]
NOT_PUBLIC = ["run.yaml", "training.json", "student.json", "training_args.bin", "distillation_losses.safetensors"]
NOT_PUBLIC += ["optimizer.pt", "predictions.jsonl", "token", "notes.txt", "train.py", "README.md-12.tmp", "events.out"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The client's retries do not wait; how long they would have is noted."""
    waits: list[float] = []
    clock = type("Clock", (), {"sleep": waits.append, "time": time.time})
    monkeypatch.setattr(huggingface_hub.utils._http, "time", clock)
    return waits


@pytest.fixture
def trained(hub, make_trainer):
    """A trainer that has trained, and pushed nothing yet."""
    trainer = make_trainer(hub_strategy="end")
    trainer.train()
    return trainer


def command_in(message: str) -> list[str]:
    """The words of the command that an error says to go on with."""
    return shlex.split(message.split(" with: ")[1])


def run_command(words: list[str], server, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run `hf`, as a user who is logged in."""
    program = [str(Path(sys.executable).with_name("hf")), *words[1:]]
    environment = {**os.environ, **server.environment, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
    return subprocess.run(program, env=environment, capture_output=True, text=True)


# What is published


def test_file_is_published_when_it_is_for_the_public(tmp_path: Path) -> None:
    for name in [*PUBLIC, *NOT_PUBLIC]:
        (tmp_path / name).touch()
    for folder in ("checkpoint-2", "cache", "teacher"):
        (tmp_path / folder).mkdir()
        for name in PUBLIC:
            (tmp_path / folder / name).touch()
    for name in ("zero_shot.json", "config.json"):
        (tmp_path / name).write_text("{}")
    assert published_files(tmp_path) == sorted(PUBLIC)


def test_scores_stay_at_home_when_they_are_of_other_weights(tmp_path: Path) -> None:
    for name in PUBLIC:
        (tmp_path / name).touch()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "zero_shot.json").write_text('{"weights": "of another student"}')
    assert set(PUBLIC) - set(published_files(tmp_path)) == {"zero_shot.json", "zero_shot.png", "report.html"}


def test_nothing_but_the_student_is_uploaded_when_more_lies_beside_it(trained, hub, tmp_path: Path) -> None:
    for name in NOT_PUBLIC:
        (tmp_path / "out" / name).write_text('{"secret": "of nobody\'s business"}')
    (tmp_path / "out/cache").mkdir()
    (tmp_path / "out/cache/tokenizer.json").write_text("of nobody's business")
    trained.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD
    assert not [content for content in hub.files[REPO].values() if b"of nobody's business" in content]


def test_card_says_what_the_trainer_knows_when_there_is_no_run(trained, hub, tmp_path: Path) -> None:
    trained.push_to_hub()
    card = ModelCard(hub.files[REPO]["README.md"].decode())
    assert "**Nobody has recorded what it is worth:**" in card.text
    assert "| soft-label | 1.0 |" in card.text and "Seed 3, 2 updates" in card.text
    assert f'model="{REPO}"' in card.text and "Nobody has recorded the data" in card.text
    assert card.data.pipeline_tag == "text-classification" and card.data.license is None
    record = TrainingRecord.load(tmp_path / "out")
    assert [entry["step"] for entry in record.log_history if "loss" in entry] == [1, 2]
    assert record.arguments["learning_rate"] == 0.5 and record.repo == REPO


def test_card_has_the_results_when_they_lie_beside_the_student(trained, hub, tmp_path: Path) -> None:
    (tmp_path / "out/zero_shot.json").write_text(json.dumps({**report(), "labels": trained.task.labels}))
    trained.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD | {"zero_shot.json"}
    assert "| Quechua | qu |" in hub.files[REPO]["README.md"].decode()


def test_card_is_ours_when_the_trainer_makes_one(trained, tmp_path: Path) -> None:
    trained.save_model(_internal_call=True)
    trained.create_model_card(license="apache-2.0", tags=["topics"])
    found = metadata_load(tmp_path / "out/README.md")
    assert found is not None and found["license"] == "apache-2.0" and "topics" in found["tags"]
    with pytest.raises(UserError, match="finetuned_from, tasks does not apply"):
        trained.create_model_card(finetuned_from="somebody/else", tasks="text-classification")


def test_token_is_in_no_file_of_the_folder_when_it_is_given(trained, hub, tmp_path: Path) -> None:
    trained.push_to_hub()
    beside = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
    assert len(beside) >= 6 and not [path for path in beside if TOKEN.encode() in path.read_bytes()]


# Where to


def test_student_is_in_the_organisation_when_the_repo_is(hub, make_trainer) -> None:
    trainer = make_trainer(hub_model_id=f"{ORGANISATION}/student", hub_private_repo=True)
    trainer.train()
    trainer.push_to_hub()
    assert set(hub.files[f"{ORGANISATION}/student"]) == STUDENT | CARD
    assert hub.private == {f"{ORGANISATION}/student": True}


def test_student_is_on_the_branch_when_a_revision_is_named(hub, make_trainer) -> None:
    trainer = make_trainer(hub_revision="second-try", hub_strategy="every_save")
    trainer.train()
    trainer.push_to_hub()
    assert set(hub.branches[REPO]["second-try"]) == STUDENT | CARD and not hub.files[REPO]
    trainer.push_to_hub(revision="third-try")
    assert set(hub.branches[REPO]["third-try"]) == STUDENT | CARD and not hub.files[REPO]


def test_repo_is_private_when_the_push_says_so(hub, make_trainer) -> None:
    trainer = make_trainer(push_to_hub=False)
    trainer.train()
    trainer.push_to_hub(private=True)
    assert hub.private == {REPO: True}


def test_push_is_watched_when_it_does_not_block(trained, hub, caplog) -> None:
    hub.fail_commits = True
    with caplog.at_level(logging.ERROR, logger="xlkd"):
        upload = trained.push_to_hub(blocking=False)
        assert upload.exception() is not None
        # Whoever waits for a future is woken before its callbacks are called.
        deadline = time.monotonic() + 30
        while not caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "Nothing is lost" in caplog.text


# What goes wrong


@pytest.mark.parametrize(("token", "repo"), [("hf_wrong", REPO), (TOKEN, "somebody-else/student")])
def test_trainer_is_not_made_when_the_hub_refuses_the_repo(hub, make_trainer, token, repo) -> None:
    status = {"hf_wrong": "401", TOKEN: "403"}[token]
    with pytest.raises(UserError, match=rf"(?s)The repo {repo} cannot be had on the Hub: .*{status}.*hf auth login"):
        make_trainer(hub_model_id=repo, hub_token=token)
    assert not hub.files


@pytest.mark.parametrize("status", [403, 500])
def test_command_goes_on_when_a_push_fails(trained, hub, tmp_path: Path, status: int) -> None:
    hub.failures.append(Failure(".*/commit/.*", status))
    with pytest.raises(UserError, match=f"not uploaded to {REPO}: .*{status}.*Nothing is lost") as raised:
        trained.push_to_hub()
    assert "\n" not in str(raised.value) and TOKEN not in str(raised.value)
    large = list(hub.uploads)
    assert len(large) == 1 and not hub.files[REPO]
    done = run_command(command_in(str(raised.value)), hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(hub.files[REPO]) == STUDENT | CARD
    # The large file had come before, and is not sent again.
    assert hub.uploads == large


def test_command_names_branch_and_privacy_when_they_were_asked_for(hub, make_trainer, tmp_path: Path) -> None:
    trainer = make_trainer(push_to_hub=False, hub_private_repo=True, hub_revision="second try")
    trainer.train()
    hub.failures.append(Failure("/api/repos/create", 500, times=9))
    with pytest.raises(UserError, match=f"The repo {REPO} cannot be had on the Hub: .*500") as raised:
        trainer.push_to_hub()
    hub.failures.clear()
    words = command_in(str(raised.value))
    assert words[-3:] == ["--revision", "second try", "--private"]
    assert words == shlex.split(upload_command(REPO, tmp_path / "out", "second try", private=True))
    done = run_command(words, hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert hub.private == {REPO: True} and set(hub.branches[REPO]["second try"]) >= STUDENT and not hub.files[REPO]


@pytest.mark.parametrize("path", ["/objects/.*", ".*/info/lfs/objects/batch", ".*/preupload/.*"])
@pytest.mark.parametrize("status", [503, 0])
def test_upload_is_tried_again_when_the_hub_is_busy_or_breaks_off(
    trained, hub, impatient: list[float], path: str, status: int
) -> None:
    method = "PUT" if "objects/." in path else "POST"
    hub.failures.append(Failure(path, status, times=2, method=method))
    trained.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD
    assert len(impatient) == 2 and hub.failures[0].times == 0


def test_nothing_is_lost_when_the_connection_stays_cut(trained, hub, impatient: list[float], tmp_path: Path) -> None:
    hub.failures.append(Failure("/objects/.*", 0, times=99, method="PUT"))
    trained.save_model(_internal_call=True)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("model*")}
    with pytest.raises(UserError, match="not uploaded to .*Nothing is lost") as raised:
        trained.push_to_hub()
    assert len(impatient) == 5 and not hub.files[REPO]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("model*")} == before
    assert re.search(r"student: [^.]*(disconnect|reset|closed|Broken)", str(raised.value), re.IGNORECASE)
    hub.failures.clear()
    trained.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD


def test_card_is_refused_by_the_hub_when_its_metadata_are_wrong(trained, hub, monkeypatch) -> None:
    # The server of the tests would notice: all the other tests upload through the same check.
    monkeypatch.setattr("xlkd.hub.metadata.is_language", lambda code: True)
    monkeypatch.setattr("xlkd.hub.metadata.languages_of", lambda *_: ["Swahili"])
    with pytest.raises(UserError, match="Invalid metadata in README.md"):
        trained.push_to_hub()
    assert not hub.files[REPO]
