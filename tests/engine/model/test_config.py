import pytest
import torch
from pydantic import ValidationError

from engine.model.config import ModelConfig
from engine.model.mglmm import MGLMM
from engine.model.presets import PRESETS


def _change(preset: str, path: str, value: object) -> dict:
    content = PRESETS[preset].model_dump()
    *parents, last = path.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("preset", "path", "value", "message"),
    [
        ("nano", "template", "vicuna", "unknown template"),
        ("nano", "mask_decoder.dim", 256, "must equal"),
        ("nano", "pixel_encoder.image_size", 400, "multiple of 96"),
        ("nano", "seg_state_offset", 1, "seg_state_offset"),
        ("nano", "colour", "red", "colour"),
        ("7b", "global_encoder", {"kind": "pyramid_tokens"}, "needs pixel_encoder 'pyramid'"),
        ("7b", "pixel_encoder.depth", 0, "depth"),
        ("7b", "projector", "none", "'grid', which needs no other"),
        ("sa2va-qwen3vl-2b", "projector", "linear", "'grid', which needs no other"),
        ("sa2va-qwen3vl-2b", "global_encoder.deep", (5, 24), "24 blocks"),
        ("sa2va-qwen3vl-2b", "language.model_type", "qwen3", "'qwen3_vl_text'"),
        ("sa2va-qwen3vl-2b", "language.options.num_hidden_layers", 2, "fewer layers"),
        ("sa2va-qwen3vl-2b", "global_encoder.most_pixels", 1000, "multiples of 32"),
        ("sa2va-qwen3vl-2b", "language.options.rope_parameters.mrope_interleaved", False, "mrope_interleaved"),
    ],
)
def test_wrong_configs_say_what_is_wrong(preset: str, path: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate(_change(preset, path, value))


def test_configs_survive_json() -> None:
    for config in PRESETS.values():
        assert ModelConfig.model_validate_json(config.model_dump_json()) == config


# Published sizes: LLaMA 6,738,415,616 and 13,015,864,320 parameters (embeddings and lm_head of 32,000 rows; MGLMM adds
# 7 rows to each), CLIP ViT-L/14-336 vision tower 303,507,456, SAM ViT-H image encoder 637,026,048.
@pytest.mark.parametrize(("preset", "llama", "hidden"), [("7b", 6_738_415_616, 4096), ("13b", 13_015_864_320, 5120)])
def test_large_presets_have_the_published_sizes(preset: str, llama: int, hidden: int) -> None:
    with torch.device("meta"):
        model = MGLMM(PRESETS[preset])
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert sizes["language_model"] == llama + 2 * 7 * hidden
    assert sizes["global_encoder"] == 303_507_456
    assert sizes["pixel_encoder"] == 637_026_048
    assert sizes["projector"] == 1024 * hidden + hidden + hidden * hidden + hidden
    assert PRESETS[preset].global_encoder.tokens == 576


@pytest.mark.parametrize(
    ("preset", "billions"),
    [
        ("sa2va-1b", 1.16),
        ("sa2va-4b", 3.94),
        ("sa2va-internvl3-2b", 2.32),
        ("sa2va-internvl3-8b", 8.18),
        ("sa2va-internvl3-14b", 15.4),
        ("sa2va-qwen3vl-2b", 2.67),
        ("sa2va-qwen3vl-4b", 5.06),
    ],
)
def test_presets_of_sa2va_have_the_published_sizes(preset: str, billions: float) -> None:
    """What only films need is left out of them: ten million parameters."""
    with torch.device("meta"):
        model = MGLMM(PRESETS[preset])
    assert sum(p.numel() for p in model.parameters()) / 1e9 == pytest.approx(billions, rel=0.01)


def test_nano_fits_its_package() -> None:
    with torch.device("meta"):
        model = MGLMM(PRESETS["nano"])
    stored = sum(p.numel() for p in model.parameters()) * 2  # fp16
    assert stored < 32e6
