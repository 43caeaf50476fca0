"""The YAML at the top of a model card, as the Hub reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from xlkd.arguments.mixture import TRAINING_ROLES
from xlkd.hub.markdown import one_line
from xlkd.hub.record import TrainingRecord
from xlkd.languages import is_language

_LICENCES = """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.1 eupl-1.2 gemma gfdl gpl gpl-2.0 gpl-3.0 h-research intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2
    llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++
    osl-3.0 pddl postgresql unlicense wtfpl zlib
"""
LICENCES = frozenset(_LICENCES.split())
"""The names of licences that the Hub takes: https://huggingface.co/docs/hub/repositories-licenses"""

PIPELINES = {
    "sequence-classification": "text-classification",
    "multi-label-classification": "text-classification",
    "regression": "text-classification",
    "token-classification": "token-classification",
    "sentence-embedding": "sentence-similarity",
}
"""What the Hub, and Transformers, call what a model does, by task."""

TAGS = {"sentence-embedding": ("sentence-transformers", "feature-extraction", "sentence-similarity")}
"""By task, what libraries and people look for."""

METRICS: dict[str, tuple[str, dict[str, str] | None]] = {
    "accuracy": ("accuracy", None),
    "macro-f1": ("f1", {"average": "macro"}),
    "micro-f1": ("f1", {"average": "micro"}),
    "span-f1": ("f1", {"average": "micro", "of": "spans, as conlleval"}),
    "tag-accuracy": ("accuracy", {"of": "words"}),
    "pearson": ("pearsonr", None),
    "spearman": ("spearmanr", None),
    "retrieval-accuracy": ("accuracy", {"of": "translations retrieved, mean of both ways"}),
    "retrieval-to-source": ("accuracy", {"of": "translations retrieved, to the source language"}),
    "retrieval-from-source": ("accuracy", {"of": "translations retrieved, from the source language"}),
    "similarity-correlation": ("spearmanr", {"of": "cosines with the other source texts"}),
}
"""The Hub's name of a metric, and how it is computed."""


def metadata_of(
    name: str,
    task: str,
    record: TrainingRecord | None,
    report: Mapping[str, Any] | None,
    licence: str | None,
    tags: Sequence[str] = (),
) -> ModelCardData:
    """The metadata of a card; what is not known, or what the Hub would not take, is left out.

    Args:
        name (`str`): The name of the student.
        task (`str`): Its task.
        record ([`~hub.record.TrainingRecord`], *optional*): How it came about.
        report (`Mapping[str, Any]`, *optional*): The content of `zero_shot.json`.
        licence (`str`, *optional*): Its licence.
        tags (`Sequence[str]`, *optional*): More tags.
    """
    codes = languages_of(record, report)
    bases = [] if record is None else base_models(record)
    results = [] if report is None else eval_results(record, report)
    return ModelCardData(
        language=_primary(codes) or None,
        language_bcp47=[code for code in codes if "-" in code and is_language(code)] or None,
        license=licence.lower() if licence is not None and licence.lower() in LICENCES else None,
        library_name="transformers",
        pipeline_tag=PIPELINES.get(task),
        base_model=bases or None,
        base_model_relation="finetune" if bases else None,
        datasets=_hub_datasets(record) or None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        tags=["xlkd", "knowledge-distillation", "cross-lingual", *TAGS.get(task, ()), *map(one_line, tags)],
        model_name=one_line(name),
        eval_results=results or None,
    )


def narrower_terms(record: TrainingRecord) -> list[str]:
    """Licences of training data and of teachers that allow no commerce or changes, or only research or their own like.

    Args:
        record ([`~hub.record.TrainingRecord`]): How a student came about.
    """
    data = [entry for entry in record.provenance["data"] or [] if entry["role"] in TRAINING_ROLES]
    named = [entry["licence"] for entry in (*data, *record.provenance["teachers"])]
    return [licence for licence in dict.fromkeys(named) if licence is not None and _NARROWER.search(licence)]


_NARROWER = re.compile(
    r"\b(nc|nd|sa|[al]?gpl|gfdl|odbl|osl|eupl)\b|non[- ]?commercial|research|academic|shar(e|ing)", re.IGNORECASE
)


def languages_of(record: TrainingRecord | None, report: Mapping[str, Any] | None) -> list[str]:
    """The languages that a student is for: the source and those of its report, else those of its data."""
    if report is not None:
        # Reports of before there could be unscored ones do not have them.
        return list(dict.fromkeys([report["source_language"], *report["languages"], *report.get("unscored", [])]))
    rows = {} if record is None else record.provenance["rows"]
    return list(dict.fromkeys(language for counts in rows.values() for language in counts))


def base_models(record: TrainingRecord) -> list[str]:
    """The Hub ids of the models whose weights are in the student."""
    return [repo for repo in [record.provenance["student"].get("repo")] if repo is not None and is_hub_id(repo)]


def is_hub_id(name: str) -> bool:
    """Whether a name is one that the Hub could know: `user/name` or, of the oldest, `name`."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def eval_results(record: TrainingRecord | None, report: Mapping[str, Any]) -> list[EvalResult]:
    """One result for every language and metric that has a score."""
    entries = [] if record is None else record.provenance["data"] or []
    evaluation = [entry for entry in entries if entry["role"] == "evaluation"]
    return [
        _result(report["task"], code, scores, metric, value, evaluation)
        for code, scores in report["languages"].items()
        for metric, value in metrics_of(report["metric"], scores).items()
    ]


def metrics_of(metric: str, scores: Mapping[str, Any]) -> dict[str, float]:
    """The student's scores in one language that the Hub has a name for, the one that is reported first before."""
    found = {metric: scores["student"]}
    found |= {name: scores["metrics"][name]["student"] for name in METRICS if name in scores["metrics"]}
    return {
        name: float(value)
        for name, value in found.items()
        if name in METRICS and value is not None and math.isfinite(value)
    }


def _result(
    task: str,
    code: str,
    scores: Mapping[str, Any],
    metric: str,
    value: float,
    evaluation: Iterable[Mapping[str, Any]],
) -> EvalResult:
    data: Mapping[str, Any] = next(
        (entry for entry in evaluation if code in entry["languages"]), {"name": "evaluation"}
    )
    identifier, arguments = METRICS[metric]
    # The language is in `config`, which keeps the results of a data set apart.
    return EvalResult(
        task_type=PIPELINES.get(task, one_line(task)),
        task_name=one_line(task),
        dataset_type=data.get("repo") or _identifier(data["name"]),
        dataset_name=one_line(f"{data['name']} ({scores.get('name') or code})"),
        dataset_config=one_line((data.get("configs") or {}).get(code, code)),
        dataset_split=None if data.get("repo") is None else one_line(data["split"]),
        dataset_revision=None if data.get("repo") is None else data["revision"],
        metric_type=identifier,
        metric_name=metric,
        metric_value=round(value, 6),
        metric_args=arguments,
    )


def _identifier(name: str) -> str:
    """A name without the signs that no identifier has: `test.jsonl` for a file, `xlkd-cldr`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", one_line(name)).strip("-.") or "evaluation"


def _primary(codes: Iterable[str]) -> list[str]:
    """What the Hub takes as languages: codes of two or three letters; the whole code is in `language_bcp47`."""
    return list(dict.fromkeys(code.partition("-")[0].lower() for code in codes if is_language(code)))


def _hub_datasets(record: TrainingRecord | None) -> list[str]:
    """The data sets that it was trained or chosen on, which is what the Hub means by `datasets`."""
    entries = [] if record is None else record.provenance["data"] or []
    trained = [entry["repo"] for entry in entries if entry["role"] != "evaluation"]
    repos = [repo for repo in trained if repo is not None and is_hub_id(repo)]
    return list(dict.fromkeys(repos))
