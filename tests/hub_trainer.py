"""A trainer that pushes to the Hub of the tests, and what it may put there."""

from hub_server import USER
from tiny_training import LOSSES, arguments
from transformers import TrainerCallback

from xlkd import DistillationTrainer, LiveTeacher
from xlkd.training.checkpointing import LOSSES_FILE

REPO = f"{USER}/student"
STUDENT = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
CARD = {"README.md"}
STATE = {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", LOSSES_FILE}
STRATEGIES = ["end", "every_save", "checkpoint", "all_checkpoints"]
OPTIONS = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1, "push_to_hub": True}
OPTIONS |= {"hub_model_id": REPO, "hub_always_push": True}


class WaitForUpload(TrainerCallback):
    """Goes on after a checkpoint only when it was uploaded: every upload then finds the files of its own step."""

    def __init__(self, trainer: DistillationTrainer) -> None:
        self.trainer = trainer

    def on_save(self, *_, **__) -> None:
        self.trainer._finish_current_push()


def trainer_of(student, teacher, tokenizer, rows, folder, **options) -> DistillationTrainer:
    return DistillationTrainer(
        model=student,
        teacher=LiveTeacher(teacher, tokenizer),
        losses=LOSSES,
        args=arguments(folder, **{**OPTIONS, **options}),
        train_dataset=rows,
        processing_class=tokenizer,
    )
