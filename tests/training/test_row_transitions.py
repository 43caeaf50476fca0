"""Which tag stands behind which in the training rows, for a loss that asks."""

import pytest
import torch
from datasets import Dataset, IterableDataset
from made_taggers import TAGS, tagger
from tiny_training import arguments

from xlkd import DistillationTrainer, LiveTeacher, UserError
from xlkd.losses.tag_sequences import NEVER
from xlkd.losses.weighted_sum import as_weighted_sum
from xlkd.tasks import TokenClassification
from xlkd.training.row_transitions import transitions_of

ASKING = [{"name": "soft-label", "posterior": "sequence", "transitions": 0.5}, {"name": "hard-label"}]
COUNTS = [[0, 1, 0, 2], [1, 0, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]
"""Of the rows below; the last is the edge of a text."""


@pytest.fixture
def rows(words) -> Dataset:
    texts = [" ".join(words["en"][n : n + 4]) for n in range(3)] + [""]
    labels = [["O", "B-PER", "I-PER", "O"], None, ["B-PER", "O", None, "O"], []]
    return Dataset.from_dict({"text": texts, "label": labels})


@pytest.mark.parametrize("max_length", [32, 4])
def test_transitions_are_those_of_labelled_neighbours(rows, tokenizer, max_length) -> None:
    read = TokenClassification(TAGS).preprocess(rows, {"": tokenizer}, max_length)
    assert transitions_of(as_weighted_sum(ASKING), read, 3).tolist() == COUNTS


def test_nothing_is_counted_when_no_loss_asks(rows) -> None:
    assert transitions_of(as_weighted_sum(ASKING[1:]), rows, 3) is None


def test_trainer_tells_the_loss(rows, tokenizer, tmp_path) -> None:
    trainer = DistillationTrainer(
        tagger(tokenizer, seed=1),
        LiveTeacher(tagger(tokenizer, seed=2), tokenizer),
        ASKING,
        args=arguments(tmp_path, max_steps=1),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    valid = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]])
    counts = (torch.tensor(COUNTS) + 0.5) * valid
    expected = 0.5 * (counts / counts.sum(dim=1, keepdim=True)).log()
    found = dict(trainer.losses.items())["soft-label"].sequences.scores
    assert found[0, 2] == found[3, 2] == NEVER
    torch.testing.assert_close(found[1:3], expected[1:3])
    torch.testing.assert_close(found[3, :2], expected[3, :2])
    assert trainer.train().training_loss > 0


def test_training_is_refused_when_no_row_has_labels(rows, tokenizer) -> None:
    bare = TokenClassification(TAGS).preprocess(rows.remove_columns("label"), {"": tokenizer}, 32)
    with pytest.raises(
        UserError, match="soft-label has transitions, which are counted in labelled rows, and there are"
    ):
        transitions_of(as_weighted_sum(ASKING), bare, 3)


def test_nobody_is_refused_when_all_valid_sequences_are_alike(rows, tokenizer) -> None:
    alike = as_weighted_sum([{"name": "soft-label", "posterior": "sequence"}])
    bare = TokenClassification(TAGS).preprocess(rows.remove_columns("label"), {"": tokenizer}, 32)
    assert not transitions_of(alike, bare, 3).any()
    assert transitions_of(alike, IterableDataset.from_generator(lambda: iter([{"text": "a"}])), 3) is None


def test_training_is_refused_when_its_rows_are_a_stream() -> None:
    stream = IterableDataset.from_generator(lambda: iter([{"text": "a"}]))
    with pytest.raises(UserError, match="soft-label asks for the transitions .* of a stream nobody knows"):
        transitions_of(as_weighted_sum(ASKING), stream, 3)
