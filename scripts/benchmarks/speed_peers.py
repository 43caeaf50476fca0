"""The rows of speed.py that need other libraries, each driven as its own documentation says."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from speed_contenders import BATCH, LAYER_MAP, TOKENS, Bench, Step, steps_of
from transformers import DataCollatorWithPadding


class Peer(NamedTuple):
    """A row, and the module that it needs."""

    module: str
    build: Callable[[Bench], Step]


def importable(module: str) -> bool:
    """Whether a library is there."""
    return importlib.util.find_spec(module) is not None


def textbrewer(fused: bool) -> Callable[[Bench], Step]:
    """`GeneralDistiller`: soft labels, hard labels, masked hidden states. Its examples make `AdamW` by hand."""

    def build(bench: Bench) -> Step:
        library: Any = importlib.import_module("textbrewer")

        matches = [
            {"layer_T": teacher, "layer_S": student, "feature": "hidden", "loss": "hidden_mse", "weight": 1}
            for student, teacher in LAYER_MAP
        ]
        model, teacher = bench.full.model, bench.teacher.eval()
        distiller = library.GeneralDistiller(
            library.TrainingConfig(device="cpu", output_dir=str(bench.folder / "textbrewer")),
            library.DistillationConfig(temperature=2, hard_label_weight=1, intermediate_matches=matches),
            teacher,
            model,
            _adapted,
            _adapted,
        )
        optimizer = bench.optimizer(model) if fused else torch.optim.AdamW(model.parameters(), lr=1e-5)
        inputs = bench.inputs()

        def step() -> None:
            model.train()
            loss, _ = distiller.train_on_batch(next(inputs), {"output_hidden_states": True})
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        return Step(step, [model, teacher])

    return build


def _adapted(batch: Any, output: Any) -> dict[str, Any]:
    return {
        "logits": output.logits,
        "hidden": output.hidden_states,
        "losses": output.loss,
        "inputs_mask": batch["attention_mask"],
    }


def silverspoon(bench: Bench) -> Step:
    """`HolisticDistiller`: the same three losses, the hidden states not masked."""
    library: Any = importlib.import_module("silverspoon_kd")

    model, teacher = bench.full.model, bench.teacher.eval()
    blocks = {rf"^bert\.encoder\.layer\.{layer - 1}$": f"bert.encoder.layer.{own - 1}" for own, layer in LAYER_MAP}
    kind = {"loss_function": "kl_div", "loss_function_kwargs": {"temperature": 2.0}}
    alignments = [
        *library.create_alignments(teacher, model, blocks, auto_projector=False),
        *library.create_alignments(teacher, model, ["^classifier$"], auto_projector=False, **kind),
    ]
    trainer = library.HolisticDistiller(
        model,
        teacher,
        alignments,
        train_dataset=bench.task.preprocess(bench.rows, {"": bench.tokenizer}, TOKENS),
        data_collator=DataCollatorWithPadding(bench.tokenizer),
        optimizers=(bench.optimizer(model), None),
        args=library.TrainingArguments(
            output_dir=str(bench.folder / "silverspoon"), use_cpu=True, per_device_train_batch_size=BATCH, alpha=0.5
        ),
    )
    step_inside = steps_of(trainer)

    def step() -> None:
        # As its `train` does around all steps; here other rows use the models in between.
        trainer._register_capture()
        step_inside()
        trainer._deregister_capture()

    return Step(step, [model, teacher])


PEERS = {
    "TextBrewer, as documented": Peer("textbrewer", textbrewer(fused=False)),
    "TextBrewer, fused AdamW": Peer("textbrewer", textbrewer(fused=True)),
    "silverspoon-kd": Peer("silverspoon_kd", silverspoon),
}
