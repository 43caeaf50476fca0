"""Tiny trainings that the tests of the trainer and of its invariants share; also a program for several processes."""

import json
from pathlib import Path

import safetensors.torch
import torch
from datasets import Dataset
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher
from xlkd.tasks import TASKS

LOSSES = [
    {"name": "soft-label", "temperature": 2.0},
    {"name": "hidden-state", "layer_map": [[1, 2]], "weight": 2.0},
    {"name": "hard-label", "weight": 0.5},
]
HIDDEN_ONLY = [{"name": "hidden-state", "layer_map": [[1, 2]], "distance": "mse"}]
RELATIONS = [
    {"name": "soft-label"},
    {"name": "relational-distance", "weight": 2.0},
    {"name": "relational-angle", "weight": 2.0, "student_layer": 0},
    {"name": "similarity-preserving", "weight": 2.0, "teacher_layer": 1},
    {"name": "kernel-alignment"},
    {"name": "kernel-alignment", "estimator": "biased"},
    {"name": "contrastive", "weight": 0.5, "temperature": {"start": 0.5, "end": 0.2}},
    {"name": "label-correlation", "inter_class": 0.0},
]
LANGUAGE_AND_START = [
    {"name": "hidden-state", "layer_map": [[1, 2]], "distance": "mse"},
    {"name": "language-adversarial", "strength": {"start": 0.5, "end": 1.0}, "hidden_width": 4},
    {"name": "l2-sp", "strength": 0.1, "head_strength": 0.1, "head": "zero"},
]
BY_TOKEN = [{"name": "attention-relation", "weight": 5.0}, {"name": "attention-map"}, {"name": "soft-label"}]
BY_WORD = [
    {"name": "soft-label", "class_weights": {"O": 0.5}, "posterior": "sequence", "transitions": 0.5},
    {"name": "label-correlation"},
    {"name": "hidden-state", "layer_map": [[1, 2]], "pool": "word"},
    {"name": "hard-label", "weight": 0.5},
]
LOSSES_BY_NAME = {
    "all": LOSSES,
    "hidden-only": HIDDEN_ONLY,
    "relations": RELATIONS,
    "language-and-start": LANGUAGE_AND_START,
    "by-token": BY_TOKEN,
}


def arguments(folder, **overrides) -> DistillationArguments:
    """Plain SGD in float32, without clipping: whatever changes a gradient changes the weights."""
    options = {
        "precision": "float32",
        "optim": "sgd",
        "learning_rate": 0.5,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "per_device_train_batch_size": 8,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": 1,
        "seed": 3,
        "max_length": 32,
    }
    return DistillationArguments(output_dir=str(folder), **{**options, **overrides})


def trainer_of(
    student, teacher, tokenizer, dataset, folder, losses=None, eval_dataset=None, **overrides
) -> DistillationTrainer:
    """A trainer of a tiny student."""
    return DistillationTrainer(
        model=student,
        teacher=None if teacher is None else LiveTeacher(teacher, tokenizer),
        losses=losses or LOSSES,
        args=arguments(folder, **overrides),
        train_dataset=dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
    )


def distil(student, teacher, tokenizer, dataset, folder, losses=None, **overrides) -> DistillationTrainer:
    """Train, and return the trainer."""
    trainer = trainer_of(student, teacher, tokenizer, dataset, folder, losses, **overrides)
    trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    return trainer


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights of a model."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def distance(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """The largest difference between two sets of weights of the same names."""
    assert first.keys() == second.keys()
    return max((first[name].float() - second[name].float()).abs().max().item() for name in first)


def load(folder: Path) -> PreTrainedModel:
    """The model in a folder, with its head."""
    name = AutoConfig.from_pretrained(folder).architectures[0]
    task = next(task for task in TASKS.values() if name.endswith(task.architecture_suffix))
    model: PreTrainedModel = task.auto_class.from_pretrained(folder)
    return model


def main(folder: str, losses: str, batch_size: int, options: str = "{}") -> None:
    """Train from what a test laid into `folder`, and write the weights and the log of every process beside it."""
    where = Path(folder)
    tokenizer = AutoTokenizer.from_pretrained(where / "student")
    trainer = distil(
        load(where / "student"),
        load(where / "teacher"),
        tokenizer,
        Dataset.load_from_disk(str(where / "rows")),
        where / "out",
        BY_WORD if losses == "by-word" else LOSSES_BY_NAME[losses],
        **{"per_device_train_batch_size": batch_size, "max_steps": 5, **json.loads(options)},
    )
    result = weights(trainer.model) | {f"losses.{name}": value for name, value in weights(trainer.losses).items()}
    name = f"{trainer.args.world_size}-{trainer.args.process_index}"
    safetensors.torch.save_file(
        {key: value.contiguous() for key, value in result.items()}, where / f"{name}.safetensors"
    )
    (where / f"{name}.json").write_text(json.dumps([entry for entry in trainer.state.log_history if "loss" in entry]))


if __name__ == "__main__":
    from xlkd.steps.process import command

    command(lambda words: main(words[0], words[1], int(words[2]), *words[3:]))
