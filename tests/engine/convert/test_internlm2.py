"""Sa2VA over InternLM2: its language model against the numbers of the public code, and a whole release of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer

from engine.convert.convert import convert
from engine.decoding.sequence import PromptWriter
from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint, load
from engine.model.tokenizers import PieceTokenizer
from engine.pipeline.pipeline import Options, Pipeline
from tests.engine.convert.making import PARITY

WHOLE, PART = PARITY / "sa2va" / "internvl" / "ckpt", PARITY / "sa2va" / "parts" / "internlm2"
pytestmark = pytest.mark.skipif(not PART.is_dir(), reason="needs ../shared/parity/sa2va")

PIECES = 90
RESERVED = ("<|im_end|>", "<|im_start|>")
"""Take the ids of the last pieces, as in the releases."""
ADDED = ("<img>", "</img>", "<IMG_CONTEXT>", "[SEG]", "<p>", "</p>", "<vp>", "</vp>")


def _tokens() -> dict[str, int]:
    ids = {token: PIECES - len(RESERVED) + number for number, token in enumerate(RESERVED)}
    return ids | {token: PIECES + number for number, token in enumerate(ADDED)}


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model that puts no space in front, as that of InternLM2."""
    path = tmp_path_factory.mktemp("pieces") / "tokenizer"
    SentencePieceTrainer.train(
        sentence_iterator=iter(["user\nPlease segment the dog.", "assistant\nSure, it is the brown dog."] * 40),
        model_prefix=str(path),
        vocab_size=PIECES,
        model_type="bpe",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        user_defined_symbols=[f"[UNUSED_TOKEN_{number}]" for number in range(2)],
        minloglevel=2,
    )
    return path.with_suffix(".model")


@pytest.fixture
def release(tmp_path: Path, pieces: Path) -> Path:
    """A small one: the vision parts of one fixture, the language model of the other, what joins them drawn."""
    folder = tmp_path / "Sa2VA-8B"
    folder.mkdir()
    inner = json.loads((PART / "config.json").read_text())["llm_config"]
    config = json.loads((WHOLE / "config.json").read_text()) | {"llm_config": inner, "template": "internlm2_chat"}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {key: one for key, one in load_file(WHOLE / "model.safetensors").items() if "language_model" not in key}
    tensors |= load_file(PART / "model.safetensors")
    draws = torch.Generator().manual_seed(0)
    width, wide = inner["hidden_size"], tensors["mlp1.0.weight"].shape[0]
    for key, shape in {
        "mlp1.1.weight": (width, wide),
        "mlp1.1.bias": (width,),
        "mlp1.3.weight": (width, width),
        "mlp1.3.bias": (width,),
        "text_hidden_fcs.0.weight": (width, width),
        "text_hidden_fcs.0.bias": (width,),
        "text_hidden_fcs.2.weight": (tensors["text_hidden_fcs.2.weight"].shape[0], width),
    }.items():
        tensors[key] = torch.randn(shape, generator=draws) / width**0.5
    save_file(tensors, folder / "model.safetensors")
    (folder / "tokenizer.model").write_bytes(pieces.read_bytes())
    listed = {str(number): {"content": token, "special": True} for token, number in _tokens().items()}
    settings = {"tokenizer_class": "InternLM2Tokenizer", "add_bos_token": True, "added_tokens_decoder": listed}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def model(release: Path, tmp_path: Path) -> Checkpoint:
    convert(str(release), tmp_path / "model")
    return load(str(tmp_path / "model"))


@torch.inference_mode()
def test_its_language_model_is_that_of_the_public_code(model: Checkpoint) -> None:
    expected = load_file(PART / "expected.safetensors")
    language = model.model.language_model
    assert model.config.language.model_type == "llama"
    assert model.config.language.options["rope_parameters"] == {"rope_type": "default", "rope_theta": 1e6}
    states = language.model(input_ids=expected["input_ids"].long(), use_cache=False).last_hidden_state[0]
    assert float((states - expected["hidden_last_post_norm"]).abs().max()) < 1e-5
    assert float((language.lm_head(states) - expected["logits"]).abs().max()) < 1e-5


def test_prompts_are_cut_at_tokens_and_nowhere_else(model: Checkpoint) -> None:
    tokenizer, ids = model.tokenizer, _tokens()
    assert isinstance(tokenizer, PieceTokenizer)
    plain = tokenizer._pieces
    writer = PromptWriter(model.config, tokenizer)
    head = [plain.bos_id(), ids["<|im_start|>"], *plain.encode("user\n"), ids["<img>"]]
    assert [*writer.prefix.before] == head and writer.prefix.after == (ids["</img>"],)
    text = [*plain.encode("\nPlease segment the dog."), ids["<|im_end|>"], *plain.encode("\n"), ids["<|im_start|>"]]
    assert writer.question("Please segment the dog.") == [*text, *plain.encode("assistant\n")]
    answer = "Sure, <p> the dog </p> [SEG]."
    assert tokenizer.encode(answer)[-2] == ids["[SEG]"]
    assert tokenizer.decode([*tokenizer.encode(answer), ids["<|im_end|>"]]) == "Sure, <p> the dog </p> [SEG] ."


def test_it_answers(model: Checkpoint) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    (segcap,) = Pipeline(model, Options(decoder="torch", max_new_tokens=6, forced=True, seg_every=3)).ask(
        image, ["Please segment the dog."]
    )
    assert len(segcap.masks) == segcap.answer.seg_count >= 1
    assert all(0 <= mask.score <= 1 and (mask.rle.height, mask.rle.width) == (60, 90) for mask in segcap.masks)


def _edit(name: str, **changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | changes))

    return change


def _heads(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    content["llm_config"]["num_key_value_heads"] = 4
    (folder / "config.json").write_text(json.dumps(content))


def _cut(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"no model")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_heads, "attention.wqkv.weight has 96 rows, config.json asks for 128"),
        (_edit("tokenizer_config.json", added_tokens_decoder=None), "lacks added_tokens_decoder"),
        (
            _edit("tokenizer_config.json", added_tokens_decoder={"9": {"content": "[SEG]"}}),
            "lacks <p>, </p>, <|im_end|>",
        ),
        (_edit("tokenizer_config.json", added_tokens_decoder={"x": {"content": "[SEG]"}}), "x is no id of a token"),
        (lambda folder: (folder / "tokenizer_config.json").unlink(), "tokenizer_config.json: missing"),
        (_cut, "tokenizer.model: not a SentencePiece model"),
    ],
)
def test_what_does_not_fit_is_refused(
    release: Path, tmp_path: Path, change: Callable[[Path], object], line: str
) -> None:
    change(release)
    with pytest.raises(UsageError) as error:
        convert(str(release), tmp_path / "refused")
    assert line in str(error.value) and not (tmp_path / "refused").exists()
