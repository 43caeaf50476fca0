"""The quickstart with a tiny encoder, in two target languages and two steps."""

from collections.abc import Callable
from pathlib import Path

from transformers import BertModel, PreTrainedModel, PreTrainedTokenizerBase

Save = Callable[[Path, PreTrainedModel, PreTrainedTokenizerBase], Path]


def tiny_quickstart(
    folder: Path, make_model: Callable[..., PreTrainedModel], tokenizer: PreTrainedTokenizerBase, save_model: Save
) -> list[str]:
    """The words that make it so on a command line; the encoder lies in a folder."""
    classifier = save_model(folder / "classifier", make_model(layers=12), tokenizer)
    encoder = save_model(folder / "encoder", BertModel.from_pretrained(classifier), tokenizer)
    options = {
        "teacher.model": str(encoder),
        "teacher.finetune": "{max_steps: 2, freeze: embeddings}",
        "student.vocabulary.size": "100",
        "target_languages": "[sw, am]",
        "groups": "{low-resource: [sw, am]}",
        "max_steps": "2",
        "num_threads": "1",
    }
    return [word for key, value in options.items() for word in (f"--{key}", value)]
