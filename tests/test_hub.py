"""What is uploaded: the student, and nothing of the teacher, of the training or of the user; also a program for it."""

import logging
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
import safetensors.torch
import torch
import transformers.utils.hub
from datasets import Dataset
from hub_server import TOKEN, HubServer
from hub_trainer import CARD, REPO, STATE, STRATEGIES, STUDENT, WaitForUpload, trainer_of
from tiny_training import distance, weights
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from transformers.utils.hub import PushInProgress

from xlkd import DistillationTrainer, UserError
from xlkd.training.checkpointing import LOSSES_FILE

ROOT = Path(__file__).parent.parent


def summaries(hub: HubServer) -> list[str]:
    return [commit.summary for commit in hub.commits[REPO]]


def uploads(hub: HubServer) -> list[bytes]:
    """All content that ever reached the server, committed or not."""
    return [content for versions in hub.everything().values() for content in versions] + list(hub.objects.values())


def in_bytes(model: torch.nn.Module) -> dict[str, bytes]:
    """The matrices of a model as they lie in a safetensors file; vectors of ones and zeros are alike in all models."""
    return {name: value.numpy().tobytes() for name, value in weights(model).items() if value.ndim > 1}


def test_student_alone_is_uploaded_when_pushed_after_training(hub, make_trainer, tmp_path):
    trainer = make_trainer(hub_strategy="end")
    trainer.train()
    assert not hub.commits[REPO]
    trainer.push_to_hub()
    assert (tmp_path / "out/checkpoint-2" / LOSSES_FILE).is_file()
    assert set(hub.files[REPO]) == STUDENT | CARD
    assert hub.files[REPO]["model.safetensors"] == (tmp_path / "out/model.safetensors").read_bytes()


def test_student_is_uploaded_when_args_do_not_push(hub, make_trainer):
    trainer = make_trainer(push_to_hub=False)
    trainer.train()
    assert not hub.files
    trainer.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD


def test_student_of_every_step_is_uploaded_when_strategy_is_every_save(hub, make_trainer, tmp_path):
    trainer = make_trainer(hub_strategy="every_save")
    for name in ("README.md", "zero_shot.json", "report.html"):
        # Of whatever lay here before: it is not of these weights, and may not be readable.
        (tmp_path / "out" / name).write_text("of another student")
    trainer.train()
    assert summaries(hub) == ["Training in progress, step 1", "Training in progress, step 2"]
    for step, commit in enumerate(hub.commits[REPO], 1):
        assert set(commit.files) == STUDENT
        saved = tmp_path / f"out/checkpoint-{step}/model.safetensors"
        assert commit.files["model.safetensors"] == saved.read_bytes()
    first, second = (commit.files["model.safetensors"] for commit in hub.commits[REPO])
    assert first != second
    (tmp_path / "out/zero_shot.json").unlink()
    trainer.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD


@pytest.mark.parametrize(
    ("strategy", "folders"),
    [("checkpoint", ["last-checkpoint"]), ("all_checkpoints", ["checkpoint-1", "checkpoint-2"])],
)
def test_state_without_arguments_is_uploaded_when_strategy_asks_for_it(hub, make_trainer, tmp_path, strategy, folders):
    make_trainer(hub_strategy=strategy).train()
    expected = {f"{folder}/{name}" for folder in folders for name in STUDENT | STATE}
    assert set(hub.files[REPO]) == STUDENT | expected
    assert (tmp_path / "out/checkpoint-2/training_args.bin").is_file()


def test_run_resumes_when_its_checkpoint_comes_from_the_hub(hub, make_trainer, tmp_path):
    make_trainer(hub_strategy="checkpoint").train()
    for path, content in hub.files[REPO].items():
        (tmp_path / "back" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "back" / path).write_bytes(content)
    trainer = make_trainer(push_to_hub=False, max_steps=3)
    trainer.train(resume_from_checkpoint=str(tmp_path / "back/last-checkpoint"))
    assert [entry["step"] for entry in trainer.state.log_history if "loss" in entry] == [1, 2, 3]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_neither_teacher_nor_token_is_uploaded_when_strategy_is(hub, make_trainer, teacher, tmp_path, strategy):
    trainer = make_trainer(hub_strategy=strategy)
    trainer.train()
    student = in_bytes(trainer.model)
    trainer.push_to_hub()
    sent = uploads(hub)

    for path, versions in hub.everything().items():
        for content in versions if path.endswith("model.safetensors") else []:
            assert set(safetensors.torch.load(content)) == set(weights(trainer.model))
    assert all(any(matrix in content for content in sent) for matrix in student.values())
    assert not [name for name, matrix in in_bytes(teacher).items() if any(matrix in content for content in sent)]

    # The search would find it: the pickle of the checkpoint that stays at home holds it.
    assert TOKEN.encode() in (tmp_path / "out/checkpoint-2/training_args.bin").read_bytes()
    assert not [content for content in sent if TOKEN.encode() in content]


def test_pickle_is_not_uploaded_when_an_old_one_lies_in_the_folder(hub, make_trainer, tmp_path):
    trainer = make_trainer(hub_strategy="every_save")
    torch.save(trainer.args, tmp_path / "out/training_args.bin")
    trainer.train()
    trainer.push_to_hub()
    assert set(hub.everything()) == STUDENT | CARD


@pytest.mark.parametrize("private", [True, False, None])
def test_repo_is_as_private_as_asked_when_made(hub, make_trainer, private):
    make_trainer(hub_private_repo=private)
    assert hub.private == {REPO: private}


def test_checkpoint_is_skipped_when_the_last_upload_still_runs(hub, make_trainer):
    trainer = make_trainer(hub_strategy="every_save", hub_always_push=False)
    trainer.pop_callback(WaitForUpload)
    running = Future()
    trainer.push_in_progress = PushInProgress([running])
    trainer.add_callback(Finisher(running))
    trainer.train()
    assert not hub.commits[REPO]


class Finisher(TrainerCallback):
    """Ends an upload at the end of the training."""

    def __init__(self, upload: Future) -> None:
        self.upload = upload

    def on_train_end(self, *_, **__) -> None:
        self.upload.set_result(None)


def test_nothing_is_uploaded_when_process_is_not_the_first(hub, make_trainer, tmp_path, monkeypatch):
    trainer = make_trainer(hub_strategy="every_save")
    monkeypatch.setattr(trainer, "is_world_process_zero", lambda: False)
    # Only the first process has this attribute.
    del trainer.push_in_progress
    trainer._push_from_checkpoint(str(tmp_path))
    assert not hub.commits[REPO] and not (tmp_path / "out/model.safetensors").exists()


def test_student_stays_on_disk_when_the_push_fails(hub, make_trainer, tmp_path):
    trainer = make_trainer(hub_strategy="end")
    trainer.train()
    hub.fail_commits = True
    with pytest.raises(UserError, match="somebody/student: Server error '500.* wants it to. Nothing is lost, it lies"):
        trainer.push_to_hub()
    # It failed midway: the large file had come.
    assert (tmp_path / "out/model.safetensors").read_bytes() in hub.objects.values() and not hub.files[REPO]
    assert_student_is_whole(tmp_path / "out", trainer)
    hub.fail_commits = False
    trainer.push_to_hub()
    assert set(hub.files[REPO]) == STUDENT | CARD


def test_training_goes_on_and_says_so_when_an_upload_fails(hub, make_trainer, tmp_path, caplog):
    trainer = make_trainer(hub_strategy="every_save")
    hub.fail_commits = True
    with caplog.at_level(logging.ERROR, logger="xlkd"):
        trainer.train()
        # Uploads run one after another: when this one is done, the one before it has said what it had to say.
        transformers.utils.hub.hf_api().run_as_future(int).result()
    for step in (1, 2):
        assert f"Step {step} was not uploaded: Server error '500" in caplog.text
    assert trainer.state.global_step == 2 and not hub.files[REPO]
    assert_student_is_whole(tmp_path / "out", trainer)
    assert_student_is_whole(tmp_path / "out/checkpoint-2", trainer)


def assert_student_is_whole(folder: Path, trainer: DistillationTrainer) -> None:
    """The folder has the student as the trainer has it, and its tokenizer."""
    assert {path.name for path in folder.iterdir()} >= STUDENT
    loaded = AutoModelForSequenceClassification.from_pretrained(folder)
    assert distance(weights(loaded), weights(trainer.model)) == 0
    assert len(AutoTokenizer.from_pretrained(folder)) == len(trainer.processing_class)


@pytest.mark.slow
def test_student_comes_back_from_the_hub_when_a_program_pushed_it(
    student, teacher, tokenizer, rows, tmp_path, save_model
):
    for name, model in (("student", student), ("teacher", teacher)):
        save_model(tmp_path / name, model, tokenizer)
    rows.save_to_disk(str(tmp_path / "rows"))
    with HubServer() as server:
        environment = {**os.environ, **server.environment, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
        environment |= {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "tests/test_hub.py", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not server.unknown
    assert server.private == {REPO: True} and summaries(server)[-1] == "End of training"
    assert set(server.everything()) == STUDENT | CARD
    assert not [content for content in uploads(server) if TOKEN.encode() in content]
    assert not [path for path in (tmp_path / "out").glob("*") if path.is_file() and TOKEN in path.read_text("latin-1")]


def main(folder: str) -> None:
    """Train and push what a test laid into `folder`, with the token and the Hub of the environment; load it back."""
    where = Path(folder)
    student, teacher = (
        AutoModelForSequenceClassification.from_pretrained(where / name) for name in ("student", "teacher")
    )
    tokenizer = AutoTokenizer.from_pretrained(where / "student")
    rows = Dataset.load_from_disk(str(where / "rows"))
    options = {"hub_strategy": "every_save", "hub_private_repo": True}
    trainer = trainer_of(student, teacher, tokenizer, rows, where / "out", **options)
    trainer.train()
    trainer.push_to_hub()
    loaded = AutoModelForSequenceClassification.from_pretrained(REPO)
    assert distance(weights(loaded), weights(trainer.model)) == 0
    assert AutoTokenizer.from_pretrained(REPO).get_vocab() == tokenizer.get_vocab()


if __name__ == "__main__":
    main(sys.argv[1])
