"""What a live teacher computes in, and how much of itself it runs."""

from typing import get_args

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xlkd import LiveTeacher, UserError
from xlkd.arguments import Precision, TeacherArguments
from xlkd.needs import Needs
from xlkd.outputs import Batch, TeacherOutput
from xlkd.teachers.live import check_precision

CPU = torch.device("cpu")
IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 5, 3, 0, 0]])
INPUTS = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
NEEDS = Needs(logits=True, hidden_states=frozenset({1}), pooled_states=frozenset({2}))


def ask(teacher: LiveTeacher, autocast: bool = False, needs: Needs = NEEDS) -> TeacherOutput:
    """What a teacher says of two rows, one of them padded."""
    batch = Batch.from_inputs({**INPUTS, **{f"teacher_{name}": value for name, value in INPUTS.items()}})
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        return teacher.outputs(batch, needs)


def test_teacher_computes_as_the_run_when_precision_is_auto(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    live = LiveTeacher(teacher, tokenizer)
    live.to(CPU)
    logits = [ask(live, autocast).logits for autocast in (False, True)]
    assert [value.dtype for value in logits if value is not None] == [torch.float32, torch.bfloat16]


def test_teacher_computes_in_float32_when_the_student_does_not(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    live = LiveTeacher(teacher, tokenizer, precision="float32")
    live.to(CPU)
    alone, beside = ask(live).logits, ask(live, autocast=True).logits
    assert alone is not None
    assert beside is not None
    assert torch.equal(alone, beside)


def test_weights_are_cast_when_the_teacher_is_moved(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    exact = ask(LiveTeacher(teacher, tokenizer)).logits
    live = LiveTeacher(teacher, tokenizer, precision="bfloat16")
    assert teacher.dtype == torch.float32
    live.to(CPU)
    assert teacher.dtype == torch.bfloat16
    for autocast in (False, True):
        said = ask(live, autocast)
        assert said.logits is not None
        assert exact is not None
        assert said.logits.dtype == said.hidden_states[1].dtype == torch.bfloat16
        assert 0 < (said.logits.float() - exact).abs().max() < 0.05 * exact.abs().max()


def test_answers_are_told_apart_when_the_weights_are_cast(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    named = {
        precision: LiveTeacher(teacher, tokenizer, precision=precision).precision_in("bfloat16")
        for precision in get_args(Precision)
    }
    assert named == {
        "auto": "bfloat16",
        "float32": "float32",
        "bfloat16": "bfloat16 weights",
        "float16": "float16 weights",
    }


def test_labels_are_matched_when_only_states_are_needed(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    live = LiveTeacher(teacher, tokenizer)
    before = ask(live).logits
    live.match_labels(["c", "a", "b"])
    after = ask(live).logits
    assert before is not None
    assert after is not None
    assert torch.equal(after, before[:, [2, 0, 1]])
    assert ask(live, needs=Needs(hidden_states=frozenset({1}))).logits is None


def test_float16_is_refused_on_a_cpu(teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match="float16 is for a GPU: use bfloat16"):
        LiveTeacher(teacher, tokenizer, precision="float16").to(CPU)
    check_precision("float16", torch.device("cuda"))


def test_precision_of_teacher_is_refused_when_unknown() -> None:
    with pytest.raises(UserError, match=r"teacher: precision 'bfloat' is unknown \(did you mean bfloat16\?\)"):
        TeacherArguments(model="some/model", precision="bfloat")  # type: ignore[arg-type]
