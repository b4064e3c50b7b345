"""A language model of transformers takes the place of the tiny one, and is still itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint, load, save
from tests.trainer import making
from trainer.learning.language_model import LanguageFiles, find_language_model, with_language_model

TEXTS = ["A dog sits on the mat.", "Two cats are on the road."] * 3


def _tokenizer(kind: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel() if kind == "bytes" else decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|start|>", eos_token="<|end|>")


def _language(folder: Path, *, tied: bool = True, kind: str = "bytes") -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=310,  # more rows than tokens, as many models have
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=1,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
    )
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    _tokenizer(kind).save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def visual(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load(str(making.model_folder(tmp_path_factory.mktemp("visual") / "tiny")))


@pytest.mark.parametrize("tied", [True, False])
def test_the_language_model_says_what_it_said(visual: Checkpoint, tmp_path: Path, tied: bool) -> None:
    before = _language(tmp_path / "llm", tied=tied)
    model, tokenizer = with_language_model(visual, find_language_model(str(tmp_path / "llm")))
    ids = torch.tensor([tokenizer.encode("A dog sits on the road.")])
    with torch.inference_mode():
        expected = before(input_ids=ids).logits
        found = model.language_model.eval()(input_ids=ids).logits
    known = len(_tokenizer("bytes"))
    torch.testing.assert_close(found[..., :known], expected[..., :known])
    assert found.shape[-1] == max(310, tokenizer.size)
    for name in ("pixel_encoder", "global_encoder", "mask_head"):
        mine, theirs = model.get_submodule(name).state_dict(), visual.model.get_submodule(name).state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)

    # What a folder holds is the whole model.
    save(tmp_path / "start", model, tokenizer, dtype=torch.float32)
    again = load(str(tmp_path / "start"))
    assert again.config.language.options["rope_parameters"]["rope_theta"] == 5000.0
    with torch.inference_mode():
        torch.testing.assert_close(again.model.language_model(input_ids=ids).logits, found)


def test_new_tokens_have_rows_of_their_own(visual: Checkpoint, tmp_path: Path) -> None:
    before = _language(tmp_path / "llm")
    model, tokenizer = with_language_model(visual, find_language_model(str(tmp_path / "llm")))
    text = "<p> a dog </p> [SEG] on the road."
    assert tokenizer.decode(tokenizer.encode(text)) == text
    table, old = (part.get_parameter("model.embed_tokens.weight") for part in (model.language_model, before))
    assert torch.equal(table[tokenizer.eos], old[1]) and torch.equal(table[tokenizer.bos], old[0])
    known = len(_tokenizer("bytes"))
    assert known <= tokenizer.seg < tokenizer.size
    torch.testing.assert_close(table[tokenizer.seg], old[:known].mean(dim=0))


def test_where_a_language_model_may_lie(tmp_path: Path) -> None:
    _language(tmp_path / "llm")
    assert find_language_model(str(tmp_path / "llm")) == LanguageFiles(tmp_path / "llm", None)
    (tmp_path / "gguf").mkdir()
    file = tmp_path / "gguf" / "model.Q4.gguf"
    file.touch()
    assert find_language_model(str(file)) == find_language_model(str(tmp_path / "gguf"))
    assert find_language_model(str(file)).name == "model.Q4"
    for wrong, message in (("no_such_package", "no language model"), (str(tmp_path), "neither config.json nor one")):
        with pytest.raises(UsageError, match=message):
            find_language_model(wrong)


def test_what_can_not_be_used_is_refused(visual: Checkpoint, tmp_path: Path) -> None:
    _language(tmp_path / "words", kind="words")
    with pytest.raises(UsageError, match="no byte-level BPE"):
        with_language_model(visual, find_language_model(str(tmp_path / "words")))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF no more")
    with pytest.raises(UsageError, match="transformers can't read it"):
        with_language_model(visual, find_language_model(str(damaged)))
