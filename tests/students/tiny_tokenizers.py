"""Tiny tokenizers of every kind, trained in memory on the quickstart's text in eight scripts."""

import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer,
    DebertaV2Tokenizer,
    DistilBertTokenizer,
    GemmaTokenizer,
    GPT2Tokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    RobertaTokenizer,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

from xlkd.quickstart.cldr import load_cldr

LANGUAGES = ("en", "vi", "ru", "am", "km", "hi", "zh", "ar")
TRIMMED_FOR = ("en", "am", "zh")
TEXTS_OF_A_LANGUAGE = 120
PIECES = 3000
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
UNUSED = [f"[unused{index}]" for index in range(1, 20)]
# Like multilingual BERT: padding first, then pieces that nothing uses, then the other special tokens.
BERT = ["[PAD]", *UNUSED, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# What a user may have added: a word, and a token that takes the space before it.
ADDED = [AddedToken("<name>"), AddedToken("<place>", lstrip=True, normalized=False)]

Scores = list[tuple[str, float]]
Ids = dict[str, int]
Merges = list[tuple[str, str]]


@cache
def texts_of(language: str) -> list[str]:
    """Some text of a language: names and keywords of emoji."""
    texts: list[str] = load_cldr("unlabelled", language)["text"][:TEXTS_OF_A_LANGUAGE]
    return texts


@cache
def all_texts() -> list[str]:
    """The text that the tokenizers are trained on."""
    return [text for language in LANGUAGES for text in texts_of(language)]


def sentencepiece_model(size: int, **options: Any) -> bytes:
    """The content of a SentencePiece `.model`."""
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(all_texts()),
        model_writer=content,
        vocab_size=size,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return content.getvalue()


# Trainers of `tokenizers` other than that of BPE give other pieces at every call, so these are not used.
@cache
def unigram(*special: str) -> Scores:
    """Pieces of a Unigram model, special tokens first."""
    model = sentencepiece.SentencePieceProcessor(
        model_proto=sentencepiece_model(PIECES, normalization_rule_name="identity", character_coverage=1.0)
    )
    normal = [index for index in range(len(model)) if not (model.is_control(index) or model.is_unknown(index))]
    return [
        *((token, 0.0) for token in special),
        *((model.id_to_piece(index), model.get_score(index)) for index in normal),
    ]


def _bpe(backend: Tokenizer, special: Sequence[str], alphabet: Sequence[str]) -> tuple[Ids, Merges]:
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=list(special), initial_alphabet=list(alphabet), show_progress=False
    )
    backend.train_from_iterator(all_texts(), trainer)
    model = json.loads(backend.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


@cache
def byte_level(*special: str) -> tuple[Ids, Merges]:
    """Pieces and merges of byte-level BPE, special tokens first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return _bpe(backend, special, sorted(pre_tokenizers.ByteLevel.alphabet()))


@cache
def sentencepiece_bpe(*special: str) -> tuple[Ids, Merges]:
    """Pieces and merges of BPE with `▁` for spaces, special tokens and byte pieces first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return _bpe(backend, [*special, *BYTES], [])


@cache
def wordpiece(*special: str) -> Ids:
    """Pieces of a WordPiece model, special tokens first: all characters, and longer pieces that BPE finds."""
    characters = sorted(set("".join(all_texts())) - set(" \u200b"))
    longer = [piece for piece in sentencepiece_bpe()[0] if piece not in BYTES and len(piece.lstrip("▁")) > 1]
    marked = [piece[1:] if piece.startswith("▁") else f"##{piece}" for piece in longer]
    pieces = [*special, *characters, *(f"##{character}" for character in characters), *marked]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def _xlm_roberta() -> PreTrainedTokenizerBase:
    return XLMRobertaTokenizer(vocab=unigram("<s>", "<pad>", "</s>", "<unk>"))  # adds <mask> at the end


def _t5() -> PreTrainedTokenizerBase:
    return T5Tokenizer(vocab=unigram("<pad>", "</s>", "<unk>"), extra_ids=7)


def _deberta_v2() -> PreTrainedTokenizerBase:
    return DebertaV2Tokenizer(vocab=unigram("[PAD]", "[CLS]", "[SEP]", "[UNK]"))


def _bert() -> PreTrainedTokenizerBase:
    return BertTokenizer(vocab=wordpiece(*BERT), do_lower_case=False)


def _distilbert() -> PreTrainedTokenizerBase:
    return DistilBertTokenizer(vocab=wordpiece(*BERT), do_lower_case=False)


def _gpt2() -> PreTrainedTokenizerBase:
    ids, merges = byte_level()
    return GPT2Tokenizer(vocab=ids | {"<|endoftext|>": len(ids)}, merges=merges, pad_token="<|endoftext|>")


def _roberta() -> PreTrainedTokenizerBase:
    ids, merges = byte_level("<s>", "<pad>", "</s>", "<unk>")
    return RobertaTokenizer(vocab=ids | {"<mask>": len(ids)}, merges=merges)


def _qwen2() -> PreTrainedTokenizerBase:
    ids, merges = byte_level()
    return Qwen2Tokenizer(vocab=ids, merges=merges, extra_special_tokens=["<|im_start|>", "<|im_end|>"])


def _llama() -> PreTrainedTokenizerBase:
    ids, merges = sentencepiece_bpe("<unk>", "<s>", "</s>")
    return LlamaTokenizer(vocab=ids, merges=merges, pad_token="</s>", add_bos_token=True)


def _gemma() -> PreTrainedTokenizerBase:
    ids, merges = sentencepiece_bpe("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    return GemmaTokenizer(vocab=ids, merges=merges)


SPECIAL = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}


def _from_file(backend: Tokenizer, **special: str) -> PreTrainedTokenizerBase:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **(special or SPECIAL))
    tokenizer.add_tokens(ADDED)
    return tokenizer


def _template(backend: Tokenizer) -> Any:
    return processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B:1 </s>:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in ("<s>", "</s>")],
    )


def _unigram_file() -> PreTrainedTokenizerBase:
    """With byte pieces, a normaliser, and a pad token that is the last but one."""
    pieces = [*unigram("<s>", "</s>", "<unk>"), *((byte, -20.0) for byte in BYTES), ("<pad>", 0.0), ("<mask>", 0.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"')])
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    backend.post_processor = _template(backend)
    backend.enable_padding(pad_id=len(pieces) - 2, pad_token="<pad>")
    backend.enable_truncation(40)
    return _from_file(backend)


def _wordpiece_file() -> PreTrainedTokenizerBase:
    ids = wordpiece(*BERT)
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=30))
    backend.normalizer = normalizers.BertNormalizer(lowercase=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return _from_file(backend, **names, mask_token="[MASK]")


def _wordlevel_file() -> PreTrainedTokenizerBase:
    words = dict.fromkeys([*SPECIAL.values(), *" ".join(all_texts()).split(), *"0123456789!?"])
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = _template(backend)
    return _from_file(backend)


def _llama3_file() -> PreTrainedTokenizerBase:
    """Byte-level, whole words before merges, special tokens last, two post-processors in a row."""
    ids, merges = byte_level()
    ids = ids | {token: len(ids) + place for place, token in enumerate(SPECIAL.values())}
    backend = Tokenizer(models.BPE(ids, merges, ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), _template(backend)])
    return _from_file(backend)


def _sentencepiece_bpe_file() -> PreTrainedTokenizerBase:
    """Without byte pieces: what is unknown is unknown."""
    ids, merges = sentencepiece_bpe(*SPECIAL.values())
    kept = {piece: place for place, piece in enumerate(piece for piece in ids if piece not in BYTES)}
    backend = Tokenizer(models.BPE(kept, merges, unk_token="<unk>", fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.RobertaProcessing(("</s>", kept["</s>"]), ("<s>", kept["<s>"]))
    return _from_file(backend)


BUILDERS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "xlm-roberta": _xlm_roberta,
    "t5": _t5,
    "deberta-v2": _deberta_v2,
    "unigram-file": _unigram_file,
    "bert": _bert,
    "distilbert": _distilbert,
    "wordpiece-file": _wordpiece_file,
    "wordlevel-file": _wordlevel_file,
    "gpt2": _gpt2,
    "roberta": _roberta,
    "qwen2": _qwen2,
    "llama3-file": _llama3_file,
    "llama": _llama,
    "gemma": _gemma,
    "sentencepiece-bpe-file": _sentencepiece_bpe_file,
}
BPE = ("gpt2", "roberta", "qwen2", "llama3-file", "llama", "gemma", "sentencepiece-bpe-file")


@cache
def tiny_tokenizer(kind: str) -> PreTrainedTokenizerBase:
    """A tokenizer of one kind."""
    return BUILDERS[kind]()
