"""From a parsed weight file to a Transformers folder: configuration, weights and tokenizer."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import BertConfig, PreTrainedTokenizerFast

from xlkd.quickstart.e5_format import E5File, E5FormatError

MASK = "<mask>"
FULLWIDTH_TILDE, PRIVATE_USE = "\uff5e", "\U0010fffd"


def save_transformers_folder(file: E5File, folder: Path) -> None:
    """Write the encoder and its tokenizer so that `AutoModel` and `AutoTokenizer` load them.

    Args:
        file ([`E5File`]): The parsed weight file.
        folder (`Path`): Where to; it is created.

    Raises:
        [`E5FormatError`]: If tensors or special pieces of the encoder are missing or of the wrong size.

    Example:

    ```python
    >>> save_transformers_folder(parse_e5(data), Path("e5-small"))
    ```
    """
    folder.mkdir(parents=True)
    # The largest file first: a full disk shows here, as an error that says so.
    save_file(_weights(file), folder / "model.safetensors", metadata={"format": "pt"})
    _configuration(file).save_pretrained(folder)
    # safetensors lets nobody but the owner read its file; a cache may be shared.
    shutil.copymode(folder / "config.json", folder / "model.safetensors")
    _tokenizer(file).save_pretrained(folder)


def _configuration(file: E5File) -> BertConfig:
    return BertConfig(
        vocab_size=file.vocabulary_size,
        hidden_size=file.hidden_size,
        num_hidden_layers=file.layers,
        num_attention_heads=file.heads,
        intermediate_size=file.intermediate_size,
        max_position_embeddings=file.max_positions,
        type_vocab_size=file.token_types,
        layer_norm_eps=file.layer_norm_eps,
        pad_token_id=file.pad,
        bos_token_id=file.bos,
        eos_token_id=file.eos,
        architectures=["BertModel"],
        dtype="float32",
    )


def _weights(file: E5File) -> dict[str, torch.Tensor]:
    """The state of a `BertModel` without pooler: the embeddings, then layer by layer."""
    wide, narrow = file.intermediate_size, file.hidden_size
    weights = {
        "embeddings.word_embeddings.weight": file.tensor("emb.word", file.vocabulary_size, narrow),
        "embeddings.position_embeddings.weight": file.tensor("emb.pos", file.max_positions, narrow),
        "embeddings.token_type_embeddings.weight": file.tensor("emb.type", file.token_types, narrow),
        "embeddings.LayerNorm.weight": file.tensor("emb.ln.w", narrow),
        "embeddings.LayerNorm.bias": file.tensor("emb.ln.b", narrow),
    }
    parts: dict[str, tuple[str, tuple[int, ...]]] = {
        "attention.self.query": ("q", (narrow, narrow)),
        "attention.self.key": ("k", (narrow, narrow)),
        "attention.self.value": ("v", (narrow, narrow)),
        "attention.output.dense": ("ao", (narrow, narrow)),
        "attention.output.LayerNorm": ("aln", (narrow,)),
        "intermediate.dense": ("fi", (wide, narrow)),
        "output.dense": ("fo", (narrow, wide)),
        "output.LayerNorm": ("oln", (narrow,)),
    }
    for layer in range(file.layers):
        for name, (short, shape) in parts.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = file.tensor(f"l{layer}.{short}.w", *shape)
            weights[f"encoder.layer.{layer}.{name}.bias"] = file.tensor(f"l{layer}.{short}.b", shape[0])
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}


def _tokenizer(file: E5File) -> PreTrainedTokenizerFast:
    """The tokenizer of XLM-RoBERTa, as multilingual-e5-small uses it."""
    bos, eos, pad, unk = (file.pieces[number][0] for number in (file.bos, file.eos, file.pad, file.unk))
    if MASK not in dict(file.pieces):
        raise E5FormatError(f"there is no {MASK} among its sentence pieces")
    tokenizer = Tokenizer(Unigram(file.pieces, unk_id=file.unk))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, file.bos), (eos, file.eos)],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token=eos,
        unk_token=unk,
        pad_token=pad,
        cls_token=bos,
        sep_token=eos,
        # The space before a mask belongs to it, as in XLM-RoBERTa.
        mask_token=AddedToken(MASK, lstrip=True, special=True),
        model_max_length=file.max_positions,
        # No token types: XLM-RoBERTa has one kind only, and a pair is marked by its separators.
        model_input_names=["input_ids", "attention_mask"],
    )


def _normalizer() -> normalizers.Normalizer:
    """SentencePiece's `nmt_nfkc`: NFKC, except that it leaves the full-width tilde of Chinese and Japanese alone."""
    return normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace(FULLWIDTH_TILDE, PRIVATE_USE),
            normalizers.NFKC(),
            normalizers.Replace(PRIVATE_USE, FULLWIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
