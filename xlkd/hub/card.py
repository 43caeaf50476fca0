"""The model card, generated from what a run left beside its student, and from nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import ModelCard

from xlkd.errors import UserError
from xlkd.evaluation.report import CURVES, PAGE, PLOT, REPORT_FILE
from xlkd.evaluation.report import SCHEMA as REPORT_SCHEMA
from xlkd.evaluation.wording import not_scored, unread_words
from xlkd.folders import STUDENT_FILE, hash_of_weights_in, write_text
from xlkd.hub import sections
from xlkd.hub.markdown import Markdown, plain
from xlkd.hub.metadata import languages_of, metadata_of, narrower_terms
from xlkd.hub.record import RECORD_FILE, TrainingRecord
from xlkd.hub.usage import usage

logger = logging.getLogger(__name__)

CARD_FILE = "README.md"
TEMPLATE = Path(__file__).with_name("card_template.md")
PICTURES = {
    PLOT: "Student and teacher by language, with 95 % intervals",
    CURVES: "The losses over the training",
}


def write_model_card(folder: str | Path, *, license: str | None = None, tags: Sequence[str] = ()) -> Path:
    """Write the model card of a student, `README.md`, from what lies beside it.

    It is generated from `training.json`, `zero_shot.json`, `student.json` and `config.json`, as far as they exist, and
    rewritten each time. What was not measured is not in it; what is not known is said to be unknown.

    Args:
        folder (`str` or `Path`): The folder of the student: the `output_dir` of a run, or any with a `zero_shot.json`.
        license (`str`, *optional*): The student's licence; by default that of the model that it starts from, and none
            where its training data or teachers have narrower terms ([`~hub.metadata.narrower_terms`]).
        tags (`Sequence[str]`, *optional*): More tags for the Hub.

    Returns:
        `Path` of the card.

    Raises:
        [`UserError`]: If the folder has no student, nothing says how it was trained or what it is worth, or a file is
            of another version.

    Example:

    ```python
    >>> write_model_card("runs/quickstart")
    PosixPath('runs/quickstart/README.md')
    ```
    """
    folder = Path(folder)
    config = _read(folder / "config.json")
    if config is None:
        raise UserError(f"{folder} has no config.json, so that no student lies there: name the folder of one.")
    record = TrainingRecord.load(folder) if (folder / RECORD_FILE).is_file() else None
    report = _report(folder)
    if record is not None:
        task, labels = record.task, record.labels
    elif report is not None:
        task, labels = report["task"], report["labels"]
    else:
        raise UserError(f"{folder} has neither {RECORD_FILE} nor {REPORT_FILE}: train the student or score it first.")
    name = folder.resolve().name if record is None or record.repo is None else record.repo.rpartition("/")[2]
    inherited = None if record is None else record.provenance["student"]["licence"]
    narrower = [] if record is None or license is not None else narrower_terms(record)
    if license is not None:
        licence = license
    elif narrower:
        licence = None
    else:
        licence = inherited
    values = _values(folder, config, task, labels, record, report)
    values |= {"name": name, "licence": licence, "is_inherited": license is None}
    values |= {"inherited": inherited or "unknown", "narrower": ", ".join(narrower)}
    data = metadata_of(name, task, record, report, licence, tags)
    # `ModelCard` reads what was made, so that a card that the Hub's own client cannot read is not written.
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_environment().from_string(TEMPLATE.read_text()).render(values)}")
    write_text(folder / CARD_FILE, str(card))
    return folder / CARD_FILE


def _environment() -> jinja2.Environment:
    """Escapes whatever a template shows, unless it is Markdown that was made here."""
    return jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markdown) else plain(value),
    )


def _values(
    folder: Path,
    config: Mapping[str, Any],
    task: str,
    labels: Sequence[str],
    record: TrainingRecord | None,
    report: dict[str, Any] | None,
) -> dict[str, Any]:
    """What the template shows."""
    # A model without classes has names for two all the same, as all configurations do by default.
    classes = [config["id2label"][key] for key in sorted(config["id2label"], key=int)] if labels else []
    provenance = None if record is None else record.provenance
    return {
        "task": task,
        "answers": sections.answers(config, classes),
        "record": record,
        "provenance": provenance,
        "setting": sections.setting(provenance, [] if report is None else report["selected_on"], bool(classes)),
        "report": report,
        "languages": languages_of(record, report),
        "usage": usage(folder, config, task, record),
        "scores": None if report is None else sections.scores(report),
        "unread": None if report is None else unread_words(report),
        "unscored": None if report is None else not_scored(report),
        "means": None if report is None else sections.means(report),
        "oracle": None if report is None else sections.oracle(report),
        "pictures": [
            Markdown(f"![{words}]({name})")
            for name, words in PICTURES.items()
            if (folder / name).is_file() and (report is not None or name == CURVES)
        ],
        "page": PAGE if report is not None and (folder / PAGE).is_file() else None,
        "losses": None if record is None else sections.losses(record),
        "data": None if provenance is None or provenance["data"] is None else sections.data(provenance),
        "arguments": None if record is None else sections.arguments(record),
        "teachers": [] if provenance is None else [sections.teacher(entry) for entry in provenance["teachers"]],
        "made": None if provenance is None else sections.student(provenance["student"]),
        "sizes": sections.sizes(report or {}, provenance, _read(folder / STUDENT_FILE)),
        "limits": [] if report is None else sections.limits(report),
        "citations": [] if record is None else sections.citations(record),
        "versions": None if record is None else sections.versions(record),
    }


def _report(folder: Path) -> dict[str, Any] | None:
    report = _read(folder / REPORT_FILE)
    if report is not None and report.get("schema") != REPORT_SCHEMA:
        raise UserError(
            f"The report {folder / REPORT_FILE} is not of schema {REPORT_SCHEMA}: score the student again with this"
            " version."
        )
    if report is not None and not are_scores_of_student(folder):
        logger.warning("%s has the scores of other weights than %s: the card leaves them out.", REPORT_FILE, folder)
        return None
    return report


def are_scores_of_student(folder: Path) -> bool:
    """Whether there are scores in a folder, of the student there as far as they say whose they are.

    Args:
        folder (`Path`): The folder.
    """
    report, config = _read(folder / REPORT_FILE), _read(folder / "config.json") or {}
    if report is None:
        return False
    weights, labels = report.get("weights"), report.get("labels")
    same_labels = not labels or "id2label" not in config or set(labels) == set(config["id2label"].values())
    return same_labels and weights in (None, hash_of_weights_in(folder))


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file that holds a mapping; `None` where there is no such file."""
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}. Check the file, or remove it.") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold a JSON object: check the file, or remove it.")
    return values
