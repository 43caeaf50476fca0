"""A model that is scored without a run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ScoredModelArguments:
    """The model that is scored."""

    model: str = field(metadata={"help": "Hub id or folder of a model for the task."})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Whether to run code that comes with the model."})
    label_map: dict[str, str | None] | None = field(
        default=None,
        metadata={
            "help": "Maps labels of the model to those of the data, {LABEL_0: negative}; null for none. Labels that it "
            "leaves out are matched by name."
        },
    )
