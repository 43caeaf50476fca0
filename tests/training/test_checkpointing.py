"""What a checkpoint says of the losses, and who may go on from it."""

import pytest
import safetensors
from tiny_training import LOSSES, arguments, distil

from xlkd import DistillationTrainer, LiveTeacher, UserError
from xlkd.training.checkpointing import LOSSES_FILE

ADVERSARY = [{"name": "soft-label"}, {"name": "language-adversarial"}]


@pytest.fixture
def go_on(make_model, teacher, tokenizer, rows, tmp_path):
    """Saves a training with some losses after one step, and goes on with others, or with other rows."""

    def start(first, second, changed=rows):
        options = {"save_strategy": "steps", "save_steps": 1}
        student = make_model(layers=1, width=8, seed=1)
        distil(student, teacher, tokenizer, rows, tmp_path, first, max_steps=1, **options)
        trainer = DistillationTrainer(
            student,
            LiveTeacher(teacher, tokenizer),
            second,
            args=arguments(tmp_path, max_steps=2, **options),
            train_dataset=changed,
            processing_class=tokenizer,
        )
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
        return trainer

    return start


def in_languages(rows, **names):
    """The same rows, with other names for their languages."""
    return rows.map(lambda row: {"language": names.get(row["language"], row["language"])})


def metadata(folder):
    with safetensors.safe_open(folder / LOSSES_FILE, "pt") as file:
        return file.metadata()


def test_training_goes_on_when_languages_are_the_same(go_on, rows, tmp_path):
    assert go_on(ADVERSARY, ADVERSARY, rows.shuffle(seed=1)).state.global_step == 2
    assert metadata(tmp_path / "checkpoint-2") == {"languages": '["en", "sw"]'}


def test_training_does_not_go_on_when_as_many_languages_are_others(go_on, rows):
    with pytest.raises(UserError, match="checkpoint-1.* is of training rows in en, sw, and these are in am, en"):
        go_on(ADVERSARY, ADVERSARY, in_languages(rows, sw="am"))


def test_training_does_not_go_on_when_languages_are_more(go_on, rows):
    more = rows.map(lambda row, index: {"language": "am" if index == 21 else row["language"]}, with_indices=True)
    with pytest.raises(UserError, match="is of training rows in en, sw, and these are in am, en, sw"):
        go_on(ADVERSARY, ADVERSARY, more)


@pytest.mark.parametrize("second", [ADVERSARY, [{"name": "hidden-state", "layer_map": [[0, 2], [1, 1]]}]])
def test_training_does_not_go_on_when_its_losses_are_others(go_on, second):
    with pytest.raises(UserError, match="checkpoint-1.* has the weights of other losses than this training"):
        go_on(LOSSES, second)


def test_checkpoint_says_no_language_when_no_loss_asks(go_on, rows, tmp_path):
    go_on(LOSSES, LOSSES, in_languages(rows, sw="am"))
    assert not metadata(tmp_path / "checkpoint-2")
