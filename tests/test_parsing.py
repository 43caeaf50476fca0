"""What a user may write in the YAML file and on the command line, and how a mistake is answered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xlkd.arguments import DistillationArguments, StudentArguments, TeacherArguments
from xlkd.arguments.mixture import MixtureArguments
from xlkd.errors import UserError
from xlkd.parsing import build, build_run, override, read_value, read_values, read_yaml, to_yaml

GOOD = """
teacher: some/teacher
student: {layers: 2}
source_language: en
target_languages: [sw, yo]
data:
  - {role: labelled, path: train.jsonl}
  - {role: evaluation, path: "test.{language}.jsonl"}
losses:
  - {name: soft-label, temperature: 2.0}
  - {name: hard-label, weight: 0.5}
learning_rate: 5e-5
max_steps: 10
precision: float32
output_dir: runs/one
"""

Write = Callable[[str], str]


def parse_run(arguments: list[str], defaults: dict[str, Any] | None = None) -> Any:
    """A command line as a run."""
    return build_run(read_values(arguments), defaults)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the run's file."""

    def to_file(text: str) -> str:
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to_file


def changed(old: str, new: str) -> str:
    """The good file with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


def test_values_are_read_when_the_file_is_good(write: Write) -> None:
    run, args, _ = parse_run([write(GOOD)])
    assert run.source_language == "en"
    assert run.target_languages == ["sw", "yo"]
    assert [entry.role for entry in run.data] == ["labelled", "evaluation"]
    assert run.student == StudentArguments(layers=2)
    assert args.max_steps == 10


def test_command_line_wins_when_both_name_a_key(write: Write) -> None:
    run, args, values = parse_run([write(GOOD), "--max_steps", "3", "--target_languages", "[sw]", "--seed=7"])
    assert (args.max_steps, args.seed) == (3, 7)
    assert run.target_languages == ["sw"]
    assert values["max_steps"] == 3


def test_defaults_give_way_when_the_file_names_the_key(write: Write) -> None:
    _, args, values = parse_run([write(GOOD)], {"max_steps": 99, "save_total_limit": 2})
    assert args.max_steps == 10
    assert args.save_total_limit == 2
    assert values["save_total_limit"] == 2


def test_dotted_key_goes_down_when_it_leads_into_a_mapping_or_a_list(write: Write) -> None:
    arguments = ["--student.layers", "[1, 2]", "--data.0.path", "other.jsonl", "--losses.1.weight", "0.25"]
    run, _, _ = parse_run([write(GOOD), *arguments])
    assert run.student.layers == [1, 2]
    assert run.data[0].path == "other.jsonl"
    assert run.losses[1]["weight"] == 0.25


def test_dotted_key_keeps_the_name_when_the_teacher_is_bare(write: Write) -> None:
    run, _, _ = parse_run([write(GOOD), "--teacher.revision", "main"])
    assert run.teacher == TeacherArguments(model="some/teacher", revision="main")


def test_dotted_key_makes_the_mapping_when_there_is_none(write: Write) -> None:
    run, _, _ = parse_run([write(GOOD), "--groups.low", "[sw]"])
    assert run.groups == {"low": ["sw"]}


@pytest.mark.parametrize("text", ["5e-5", "5E-5", "5.0e-5", "0.00005", "+5e-5"])
def test_number_is_a_float_when_it_has_an_exponent(write: Write, text: str) -> None:
    assert read_value(text) == 5e-5
    _, from_file, _ = parse_run([write(changed("learning_rate: 5e-5", f"learning_rate: {text}"))])
    _, from_command_line, _ = parse_run([write(GOOD), "--learning_rate", text])
    assert from_file.learning_rate == from_command_line.learning_rate == 5e-5


def test_word_stays_text_when_it_only_looks_like_a_number() -> None:
    words = ["e5", "5e", "runs/5e-5", "1e-5x", "2e-4/student", "2025-13-01"]
    assert [read_value(word) for word in words] == words


def test_whole_number_passes_when_a_float_is_asked_for(write: Write) -> None:
    _, args, _ = parse_run([write(GOOD), "--num_train_epochs", "2"])
    assert isinstance(args.num_train_epochs, float)


def test_losses_stay_in_order_when_they_are_a_list(write: Write) -> None:
    run, _, _ = parse_run([write(GOOD)])
    assert run.losses == [{"name": "soft-label", "temperature": 2.0}, {"name": "hard-label", "weight": 0.5}]


def test_model_is_named_when_teacher_is_a_bare_name(write: Write) -> None:
    run, _, _ = parse_run([write(GOOD)])
    assert run.teacher == TeacherArguments(model="some/teacher")


def test_model_is_named_when_student_is_a_bare_name(write: Write) -> None:
    run, _, _ = parse_run([write(changed("{layers: 2}", "some/student"))])
    assert run.student == StudentArguments(model="some/student")


def test_resolved_values_mean_the_same_when_they_run_again(write: Write) -> None:
    run, args, values = parse_run([write(GOOD), "--learning_rate", "3e-6", "--save_strategy", '"no"'], {"seed": 4})
    again, args_again, values_again = parse_run([write(yaml.safe_dump(values, allow_unicode=True, sort_keys=False))])
    assert (again, args_again, values_again) == (run, args, values)


MISTAKES: dict[str, tuple[str, list[str], list[str]]] = {
    "unknown top key": (
        changed("learning_rate", "learning_rat"),
        [],
        ["Unknown key 'learning_rat'", "did you mean learning_rate?"],
    ),
    "unknown nested key": (
        changed("{layers: 2}", "{layer: 2}"),
        [],
        ["Unknown key 'layer' in student", "did you mean layers?"],
    ),
    "unknown key in a list": (
        changed("{role: labelled, path:", "{role: labelled, paths:"),
        [],
        ["Unknown key 'paths' in data.0", "did you mean path?"],
    ),
    "unknown option": (GOOD, ["--leaning_rate", "1"], ["Unknown key 'leaning_rate'", "did you mean learning_rate?"]),
    "unknown key like no other": (GOOD, ["--epochs", "1"], ["Unknown key 'epochs'. --help lists all keys."]),
    "unknown nested key like no other": (
        GOOD,
        ["--student.vocabulary.rows", "1"],
        ["Unknown key 'rows' in student.vocabulary. It has size, "],
    ),
    "unknown nested option": (GOOD, ["--student.freze", "1"], ["'freze' in student", "did you mean freeze?"]),
    "text for a number": (changed("max_steps: 10", "max_steps: many"), [], ["max_steps", "a whole number", "'many'"]),
    "fraction for a whole number": (GOOD, ["--max_steps", "1.5"], ["max_steps must be a whole number, not 1.5"]),
    "text for a bool": (GOOD, ["--push_to_hub", "maybe"], ["push_to_hub must be true or false, not 'maybe'"]),
    "text for a list": (GOOD, ["--target_languages", "sw"], ["target_languages must be a list", "[a, b]", "'sw'"]),
    "number for a mapping": (GOOD, ["--groups", "5"], ["groups must hold `key: value` pairs, not 5"]),
    "bare loss": (GOOD, ["--losses", "[soft-label]"], ["losses.0 must hold `key: value` pairs, not 'soft-label'"]),
    "list for a student": (GOOD, ["--student", "[1]"], ["student must hold `key: value` pairs, not [1]"]),
    "missing key": (changed("source_language: en\n", ""), [], ["The run has no `source_language`", "Language of the"]),
    "missing nested key": (
        changed("{role: labelled, path: train.jsonl}", "{role: labelled}"),
        [],
        ["data.0 has no `p"],
    ),
    "no output folder": (changed("output_dir: runs/one", ""), [], ["has no output_dir: name the folder"]),
    "empty output folder": (GOOD, ["--output_dir", ""], ["has no output_dir: name the folder"]),
    "unknown strategy": (
        GOOD,
        ["--save_strategy", "step"],
        ["save_strategy 'step' is unknown (did you mean steps?)", "no, steps"],
    ),
    "no option": (GOOD, ["max_steps", "3"], ["'max_steps' is not an option", "--key value"]),
    "no value": (GOOD, ["--max_steps"], ["--max_steps has no value", "--max_steps VALUE"]),
    "option for a value": (GOOD, ["--max_steps", "--seed", "3"], ["--max_steps has no value"]),
    "beyond a list": (GOOD, ["--data.2.path", "x"], ["--data.2.path", "'2'", "list of 2", "from 0"]),
    "word into a list": (GOOD, ["--data.first.path", "x"], ["--data.first.path", "'first'", "count from 0"]),
    "into a number": (GOOD, ["--max_steps.first", "x"], ["--max_steps.first", "10", "no keys"]),
    "into the weight of a loss": (
        GOOD,
        ["--losses.0.weight", "0.5", "--losses.0.weight.end", "2"],
        ["--losses.0.weight.end leads into 0.5", "set it whole, --losses.0.weight '{end: ..., ...}'."],
    ),
    "not YAML": ("a: [1", [], ["is not YAML"]),
    "a list": ("- 1", [], ["`key: value` lines"]),
    "empty": ("", [], ["`key: value` lines"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_explained_when(write: Write, case: str) -> None:
    text, arguments, parts = MISTAKES[case]
    with pytest.raises(UserError) as caught:
        parse_run([write(text), *arguments])
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(("text", "number"), [("010", 10), ("08", 8), ("-07", -7), ("0", 0)])
def test_number_is_decimal_when_it_begins_with_a_nought(text: str, number: int) -> None:
    assert read_value(text) == number


@pytest.mark.parametrize("text", ["seed: 1\nmax_steps: 2\nseed: 3\n", "teacher: {model: a, model: b}\n"])
def test_key_is_refused_when_it_stands_twice(write: Write, text: str) -> None:
    with pytest.raises(UserError, match=r"run\.yaml is not YAML: the key '(seed|model)' stands twice .* line \d"):
        parse_run([write(text)])


def test_merged_keys_give_way_when_a_mapping_has_them_too(write: Write) -> None:
    merged = read_yaml(write("a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, y: 4}\n"))
    assert merged == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 4}}


def test_file_is_asked_for_when_the_command_line_names_none() -> None:
    for arguments in ([], ["--max_steps", "3"]):
        with pytest.raises(UserError, match="Name the run's YAML file first"):
            parse_run(arguments)


def test_path_is_named_when_the_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "nothing.yaml")


def test_encoding_is_named_when_the_file_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes("labels: [größe]".encode("latin-1"))
    with pytest.raises(UserError, match=r"is not UTF-8 \(byte 11\): save it as UTF-8"):
        read_yaml(tmp_path / "run.yaml")


def test_python_object_is_refused_when_the_file_holds_one(write: Write) -> None:
    with pytest.raises(UserError, match="is not YAML"):
        read_yaml(write("seed: !!python/object/apply:os.getpid []"))


def test_mixture_is_read_when_it_stands_in_the_file_and_on_the_command_line(write: Write) -> None:
    text = GOOD + "mixture: {exponent: 0.5, roles: {labelled: 1, parallel: 2.5}}\n"
    _, args, values = parse_run([write(text), "--mixture.exponent", "1", "--mixture.roles.labelled", "0"])
    assert args.mixture == MixtureArguments(exponent=1.0, roles={"labelled": 0.0, "parallel": 2.5})
    _, again, _ = parse_run([write(to_yaml(values))])
    assert again.mixture == args.mixture


def test_mixture_is_made_when_only_the_command_line_names_it(write: Write) -> None:
    _, args, _ = parse_run([write(GOOD), "--mixture.exponent", "0.3"])
    assert args.mixture == MixtureArguments(exponent=0.3)


def test_rows_come_once_an_epoch_when_no_mixture_is_named(write: Write) -> None:
    assert parse_run([write(GOOD)])[1].mixture is None


def test_values_are_changed_in_place_when_overridden() -> None:
    values: dict[str, Any] = {"student": {"layers": 2}}
    override(values, ["--student.layers", "null", "--student.model=a=b"])
    assert values == {"student": {"layers": None, "model": "a=b"}}


@pytest.mark.parametrize(
    "value",
    ["no", "yes", "off", "1e5", "5", "1.5", ".5", "true", "null", "~", "", "2025-13-01", "0x1f", "1_000", "12:30", "<<"]
    + [5, 1.5, 2e-5, 1e22, True, None, "ɛ̀wɔ", ["no", {"no": "nob"}], float("inf")],
)
def test_value_is_read_back_as_written(value, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml({"value": value}), encoding="utf-8")
    assert read_yaml(path) == {"value": value}


def test_norwegian_is_text_when_bare():
    assert read_value("[sw, no]") == ["sw", "no"]


def test_teachers_are_a_list_when_several_are_named(write: Write) -> None:
    text = changed("teacher: some/teacher", "teacher: [one/teacher, {model: other/teacher, languages: [sw, en]}]")
    run, _, values = parse_run([write(text), "--teacher.0.revision", "main", "--teacher.1.weight", "2"])
    first = TeacherArguments(model="one/teacher", revision="main")
    second = TeacherArguments(model="other/teacher", languages=["sw", "en"], weight=2.0)
    assert run.teachers == run.teacher == [first, second]
    assert run.base_teacher == first
    again, _, _ = parse_run([write(to_yaml(values))])
    assert again == run


def test_one_teacher_is_a_list_of_one_when_there_are_no_others(write: Write) -> None:
    run, _, _ = parse_run([write(GOOD)])
    assert run.teachers == [TeacherArguments(model="some/teacher")] == [run.base_teacher]
    without, _, _ = parse_run([write(changed("teacher: some/teacher\n", ""))])
    assert (without.teachers, without.base_teacher) == ([], None)


def test_teachers_have_names_of_their_own_when_two_have_one_model(write: Write) -> None:
    text = changed("teacher: some/teacher", "teacher: [a, {model: b, revision: x}, {model: b, revision: y}]")
    run, _, _ = parse_run([write(text), "--ensemble.features", "2"])
    assert run.teacher_names == ["a", "b (1)", "b (2)"]
    assert run.base_position == 2


def test_place_is_named_when_training_arguments_are_refused_inside_another_key(tmp_path: Path) -> None:
    values = {"output_dir": str(tmp_path), "load_best_model_at_end": True}
    with pytest.raises(UserError, match="^teacher.finetune: --load_best_model_at_end requires"):
        build(DistillationArguments, values, "teacher.finetune")
    with pytest.raises(UserError, match="^--load_best_model_at_end requires"):
        build(DistillationArguments, values)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("[a, {modle: b}]", "Unknown key 'modle' in teacher.1"),
        ("[a, 3]", "teacher.1 must hold `key: value` pairs, not 3"),
        ("3", "teacher must hold `key: value` pairs, not 3"),
        ("{modle: b}", "Unknown key 'modle' in teacher"),
        ("[a, {model: b, languages: sw}]", "teacher.1.languages must be a list"),
    ],
)
def test_mistake_inside_a_list_of_teachers_is_named_by_its_place(write: Write, teacher: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_run([write(changed("some/teacher", teacher))])
