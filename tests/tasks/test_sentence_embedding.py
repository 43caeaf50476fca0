"""One vector per text: what it is of, what is scored, and what is refused."""

from typing import Any

import pytest
import torch
from datasets import Dataset
from scipy.stats import spearmanr
from task_cases import ON_CLASSES
from transformers import BertConfig, BertModel

from xlkd import DistillationArguments, DistillationTrainer, LiveTeacher, RunRecord, UserError, evaluate_zero_shot
from xlkd.students.layers import has_head
from xlkd.tasks import SentenceEmbedding, get_task

RECORD = RunRecord(source_language="en", student="student", teacher="teacher")
TASK = SentenceEmbedding()


@pytest.fixture
def make_encoder(tokenizer):
    def make(seed: int = 1, layers: int = 2) -> BertModel:
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=80,
            pad_token_id=0,
            initializer_range=0.2,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return BertModel(config).eval()

    return make


@pytest.fixture
def evaluation(words) -> dict[str, Dataset]:
    """Ten texts in two languages; the keys of the second are in another order."""
    texts = {language: [" ".join(words[language][n : n + n % 4 + 1]) for n in range(10)] for language in ("en", "sw")}
    keys = {"en": list("abcdefghij"), "sw": list("jihgfedcba")}
    return {code: Dataset.from_dict({"text": texts[code], "key": keys[code]}) for code in texts}


def vector(model, tokenizer, text: str) -> torch.Tensor:
    """The mean over the tokens of a text alone, at length 1."""
    with torch.no_grad():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return states.mean(0) / states.mean(0).norm()


@pytest.mark.parametrize("system", ["student", "teacher"])
def test_text_is_found_when_it_is_nearest_to_its_translation(make_encoder, tokenizer, evaluation, system) -> None:
    models = {"student": make_encoder(1), "teacher": make_encoder(2)}
    teacher = LiveTeacher(models["teacher"], tokenizer)
    report = evaluate_zero_shot(
        models["student"], tokenizer, evaluation, TASK, RECORD, teacher=teacher, batch_size=3, max_length=32
    )
    english, swahili = (
        {row["key"]: vector(models[system], tokenizer, row["text"]) for row in evaluation[code]}
        for code in ("en", "sw")
    )
    keys = sorted(english)
    to_source = [max(keys, key=lambda other, own=key: (swahili[own] @ english[other]).item()) == key for key in keys]
    from_source = [max(keys, key=lambda other, own=key: (english[own] @ swahili[other]).item()) == key for key in keys]
    found = {name: own[system] for name, own in report.languages["sw"]["metrics"].items()}
    assert found["retrieval-to-source"] == pytest.approx(sum(to_source) / 10)
    assert found["retrieval-from-source"] == pytest.approx(sum(from_source) / 10)
    assert found["retrieval-accuracy"] == pytest.approx((sum(to_source) + sum(from_source)) / 20)
    correlations = []
    for key in keys:
        others = [other for other in keys if other != key]
        near = [[(own[key] @ english[other]).item() for other in others] for own in (swahili, english)]
        correlations.append(spearmanr(*near).statistic)
    assert found["similarity-correlation"] == pytest.approx(sum(correlations) / 10, abs=1e-5)


def test_equal_texts_are_not_told_apart_when_their_batches_made_their_vectors_differ() -> None:
    ids = [[5, 6], [5, 6], [7]]
    rows = Dataset.from_dict({"input_ids": ids * 2, "language": ["en"] * 3 + ["sw"] * 3, "translation": [0, 1, 2] * 2})
    vectors = torch.eye(3)[[0, 0, 1] * 2].numpy()
    vectors[[1, 4], 2] = 0.01
    found = TASK.predictions_of(rows, vectors)[3:, :2]
    assert found.tolist() == [[0, 0], [0, 0], [1, 1]]


def test_source_language_has_no_score_when_it_is_what_others_are_sought_in(make_encoder, tokenizer, evaluation) -> None:
    report = evaluate_zero_shot(make_encoder(), tokenizer, evaluation, TASK, RECORD)
    assert list(report.languages) == ["sw"] and report.means["source"] is None
    assert report.languages["sw"]["transfer_gap"] is None


def without_key(rows: dict[str, Dataset]) -> None:
    rows["sw"] = rows["sw"].remove_columns("key")


def without_source(rows: dict[str, Dataset]) -> None:
    del rows["en"]


def key_twice(rows: dict[str, Dataset]) -> None:
    rows["sw"] = rows["sw"].select([0, 1, 1])


def key_alone(rows: dict[str, Dataset]) -> None:
    rows["en"] = rows["en"].select(range(8))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without_key, "rows in sw do not say whose translations they are: name the column .* `join: index_id`"),
        (without_source, "sought in the source language en, and there are no evaluation rows in it"),
        (key_twice, "rows in sw have the key 'i' more than once"),
        (key_alone, "2 evaluation rows in sw have no translation in en .the first key is 'i'."),
    ],
)
def test_rows_are_refused_when_they_do_not_pair(make_encoder, tokenizer, evaluation, change, sentence) -> None:
    change(evaluation)
    with pytest.raises(UserError, match=sentence):
        evaluate_zero_shot(make_encoder(), tokenizer, evaluation, TASK, RECORD)


def test_labels_are_refused_when_they_are_named() -> None:
    with pytest.raises(UserError, match=r"sentence-embedding has no classes, .* labels \[a, b\]: leave them out"):
        get_task("sentence-embedding", ["a", "b"])


def test_classes_are_refused_when_they_are_to_be_scored() -> None:
    with pytest.raises(UserError, match="per_class: there are no classes to score one by one, only retrieval-accuracy"):
        TASK.check_per_class()


def test_pairs_of_texts_are_refused(tokenizer) -> None:
    pairs = Dataset.from_dict({"text": ["a"], "text_pair": ["b"]})
    with pytest.raises(UserError, match="one vector for a text, and these rows are pairs"):
        TASK.preprocess(pairs, {"": tokenizer}, 32)


def trainer(
    model, teacher, tokenizer, words, folder, losses=None, eval_dataset=None, **options: Any
) -> DistillationTrainer:
    rows = Dataset.from_dict({"text": words["sw"][:8], "teacher_text": words["en"][:8], "language": ["sw"] * 8})
    return DistillationTrainer(
        model=model,
        teacher=LiveTeacher(teacher, tokenizer),
        task=TASK,
        losses=losses or [{"name": "embedding"}],
        args=DistillationArguments(output_dir=str(folder), report_to="none", disable_tqdm=True, **options),
        train_dataset=rows,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
    )


@pytest.mark.parametrize("name", ON_CLASSES)
def test_loss_is_refused_with_its_alternative_when_it_needs_logits(
    make_encoder, tokenizer, words, tmp_path, name
) -> None:
    losses = [{"name": name}, {"name": "embedding"}]
    with pytest.raises(UserError, match=f"The loss {name} needs logits, which the student does not give: use embedd"):
        trainer(make_encoder(1), make_encoder(2), tokenizer, words, tmp_path, losses)


def test_weights_of_examples_are_refused_when_there_are_no_logits(make_encoder, tokenizer, words, tmp_path) -> None:
    losses = [{"name": "embedding", "example_weight": "teacher-confidence"}]
    with pytest.raises(UserError, match="embedding has example_weight teacher-confidence, which needs logits"):
        trainer(make_encoder(1), make_encoder(2), tokenizer, words, tmp_path, losses=losses)


def test_validation_is_refused_before_training(make_encoder, tokenizer, words, tmp_path, evaluation) -> None:
    with pytest.raises(UserError, match="is not scored while a student trains.*eval_strategy: no"):
        trainer(make_encoder(1), make_encoder(2), tokenizer, words, tmp_path, eval_dataset=evaluation)


def test_translation_learns_the_vector_of_its_source(make_encoder, tokenizer, words, tmp_path) -> None:
    student, teacher = make_encoder(1), make_encoder(2)
    before = [vector(student, tokenizer, text) for text in words["sw"][:8]]
    own = trainer(student, teacher, tokenizer, words, tmp_path, max_steps=60, learning_rate=1e-2)
    own.train()
    student.eval()
    targets = [vector(teacher, tokenizer, text) for text in words["en"][:8]]
    after = [vector(student, tokenizer, text) for text in words["sw"][:8]]
    near = [[(one @ other).item() for one, other in zip(own, targets, strict=True)] for own in (before, after)]
    assert sum(near[1]) / 8 > 0.95 > sum(near[0]) / 8 + 0.2


def test_model_has_a_head_when_there_is_more_than_an_encoder(make_encoder, make_model) -> None:
    assert not has_head(make_encoder())
    assert has_head(make_model()) and has_head(make_model(kind="xlm-roberta"))


def test_files_of_sentence_transformers_say_mean_and_length(make_encoder) -> None:
    files = TASK.companions(make_encoder().config, 64)
    kinds = [(module["path"], module["type"]) for module in files["modules.json"]]
    assert kinds == [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Normalize", "sentence_transformers.models.Normalize"),
    ]
    pooling = files["1_Pooling/config.json"]
    assert pooling["word_embedding_dimension"] == 16
    assert [name for name, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens", "include_prompt"]
    assert files["sentence_bert_config.json"] == {"max_seq_length": 64, "do_lower_case": False}
