"""The rows of speed.py that need nothing but xlkd and what it stands on."""

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase, Trainer

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher, VocabularyArguments, build_student
from xlkd.needs import Needs
from xlkd.pretrained import load_tokenizer, resolve_model
from xlkd.quickstart import cldr
from xlkd.steps.models import load_classifier
from xlkd.students.build import Student
from xlkd.tasks import SequenceClassification
from xlkd.teachers import Teacher, build_cache, describe_cache

CPU = torch.device("cpu")
LANGUAGES = ["en", "de", "es", "ru", "tr", "ar", "hi", "zh", "ja", "sw", "am", "yo", "si", "km", "my", "mn"]
LABELS = list("abcdefgh")
TOKENS, BATCH, ROWS = 64, 32, 128
LAYER_MAP = [[1, 4], [2, 8], [3, 12]]
LOSSES: list[Mapping[str, Any]] = [
    {"name": "soft-label", "temperature": 2.0},
    {"name": "hidden-state", "layer_map": LAYER_MAP, "distance": "mse"},
    {"name": "hard-label"},
]
NEEDS = Needs(logits=True, pooled_states=frozenset({4, 8, 12}))


@dataclass
class Step:
    """What one row does in its turn.

    Args:
        run (`Callable`): Takes one step.
        models (`Sequence[PreTrainedModel]`): The models that compute in it.
        fast (`bool`, *optional*, defaults to `False`): Whether it has the fast matrix product.
        is_long (`bool`, *optional*, defaults to `False`): Whether it is many batches.
    """

    run: Callable[[], object]
    models: Sequence[PreTrainedModel]
    fast: bool = False
    is_long: bool = False


@dataclass
class Bench:
    """What the rows share, made when the first one needs it: all train the same two students.

    Args:
        folder (`Path`): Where trainers and caches may write.
    """

    folder: Path
    counter: Iterator[int] = field(default_factory=itertools.count)
    optimizers: dict[int, torch.optim.Optimizer] = field(default_factory=dict)

    @cached_property
    def task(self) -> SequenceClassification:
        return SequenceClassification(LABELS)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return load_tokenizer(resolve_model("xlkd:e5-small"))

    @cached_property
    def teacher(self) -> PreTrainedModel:
        torch.manual_seed(0)
        return load_classifier(resolve_model("xlkd:e5-small"), self.task)

    @cached_property
    def bfloat16_teacher(self) -> LiveTeacher:
        teacher = LiveTeacher(copy.deepcopy(self.teacher), self.tokenizer, precision="bfloat16")
        teacher.to(CPU)
        return teacher

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """Texts of 64 tokens and more by language: short ones, joined."""
        texts: dict[str, list[str]] = {}
        for language in LANGUAGES:
            parts = cldr.load_cldr("unlabelled", language)["text"][:]
            joined = [" . ".join(parts[start : start + 12]) for start in range(0, len(parts) - 12, 12)]
            texts[language] = [text for text in joined if len(self.tokenizer(text).input_ids) >= TOKENS]
        return texts

    @cached_property
    def rows(self) -> Dataset:
        in_turn = (text for group in itertools.zip_longest(*self.texts.values()) for text in group if text is not None)
        some = list(itertools.islice(in_turn, ROWS))
        return Dataset.from_list(
            [{"text": text, "label": LABELS[index % len(LABELS)]} for index, text in enumerate(some)]
        )

    @cached_property
    def full(self) -> Student:
        return build_student(self.teacher, self.tokenizer, layers=3)

    @cached_property
    def trimmed(self) -> Student:
        return build_student(self.teacher, self.tokenizer, layers=3, vocabulary=VocabularyArguments(), texts=self.texts)

    def optimizer(self, model: PreTrainedModel) -> torch.optim.Optimizer:
        """The Trainer's default, one for all rows that train this model: its moments are twice the model."""
        if id(model) not in self.optimizers:
            self.optimizers[id(model)] = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
        return self.optimizers[id(model)]

    def forget_teacher(self) -> None:
        """Let go of the teacher; rows that ask it have it still."""
        del self.teacher

    def live(self) -> LiveTeacher:
        return LiveTeacher(self.teacher, self.tokenizer)

    def inputs(self) -> Iterator[dict[str, torch.Tensor]]:
        """Batches of what the full student, or the teacher, reads, with labels, again and again."""
        rows = self.task.preprocess(self.rows, {"": self.tokenizer}, TOKENS)
        collate = DataCollatorWithPadding(self.tokenizer)
        names = [*self.tokenizer.model_input_names, "labels"]
        batches = [
            dict(collate([{name: row[name] for name in names if name in row} for row in rows.select(chosen)]))
            for chosen in (range(start, start + BATCH) for start in range(0, ROWS, BATCH))
        ]
        return itertools.cycle(batches)

    def arguments(self) -> DistillationArguments:
        return DistillationArguments(
            output_dir=str(self.folder / "trainer"),
            precision="float32",
            max_length=TOKENS,
            per_device_train_batch_size=BATCH,
            report_to="none",
        )


class Bfloat16Trainer(DistillationTrainer):
    """With the autocast of `precision: bfloat16`: Accelerate knows but one precision in a process."""

    def compute_loss_context_manager(self) -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        return stack


def steps_of(trainer: Trainer) -> Callable[[], None]:
    """Take the steps that `Trainer.train` takes, one at a call."""
    trainer.create_optimizer_and_scheduler(10_000)
    trainer.current_gradient_accumulation_steps = 1
    wrapped: Any = trainer.accelerator.prepare(trainer.model, trainer.optimizer)
    model, optimizer = wrapped
    scheduler: Any = trainer.lr_scheduler
    batches = itertools.chain.from_iterable(trainer.get_train_dataloader() for _ in itertools.count())

    def step() -> None:
        batch, count = trainer.get_batch_samples(batches, 1, CPU)
        trainer.training_step(model, batch[0], count)
        trainer.accelerator.clip_grad_norm_(model.parameters(), trainer.args.max_grad_norm)
        optimizer.step()
        scheduler.step()
        model.zero_grad()

    return step


def plain_trainer(bench: Bench) -> Step:
    """`Trainer`, as everybody fine-tunes."""
    trainer = Trainer(
        bench.full.model,
        bench.arguments(),
        data_collator=DataCollatorWithPadding(bench.tokenizer),
        train_dataset=bench.task.preprocess(bench.rows, {"": bench.tokenizer}, TOKENS),
        optimizers=(bench.optimizer(bench.full.model), None),
    )
    return Step(steps_of(trainer), [bench.full.model])


def minimal_loop(bench: Bench) -> Step:
    """The least that fine-tuning takes."""
    model, inputs = bench.full.model, bench.inputs()
    optimizer = bench.optimizer(model)

    def step() -> None:
        model.train()
        model(**next(inputs)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return Step(step, [model])


def teacher_forward(teacher: Callable[[Bench], LiveTeacher], fast: bool = False, batches: int = 1) -> Any:
    """What a teacher costs: logits and the states of all layers, as `transformers` gives them."""

    def build(bench: Bench) -> Step:
        model, inputs = teacher(bench).model.eval(), bench.inputs()

        def step() -> None:
            for batch in itertools.islice(inputs, batches):
                with torch.no_grad():
                    model(
                        **{name: value for name, value in batch.items() if name != "labels"}, output_hidden_states=True
                    )

        return Step(step, [model], fast, is_long=batches > 1)

    return build


def distillation(
    student: Callable[[Bench], Student],
    teacher: Callable[[Bench], LiveTeacher] = Bench.live,
    *,
    fast: bool = False,
    cached: bool = False,
    trainer_class: type[DistillationTrainer] = DistillationTrainer,
) -> Callable[[Bench], Step]:
    """A row of `DistillationTrainer`; with a cache, its teacher has answered before and is not there any more."""

    def build(bench: Bench) -> Step:
        asked: Teacher = cache_of(bench, teacher(bench)) if cached else teacher(bench)
        trainer = trainer_class(
            student(bench).model,
            asked,
            LOSSES,
            bench.task,
            bench.arguments(),
            bench.rows,
            processing_class=student(bench).processing_class,
            optimizers=(bench.optimizer(student(bench).model), None),
        )
        return Step(steps_of(trainer), [trainer.student, *asked.models], fast)

    return build


def cache_of(bench: Bench, teacher: LiveTeacher) -> Teacher:
    """Ask a teacher about all rows and keep the answers in a folder of their own."""
    return builder_of(bench, teacher)()


def builder_of(bench: Bench, teacher: LiveTeacher) -> Callable[[], Teacher]:
    """A function that builds a cache; texts are cut into tokens and weights hashed before."""
    rows = bench.task.preprocess(bench.rows, teacher.readers, TOKENS)
    precision = teacher.precision_in("float32")
    record = describe_cache(teacher, NEEDS, task=bench.task.name, max_length=TOKENS, precision=precision)

    def build() -> Teacher:
        return build_cache(teacher, rows, record, bench.folder / f"cache-{next(bench.counter)}", batch_size=BATCH)

    return build


def cache_building(teacher: Callable[[Bench], LiveTeacher], fast: bool = False) -> Callable[[Bench], Step]:
    """The building of a cache, files and all."""

    def build(bench: Bench) -> Step:
        own = teacher(bench)
        return Step(builder_of(bench, own), own.models, fast, is_long=True)

    return build


def full(bench: Bench) -> Student:
    """The student with all pieces."""
    return bench.full


def trimmed(bench: Bench) -> Student:
    """The student with the pieces that stand in the texts."""
    return bench.trimmed


def bfloat16_teacher(bench: Bench) -> LiveTeacher:
    """The teacher with its weights in bfloat16."""
    return bench.bfloat16_teacher


CONTENDERS: dict[str, Callable[[Bench], Step]] = {
    "plain Trainer, hard labels": plain_trainer,
    "minimal loop, hard labels": minimal_loop,
    "teacher forward": teacher_forward(Bench.live),
    "xlkd live": distillation(full),
    "xlkd live, trimmed": distillation(trimmed),
    "xlkd live, fast matmul": distillation(full, fast=True),
    "xlkd live, trimmed, fast matmul": distillation(trimmed, fast=True),
    "... and bfloat16 teacher": distillation(trimmed, bfloat16_teacher, fast=True),
    "... and bfloat16 student": distillation(trimmed, bfloat16_teacher, fast=True, trainer_class=Bfloat16Trainer),
    "xlkd cached": distillation(full, cached=True),
    "xlkd cached, trimmed": distillation(trimmed, cached=True),
    "xlkd cached, trimmed, fast matmul": distillation(trimmed, cached=True, fast=True),
    "teacher over 128 texts": teacher_forward(Bench.live, batches=ROWS // BATCH),
    "cache of 128 texts": cache_building(Bench.live),
    "cache of 128 texts, fast matmul": cache_building(Bench.live, fast=True),
    "cache of 128 texts, bfloat16 teacher": cache_building(bfloat16_teacher, fast=True),
}
