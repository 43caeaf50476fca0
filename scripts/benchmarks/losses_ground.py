"""What the contenders of losses.py share: data, teacher, cache, and what is scored."""

import gc
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import concatenate_datasets
from losses_contenders import Entries
from transformers import PrinterCallback, set_seed

from xlkd import DistillationTrainer, LiveTeacher, WeightedSum
from xlkd.arguments import RunArguments
from xlkd.data.mixture import mix, texts_by_language
from xlkd.data.sources import load_sources
from xlkd.needs import ModelShape, Needs
from xlkd.planning import losses_of, plan_student, task_of
from xlkd.run import read_run
from xlkd.steps.models import prepare_student
from xlkd.steps.process import set_up_process
from xlkd.steps.teaching import prepare_teacher
from xlkd.students.build import Student
from xlkd.teachers import Teacher
from xlkd.teachers.cache_plan import ask_once


class Ground:
    """Data, teacher and cache of one block of contenders with one seed; a student is built anew for each of them.

    Args:
        words (`Sequence[str]`): The command line of the run, but for its losses.
        contenders (`Mapping[str, Entries]`): All contenders that one cache is to serve; each is built and checked.

    Raises:
        [`UserError`]: If a contender cannot be built, or does not fit the models.
    """

    def __init__(self, words: Sequence[str], contenders: Mapping[str, Entries]) -> None:
        self.words = words
        self.run, self.args, _ = read_run(words)
        set_up_process(self.run, self.args)
        # One line a contender is to be read, not its students.
        logging.getLogger("xlkd").setLevel(logging.WARNING)
        self.sources = load_sources(self.run)
        self.task = task_of(self.run, self.sources)
        self.texts = texts_by_language(self.sources, self.run.source_language)
        self.plan = plan_student(self.run, self.task, self.texts)
        built = [losses_of(with_losses(self.run, entries), self.task) for entries in contenders.values()]
        teacher = prepare_teacher(self.run, self.args, self.task, self.sources)
        assert isinstance(teacher, LiveTeacher)
        self.teacher = teacher
        for losses in built:
            losses.check(self.plan.shape, replace(teacher.shape, labels=tuple(self.task.labels)))
        tokenizer = self.student().processing_class
        assert tokenizer is not None
        readers = {"": tokenizer, **teacher.readers}
        mixed = mix(self.sources, self.run.source_language)
        self.rows = self.task.preprocess(mixed, readers, self.args.max_length)
        self.cache = self._ask(built)
        self._prepare_scoring({"": tokenizer})

    def student(self) -> Student:
        """The student as a run builds it."""
        set_seed(self.args.seed)
        return prepare_student(self.run.student, self.teacher, self.task, self.texts, self.plan.pieces)

    def _ask(self, built: Sequence[WeightedSum]) -> Teacher:
        needs = Needs()
        for losses in built:
            own = losses.attached_to(self.plan.shape, self.teacher.shape).needs
            needs |= Needs(own.logits, own.hidden_states, own.pooled_states)
        how = self.run.teacher_cache
        return ask_once(self.teacher, self.rows, needs, how, self.args, self.task.name, always=True)

    def _prepare_scoring(self, readers: Mapping[str, Any]) -> None:
        parts = [
            self.sources["evaluation", language]
            .select_columns(["text", "label", "key"])
            .add_column("language", [language] * len(self.sources["evaluation", language]))
            for language in self.run.scored_languages
        ]
        raw = concatenate_datasets(parts)
        rows = self.task.preprocess(raw, readers, self.args.max_length)
        # Texts of like length together: hardly any padding.
        order = np.argsort([len(ids) for ids in rows["input_ids"]], kind="stable")
        self.scored, self.scored_raw = rows.select(order), raw.select(order)

    def train(self, entries: Entries) -> dict[str, Any]:
        """Train and score one student.

        Returns:
            `dict[str, Any]`: Fields of a [`Result`].
        """
        # Anew, since a trainer may change its arguments.
        _, args, _ = read_run(self.words)
        losses = losses_of(with_losses(self.run, entries), self.task)
        student = self.student()
        needs = losses.attached_to(ModelShape.of(student.model.config), self.teacher.shape).needs
        trainer = DistillationTrainer(
            model=student.model,
            teacher=self.teacher if needs.missing_from(self.cache.provides) else self.cache,
            losses=losses,
            task=self.task,
            args=args,
            train_dataset=self.rows,
            processing_class=student.processing_class,
        )
        trainer.remove_callback(PrinterCallback)
        started, started_cpu = time.perf_counter(), time.process_time()
        trainer.train()
        seconds = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - started_cpu}
        fields = self._score(trainer) | seconds | {"config": losses.config(), "log": trainer.state.log_history}
        del trainer, student
        gc.collect()
        return fields

    def _score(self, trainer: DistillationTrainer) -> dict[str, Any]:
        """Which items the student gets right, by language: 1 right, 0 wrong, - where a language lacks the item."""
        predicted = trainer.predict(self.scored)  # type: ignore[arg-type]
        labels = np.array(self.scored["labels"][:])
        assert np.array_equal(np.asarray(predicted.label_ids), labels)
        is_right = self.task.predictions(np.asarray(predicted.predictions)) == labels
        keys, languages = self.scored_raw["key"][:], self.scored_raw["language"][:]
        items = sorted(set(keys))
        found = dict(zip(zip(languages, keys, strict=True), is_right.tolist(), strict=True))
        named = self.run.scored_languages
        signs = {True: "1", False: "0", None: "-"}
        correct = {own: "".join(signs[found.get((own, item))] for item in items) for own in named}
        groups = {"source": named[:1], "targets": named[1:], **self.run.groups}
        return {"items": items, "correct": correct, "groups": groups}


def with_losses(run: RunArguments, entries: Entries) -> RunArguments:
    """The same run with other losses."""
    return replace(run, losses=[dict(entry) for entry in entries])
