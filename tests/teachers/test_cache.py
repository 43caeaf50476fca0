"""A teacher is asked once for each text; its answers on disk are as good as itself, or they are refused."""

import copy
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from datasets import Dataset, concatenate_datasets
from tiny_training import arguments, distance, weights

from xlkd import DistillationTrainer, LiveTeacher, TeacherCache, build_cache, describe_cache
from xlkd.arguments import CacheArguments
from xlkd.errors import UserError
from xlkd.needs import Needs
from xlkd.outputs import Batch
from xlkd.tasks import SequenceClassification
from xlkd.teachers import cache_build, cache_checks, cache_plan
from xlkd.teachers.answer_store import Questions
from xlkd.teachers.cache import CacheRecord
from xlkd.teachers.cache_plan import ask_once

ROOT = Path(__file__).parent.parent.parent
TASK = SequenceClassification(["a", "b", "c"])
LOSSES = [
    {"name": "soft-label", "temperature": 2.0},
    {"name": "hidden-state", "layer_map": [[1, 2]], "weight": 2.0},
    {"name": "hard-label", "weight": 0.5},
]
TOKENS = [{"name": "soft-label"}, {"name": "hidden-state", "layer_map": [[1, 2], [0, 1]], "pool": "none"}]
NEEDS = Needs(logits=True, pooled_states=frozenset({2}))


@pytest.fixture
def live(teacher, tokenizer) -> LiveTeacher:
    return LiveTeacher(teacher, tokenizer)


@pytest.fixture
def prepared(rows, live) -> Dataset:
    return TASK.preprocess(rows, live.readers, 32)


def record_of(live, needs=NEEDS, **options):
    settings = {"task": TASK.name, "max_length": 32, "precision": "float32", "dtype": "float32"}
    return describe_cache(live, needs, **{**settings, **options})


def answers_of(cache: TeacherCache, dataset: Dataset, needs: Needs = NEEDS):
    """What a cache says of some rows."""
    inputs = cache.collator(cache.prepare(dataset).to_list())
    return cache.outputs(Batch.from_inputs({"input_ids": torch.zeros(len(dataset), 1), **inputs}), needs)


def trained(teacher, student, tokenizer, rows, folder, losses, **overrides):
    trainer = DistillationTrainer(
        model=copy.deepcopy(student),
        teacher=teacher,
        losses=losses,
        args=arguments(folder, max_steps=6, **overrides),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    return weights(trainer.model)


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float16", 2e-3)])
@pytest.mark.parametrize("losses", [LOSSES, TOKENS], ids=["pooled", "tokens"])
def test_weights_are_those_of_the_live_teacher_when_it_was_asked_before(
    live, student, tokenizer, rows, tmp_path, losses, dtype, bound
):
    if losses is TOKENS:
        rows = rows.remove_columns("teacher_text")
    needs = Needs(True, frozenset({1, 2}), frozenset()) if losses is TOKENS else NEEDS
    prepared = TASK.preprocess(rows, live.readers, 32)
    cache = build_cache(live, prepared, record_of(live, needs, dtype=dtype), tmp_path / "cache", batch_size=5)
    with_live = trained(live, student, tokenizer, rows, tmp_path / "a", losses)
    with_cache = trained(cache, student, tokenizer, rows, tmp_path / "b", losses)
    assert distance(weights(student), with_live) > 100 * bound
    assert distance(with_live, with_cache) < bound


def test_teacher_is_asked_once_when_many_rows_show_it_one_text(live, rows, tmp_path, monkeypatch):
    translations = [{**row, "text": f"{row['text']} {row['text']}", "teacher_text": row["text"]} for row in rows]
    many = TASK.preprocess(Dataset.from_list(translations * 3), live.readers, 32)
    asked: list[int] = []
    answer = live.answer
    monkeypatch.setattr(
        live, "answer", lambda inputs, needs: asked.append(len(inputs["input_ids"])) or answer(inputs, needs)
    )
    build_cache(live, many, record_of(live), tmp_path)
    assert sum(asked) == len({row["text"] for row in rows}) < len(many)
    build_cache(live, many.shuffle(seed=1), record_of(live), tmp_path)
    assert sum(asked) == len({row["text"] for row in rows})


def test_answers_follow_their_texts_when_rows_are_shuffled_and_repeated(live, prepared, tmp_path):
    cache = build_cache(live, prepared, record_of(live), tmp_path, batch_size=3)
    mixed = concatenate_datasets([prepared, prepared]).shuffle(seed=5)
    found = answers_of(cache, mixed)
    for index, row in enumerate(mixed):
        alone = live.answer(
            {
                "input_ids": torch.tensor([row["teacher_input_ids"]]),
                "attention_mask": torch.tensor([row["teacher_attention_mask"]]),
            },
            NEEDS,
        )
        torch.testing.assert_close(found.logits[index], alone.logits[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.pooled_states[2][index], alone.pooled_states[2][0], rtol=1e-4, atol=1e-5)


def test_top_logits_and_the_mass_of_the_rest_are_kept_when_asked(make_model, tokenizer, rows, tmp_path):
    live = LiveTeacher(make_model(labels=[f"class{n}" for n in range(7)]), tokenizer)
    prepared = TASK.preprocess(rows.remove_columns("label"), live.readers, 32)
    needs = Needs(logits=True)
    whole = answers_of(build_cache(live, prepared, record_of(live, needs), tmp_path / "all"), prepared, needs).logits
    cut = answers_of(
        build_cache(live, prepared, record_of(live, needs, top_k=2), tmp_path / "top"), prepared, needs
    ).logits
    for kept, full in zip(cut.softmax(-1), whole.softmax(-1), strict=True):
        top = full.argsort(descending=True)
        torch.testing.assert_close(kept[top[:2]], full[top[:2]])
        torch.testing.assert_close(kept[top[2:]], full[top[2:]].mean().expand(5))


def test_type_on_disk_is_refused_when_it_is_unknown(live):
    with pytest.raises(UserError, match="dtype 'float64' is unknown"):
        record_of(live, dtype="float64")


def test_top_k_is_refused_when_there_are_not_that_many_classes(live):
    with pytest.raises(UserError, match="top_k 3 must be between 1 and 2"):
        record_of(live, top_k=3)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("weights", "weights"),
        ("max_length", "max_length"),
        ("precision", "precision"),
        ("labels", "labels"),
        ("tokenizer", "tokenizer"),
        ("task", "task"),
        ("dtype", "dtype"),
        ("needs", "pooled_states"),
    ],
)
def test_cache_is_refused_when_it_is_of_another(
    change, part, live, prepared, make_model, other_tokenizer, tokenizer, tmp_path
):
    build_cache(live, prepared, record_of(live), tmp_path)
    other, options, needs = live, {}, NEEDS
    if change == "weights":
        other = LiveTeacher(make_model(layers=2, width=16, seed=3), tokenizer)
    elif change == "labels":
        other = LiveTeacher(make_model(layers=2, width=16, seed=2, labels="abd"), tokenizer)
    elif change == "tokenizer":
        other = LiveTeacher(live.model, other_tokenizer)
    elif change == "needs":
        needs = Needs(logits=True)
    else:
        options = {change: {"max_length": 16, "precision": "bfloat16", "task": "tagging", "dtype": "float16"}[change]}
    with pytest.raises(UserError, match=f"built for another teacher or another run .*{part}"):
        build_cache(other, prepared, record_of(other, needs, **options), tmp_path)


def test_cache_is_the_same_when_the_teacher_lies_elsewhere(live, tokenizer, save_model, tmp_path):
    moved = save_model(tmp_path / "moved", live.model, tokenizer)
    again = LiveTeacher(type(live.model).from_pretrained(moved), tokenizer)
    assert record_of(again).fingerprint == record_of(live).fingerprint


def test_cache_is_refused_when_a_file_of_it_is_cut_off(live, prepared, tmp_path):
    build_cache(live, prepared, record_of(live), tmp_path)
    (shard,) = tmp_path.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(UserError, match=f"{shard.name} of the teacher's answers is broken"):
        TeacherCache.open(tmp_path)


def test_cache_is_refused_when_a_file_of_another_lies_in_it(live, prepared, make_model, tokenizer, tmp_path):
    other = LiveTeacher(make_model(layers=2, width=16, seed=9), tokenizer)
    for name, teacher in (("own", live), ("other", other)):
        build_cache(teacher, prepared, record_of(teacher), tmp_path / name)
    for shard in (tmp_path / "other").glob("*.safetensors"):
        shutil.copy(shard, tmp_path / "own" / ("answers-foreign.safetensors"))
    with pytest.raises(UserError, match="answers of another teacher"):
        TeacherCache.open(tmp_path / "own")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_folder_is_refused_when_its_record_is(text, tmp_path):
    if text is not None:
        (tmp_path / "cache.json").write_text(text)
    with pytest.raises(UserError, match="no cache of a teacher's answers|is not readable"):
        TeacherCache.open(tmp_path)


def test_half_built_cache_is_refused_and_goes_on_where_it_stopped(live, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_build, "SHARD_TEXTS", 4)
    answer, asked = live.answer, []

    def dies_at_the_third_batch(inputs, needs):
        asked.append(len(inputs["input_ids"]))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return answer(inputs, needs)

    monkeypatch.setattr(live, "answer", dies_at_the_third_batch)
    with pytest.raises(KeyboardInterrupt):
        build_cache(live, prepared, record_of(live), tmp_path, batch_size=4)
    with pytest.raises(UserError, match="has no answer to .* goes on where it stopped"):
        TeacherCache.open(tmp_path).prepare(prepared)
    build_cache(live, prepared, record_of(live), tmp_path, batch_size=4)
    assert sum(asked) == len({row["teacher_input_ids"].__str__() for row in prepared}) + 4


def test_cache_works_when_it_was_copied_to_another_place(live, prepared, tmp_path):
    build_cache(live, prepared, record_of(live), tmp_path / "here")
    before = answers_of(TeacherCache.open(tmp_path / "here"), prepared).logits.clone()
    shutil.move(tmp_path / "here", tmp_path / "there")
    torch.testing.assert_close(answers_of(TeacherCache.open(tmp_path / "there"), prepared).logits, before)


def test_collator_works_when_it_was_sent_to_a_worker(live, prepared, tmp_path):
    cache = build_cache(live, prepared, record_of(live), tmp_path)
    asked = cache.prepare(prepared).to_list()
    sent = pickle.loads(pickle.dumps(cache.collator))(asked)
    torch.testing.assert_close(sent["teacher_logits"], cache.collator(asked)["teacher_logits"])


def test_no_more_is_read_than_will_be_asked_for(live, student, tokenizer, prepared, rows, tmp_path):
    everything = Needs(True, frozenset({1, 2}), frozenset({1, 2}), frozenset({0}))
    cache = build_cache(live, prepared, record_of(live, everything), tmp_path / "answers")
    asked = cache.prepare(prepared).to_list()
    whole = cache.collator(asked)
    trainer = DistillationTrainer(
        model=student,
        teacher=cache,
        losses=[{"name": "soft-label"}, {"name": "hidden-state", "layer_map": [[1, 2]]}],
        args=arguments(tmp_path),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    read = trainer.data_collator.teacher(asked)
    assert read.keys() == {"teacher_logits", "teacher_pooled_states_2"} < whole.keys()
    assert all(torch.equal(values, whole[name]) for name, values in read.items())
    # The trainer has a copy: to others the cache says all that it holds.
    assert cache.collator(asked).keys() == whole.keys()


def test_files_hold_the_answers_alone_when_built(live, prepared, tmp_path):
    cache = build_cache(live, prepared, record_of(live, dtype="float16"), tmp_path)
    (shard,) = (safetensors.torch.load_file(path) for path in tmp_path.glob("*.safetensors"))
    assert {name: str(value.dtype) for name, value in shard.items()} == {
        "keys": "torch.uint8",
        "logits": "torch.float16",
        "pooled_states_2": "torch.float16",
    }
    assert sum(value.nbytes for value in shard.values()) == cache.record.bytes_of(
        Questions.of(prepared, live.prefix, live.processing_class)
    )
    assert json.loads((tmp_path / "cache.json").read_text())["identity"]["max_length"] == "32"


def test_numbers_that_float16_cannot_hold_are_refused(live, prepared, tmp_path):
    live.model.classifier.weight.data *= 1e6
    with pytest.raises(UserError, match="dtype: float32"):
        build_cache(live, prepared, record_of(live, dtype="float16"), tmp_path)


def test_full_disk_is_found_before_the_teacher_is_asked(live, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_checks, "free_bytes", lambda folder: 100)
    monkeypatch.setattr(live, "answer", None)
    with pytest.raises(UserError, match="take 0.00 GB"):
        build_cache(live, prepared, record_of(live), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_losses_are_refused_when_the_cache_lacks_what_they_need(live, student, tokenizer, rows, tmp_path):
    prepared = TASK.preprocess(rows, live.readers, 32)
    cache = build_cache(live, prepared, record_of(live, Needs(logits=True)), tmp_path)
    with pytest.raises(UserError, match="hidden-state needs the pooled .* of layer 2, which the cache .* does not"):
        trained(cache, student, tokenizer, rows, tmp_path / "out", LOSSES)


def decided(live, prepared, folder, **overrides):
    """Whether the cache is used when nothing is said."""
    return ask_once(live, prepared, NEEDS, CacheArguments(), arguments(folder, **overrides), TASK.name)


def test_cache_is_used_when_the_teacher_would_be_asked_twice(live, prepared, tmp_path, caplog):
    caplog.set_level("INFO", logger="xlkd")
    assert isinstance(decided(live, prepared, tmp_path, num_train_epochs=2), TeacherCache)
    assert "asked once for each of 22 texts, 0 of them before, instead of 44 times" in caplog.text


def test_teacher_is_asked_in_every_step_when_each_text_is_read_once(live, prepared, tmp_path, caplog):
    caplog.set_level("INFO", logger="xlkd")
    assert decided(live, prepared, tmp_path, num_train_epochs=1) is live
    assert "reads each of 22 texts once" in caplog.text


def test_rows_of_a_member_are_shown_as_often_as_their_share_of_all(tmp_path):
    args = arguments(tmp_path, max_steps=10, per_device_train_batch_size=8)
    assert cache_plan.times_asked(args, 5, share=0.25) == 20
    assert cache_plan.times_asked(arguments(tmp_path, num_train_epochs=3), 5, share=0.25) == 15


def test_teacher_is_asked_in_every_step_when_the_disk_is_small(live, prepared, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", logger="xlkd")
    monkeypatch.setattr(cache_plan, "free_bytes", lambda folder: 100)
    monkeypatch.setattr(live.model.config, "name_or_path", "elsewhere")
    live.model.classifier.bias.data += 1  # Not the teacher whose answers another test kept.
    assert decided(live, prepared, tmp_path, num_train_epochs=2) is live
    assert "are free" in caplog.text


def test_teacher_is_asked_in_every_step_when_the_cache_is_off(live, prepared, tmp_path):
    off = CacheArguments(folder="off")
    assert ask_once(live, prepared, NEEDS, off, arguments(tmp_path, num_train_epochs=9), TASK.name) is live


def test_labels_are_matched_by_name_when_answers_are_kept(live, prepared, tmp_path):
    live.label_map = {"a": "good", "b": "bad", "c": "bad"}
    cache = build_cache(live, prepared, record_of(live), tmp_path)
    for teacher in (live, cache):
        teacher.match_labels(["bad", "good"])
    assert record_of(live) == cache.record
    inputs = live.collator(prepared.to_list())
    expected = live.outputs(Batch.from_inputs({"input_ids": torch.zeros(len(prepared), 1), **inputs}), NEEDS)
    torch.testing.assert_close(answers_of(cache, prepared).logits, expected.logits, rtol=1e-4, atol=1e-5)


def test_label_map_of_its_run_is_kept_when_a_cache_is_opened_alone(live, prepared, tmp_path):
    live.label_map = {"a": "b", "b": "a"}
    build_cache(live, prepared, record_of(live), tmp_path)
    assert TeacherCache.open(tmp_path).label_map == {"a": "b", "b": "a"}
    assert TeacherCache.open(tmp_path, {"a": None}).label_map == {"a": None}


def test_worker_reads_the_same_answers_when_another_run_adds_to_the_folder(live, prepared, tmp_path):
    cache = build_cache(live, prepared.select(range(0, 12, 2)), record_of(live), tmp_path)
    asked = cache.prepare(prepared.select(range(0, 12, 2))).to_list()
    pickled = pickle.dumps(cache.collator)
    build_cache(live, prepared, record_of(live), tmp_path)
    before, after = cache.collator(asked)["teacher_logits"], pickle.loads(pickled)(asked)["teacher_logits"]
    torch.testing.assert_close(before, after, rtol=0, atol=0)


@pytest.mark.parametrize("neighbour", ["none", "broken"])
def test_answers_of_a_run_that_asked_more_serve_one_that_asks_less(live, prepared, tmp_path, monkeypatch, neighbour):
    monkeypatch.setenv("XLKD_CACHE", str(tmp_path / "cache"))
    if neighbour == "broken":
        (tmp_path / "cache" / "answers" / "0").mkdir(parents=True)
        (tmp_path / "cache" / "answers" / "0" / "cache.json").write_text("{")
    args = arguments(tmp_path, num_train_epochs=9)

    def asked(needs):
        return ask_once(live, prepared, needs, CacheArguments(), args, TASK.name)

    asked(Needs(pooled_states=frozenset({1})))
    both = asked(NEEDS)
    kept = set((tmp_path / "cache" / "answers").iterdir())
    monkeypatch.setattr(live, "answer", None)
    less = asked(Needs(logits=True))
    assert set((tmp_path / "cache" / "answers").iterdir()) == kept
    assert answers_of(less, prepared, Needs(logits=True)).logits.equal(answers_of(both, prepared, NEEDS).logits)


def test_own_answers_serve_when_a_run_that_asked_more_has_fewer_texts(live, prepared, tmp_path, monkeypatch):
    monkeypatch.setenv("XLKD_CACHE", str(tmp_path / "cache"))
    args = arguments(tmp_path, num_train_epochs=9)
    less = Needs(logits=True)
    ask_once(live, prepared, less, CacheArguments(), args, TASK.name)
    ask_once(live, prepared.select(range(2)), NEEDS, CacheArguments(), args, TASK.name)
    monkeypatch.setattr(live, "answer", None)
    assert isinstance(ask_once(live, prepared, less, CacheArguments(), args, TASK.name), TeacherCache)


@pytest.mark.parametrize("left", ["cache.json-7.tmp", ".abc-7.tmp"])
def test_cache_is_begun_when_a_killed_process_left_something(live, prepared, tmp_path, left):
    (tmp_path / left).write_text("{")
    assert len(build_cache(live, prepared, record_of(live), tmp_path).answers) == 22


def test_fix_is_named_when_the_cache_cannot_be_written(live, prepared, tmp_path, monkeypatch):
    def fail(record, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CacheRecord, "save", fail)
    with pytest.raises(UserError, match=r"No space left on device\. Free some space, or name another folder\."):
        build_cache(live, prepared, record_of(live), tmp_path)


def test_complete_cache_is_only_read_when_it_is_used(live, prepared, tmp_path, monkeypatch):
    build_cache(live, prepared, record_of(live), tmp_path)
    monkeypatch.setattr(CacheRecord, "save", None)
    monkeypatch.setattr(live, "answer", None)
    assert len(build_cache(live, prepared, record_of(live), tmp_path).answers) == 22


@pytest.mark.parametrize("broken", ["missing", "empty"])
def test_cache_is_refused_when_its_tokenizer_was_not_copied(live, prepared, tmp_path, broken):
    build_cache(live, prepared, record_of(live), tmp_path)
    shutil.rmtree(tmp_path / "tokenizer")
    if broken == "empty":
        (tmp_path / "tokenizer").mkdir()
    with pytest.raises(UserError, match="has no readable folder tokenizer: copy all of it"):
        TeacherCache.open(tmp_path)


def test_folder_is_refused_when_it_is_a_file_or_has_no_possible_name(live, prepared, tmp_path):
    (tmp_path / "file").touch()
    for name, message in (("file", "is a file"), ("x" * 300, "cannot be read")):
        with pytest.raises(UserError, match=message):
            build_cache(live, prepared, record_of(live), tmp_path / name)


def test_answers_are_computed_in_the_precision_of_the_run(live, prepared, tmp_path):
    needs = Needs(logits=True)
    build_cache(live, prepared, record_of(live, needs), tmp_path / "a")
    build_cache(live, prepared, record_of(live, needs, precision="bfloat16"), tmp_path / "b")
    full, half = (answers_of(TeacherCache.open(tmp_path / name), prepared, needs).logits for name in "ab")
    assert 1e-4 < (full - half).abs().max() < 0.1


def test_precision_of_the_teacher_itself_is_part_of_its_fingerprint(teacher, tokenizer, tmp_path):
    args = arguments(tmp_path, fast_matmul="off")
    assert cache_plan.precision_of(LiveTeacher(teacher, tokenizer), args) == "float32"
    assert cache_plan.precision_of(LiveTeacher(teacher, tokenizer, precision="bfloat16"), args) == "bfloat16 weights"
    forced = arguments(tmp_path, fast_matmul="on")
    assert cache_plan.precision_of(LiveTeacher(teacher, tokenizer), forced) == "float32, fast products"


def test_states_of_tokens_come_with_the_mask_of_their_texts(live, prepared, tmp_path):
    needs = Needs(hidden_states=frozenset({2}))
    cache = build_cache(live, prepared, record_of(live, needs), tmp_path)
    found = answers_of(cache, prepared, needs)
    lengths = [len(ids) for ids in prepared["teacher_input_ids"]]
    assert found.attention_mask.sum(1).tolist() == lengths
    size = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    distinct = Questions.of(prepared, "teacher_", live.processing_class)
    assert cache.record.bytes_of(distinct) <= size < cache.record.bytes_of(distinct) + 2000


def test_large_logits_are_refused_when_float16_would_change_them(live, prepared, tmp_path):
    live.model.classifier.bias.data += 4096
    with pytest.raises(UserError, match="change the teacher's logits by more than 0.05"):
        build_cache(live, prepared, record_of(live, dtype="float16"), tmp_path)


def test_cache_that_holds_more_is_used_when_it_is_named(live, prepared, tmp_path, monkeypatch):
    args = arguments(tmp_path, num_train_epochs=2)
    named = CacheArguments(folder=str(tmp_path / "answers"))
    ask_once(live, prepared, NEEDS, named, args, TASK.name)
    monkeypatch.setattr(live, "answer", None)
    assert isinstance(ask_once(live, prepared, Needs(logits=True), named, args, TASK.name), TeacherCache)


def test_teacher_is_asked_in_every_step_when_auto_cannot_keep_its_answers(live, prepared, tmp_path, caplog):
    live.model.classifier.weight.data *= 1e6
    assert decided(live, prepared, tmp_path, num_train_epochs=2) is live
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("word", ["no", "None", "true", ""])
def test_word_that_is_no_folder_is_refused(word):
    with pytest.raises(UserError, match="neither auto, off nor a folder"):
        CacheArguments(folder=word)


def test_stream_of_rows_is_refused_when_answers_are_read(live, student, tokenizer, rows, prepared, tmp_path):
    cache = build_cache(live, prepared, record_of(live), tmp_path / "cache")
    stream = TASK.preprocess(rows, {"": tokenizer, **live.readers}, 32).to_iterable_dataset()
    with pytest.raises(UserError, match="a stream needs a live teacher"):
        trained(cache, student, tokenizer, stream, tmp_path, LOSSES)


def test_teacher_answers_each_in_its_own_labels_when_two_trainers_share_it(live, make_model, tokenizer, rows, tmp_path):
    trainers = [
        DistillationTrainer(
            make_model(layers=1, labels=labels),
            live,
            [{"name": "soft-label"}],
            args=arguments(tmp_path),
            train_dataset=rows.remove_columns("label"),
            processing_class=tokenizer,
        )
        for labels in ("abc", "cba")
    ]
    assert [trainer.teacher.matched.student_labels for trainer in trainers] == [["a", "b", "c"], ["c", "b", "a"]]
    assert live.matched is None


@pytest.mark.slow
def test_kill_loses_no_file_when_a_build_is_killed(live, rows, tokenizer, save_model, tmp_path):
    save_model(tmp_path / "teacher", live.model, tokenizer)
    rows.save_to_disk(str(tmp_path / "rows"))
    command = [sys.executable, "tests/teachers/building.py", str(tmp_path)]
    child = subprocess.Popen([*command, "slowly"], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cache").glob("*.safetensors")):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.safetensors")}
    assert subprocess.run(command, cwd=ROOT).returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.safetensors")}
    assert kept.items() <= after.items()
    TeacherCache.open(tmp_path / "cache").prepare(TASK.preprocess(rows, {"teacher_": tokenizer}, 32))


@pytest.mark.slow
def test_each_process_asks_its_share_when_two_build(live, rows, tokenizer, save_model, tmp_path):
    save_model(tmp_path / "teacher", live.model, tokenizer)
    rows.save_to_disk(str(tmp_path / "rows"))
    config = ["--config_file", "scripts/launch/cpu-2.yaml"]
    command = [sys.executable, "-m", "accelerate.commands.launch", *config, "tests/teachers/building.py", str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT).returncode == 0
    cache = TeacherCache.open(tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 2
    assert len(cache.answers) == len(Questions.of(TASK.preprocess(rows, cache.readers, 32), "teacher_", tokenizer))
