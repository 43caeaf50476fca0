"""Losses are refused when the models, the rows or the training cannot give what they need."""

import pytest
from tiny_training import trainer_of

from xlkd import UserError
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.needs import ModelShape, Needs
from xlkd.training.loss_checks import check_provides

EVERYTHING = Needs(True, *[frozenset(range(13))] * 5)


@pytest.mark.parametrize(
    ("student", "teacher", "who"),
    [(Needs(logits=True), EVERYTHING, "the student"), (EVERYTHING, Needs(logits=True), "the cache")],
)
def test_loss_names_what_it_needs_and_what_to_use_instead_when_a_model_lacks_it(student, teacher, who):
    losses = WeightedSum.from_config([{"name": "soft-label"}, {"name": "attention-relation"}])
    losses.attach(ModelShape(3, 8, 2), ModelShape(12, 16, 4))
    check_provides(losses, EVERYTHING, EVERYTHING)
    words = f"attention-relation needs the queries, keys and values of layer .*, which {who} does not give: use hidden"
    with pytest.raises(UserError, match=words):
        check_provides(losses, student, teacher, "the cache")


def test_loss_that_no_row_counts_for_is_refused(student, tokenizer, rows, tmp_path):
    with pytest.raises(UserError, match="counts for the loss hard-label"):
        trainer_of(student, None, tokenizer, rows.remove_columns("label"), tmp_path, [{"name": "hard-label"}])


@pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed in v6:FutureWarning")
def test_reentrant_checkpoints_are_refused_when_queries_need_a_gradient(student, teacher, tokenizer, rows, tmp_path):
    options = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}}
    with pytest.raises(UserError, match="use_reentrant makes queries, keys and values without a gradient"):
        trainer_of(student, teacher, tokenizer, rows, tmp_path, [{"name": "attention-relation"}], **options)
