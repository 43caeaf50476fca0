"""A trimmed tokenizer: new ids for the same pieces, and nothing else is different, kind by kind."""

from pathlib import Path

import pytest
from tiny_tokenizers import (
    ADDED,
    BUILDERS,
    BYTES,
    TRIMMED_FOR,
    all_texts,
    byte_level,
    texts_of,
    tiny_tokenizer,
    wordpiece,
)
from tokenizers import Tokenizer, models
from transformers import (
    AutoTokenizer,
    BertTokenizer,
    ByT5Tokenizer,
    GPT2Tokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    XLMRobertaTokenizer,
)
from trimmed_tokenizers import Trim, trim

from xlkd.errors import UserError
from xlkd.students.pieces import count_pieces
from xlkd.students.ranking import Ranking
from xlkd.students.tokenizer_file import TokenizerFile

NAMED = [f"{name}_token" for name in ("pad", "unk", "cls", "sep", "mask", "bos", "eos")]
BYTE_LEVEL = ("gpt2", "roberta", "qwen2", "llama3-file")
BYTE_PIECES = ("llama", "gemma", "unigram-file")
# No tokenizer of these saw it; in no language's letters.
UNKNOWN = "𐎠"


@pytest.fixture(params=BUILDERS)
def pair(request: pytest.FixtureRequest) -> Trim:
    """A tokenizer of each kind before and after."""
    return trim(request.param)


def test_ids_are_dense_and_in_the_old_order_when_trimmed(pair: Trim) -> None:
    ids = pair.after.get_vocab()
    assert sorted(ids.values()) == list(range(len(pair.kept)))
    assert len(pair.after) == len(pair.kept) < len(pair.before)
    assert pair.kept == sorted(pair.kept)
    old = pair.before.get_vocab()
    for piece, index in ids.items():
        assert old[piece] == pair.kept[index]


def test_special_tokens_are_the_same_when_trimmed(pair: Trim) -> None:
    assert pair.after.special_tokens_map == pair.before.special_tokens_map
    assert pair.after.all_special_tokens == pair.before.all_special_tokens
    for name in NAMED:
        token = pair.before.special_tokens_map.get(name)
        if token is not None:
            assert pair.kept[pair.after.convert_tokens_to_ids(token)] == pair.before.convert_tokens_to_ids(token)
    assert pair.old(pair.after.all_special_ids) == pair.before.all_special_ids


def test_added_tokens_keep_their_ways_when_trimmed(pair: Trim) -> None:
    before = {index: token.__getstate__() for index, token in pair.before.added_tokens_decoder.items()}
    after = {pair.kept[index]: token.__getstate__() for index, token in pair.after.added_tokens_decoder.items()}
    assert after == before
    assert len(before) > 0


def test_token_added_by_the_user_is_one_piece_when_trimmed() -> None:
    own = trim("unigram-file")
    ids = own.after.encode("1 <place>2<name>3", add_special_tokens=False)
    tokens = own.after.convert_ids_to_tokens(ids)
    assert {str(token) for token in ADDED} <= set(tokens)
    assert "".join(tokens) == "▁1<place>▁2<name>▁3"  # it takes the space before it


@pytest.mark.parametrize("kind", ["xlm-roberta", "deberta-v2", "roberta"])
def test_mask_is_still_the_last_piece_when_trimmed(kind: str) -> None:
    own = trim(kind)
    assert own.before.mask_token_id == len(own.before) - 1
    assert own.after.mask_token_id == len(own.after) - 1


def test_texts_of_kept_pieces_are_cut_as_before_when_trimmed(pair: Trim) -> None:
    after, before = pair.after(pair.texts), pair.before(pair.texts)
    for own, old in zip(after["input_ids"], before["input_ids"], strict=True):
        assert pair.old(own) == old
        assert pair.after.convert_ids_to_tokens(own) == pair.before.convert_ids_to_tokens(old)


def test_pairs_of_texts_get_the_same_frame_when_trimmed(pair: Trim) -> None:
    first, second = pair.texts[:2]
    after, before = pair.after(first, second), pair.before(first, second)
    assert pair.old(after["input_ids"]) == before["input_ids"]
    assert {key: after[key] for key in after if key != "input_ids"} == {
        key: before[key] for key in before if key != "input_ids"
    }


def test_short_texts_are_padded_with_the_same_token_when_trimmed(pair: Trim) -> None:
    if pair.before.pad_token is None:
        pair.before.pad_token = pair.after.pad_token = pair.before.eos_token
    batch = [min(pair.texts, key=len), max(pair.texts, key=len)]
    after, before = pair.after(batch, padding=True), pair.before(batch, padding=True)
    assert [pair.old(ids) for ids in after["input_ids"]] == before["input_ids"]
    assert after["attention_mask"] == before["attention_mask"]
    assert 0 in sum(after["attention_mask"], [])


def test_padding_of_the_file_has_the_new_id_when_trimmed() -> None:
    own = TokenizerFile(trim("unigram-file").before)
    own.content["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": own.tokenizer.pad_token_id,
        "pad_type_id": 0,
        "pad_token": "<pad>",
    }
    after = own.trimmed(trim("unigram-file").kept)
    ids = [encoding.ids for encoding in after.backend_tokenizer.encode_batch(["1", "1 2 3"])]
    assert len(ids[0]) == len(ids[1])
    assert ids[0][-1] == after.pad_token_id != own.tokenizer.pad_token_id


def test_characters_digits_and_punctuation_stay_when_trimmed(pair: Trim) -> None:
    old, new = pair.before.get_vocab(), pair.after.get_vocab()
    seen = {character for language in TRIMMED_FOR for text in texts_of(language)[:60] for character in text}
    wanted = [character for character in seen | set("0123456789!?.,;:-()[]“”%&@/") if character in old]
    assert len(wanted) > 5
    assert set(wanted) <= set(new)
    assert {f"##{character}" for character in wanted} & set(old) <= set(new)


@pytest.mark.parametrize("kind", [*BYTE_LEVEL, *BYTE_PIECES])
def test_every_byte_stays_when_trimmed(kind: str) -> None:
    own = trim(kind)
    for text in (UNKNOWN, "🦄‍\u0301", "\t\n", "Ω≈ç"):
        ids = own.after.encode(text, add_special_tokens=False)
        assert own.after.unk_token_id not in ids
        assert own.after.decode(ids) == own.before.decode(own.before.encode(text, add_special_tokens=False))


@pytest.mark.parametrize("kind", BYTE_PIECES)
def test_byte_pieces_stay_when_trimmed(kind: str) -> None:
    assert set(BYTES) <= set(trim(kind).after.get_vocab())


@pytest.mark.parametrize(
    "kind", ["xlm-roberta", "t5", "deberta-v2", "bert", "wordpiece-file", "wordlevel-file", "sentencepiece-bpe-file"]
)
def test_unknown_is_still_unknown_when_trimmed(kind: str) -> None:
    own = trim(kind)
    text = f"1 {UNKNOWN} 2"
    ids = own.after.encode(text, add_special_tokens=False)
    assert own.after.unk_token_id in ids
    assert own.old(ids).count(own.before.unk_token_id) == 1


@pytest.mark.parametrize("kind", ["xlm-roberta", "t5", "deberta-v2"])
def test_known_pieces_beside_unknown_ones_are_cut_as_before_when_trimmed(kind: str) -> None:
    own = trim(kind)
    compared = 0
    for text in own.texts[::2]:
        text = f"{text}{UNKNOWN}{text} {UNKNOWN}"
        before = own.before.encode(text)
        if set(own.kept).issuperset(before):
            assert own.old(own.after.encode(text)) == before
            compared += 1
    assert compared > 20


def trimmed_to(tokenizer: PreTrainedTokenizerBase, pieces: set[str]) -> PreTrainedTokenizerBase:
    """A tokenizer with these pieces and those that stay whatever the text is."""
    file = TokenizerFile(tokenizer)
    return file.trimmed(sorted(file.required(set()) | {file.pieces.index(piece) for piece in pieces}))


def test_unknown_piece_keeps_its_place_when_its_class_knows_it_by_heart() -> None:
    special = [("<s>", 0.0), ("of no use", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("<pad>", 0.0)]
    before = XLMRobertaTokenizer(vocab=[*special, ("▁", -3.0), ("ä", -4.0), ("ö", -4.0), ("ü", -5.0)])
    after = trimmed_to(before, {"ä"})
    assert "ö" in before.get_vocab() and len(after) < len(before)
    assert after.convert_ids_to_tokens(after.encode(f"ä{UNKNOWN}")) == ["<s>", "▁", "ä", "<unk>", "</s>"]


def test_printable_ascii_stays_when_no_text_has_it() -> None:
    special = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    before = XLMRobertaTokenizer(vocab=[*special, ("▁", -3.0), *((sign, -9.0) for sign in "$=^|~äб")])
    assert set("$=^|~") < trimmed_to(before, set()).get_vocab().keys()
    assert "б" not in trimmed_to(before, set("ä")).get_vocab()


def test_unused_pieces_stand_for_nothing_when_the_vocabulary_has_room_for_new_ones() -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", "word"]
    file = TokenizerFile(BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}))
    assert file.surfaces[5:] == ["", "word"]


def test_unknown_piece_keeps_its_score_when_the_worst_piece_is_not_used() -> None:
    # What is unknown costs 10 more than the worst piece: with a better one, `c` would be unknown beside the good `ab`.
    pieces = [("▁", -3.0), ("ca", -12.0), ("b", -12.0), ("ab", -1.0), ("worst", -30.0)]
    before = XLMRobertaTokenizer(vocab=[*((token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")), *pieces])
    assert before.tokenize("cab") == ["▁", "ca", "b"]
    assert trimmed_to(before, {"ca", "b", "ab"}).tokenize("cab") == ["▁", "ca", "b"]


def test_saved_tokenizer_is_the_same_when_loaded(pair: Trim, tmp_path: Path) -> None:
    pair.after("1")  # so that no padding of an earlier call is saved along
    pair.after.save_pretrained(tmp_path / "first")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "first")
    loaded.save_pretrained(tmp_path / "second")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert type(loaded) is type(pair.before)
    texts = [*all_texts()[::7], UNKNOWN, "a <mask> [MASK] </s>"]
    assert loaded(texts, texts) == pair.after(texts, texts)


def test_original_is_as_it_was_when_trimmed() -> None:
    for kind in BUILDERS:
        tokenizer = BUILDERS[kind]()
        before = tokenizer.backend_tokenizer.to_str()
        trimmed_to(tokenizer, set())
        assert tokenizer.backend_tokenizer.to_str() == before


def test_slow_tokenizer_is_refused_when_given() -> None:
    with pytest.raises(UserError, match="ByT5Tokenizer is no fast tokenizer: leave it out"):
        TokenizerFile(ByT5Tokenizer())


def test_unused_ids_are_closed_when_the_old_ones_have_gaps() -> None:
    ids = {piece: 3 * index for index, piece in enumerate(wordpiece("[PAD]", "[UNK]"))}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordPiece(ids, unk_token="[UNK]")), pad_token="[PAD]", unk_token="[UNK]"
    )
    file = TokenizerFile(tokenizer)
    counts = {"en": count_pieces(tokenizer, texts_of("en"), len(file.pieces))}
    kept = Ranking.of(file, counts).first(500)
    assert "" not in {file.pieces[index] for index in kept}
    assert sorted(file.trimmed(kept).get_vocab().values()) == list(range(500))


def test_all_chat_templates_stay_when_there_are_several() -> None:
    ids, merges = byte_level()
    tokenizer = GPT2Tokenizer(vocab=ids, merges=merges)
    tokenizer.chat_template = {"default": "{{ messages }}", "other": "{{ tools }}"}
    after = trimmed_to(tokenizer, set())
    assert after.chat_template == tokenizer.chat_template


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "gpt2"])
def test_second_save_is_the_same_when_the_tokenizer_has_cut_and_padded_before(kind: str, tmp_path: Path) -> None:
    tokenizer = BUILDERS[kind]()
    tokenizer(["1 2 3", "1"], padding=True, truncation=True, max_length=8)
    after = trimmed_to(tokenizer, set())
    after.save_pretrained(tmp_path / "first")
    AutoTokenizer.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_kinds_are_all_there_when_they_are_counted() -> None:
    assert {TokenizerFile(tiny_tokenizer(kind)).kind for kind in BUILDERS} == {
        "Unigram",
        "WordPiece",
        "WordLevel",
        "BPE",
    }
