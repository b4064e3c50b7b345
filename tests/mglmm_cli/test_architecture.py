"""The architecture of the presets 7b and 13b, scaled down but for what a photograph meets: a 336/14 tower with 576
image tokens, SAM at 1024 pixels, the LLaVA template."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from engine.model.checkpoint import load, save
from engine.model.config import ClipConfig, MaskDecoderConfig, ModelConfig, SamEncoderConfig
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from exporters.onnx import export
from tests import program

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ("coffee.jpg", "chelsea.png")
ANSWER = " <p> a cup </p> [SEG].</s>"

SMALL = ModelConfig(
    name="small-7b",
    global_encoder=ClipConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2),
    language=LanguageConfig(
        options={
            "vocab_size": 500,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": False,
        }
    ),
    pixel_encoder=SamEncoderConfig(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), out_channels=64),
    mask_decoder=MaskDecoderConfig(dim=64, mlp_dim=128),
)


def _taught(model: MGLMM, tokenizer: BpeTokenizer) -> MGLMM:
    """Make random weights say `ANSWER`: the output row of each token reads the embedding of the token before it."""
    chain = [tokenizer.encode("ASSISTANT:")[-1], *tokenizer.encode(ANSWER)]
    assert len(set(chain)) == len(chain), "after a repeated token the way would go on in two directions"
    table = model.language_model.get_input_embeddings().weight
    rows = model.language_model.lm_head.weight
    assert isinstance(table, torch.Tensor) and isinstance(rows, torch.Tensor)
    with torch.no_grad():
        table.normal_()
        rows.zero_()
        for before, after in itertools.pairwise(chain):
            rows[after] += table[before]
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "small-7b"
    torch.manual_seed(0)
    tokenizer = BpeTokenizer.train([f"ASSISTANT:{ANSWER}"] * 3, 300)
    save(path, _taught(MGLMM(SMALL), tokenizer), tokenizer, dtype=torch.float32)
    export(path)
    return path


@pytest.fixture(scope="module")
def result(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of `mglmm segcap` on two photographs, masks from the exported decoder."""
    place = tmp_path_factory.mktemp("run")
    (place / "photos").mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(ROOT / "examples" / name, place / "photos" / name)
    done = program.run_text("segcap", "photos", "-o", "out", "--max-children", "1", "--model", folder, cwd=place)
    assert done.returncode == 0, done.stderr
    return place / "out"


def test_the_prompt_holds_576_image_tokens(folder: Path) -> None:
    checkpoint = load(str(folder))
    assert checkpoint.config.global_encoder.tokens == 576
    features = checkpoint.model.encode_images(torch.zeros(1, 3, 1024, 1024), torch.zeros(1, 3, 336, 336))
    assert features.tokens.shape == (1, 576, 128)
    assert features.embedding is not None and features.embedding.grid.shape == (1, 64, 64, 64)


def test_photographs_become_captions_and_masks(result: Path) -> None:
    coco = COCO(str(result / "segcap.json"))
    assert sorted(image["file_name"] for image in coco.imgs.values()) == sorted(PHOTOGRAPHS)
    for image in coco.imgs.values():
        with Image.open(ROOT / "examples" / image["file_name"]) as photo:
            assert (image["width"], image["height"]) == photo.size
        (panoptic,) = [
            entry for entry in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])) if entry["granularity"] == "panoptic"
        ]
        assert panoptic["phrase"] == "a cup"
        assert coco.annToMask(panoptic).shape == (image["height"], image["width"])


def test_the_questions_are_those_that_public_checkpoints_know(result: Path) -> None:
    captions = json.loads((result / "segcap.json").read_text())["captions"]
    panoptic = [entry for entry in captions if entry["granularity"] == "panoptic"]
    assert len(panoptic) == len(PHOTOGRAPHS)
    for entry in panoptic:
        assert entry["caption"] == "a cup."
        assert entry["instruction"].startswith("Please provide a detailed description of all the objects present")
