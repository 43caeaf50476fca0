"""What the Hub says that the metadata of a model card must be: hub-docs' `modelcard.md`, and its messages to users."""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from huggingface_hub.repocard import REGEX_YAML_BLOCK

LANGUAGE = r"[a-z]{2,3}|code|multilingual"
HUB_ID = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
LICENCE = r"[a-z0-9][a-z0-9.+-]*"
RELATIONS = ("adapter", "merge", "quantized", "finetune")


def metadata_errors(content: str) -> list[str]:
    """What the Hub would refuse of a card; an empty list where it takes it."""
    block = REGEX_YAML_BLOCK.search(content)
    if block is None:
        return ["empty or missing yaml metadata in repo card"]
    try:
        data = yaml.safe_load(block.group(2))
    except yaml.YAMLError as error:
        return [f"YAML Metadata Error: {error}"]
    return list(_errors(data)) if isinstance(data, dict) else ["metadata must be an object"]


def _errors(data: dict[str, Any]) -> Iterator[str]:
    patterns = {"language": LANGUAGE, "base_model": HUB_ID, "datasets": HUB_ID, "license": LICENCE, "tags": r"[^\n]+"}
    patterns |= {"metrics": r"[^\n]+", "language_bcp47": "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})+", "pipeline_tag": "[a-z-]+"}
    for name, pattern in patterns.items():
        values = data.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                yield f'"{name}" with value {value!r} is not valid'
    if data.get("base_model_relation", "finetune") not in RELATIONS:
        yield f'"base_model_relation" must be one of {RELATIONS}'
    index = data.get("model-index", [])
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for model in index:
        if not isinstance(model.get("name"), str):
            yield '"model-index[0].name" is required'
        for result in model.get("results", []):
            yield from _result_errors(result)


def _result_errors(result: dict[str, Any]) -> Iterator[str]:
    for part, names in {"task": ["type"], "dataset": ["type", "name"]}.items():
        for name in names:
            if not isinstance(result.get(part, {}).get(name), str):
                yield f'"model-index[0].results[0].{part}.{name}" is required'
    for name in ("config", "split", "revision"):
        if not isinstance(result["dataset"].get(name, ""), str):
            yield f'"model-index[0].results[0].dataset.{name}" must be a string'
    if not result.get("metrics"):
        yield '"model-index[0].results[0].metrics" is required'
    for metric in result.get("metrics", []):
        if not isinstance(metric.get("type"), str):
            yield '"model-index[0].results[0].metrics[0].type" is required'
        value = metric.get("value")
        if not isinstance(value, int | float) or not math.isfinite(value):
            yield '"model-index[0].results[0].metrics[0].value" is required'
