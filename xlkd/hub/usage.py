"""Code for a model card: what runs as it stands, by Hub id, else in the folder above the student's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xlkd.hub.markdown import Markdown, one_line
from xlkd.hub.metadata import PIPELINES
from xlkd.hub.record import TrainingRecord
from xlkd.needs import PROBLEM_TYPES
from xlkd.text.tag_scheme import has_spans


def usage(folder: Path, config: Mapping[str, Any], task: str, record: TrainingRecord | None) -> Markdown:
    """Code that uses a student.

    Args:
        folder (`Path`): Its folder.
        config (`Mapping[str, Any]`): Its configuration.
        task (`str`): Its task.
        record ([`~hub.record.TrainingRecord`], *optional*): How it came about.
    """
    repo = None if record is None else record.repo
    # JSON's strings are Python's, and have no line end, so that no name can end the block.
    name = json.dumps(one_line(repo if repo is not None else folder.resolve().name))
    remote = ", trust_remote_code=True" if "auto_map" in config else ""
    length = 128 if record is None else int(record.arguments["max_length"])
    if task == "sentence-embedding":
        return _of_vectors(name, remote, length)
    if task == "token-classification":
        return _of_words(name, remote, list(config["id2label"].values()))
    data = [] if record is None else record.provenance["data"] or []
    pairs = any(entry["pairs"] for entry in data)
    text = '{"text": "The first text.", "text_pair": "The second."}' if pairs else '"A text in any of these languages."'
    kind = PIPELINES.get(task, "text-classification")
    every = ", top_k=None" if config.get("problem_type") == PROBLEM_TYPES["any-of"] else ""
    return _code(
        "from transformers import pipeline",
        "",
        f'classify = pipeline("{kind}", model={name}{remote})',
        f"print(classify({text}{every}, truncation=True, max_length={length}))",
    )


def _of_words(name: str, remote: str, labels: Sequence[str]) -> Markdown:
    """Tags of words of plain text; a word has the tag of its first piece, since the others learnt nothing."""
    code = _code(
        "import re",
        "from transformers import pipeline",
        "",
        f'classify = pipeline("token-classification", model={name}{remote}, aggregation_strategy="first")',
        "# Punctuation stands apart in what it learnt from; a word that has some at it is another word.",
        r"""apart = re.compile(r'([()"“”«»]|,(?!\d)|[.;:!?](?!\S))')""",
        r'text = apart.sub(r" \1 ", "A text in any of these languages.")',
        'print([(found["entity_group"], text[found["start"] : found["end"]]) for found in classify(text)])',
    )
    # Transformers joins tags that begin so, and takes any other for a name of its own.
    if all(label.startswith(("B-", "I-")) for label in labels if has_spans([label])):
        return code
    return Markdown(
        f"{code}\n\nThe pipeline joins tags of `B-` and `I-` alone. This model has others too: a name of several words"
        " comes in parts, each with its place (`E-`, `S-` and so on), which are left to you to join."
    )


def _of_vectors(name: str, remote: str, length: int) -> Markdown:
    """The mean over the tokens of a text, by Transformers alone, and the same by sentence-transformers."""
    plain = _code(
        "import torch",
        "from transformers import AutoModel, AutoTokenizer",
        "",
        f"tokenizer = AutoTokenizer.from_pretrained({name}{remote})",
        f"model = AutoModel.from_pretrained({name}{remote})",
        'texts = ["A text in any of these languages.", "Its translation."]',
        f'inputs = tokenizer(texts, padding=True, truncation=True, max_length={length}, return_tensors="pt")',
        "with torch.no_grad():",
        "    states = model(**inputs).last_hidden_state",
        'mask = inputs["attention_mask"].unsqueeze(-1)',
        "vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)",
        "print(vectors @ vectors.T)",
    )
    library = _code(
        "from sentence_transformers import SentenceTransformer",
        "",
        f"model = SentenceTransformer({name}{remote})",
        'vectors = model.encode(["A text in any of these languages.", "Its translation."])',
    )
    return Markdown(f"{plain}\n\nThe same with sentence-transformers, whose files lie beside it:\n\n{library}")


def _code(*lines: str) -> Markdown:
    return Markdown("```python\n" + "\n".join(lines) + "\n```")
