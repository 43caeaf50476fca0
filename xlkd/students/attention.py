"""The queries, keys and values of a block, as a model computes them on its way, and how its attention can be seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from xlkd.errors import UserError
from xlkd.needs import Needs
from xlkd.outputs import AttentionVectors, Batch, StudentOutput
from xlkd.students.layers import has_head, known_blocks

PROJECTIONS: tuple[tuple[str, ...], ...] = (
    ("query", "key", "value"),
    ("q_lin", "k_lin", "v_lin"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_proj", "k_proj", "v_proj"),
    ("q", "k", "v"),
    ("Wqkv",),
)
"""What families call the modules that make queries, keys and values: BERT, RoBERTa and ELECTRA; DistilBERT; DeBERTa;
EuroBERT, Llama and Qwen; MPNet; ModernBERT, which makes all three in one."""


def projections_of(block: nn.Module) -> list[nn.Module]:
    """The modules of a block that make its queries, keys and values: three, one that makes all, or none that is known.

    Args:
        block (`nn.Module`): A block of a model.
    """
    found = []
    for parent in block.modules():
        children = dict(parent.named_children())
        found += [[children[name] for name in names] for names in PROJECTIONS if children.keys() >= set(names)]
    # A block with a second attention, to another text, is none that is known.
    return found[0] if len(found) == 1 else []


def provides_of(model: PreTrainedModel, layers: int | None = None) -> Needs:
    """What a loss can ask of a model, known without running it.

    Args:
        model (`PreTrainedModel`): The model; one without weights will do.
        layers (`int`, *optional*): How many layers it will have, where it is to be cut; defaults to all.
    """
    layers = model.config.num_hidden_layers if layers is None else layers
    states = frozenset(range(layers + 1))
    seen = all(projections_of(block) for block in known_blocks(model)) and bool(known_blocks(model))
    blocks = frozenset(range(1, layers + 1)) if seen else frozenset()
    return Needs(has_head(model), states, states, states, blocks, blocks, states, states)


@contextlib.contextmanager
def attention_vectors_of(model: PreTrainedModel, needed: frozenset[int]) -> Iterator[dict[int, AttentionVectors]]:
    """Note the queries, keys and values of some blocks in a forward pass that is made while this lasts.

    The modules inside the model are listened to, so the pass may be that of whatever the model is wrapped in. What is
    computed again later, for gradient checkpointing, is not listened to any more: what was noted has its gradient.

    Args:
        model (`PreTrainedModel`): The model, not wrapped.
        needed (`frozenset[int]`): The blocks, counted from 1.

    Example:

    ```python
    >>> with attention_vectors_of(model, frozenset({12})) as vectors:
    ...     output = model(**inputs)
    >>> vectors[12].queries.shape
    torch.Size([32, 64, 768])
    ```
    """
    found: dict[int, AttentionVectors] = {}
    blocks = known_blocks(model) if needed else []
    handles = []
    for number in sorted(needed):
        modules = projections_of(blocks[number - 1])
        parts: list[Tensor | None] = [None] * len(modules)
        handles += [
            module.register_forward_hook(_noter(number, position, parts, found))
            for position, module in enumerate(modules)
        ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _noter(
    number: int, position: int, parts: list[Tensor | None], found: dict[int, AttentionVectors]
) -> Callable[..., None]:
    def note(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if parts[position] is None:
            # The first call is that with the text: DeBERTa sends its positions through the same modules after it.
            parts[position] = output
        own = [part for part in parts if part is not None]
        if number not in found and len(own) == len(parts):
            found[number] = AttentionVectors(*(own[0].chunk(3, dim=-1) if len(own) == 1 else own))

    return note


def whole_pass(
    wrapped: nn.Module, model: PreTrainedModel, inputs: Mapping[str, Tensor], needs: Needs
) -> tuple[Any, Mapping[int, AttentionVectors]]:
    """Run a model to its end, asked for what is needed.

    Args:
        wrapped (`nn.Module`): What is called: the model, or what it is wrapped in.
        model (`PreTrainedModel`): The model inside.
        inputs (`Mapping[str, torch.Tensor]`): What its `forward` takes.
        needs ([`Needs`]): What is needed of it.

    Returns:
        `tuple` of the model's output and of the queries, keys and values that are needed, by block.
    """
    # Attention is not asked for where it is not needed: some families leave fused attention when they are asked at all.
    asked = {"output_attentions": True} if needs.attention_maps else {}
    with attention_vectors_of(model, needs.attention_vectors) as vectors:
        output = wrapped(**inputs, output_hidden_states=bool(needs.state_layers), **asked)
    return output, vectors


def output_of_student(wrapped: nn.Module, student: PreTrainedModel, batch: Batch, needs: Needs) -> StudentOutput:
    """Run a student on a batch to its end, and keep of its output what is needed.

    Args:
        wrapped (`nn.Module`): What is called: the student, or what it is wrapped in.
        student (`PreTrainedModel`): The student.
        batch ([`Batch`]): The batch.
        needs ([`Needs`]): What is needed of it.

    Raises:
        [`UserError`]: If its attention is needed, and it gave none.
    """
    output, vectors = whole_pass(wrapped, student, batch.student_inputs, needs)
    mask = batch.student_inputs["attention_mask"]
    return StudentOutput.from_model(output, mask, needs, vectors, batch.word_spans)


@contextlib.contextmanager
def no_attention_dropout(model: PreTrainedModel) -> Iterator[None]:
    """Leave the attention probabilities of a model whole while this lasts: it gives them with dropout applied.

    Args:
        model (`PreTrainedModel`): The model.

    Raises:
        [`UserError`]: If nothing says where its attention is.
    """
    attentions = [attention for block in known_blocks(model) for attention in _attentions(block)]
    if not attentions:
        raise UserError(f"{type(model).__name__} has no attention that is known: use hidden-state, of whole layers.")
    modules = [child for attention in attentions for name, child in attention.named_children() if name == "dropout"]
    dropouts = [(module, module.p) for module in modules if isinstance(module, nn.Dropout)]
    rates: list[tuple[Any, Any]] = [
        (attention, attention.attention_dropout) for attention in attentions if "attention_dropout" in vars(attention)
    ]
    try:
        for module, _ in dropouts:
            module.p = 0.0
        for attention, _ in rates:
            attention.attention_dropout = 0.0
        yield
    finally:
        for module, rate in dropouts:
            module.p = rate
        for attention, rate in rates:
            attention.attention_dropout = rate


def _attentions(block: nn.Module) -> list[nn.Module]:
    known = projections_of(block)
    return [parent for parent in block.modules() if any(child in known for child in parent.children())]
