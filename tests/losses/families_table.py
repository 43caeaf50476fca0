"""Which loss works on which family of models, as a table made by trying it: `FAMILIES.md` beside this file.

PYTHONPATH=.:tests python tests/losses/families_table.py
"""

from pathlib import Path
from typing import Any

import torch
from families import BATCH, FAMILIES, LAYERS
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from xlkd.errors import UserError
from xlkd.losses import LOSSES
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape
from xlkd.outputs import LANGUAGE_COLUMN, Batch, TeacherOutput
from xlkd.students.attention import output_of_student, provides_of
from xlkd.students.layers import cut_layers
from xlkd.teachers.states import states_of
from xlkd.training.loss_checks import check_provides
from xlkd.training.seen_attention import attention_shown

TABLE = Path(__file__).with_name("FAMILIES.md")
CLASSES = 8
LABELS = tuple("abcdefgh")
ROWS = 4
KEPT = [1, LAYERS]


def models_of(family: str) -> tuple[PreTrainedModel, PreTrainedModel]:
    """A student of two layers and the teacher that it was cut from."""
    config = FAMILIES[family]()
    config.num_labels = CLASSES
    torch.manual_seed(0)
    teacher: PreTrainedModel = AutoModelForSequenceClassification.from_config(config).eval()
    return cut_layers(teacher, KEPT), teacher


@torch.no_grad()
def move(student: PreTrainedModel) -> None:
    """Move a student away from where it started, as some steps would: there a loss may be at its smallest."""
    for weight in student.parameters():
        weight.add_(torch.randn_like(weight), alpha=0.05)


def try_loss(entry: dict[str, Any], student: PreTrainedModel, teacher: PreTrainedModel) -> torch.Tensor:
    """The loss of a batch of these models, as a trainer makes it."""
    losses = WeightedSum.from_config([entry])
    losses.attach(ModelShape.of(student.config, LABELS), ModelShape.of(teacher.config, LABELS))
    losses.begin(student, ["en", "sw"])
    losses.set_progress(1.0)
    move(student)
    check_provides(losses, provides_of(student), provides_of(teacher))
    inputs = {name: values.repeat(ROWS // len(values), 1) for name, values in BATCH.items()}
    inputs["input_ids"] = inputs["input_ids"] + torch.arange(ROWS)[:, None] * (inputs["input_ids"] > 2)
    batch = Batch.from_inputs({**inputs, "labels": torch.arange(ROWS), LANGUAGE_COLUMN: torch.arange(ROWS) % 2})
    needs, own = losses.needs, losses.student_needs
    with attention_shown(needs | own, student, [student, teacher]):
        with torch.no_grad():
            states = states_of(teacher, inputs, needs)
        given = TeacherOutput.from_model(states, inputs["attention_mask"], needs, states.attention_vectors)
        answer = output_of_student(student, student, batch, own)
    return losses(answer, given, batch, losses.counts(batch))


def verdict(name: str, family: str) -> str:
    """`yes` where the loss is a number and moves the student, else why not."""
    student, teacher = models_of(family)
    try:
        loss = try_loss({"name": name}, student, teacher)
    except UserError as error:
        return f"no: {error}"
    loss.backward()
    gradients = [weight.grad for weight in student.parameters() if weight.grad is not None]
    moved = any(gradient.abs().sum() > 0 for gradient in gradients)
    finite = all(gradient.isfinite().all() for gradient in gradients)
    return "yes" if moved and finite and loss.isfinite() else "no: not a finite gradient"


def table() -> str:
    """The table, in Markdown: a row a loss, a column a family."""
    lines = [
        "# Which loss works on which family",
        "",
        "Made by `tests/losses/families_table.py`, which tries each loss with its defaults: a teacher of four layers",
        "and a student of two of them, forward and backward, tiny and with weights by chance. A test compares.",
        "",
        "| loss | " + " | ".join(FAMILIES) + " |",
        "|---" * (len(FAMILIES) + 1) + "|",
    ]
    lines += [f"| {name} | " + " | ".join(verdict(name, family) for family in FAMILIES) + " |" for name in LOSSES]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
