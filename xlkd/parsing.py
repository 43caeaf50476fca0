"""One YAML file, then the command line, into dataclasses; what nobody knows is refused with the nearest known key."""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from xlkd.arguments import DistillationArguments, RunArguments
from xlkd.errors import UserError, did_you_mean, in_one_line, is_whole_number


class _Loader(yaml.SafeLoader):
    """YAML with the plain words of YAML 1.2: `no` is Norwegian, `5e-5` and `010` are numbers, a date is text.

    A key that stands twice is refused: one of its values would be lost without a word.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """A mapping as it is written, if every key stands once in it.

        Raises:
            `yaml.constructor.ConstructorError`: If one stands twice.
        """
        node = super().compose_mapping_node(anchor)
        words = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        first = {key.value: key for key in reversed(words)}
        for key in words:
            if first[key.value] is not key:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
        return node

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        """A whole number: of YAML 1.1 `010` would be 8."""
        return int(self.construct_scalar(node))


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back as the same."""


_WORDS = {
    "null": (r"~|null|", "~n"),
    "bool": (r"true|false", "tf"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
}
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole_number)
for _kind in (_Loader, _Dumper):
    _kind.yaml_implicit_resolvers = {}
    for _name, (_pattern, _first) in _WORDS.items():
        _kind.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), [*_first])
    _kind.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])
    _kind.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"])


def read_values(arguments: Sequence[str]) -> dict[str, Any]:
    """Read the plain values of `CONFIG.yaml --key value --nested.key value ...`.

    Args:
        arguments (`Sequence[str]`): The command line, without the program.

    Raises:
        [`UserError`]: If no file is named, it cannot be read, or a value has no place in it.
    """
    if not arguments or arguments[0].startswith("-"):
        raise UserError(
            "Name the run's YAML file first: distill.py scripts/configs/quickstart.yaml (--help has all its keys)."
        )
    values = read_yaml(arguments[0])
    override(values, arguments[1:])
    return values


def build_run(
    values: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> tuple[RunArguments, DistillationArguments, dict[str, Any]]:
    """Make a run of plain values, such as a YAML file holds.

    Args:
        values (`Mapping[str, Any]`): The values, by key.
        defaults (`Mapping[str, Any]`, *optional*): What the program assumes where they say nothing.

    Returns:
        The run, the training arguments, and both as the plain mapping that `run.yaml` holds.

    Raises:
        [`UserError`]: If a key is unknown or missing, or a value has the wrong type.
    """
    values = {**(defaults or {}), **values}
    _check_keys(values, [*_field_names(RunArguments), *_field_names(DistillationArguments)], "")
    run = build(RunArguments, {key: value for key, value in values.items() if key in _field_names(RunArguments)})
    training = {key: value for key, value in values.items() if key in _field_names(DistillationArguments)}
    if training.get("output_dir") is None:
        raise UserError(
            "The run has no output_dir: name the folder that results are written to, `output_dir: runs/mine`."
        )
    return run, build(DistillationArguments, training), values


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        [`UserError`]: If it is missing, unreadable, not YAML or not a mapping.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise UserError(f"The run's file {path} cannot be read: {error.strerror}. Check the path.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"The run's file {path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise UserError(f"The run's file {path} is not YAML: {in_one_line(error)}.") from error
    if not isinstance(values, dict):
        raise UserError(f"The run's file {path} must hold `key: value` lines.")
    return values


def to_yaml(values: Mapping[str, Any]) -> str:
    """Write values as a YAML file that [`read_yaml`] reads back as the same."""
    return yaml.dump(dict(values), Dumper=_Dumper, allow_unicode=True, sort_keys=False)


def override(values: dict[str, Any], arguments: Sequence[str]) -> None:
    """Put `--key value` pairs into nested values; a dot goes down: `--student.layers 6`, `--data.0.path x.jsonl`.

    Raises:
        [`UserError`]: If an argument is not such a pair, or its path leads nowhere.
    """
    words = list(arguments)
    while words:
        flag = words.pop(0)
        if not flag.startswith("--") or flag == "--":
            raise UserError(f"{flag!r} is not an option: write --key value, such as --learning_rate 5e-5.")
        key, equals, value = flag[2:].partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                raise UserError(f"The option {flag} has no value: write {flag} VALUE.")
            value = words.pop(0)
        _set(values, key.split("."), read_value(value), flag)


def read_value(text: str) -> Any:
    """Read one value of the command line as YAML would: `[sw, yo]` a list, `5e-5` a number, `null` nothing."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return text


def build(kind: type[Any], values: Any, where: str = "") -> Any:
    """Build a dataclass, and those inside it, from plain values; a bare string stands for its `model` or `folder`.

    Raises:
        [`UserError`]: If a key is unknown or missing, or a value has the wrong type.
    """
    names = _field_names(kind)
    if isinstance(values, str) and names[0] in _SHORT_FOR:
        values = {names[0]: values}
    if not isinstance(values, Mapping):
        raise UserError(f"{where or 'The run'} must hold `key: value` pairs, not {values!r}.")
    _check_keys(values, names, where)
    hints = get_type_hints(kind)
    converted = {key: _convert(hints[key], value, f"{where}.{key}" if where else key) for key, value in values.items()}
    for entry in dataclasses.fields(kind):
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if entry.init and required and entry.name not in converted:
            raise UserError(f"{where or 'The run'} has no `{entry.name}`: {entry.metadata['help']}")
    try:
        return kind(**converted)
    except UserError:
        raise
    except (ValueError, ImportError) as error:  # TrainingArguments checks its own values
        raise UserError(f"{where}: {in_one_line(error)}" if where else in_one_line(error)) from error


_SHORT_FOR = ("model", "folder")
"""The first fields that a bare string stands for."""


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union([kind for kind in inside if kind is not type(None)], value, where, type(None) in inside)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{where} must be a list, such as [a, b], not {value!r}.")
        return [_convert(inside[0], entry, f"{where}.{index}") for index, entry in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{where} must hold `key: value` pairs, not {value!r}.")
        return {
            _convert(inside[0], key, f"A key of {where}"): _convert(inside[1], entry, f"{where}.{key}")
            for key, entry in value.items()
        }
    if hint is float and is_whole_number(value):
        return float(value)
    if _is_enum(hint) and value not in (known := [member.value for member in hint]):
        raise UserError(f"{where} {value!r} is unknown{did_you_mean(value, known)}; it is one of {', '.join(known)}.")
    if hint in (bool, int, float, str) and type(value) is not hint:
        raise UserError(f"{where} must be {_IN_WORDS[hint]}, not {value!r}.")
    return value


_IN_WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _convert_union(kinds: list[Any], value: Any, where: str, optional: bool) -> Any:
    if value is None and optional:
        return None
    problem: UserError | None = None
    # What is wrong inside a list is said of a list, not of the other kinds that the value may have.
    kinds = [kind for kind in kinds if _fits(kind, value)] or kinds
    # `IntervalStrategy | str` means the words of the one.
    for kind in [kind for kind in kinds if _is_enum(kind)] or kinds:
        try:
            return _convert(kind, value, where)
        except UserError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _fits(kind: Any, value: Any) -> bool:
    plain = get_origin(kind) or kind
    if isinstance(value, list):
        return plain is list
    return not isinstance(value, Mapping) or plain is dict or dataclasses.is_dataclass(plain)


def _set(values: Any, path: list[str], value: Any, flag: str) -> None:
    for depth, step in enumerate(path):
        if isinstance(values, list):
            if not step.isdigit() or int(step) >= len(values):
                raise UserError(f"{flag}: {step!r} is not an entry of a list of {len(values)}: count from 0.")
            key: Any = int(step)
        elif isinstance(values, dict):
            key = step
        else:
            whole = f"--{'.'.join(path[:depth])} '{{{step}: ..., ...}}'"
            raise UserError(f"{flag} leads into {values!r}, which has no keys: set it whole, {whole}.")
        if depth == len(path) - 1:
            values[key] = value
            return
        # `teacher: NAME` is short for `teacher: {model: NAME}`
        inner = values.get(key) if isinstance(values, dict) else values[key]
        short_for = "folder" if key == "teacher_cache" else "model"
        values[key] = {short_for: inner} if isinstance(inner, str) else {} if inner is None else inner
        values = values[key]


def _field_names(kind: type[Any]) -> list[str]:
    return [entry.name for entry in dataclasses.fields(kind) if entry.init]


def _check_keys(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in values:
        if key not in known:
            place = f" in {where}" if where else ""
            near = did_you_mean(key, known)
            raise UserError(f"Unknown key {key!r}{place}{near}.{'' if near else _all_of(known)}")


def _all_of(keys: Sequence[str]) -> str:
    return f" It has {', '.join(keys)}." if len(keys) <= _FEW_KEYS else " --help lists all keys."


_FEW_KEYS = 30
"""No more are named in an error."""
