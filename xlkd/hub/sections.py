"""The parts of a model card that are tables, lists and code, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xlkd.evaluation.numbers import UNKNOWN, p_words, percent, points
from xlkd.hub.limits import limits_of
from xlkd.hub.markdown import Markdown, plain, table
from xlkd.hub.record import TrainingRecord
from xlkd.needs import PROBLEM_TYPES

Values = Mapping[str, Any]


def answers(config: Values, labels: Sequence[str]) -> Markdown:
    """What the student says of a text, in a sentence."""
    if not labels:
        return Markdown(
            "It makes a vector of a text: the mean over its tokens of the last layer, at length 1. Translations have"
            " vectors that are near, by the cosine."
        )
    names = ", ".join(map(plain, labels))
    kind = config.get("problem_type")
    if kind == PROBLEM_TYPES["number"]:
        return Markdown(f"It says one number, {names}, on the scale of the labels that it was taught by.")
    if kind == PROBLEM_TYPES["any-of"]:
        return Markdown(
            f"It says yes or no to each of {len(labels)} classes, of which a text may have any number: {names}. A yes"
            " is a probability of 0.5 or more."
        )
    return Markdown(f"It tells {len(labels)} classes apart: {names}.")


def scores(report: Values) -> Markdown:
    """One row a language; without a teacher there is nothing to say of one."""
    header = ["language", "code", "script", "class", "n", "student", "95 % interval"]
    compared = ["teacher", "retention", "difference", "95 % interval", "p"] if report["teacher"] is not None else []
    rows = [
        [
            plain(entry.get("name") or code),
            plain(code),
            _known(entry.get("script")),
            _known(entry.get("resource_class")),
            str(entry["n"]),
            percent(entry["student"]),
            interval(entry["student_low"], entry["student_high"]),
            *(_beside_teacher(entry) if compared else []),
        ]
        for code, entry in report["languages"].items()
    ]
    return table([*header, *compared], rows, numbers=3 + len(compared))


def _beside_teacher(entry: Values) -> list[str]:
    return [
        percent(entry["teacher"]),
        percent(entry["retention"]),
        points(entry["difference"]),
        interval(entry["difference_low"], entry["difference_high"], signed=True),
        p_words(entry["p_value"]).replace("<", "&lt;"),
    ]


def means(report: Values) -> Markdown:
    """One row for the source, for the targets, and for every group of languages."""
    beside = ["teacher", "retention"] if report["teacher"] is not None else []
    found = {"source language": report["means"]["source"], "target languages": report["means"]["target"]}
    found |= {f"group {name}": entry for name, entry in report["groups"].items()}
    found |= {f"resource class {name}": entry for name, entry in report["means"].get("resource_classes", {}).items()}
    found |= {f"script {name}": entry for name, entry in report["means"].get("scripts", {}).items()}
    rows = [
        [
            plain(name),
            str(entry["n_languages"]),
            percent(entry["student"]),
            interval(entry["student_low"], entry["student_high"]),
            *(percent(entry[name]) for name in beside),
            points(entry["transfer_gap"]),
        ]
        for name, entry in found.items()
        if entry is not None
    ]
    header = ["mean of", "languages", "student", "95 % interval", *beside, "transfer gap"]
    return table(header, rows, numbers=len(header) - 1)


def limits(report: Values) -> list[Markdown]:
    """The rules that name a language, with the languages and their scores; then those that name none."""
    languages = report["languages"]
    named = {
        code: f"{plain(entry.get('name') or code)} ({percent(entry['student'])})" for code, entry in languages.items()
    }
    found = limits_of(report)
    denied = [limit.denied for limit in found if not limit.languages]
    return [
        *(
            Markdown(f"{plain(limit.rule)} {', '.join(named[code] for code in limit.languages)}.")
            for limit in found
            if limit.languages
        ),
        *([Markdown(f"None of these languages {', or '.join(map(plain, denied))}.")] if denied else []),
    ]


SETTINGS = {
    "source-only": "nothing was trained on text of the other languages",
    "unlabelled-target": "of the other languages, text without labels was used",
    "parallel": "of the other languages, translations of text without labels were used",
    "translated-labels": "translations of labelled rows were used, so that these are no zero-shot scores",
}


def setting(provenance: Values | None, selected_on: Sequence[str], has_labels: bool) -> Markdown | None:
    """What training knew of the target languages, in words."""
    if provenance is None or provenance["setting"] is None:
        return None
    name = provenance["setting"]
    words = f": {SETTINGS[name]}" if name in SETTINGS else ""
    own = plain(provenance["source_language"])
    labels = f"Labels to train on were of {own} only." if has_labels else f"No labels were used; the source is {own}."
    chosen = ", ".join(map(plain, selected_on))
    selection = f" The checkpoint was chosen by labels in {chosen}: these are no zero-shot scores." if chosen else ""
    return Markdown(f"{labels} Setting {plain(name)}{words}.{selection}")


def oracle(report: Values) -> Markdown | None:
    """What the best checkpoint by data of the target languages would have had, where that was asked for."""
    found = report.get("oracle")
    if found is None:
        return None
    return Markdown(
        f"**No zero-shot number:** chosen on data of the target languages ({plain(found['selection'])}), the best"
        f" checkpoint would have a mean of {percent(found['target'])} over the target languages that are scored. The"
        " student is not that checkpoint."
    )


def losses(record: TrainingRecord) -> Markdown:
    """One row a loss, with its weight and all its options."""
    rows = []
    for entry in record.losses:
        options = {name: value for name, value in entry.items() if name not in ("name", "weight", "citation")}
        # A zero says something, which `in` would take for false.
        said = {name: value for name, value in options.items() if value is not None and value is not False}
        rows.append([plain(entry["name"]), _value(entry["weight"]), _options(said)])
    return table(["loss", "weight", "options"], rows)


def data(provenance: Values) -> Markdown:
    """One row an entry, with its rows as far as it is alone in its role."""
    entries: Sequence[Values] = provenance["data"]
    rows = [
        [
            plain(entry["role"]),
            link(entry["name"], entry["repo"], "datasets/") + plain(_configs(entry) + _made_up(entry)),
            ", ".join(map(plain, entry["languages"])),
            _known(entry["licence"]),
            _known(entry["revision"]),
        ]
        for entry in entries
    ]
    counted = [
        f"- {plain(role)}: {sum(counts.values())} rows in {len(counts)} language(s)"
        for role, counts in provenance["rows"].items()
    ]
    header = ["role", "data", "languages", "licence", "revision"]
    return Markdown(table(header, rows) + "\n\n" + "\n".join(counted))


def teacher(entry: Values) -> Markdown:
    """A teacher in a line."""
    parts: list[str] = [link(entry["name"], entry["repo"])]
    if entry.get("parameters") is not None:
        parts.append(f"{_millions(entry['parameters'])} parameters")
    parts.append(f"revision {_known(entry['revision'])}")
    parts.append(f"licence {_known(entry['licence'])}")
    if entry.get("finetune") is not None:
        parts.append(f"fine-tuned first on the labelled rows ({_options(entry['finetune']) or 'with the defaults'})")
    if entry.get("languages") is not None:
        parts.append("asked in " + ", ".join(map(plain, entry["languages"])))
    return Markdown(", ".join(parts))


def student(entry: Values) -> Markdown:
    """How the student was made, in a line."""
    start = link(entry["name"], entry["repo"])
    parts = [f"cut from {start}" if entry.get("is_cut") else f"started from {start}"]
    if entry.get("layers"):
        parts.append(f"its layers {', '.join(map(str, entry['layers']))}")
    for name, words in (("heads", "attention heads a layer"), ("feed_forward", "feed-forward units a layer")):
        if entry.get(name) is not None:
            parts.append(f"{int(entry[name])} {words}")
    if entry.get("vocabulary") is not None:
        parts.append(f"{entry['vocabulary']['kept']:,} of {entry['vocabulary']['before']:,} pieces of its vocabulary")
    if entry.get("freeze") is not None:
        parts.append(f"frozen: {plain(entry['freeze'])}")
    if not entry.get("is_cut"):
        parts.append(f"revision {_known(entry['revision'])}")
    return Markdown(", ".join(parts))


def arguments(record: TrainingRecord) -> Markdown:
    """The training arguments, in one list."""
    known = {name: value for name, value in record.arguments.items() if value is not None}
    # Of the two the number of updates decides.
    known.pop("num_train_epochs" if known.get("max_steps", -1) > 0 else "max_steps", None)
    return Markdown(", ".join(f"{plain(name)} {_value(value)}" for name, value in known.items()))


def sizes(report: Values, provenance: Values | None, built: Values | None) -> Markdown | None:
    """Student beside teacher: parameters, size on disk, speed; `None` where nothing is known of either."""
    size, speed = report.get("size", {}), report.get("speed", {})
    measured = dict(built or {})
    if provenance is not None and provenance["ensemble"] is not None:
        # What was measured beside the student is the one of several teachers that it is cut from.
        measured.pop("teacher", None)
    counted: dict[str, Any] = {name: (size.get(name) or {}).get("parameters") for name in MODELS}
    if counted["student"] is None and provenance is not None:
        counted["student"] = provenance["student"].get("parameters")
    found = {
        "parameters": [_millions(counted[name]) for name in MODELS],
        "of these in the embeddings": [
            _millions((size.get(name) or {}).get("embedding_parameters")) for name in MODELS
        ],
        "layers": [_known((measured.get(name) or {}).get("layers")) for name in MODELS],
        "pieces in the vocabulary": [_known((measured.get(name) or {}).get("vocabulary")) for name in MODELS],
        "MB on disk": [_number((measured.get(name) or {}).get("bytes"), 1e-6) for name in MODELS],
        "texts per second": [_number((speed.get(name) or {}).get("texts_per_second")) for name in MODELS],
        "milliseconds for one text": [_number((speed.get(name) or {}).get("latency_ms")) for name in MODELS],
    }
    rows = [[name, *values] for name, values in found.items() if values != [UNKNOWN, UNKNOWN]]
    return table(["", *MODELS], rows, numbers=2) if rows else None


MODELS = ("student", "teacher")


def citations(record: TrainingRecord) -> list[str]:
    """The papers of the losses, each once."""
    papers = [paper for entry in record.losses for paper in entry["citation"].split("; ") if paper]
    return list(dict.fromkeys(papers))


def versions(record: TrainingRecord) -> str:
    """Of what it was made with."""
    return ", ".join(f"{name} {number}" for name, number in record.versions.items())


def link(name: str, repo: str | None, kind: str = "") -> Markdown:
    """A name, with the place of what lies on the Hub."""
    return Markdown(plain(name) if repo is None else f"[{plain(name)}](https://huggingface.co/{kind}{_path(repo)})")


def _path(repo: str) -> str:
    """What may stand in an address of the Hub; other signs are in no id of it."""
    return "".join(sign for sign in repo if sign.isascii() and (sign.isalnum() or sign in "-_./"))


def interval(low: float | None, high: float | None, signed: bool = False) -> str:
    """Both ends of an interval."""
    shown = points if signed else percent
    return UNKNOWN if low is None or high is None else f"{shown(low)} to {shown(high)}"


def _known(value: object) -> str:
    return UNKNOWN if value is None else plain(value)


def _number(value: float | None, scale: float = 1.0) -> str:
    return UNKNOWN if value is None else f"{value * scale:,.1f}"


def _millions(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count / 1e6:,.1f} M" if count >= 1e5 else f"{count:,}"


def _value(value: Any) -> str:
    """An option as JSON has it, since `2.0`, `true` and `[[1, 4]]` are what a YAML file has."""
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _options(options: Values) -> Markdown:
    return Markdown(", ".join(f"{plain(name)} {_value(value)}" for name, value in options.items()))


def _made_up(entry: Values) -> str:
    return f", made-up words ({entry['made_up_words']})" if entry.get("made_up_words") is not None else ""


def _configs(entry: Values) -> str:
    names: Iterable[str] = dict.fromkeys((entry["configs"] or {}).values())
    return "".join(
        [f", {', '.join(names)}" if entry["configs"] else "", f", split {entry['split']}" * (entry["repo"] is not None)]
    )
