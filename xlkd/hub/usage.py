"""Code for a model card, to be copied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xlkd.hub.markdown import Markdown, one_line
from xlkd.hub.record import TrainingRecord


def usage(folder: Path, config: Mapping[str, Any], record: TrainingRecord | None) -> Markdown:
    """Code that runs as it stands: by Hub id, else in the folder above the student's."""
    repo = None if record is None else record.repo
    name = repo if repo is not None else folder.resolve().name
    remote = ", trust_remote_code=True" if "auto_map" in config else ""
    data = [] if record is None else record.provenance["data"] or []
    pairs = any(entry["pairs"] for entry in data)
    text = '{"text": "The first text.", "text_pair": "The second."}' if pairs else '"A text in any of these languages."'
    length = 128 if record is None else record.arguments["max_length"]
    # JSON's strings are Python's, and have no line end, so that no name can end the block.
    lines = [
        "from transformers import pipeline",
        "",
        f'classify = pipeline("text-classification", model={json.dumps(one_line(name))}{remote})',
        f"print(classify({text}, truncation=True, max_length={int(length)}))",
    ]
    return Markdown("```python\n" + "\n".join(lines) + "\n```")
