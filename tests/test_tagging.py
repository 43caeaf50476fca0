"""Whole runs of words that are labelled, and what is left of them without xlkd."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from made_taggers import TAGS, tagger
from safetensors.torch import load_file
from tiny_tokenizer import build_tokenizer
from tokenizers import Regex, pre_tokenizers
from transformers import AutoModelForTokenClassification, ByT5Tokenizer

from xlkd import run as program
from xlkd import single_steps
from xlkd.errors import UserError
from xlkd.scoring import main_score
from xlkd.teachers.live import LiveTeacher

SPEECH = ["NOUN", "VERB", "ADJ"]


def sentences(words: list[str], first: int, tags: list[str]) -> str:
    """CoNLL lines of eight sentences of 1 to 8 words."""
    made = []
    for number in range(8):
        places = range(number + 1)
        # No sentence begins with the third tag, which goes on with the second.
        lines = [f"{words[first + (number + 3 * place) % 13]} {tags[(number % 2 + place) % 3]}" for place in places]
        made.append("\n".join(lines) + "\n")
    return "\n".join(made)


class Tagging:
    """A run from English to Swahili in a folder, to be changed and started."""

    def __init__(self, folder: Path, words: dict[str, list[str]], tokenizer: Any, tags: list[str]) -> None:
        self.folder, self.words = folder, words
        for name, language, first in (
            ("train", "en", 0),
            ("dev", "en", 13),
            ("test.en", "en", 26),
            ("test.sw", "sw", 26),
        ):
            (folder / f"{name}.conll").write_text(sentences(words[language], first, tags), encoding="utf-8")
        raw = [" ".join(words["sw"][n : n + 5]) for n in range(8)]
        (folder / "raw.txt").write_text("".join(f"{line}\n" for line in raw), encoding="utf-8")
        self.save_model("teacher", tokenizer, tags)
        self.values: dict[str, Any] = {
            "task": "token-classification",
            "teacher": str(folder / "teacher"),
            "student": {"layers": 1},
            "source_language": "en",
            "target_languages": ["sw"],
            "data": [
                {"role": "labelled", "path": str(folder / "train.conll")},
                {"role": "unlabelled", "path": str(folder / "raw.txt")},
                {"role": "evaluation", "path": str(folder / "test.{language}.conll")},
                {"role": "validation", "path": str(folder / "dev.conll")},
            ],
            "losses": [{"name": "soft-label"}, {"name": "hard-label"}, {"name": "hidden-state", "pool": "word"}],
            "num_threads": 1,
            "max_steps": 3,
            "per_device_train_batch_size": 8,
            "eval_strategy": "no",
            "save_strategy": "no",
            "precision": "float32",
            "use_cpu": True,
            "disable_tqdm": True,
            "max_length": 32,
            "output_dir": str(folder / "out"),
        }

    def save_model(self, name: str, tokenizer: Any, tags: list[str], seed: int = 0) -> str:
        """Save a tagger of random weights, and give its folder."""
        tagger(tokenizer, seed, tags=tags, layers=2).save_pretrained(self.folder / name)
        tokenizer.save_pretrained(self.folder / name)
        return str(self.folder / name)

    def start(self, main: Any = program.main, **changes: Any) -> Any:
        """Run it, or a part of it."""
        self.values |= changes
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")
        return main([str(path)])

    @property
    def written(self) -> dict[str, Any]:
        """What the report says."""
        values: dict[str, Any] = json.loads((self.folder / "out" / "zero_shot.json").read_text())
        return values


@pytest.fixture
def tagging(tmp_path: Path, words, tokenizer) -> Tagging:
    return Tagging(tmp_path, words, tokenizer, TAGS)


def test_student_and_its_scores_are_in_the_folder_when_the_run_is_done(tagging) -> None:
    tagging.start(per_class=True)
    report = tagging.written
    assert (report["metric"], report["selection"]) == ("span-f1", "last step")
    assert list(report["languages"]["sw"]["classes"]) == ["PER"]
    student = AutoModelForTokenClassification.from_pretrained(tagging.folder / "out")
    assert [student.config.id2label[index] for index in range(3)] == TAGS
    assert student.config.num_hidden_layers == 1


def test_code_of_the_card_gives_the_tag_of_the_first_piece_of_a_word(tagging, monkeypatch, capsys) -> None:
    tagging.start()
    card = (tagging.folder / "out" / "README.md").read_text()
    assert "pipeline_tag: token-classification" in card and "A name is found where" in card
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(tagging.folder)
    known: dict[str, Any] = {}
    exec(code, known)
    assert known["text"].split() == ["A", "text", "in", "any", "of", "these", "languages", "."]
    spaced = known["apart"].sub(r" \1 ", "(Ng'ang'a), \"Kisumu\": 3,000 at 10:30!").split()
    assert spaced == ["(", "Ng'ang'a", ")", ",", '"', "Kisumu", '"', ":", "3,000", "at", "10:30", "!"]
    text = " ".join(tagging.words["sw"][:4])
    student = AutoModelForTokenClassification.from_pretrained(tagging.folder / "out").eval()
    read = known["classify"].tokenizer(text.split(), is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        tags = student(**read).logits[0].argmax(-1).tolist()
    firsts = [TAGS[tags[read.word_to_tokens(0, word).start]] for word in range(4)]
    found = [entry["word"] for entry in known["classify"](text)]
    names = [word for word, tag in zip(text.split(), firsts, strict=True) if tag != "O"]
    assert " ".join(found).split() == names


def test_teacher_is_asked_once_when_its_answers_were_kept_before(tagging, monkeypatch) -> None:
    folders = tagging.start(single_steps.main_cache, teacher_cache=str(tagging.folder / "kept"))
    assert folders == [tagging.folder / "kept"]
    asked: list[Any] = []
    answer = LiveTeacher.answer
    monkeypatch.setattr(LiveTeacher, "answer", lambda self, *words: asked.append(self) or answer(self, *words))
    trainers = []
    make = program.make_trainer
    monkeypatch.setattr(
        program, "make_trainer", lambda *words: asked.clear() or trainers.append(make(*words)) or trainers[0]
    )
    train = program.DistillationTrainer.train
    monkeypatch.setattr(
        program.DistillationTrainer, "train", lambda self, **words: (train(self, **words), counts.append(len(asked)))[0]
    )
    counts: list[int] = []
    tagging.start()
    assert counts == [0]


def test_parallel_text_is_aligned_when_the_teacher_reads_its_source(tagging, words) -> None:
    rows = [{"en": " ".join(words["en"][n : n + 4]), "sw": " ".join(words["sw"][n : n + 4])} for n in range(8)]
    path = tagging.folder / "parallel.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tagging.values["data"].append({"role": "parallel", "path": str(path), "text": "sw", "teacher_text": "en"})
    tagging.values["losses"].pop()
    kept = tagging.start(single_steps.main_cache, teacher_cache=str(tagging.folder / "kept"))
    assert kept
    tagging.start()
    assert tagging.written["setting"] == "parallel"


def test_schemes_are_named_when_training_and_evaluation_have_two(tagging) -> None:
    for name in ("train", "dev"):
        path = tagging.folder / f"{name}.conll"
        path.write_text(path.read_text(encoding="utf-8").replace("B-PER", "I-PER"), encoding="utf-8")
    finetuned = {"model": str(tagging.folder / "teacher"), "finetune": {"max_steps": 1}}
    with pytest.raises(UserError, match="Spans of PER begin with B- where they are scored, and with I- where they are"):
        tagging.start(teacher=finetuned)


def test_tags_are_matched_by_name_when_teacher_and_student_have_others(tagging, tokenizer, caplog) -> None:
    dates = [*TAGS, "B-DATE", "I-DATE"]
    for name in ("train", "dev", "test.en", "test.sw"):
        path = tagging.folder / f"{name}.conll"
        parts = path.read_text(encoding="utf-8").split("\n\n")
        dated = [own.replace("PER", "DATE") if place % 2 else own for place, own in enumerate(parts)]
        path.write_text("\n\n".join(dated), encoding="utf-8")
    teacher = tagging.save_model("teacher", tokenizer, ["B-MISC", "I-PER", "O", "I-MISC", "B-PER"])
    losses = [{"name": "soft-label", "posterior": "sequence"}, {"name": "hard-label"}]
    with caplog.at_level("WARNING", "xlkd"):
        tagging.start(teacher=teacher, labels=dates, losses=losses, per_class=True, logging_steps=1)
    assert re.search(r"B-MISC.*I-MISC", caplog.text) and re.search(r"B-DATE.*I-DATE", caplog.text)
    assert set(tagging.written["languages"]["sw"]["classes"]) == {"PER", "DATE"}
    student = AutoModelForTokenClassification.from_pretrained(tagging.folder / "out")
    assert [student.config.id2label[index] for index in range(5)] == dates
    logged = json.loads((tagging.folder / "out" / "training.json").read_text())["log_history"]
    assert all(0 < entry["teacher_mass_unmapped"] < 1 for entry in logged if "loss_soft-label" in entry)
    assert any("loss_soft-label" in entry for entry in logged)


def test_source_alone_is_scored_when_nobody_has_tags_of_the_target(tagging) -> None:
    (tagging.folder / "test.sw.conll").unlink()
    tagging.start(unscored_languages=["sw"])
    assert list(tagging.written["languages"]) == ["en"] and tagging.written["means"]["target"] is None


@pytest.mark.parametrize("max_length", [32, 5])
def test_parts_of_speech_are_scored_when_texts_are_cut(tmp_path, words, tokenizer, max_length) -> None:
    made = Tagging(tmp_path, words, tokenizer, SPEECH)
    made.start(max_length=max_length)
    assert made.written["metric"] == "tag-accuracy"
    unread = made.written["languages"]["sw"]["unread_words"]
    assert unread["student"] == unread["teacher"] and (unread["student"] > 0) == (max_length == 5)


def test_student_is_an_average_and_its_card_says_so_when_the_run_asks_for_it(tagging) -> None:
    tagging.start(average_last=0.5)
    assert tagging.written["selection"] == "mean of the weights over the last 50% of the training"
    card = (tagging.folder / "out" / "README.md").read_text(encoding="utf-8")
    assert "mean of the weights over the last 50%" in card and r"average\_last 0.5" in card


@pytest.fixture
def letters(words) -> Any:
    """A tokenizer whose pieces are letters."""
    made = build_tokenizer(sorted({letter for own in words.values() for word in own for letter in word}))
    split = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    return made


def test_score_of_the_teacher_is_the_same_when_the_student_cuts_words_into_more_pieces(tagging, letters) -> None:
    student = tagging.save_model("letters", letters, TAGS, seed=1)
    own = tagging.start(max_length=6).languages["sw"]["teacher"]
    tagging.values["losses"].pop()
    beside = tagging.start(student={"model": student}, output_dir=str(tagging.folder / "second")).languages["sw"]
    assert beside["teacher"] == own
    assert beside["unread_words"]["student"] > beside["unread_words"]["teacher"] > 0


@pytest.mark.parametrize("max_length", [32, 6])
def test_kept_teacher_teaches_what_a_live_one_does_when_the_student_cuts_words_into_more_pieces(
    tagging, letters, max_length
) -> None:
    folder = tagging.save_model("letters", letters, TAGS, seed=1)
    tagging.start(student={"model": folder}, max_length=max_length, learning_rate=0.01)
    kept = str(tagging.folder / "kept")
    tagging.start(single_steps.main_cache, teacher_cache=kept)
    tagging.start(output_dir=str(tagging.folder / "second"))
    start, live, again = (
        load_file(f"{own}/model.safetensors") for own in (folder, tagging.folder / "out", tagging.folder / "second")
    )
    moved, apart = (sum(float((live[name] - own[name]).square().sum()) for name in live) for own in (start, again))
    assert apart < 1e-3 * moved


def test_run_is_refused_before_it_trains_when_a_tokenizer_does_not_say_where_tokens_are(tagging) -> None:
    student = tagging.save_model("bytes", ByT5Tokenizer(), TAGS)
    with pytest.raises(UserError, match="ByT5Tokenizer .* does not say where in a text its tokens are"):
        tagging.start(student={"model": student})
    assert not (tagging.folder / "out" / "student.json").exists()


def test_run_is_refused_before_it_asks_the_teacher_when_transitions_have_no_labelled_rows(tagging) -> None:
    tagging.values["data"].pop(0)
    losses = [{"name": "soft-label", "posterior": "sequence", "transitions": 0.5}]
    with pytest.raises(UserError, match="soft-label has transitions, which are counted in labelled rows"):
        tagging.start(labels=TAGS, losses=losses)
    assert not (tagging.folder / "out" / "student.json").exists()


def test_run_is_refused_before_it_trains_when_a_text_has_another_number_of_labels(tagging) -> None:
    row = {"text": "one two ", "label": ["O", "O"]}
    for language in ("en", "sw"):
        (tagging.folder / f"odd.{language}.jsonl").write_text(json.dumps(row) + "\n")
    tagging.values["data"][2] = {"role": "evaluation", "path": str(tagging.folder / "odd.{language}.jsonl")}
    with pytest.raises(UserError, match="'one two ' has 3 words and 2 labels.*single spaces"):
        tagging.start()
    assert not (tagging.folder / "out" / "student.json").exists()


@pytest.mark.parametrize("transitions", [0.0, 0.5])
def test_run_is_refused_before_its_teacher_is_fine_tuned_when_spans_begin_with_inner_tags(
    tagging, transitions, monkeypatch
) -> None:
    monkeypatch.setattr("xlkd.run.prepare_teacher", lambda *_: pytest.fail("the teacher was prepared"))
    (tagging.folder / "train.conll").write_text("na I-PER\nni O\n\n" * 20)
    losses = [{"name": "soft-label", "posterior": "sequence", "transitions": transitions}]
    with pytest.raises(UserError, match="contradict one another, I-PER behind the edge of a text most often"):
        tagging.start(labels=TAGS, losses=losses, teacher={"model": tagging.values["teacher"], "finetune": {}})


def test_run_is_refused_when_it_forgets_its_task(tagging) -> None:
    with pytest.raises(UserError, match="is not a model for sequence-classification: write `task: token-classificati"):
        tagging.start(task="sequence-classification", labels=TAGS)


def test_run_is_refused_before_its_teacher_is_loaded_when_a_label_is_one_for_the_whole_text(
    tagging, monkeypatch
) -> None:
    monkeypatch.setattr("xlkd.run.prepare_teacher", lambda *_: pytest.fail("the teacher was prepared"))
    (tagging.folder / "odd.jsonl").write_text(json.dumps({"text": "one two", "label": "O"}) + "\n")
    tagging.values["data"][0] = {"role": "labelled", "path": str(tagging.folder / "odd.jsonl")}
    with pytest.raises(UserError, match="label 'O', which is one for the whole text; token-classification needs a li"):
        tagging.start()


def test_text_is_left_out_of_evaluation_when_one_of_its_words_has_no_label(tagging, words) -> None:
    rows = [{"text": " ".join(words["sw"][n : n + 2]), "label": ["O", "B-PER" if n else None]} for n in range(4)]
    (tagging.folder / "gaps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tagging.values["data"][2] = {"role": "evaluation", "path": str(tagging.folder / "gaps.jsonl"), "language": "sw"}
    tagging.values["data"].append(
        {"role": "evaluation", "path": str(tagging.folder / "test.en.conll"), "language": "en"}
    )
    assert tagging.start().languages["sw"]["n"] == 3


def test_both_ways_out_are_named_when_a_foreign_model_lacks_a_label_of_the_data(tagging, tokenizer) -> None:
    model = tagging.save_model("foreign", tokenizer, ["O", "B-LOC", "I-LOC"])
    command = ["--task", "token-classification", "--model", model, "--source_language", "en"]
    command += ["--target_languages", "[sw]", "--output_dir", str(tagging.folder / "scores"), "--use_cpu", "true"]
    command += ["--data", json.dumps([tagging.values["data"][2]])]
    with pytest.raises(
        UserError, match=r"label B-PER, I-PER, and .* has O, B-LOC.*label_map: \{ITS_LABEL: B-PER.*of the entry"
    ):
        main_score(command)
