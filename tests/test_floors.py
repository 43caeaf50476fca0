"""Imports go down only, and on one floor only inside one folder: read from the source, so that nothing is run."""

import ast
from pathlib import Path

import pytest

import xlkd

PACKAGE = Path(xlkd.__file__).parent
FLOORS: dict[int, list[str]] = {
    0: ["_version", "errors", "languages", "arguments", "needs", "outputs", "text", "columns", "padding", "folders"],
    1: [
        "losses",
        "teachers.base",
        # Students are built by it too.
        "teachers.label_map",
        *(
            f"students.{name}"
            for name in ("weights", "layers", "attention", "head", "units", "width", "verification", "report")
        ),
        *(
            f"students.{name}"
            for name in ("pieces", "tokenizer_file", "sentencepiece_file", "ranking", "choice", "vocabulary")
        ),
        *(
            f"evaluation.{name}"
            for name in ("metrics", "resampling", "statistics", "classes", "predictions", "scores", "report", "table")
        ),
        *(f"evaluation.{name}" for name in ("answers", "alignment", "comparison")),
        *(f"evaluation.{name}" for name in ("training_curves", "numbers", "wording", "figures", "plots")),
        *(f"evaluation.{name}" for name in ("drawings", "html", "pictures")),
        "parsing",
        *(f"training.{name}" for name in ("levers", "same_tokens", "weight_average")),
        "quickstart",
    ],
    # Above the quickstart, whose encoder it finds by name.
    2: ["pretrained", "tasks", "teachers", "data", "students.build", "hub", "training"],
    3: [
        "training.validation",
        "training.given_models",
        "training.mixed_training",
        "training.raw_rows",
        "evaluation.asking",
        "evaluation.zero_shot",
        "evaluation.familiarity",
        "planning",
        "steps.models",
        "steps.help",
        "steps.process",
    ],
    4: ["trainer", *(f"steps.{name}" for name in ("word_alignment", "teaching", "record", "outlook"))],
    5: ["steps"],
    6: ["run"],
    7: ["__init__", "single_steps", "scoring"],
}
# Within a floor that is not one folder, these may be imported by their neighbours: nothing below them knows of it.
GROUND = {"errors", "needs", "text.words", "languages", "folders", "_version"}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """`data.sources` for `xlkd/data/sources.py`, `data` for its `__init__.py`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def floor_of(name: str) -> int | None:
    """The floor of a module; a folder that holds nothing itself has none."""
    floors = {entry: floor for floor, entries in FLOORS.items() for entry in entries}
    # The most particular entry decides: `training.levers` lies below the rest of its folder.
    return next(
        (floors[entry] for entry in (name, name.rpartition(".")[0], name.split(".")[0]) if entry in floors), None
    )


def imported(tree: ast.AST) -> set[str]:
    """The modules of xlkd that a file imports, anywhere in it."""
    modules = {name_of(path) for path in FILES}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            # `from xlkd.quickstart import cldr` imports a module, `from xlkd.errors import UserError` a name of one.
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {name.removeprefix("xlkd.") for name in found if name.startswith("xlkd.")}
    return {name if name in modules else name.rpartition(".")[0] or "__init__" for name in own}


def problems_of(name: str, tree: ast.AST) -> list[str]:
    """Imports that do not go down."""
    floor = floor_of(name)
    if floor is None:
        return [] if not tree.body[1:] else [f"{name} has no floor"]  # type: ignore[attr-defined]
    problems = []
    for other in sorted(imported(tree)):
        below = floor_of(other)
        same_folder = other.split(".")[0] == name.split(".")[0]
        if below is None or below > floor or (below == floor and not same_folder and other not in GROUND):
            problems.append(f"{name} (floor {floor}) imports {other} (floor {below})")
    return problems


def test_imports_go_down_when_all_files_are_read() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    assert len(trees) >= 56
    assert sum(len(imported(tree)) for tree in trees.values()) >= 115
    assert [problem for name, tree in trees.items() for problem in problems_of(name, tree)] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("outputs", "from xlkd.losses.base import DistillationLoss"),
        ("losses.soft_label", "from xlkd.data.entries import content_id"),
        ("data.sources", "from xlkd.tasks import Task"),
        ("trainer", "from xlkd.steps.forecast import forecast"),
        ("trainer", "def later():\n    import xlkd.run"),
        ("teachers.live", "from xlkd import build_student"),
        ("elsewhere", "import os\nimport sys"),
    ],
)
def test_import_is_found_when_it_goes_up_or_across(name: str, source: str) -> None:
    assert problems_of(name, ast.parse(source))
