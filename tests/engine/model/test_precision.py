"""Half precision and quantised loading: what lies in which type, and how near answers stay to float32's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from engine.decoding.generator import Generator
from engine.decoding.sequence import PromptWriter
from engine.errors import UsageError
from engine.images.sources import Source
from engine.masks.decoder import open_mask_decoder
from engine.model.checkpoint import Checkpoint, load, save
from engine.model.int8_linear import Int8Linear
from engine.model.language_config import LanguageConfig
from engine.model.mglmm import MGLMM
from engine.model.precision import Precision, fitting, named
from engine.model.presets import PRESETS
from engine.model.tokenizers import BpeTokenizer
from engine.pipeline.pipeline import Options, Pipeline
from engine.records import PhotoRecord
from engine.text.prompts import Question
from tests.engine.tiny import TEXTS, TINY

HALVES = [Precision.BFLOAT16, Precision.FLOAT16]
QUANTISED = [Precision.INT8, Precision.INT4]
LARGE = ("pixel_encoder", "global_encoder", "projector", "language_model")
SMALL = ("mask_head", "text_hidden_fcs")

PACKED = "language_model.model.layers."


def _load(folder: Path, precision: Precision) -> Checkpoint:
    """The tiny model; skips where bitsandbytes is needed and missing."""
    if precision.quantised:
        pytest.importorskip("bitsandbytes")
    return load(str(folder), precision=precision)


def _types(part: nn.Module) -> set[torch.dtype]:
    stored = [*part.parameters(), *part.state_dict().values()]
    return {tensor.dtype for tensor in stored if tensor.is_floating_point()}


def _leaning_to_seg(checkpoint: Checkpoint) -> nn.Linear:
    """An output layer that often says `[SEG]`."""
    head = nn.Linear(64, 400).requires_grad_(False)
    head.weight.normal_(generator=torch.Generator().manual_seed(1))
    head.bias.zero_()
    head.bias[checkpoint.tokenizer.seg] = 18.0
    return head.to(checkpoint.precision.dtype)


def _states(checkpoint: Checkpoint) -> Tensor:
    """Last hidden states, float32, for the same inputs in every precision."""
    draws = torch.Generator().manual_seed(0)
    language = checkpoint.model.language_model
    ids = torch.randint(0, language.config.vocab_size, (4, 40), generator=draws)
    with torch.inference_mode():
        states: Tensor = language.model(input_ids=ids).last_hidden_state
    return states.float()


def _pixels() -> Tensor:
    return torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _masks(checkpoint: Checkpoint) -> Tensor:
    """Low-res masks of one image for the same prompt states in every precision."""
    draws = torch.Generator().manual_seed(0)
    states = torch.randn(8, 64, generator=draws)
    model, dtype = checkpoint.model, checkpoint.precision.dtype
    with torch.inference_mode():
        features = model.encode_images(_pixels().to(dtype), None)
        prompts = model.prompt_vectors(states.to(dtype))
        masks: Tensor = model.mask_head(features.embedding, prompts, torch.zeros(8, dtype=torch.long))
    return masks


@pytest.mark.parametrize("precision", HALVES)
def test_large_parts_are_half_and_small_ones_float32(tiny_folder: Path, precision: Precision) -> None:
    model = load(str(tiny_folder), precision=precision).model
    assert all(_types(model.get_submodule(name)) == {precision.dtype} for name in LARGE)
    assert all(_types(model.get_submodule(name)) == {torch.float32} for name in SMALL)


@pytest.mark.parametrize(("precision", "kind"), [(Precision.INT8, "Int8Linear"), (Precision.INT4, "Linear4bit")])
def test_only_the_layers_of_the_language_model_are_quantised(
    tiny_folder: Path, precision: Precision, kind: str
) -> None:
    model = _load(tiny_folder, precision).model
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    assert {name for name, found in kinds.items() if found == kind} == {
        name for name, found in kinds.items() if name.startswith(PACKED) and name.endswith("_proj")
    }
    assert not any(found == "Linear" for name, found in kinds.items() if name.startswith(PACKED))
    assert all(_types(model.get_submodule(name)) == {torch.float32} for name in SMALL)
    assert _types(model.language_model.lm_head) == _types(model.pixel_encoder) == {torch.bfloat16}


@pytest.mark.parametrize("precision", Precision)
def test_layers_take_the_memory_that_is_told(tiny_folder: Path, precision: Precision) -> None:
    checkpoint = _load(tiny_folder, precision)
    _states(checkpoint)  # some CPUs pack 4-bit weights anew at the first product
    layers = checkpoint.model.language_model.model.layers.modules()
    linear: list[Any] = [module for module in layers if isinstance(module, nn.Linear | Int8Linear)]
    weights = sum(layer.in_features * layer.out_features for layer in linear)
    stored = sum(layer.weight.nbytes for layer in linear)
    if precision is Precision.INT4:
        stored += sum(layer.weight.quant_state.absmax.nbytes for layer in linear)
    assert weights and 8 * stored / weights == pytest.approx(precision.layer_bits, abs=0.2)


@pytest.mark.parametrize("precision", Precision)
def test_a_model_answers_in_every_precision(tiny_folder: Path, tmp_path: Path, precision: Precision) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.arange(60 * 80 * 3, dtype=np.uint32).reshape(60, 80, 3).astype(np.uint8)).save(photo)
    pipeline = Pipeline(_load(tiny_folder, precision), Options(questions=(Question("Segment the dog."),)))
    ((_, record),) = pipeline.run([Source(photo, "photo.png")])
    assert isinstance(record, PhotoRecord)
    assert record.segcaps[0].answer.raw


@pytest.mark.parametrize("precision", Precision)
def test_a_generator_answers_and_gives_masks_in_every_precision(tiny_folder: Path, precision: Precision) -> None:
    checkpoint = _load(tiny_folder, precision)
    model, writer = checkpoint.model, PromptWriter(checkpoint.config, checkpoint.tokenizer)
    model.language_model.lm_head = _leaning_to_seg(checkpoint)
    with torch.inference_mode():
        features = model.encode_images(_pixels().to(precision.dtype), None)
        question = writer.question("Segment the dog.")
        (answer,) = Generator(model, checkpoint.tokenizer).generate(writer.prefix, features.tokens, [question], 24)
        assert features.embedding is not None
        prompts = model.prompt_vectors(answer.seg_states)
        index = torch.zeros(len(prompts), dtype=torch.long)
        masks = open_mask_decoder(checkpoint, "onnx")(features.embedding, prompts, index).logits
    assert len(answer.seg_states) == answer.ids.count(checkpoint.tokenizer.seg) > 0
    assert answer.seg_states.dtype == precision.dtype
    assert masks.dtype == torch.float32 and masks.isfinite().all()


@pytest.mark.parametrize(("precision", "bound"), [(Precision.BFLOAT16, 0.03), (Precision.FLOAT16, 0.004)])
def test_masks_of_half_precision_stay_near(
    tiny: Checkpoint, tiny_folder: Path, precision: Precision, bound: float
) -> None:
    # Measured: logits up to 0.093, at most 0.0116 off in bfloat16 and 0.0013 in float16; 99.5 % of pixels agree.
    expected, got = _masks(tiny), _masks(load(str(tiny_folder), precision=precision))
    assert got.dtype == torch.float32
    assert (got - expected).abs().max() < bound
    assert ((got > 0) == (expected > 0)).float().mean() > 0.98


@pytest.mark.parametrize(
    ("precision", "bound"),
    [
        (Precision.BFLOAT16, 0.9999),
        (Precision.FLOAT16, 0.99999),
        (Precision.INT8, 0.999),
        (Precision.INT4, 0.95),
    ],
)
def test_states_stay_near(tiny: Checkpoint, tiny_folder: Path, precision: Precision, bound: float) -> None:
    # Smallest cosine measured: 1.0000, 1.0000, 0.9999 and 0.987.
    cosines = F.cosine_similarity(_states(_load(tiny_folder, precision)), _states(tiny), dim=-1)
    assert cosines.min() > bound


def test_a_missing_library_is_named(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UsageError, match=r"^int4 needs bitsandbytes: pip install 'mglmm\[quantize\]'$"):
        load(str(tiny_folder), precision=Precision.INT4)
    # The CPU needs no library for 8 bits.
    assert load(str(tiny_folder), precision=Precision.INT8)


def test_a_row_in_int8_does_not_depend_on_the_rows_beside_it() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(96, 40)
    layer, rows = Int8Linear(linear), torch.randn(3, 7, 96)
    with torch.inference_mode():
        together, alone = layer(rows), torch.stack([layer(row[:1]) for row in rows])
        assert torch.equal(together[:, :1], alone)
        # Half a step of 1/127 on both sides; measured .010.
        assert (together - linear(rows)).norm() < 0.02 * linear(rows).norm()


def test_rows_of_zeros_stay_zeros_in_int8() -> None:
    layer = Int8Linear(nn.Linear(16, 8, bias=False))
    assert torch.equal(layer(torch.zeros(2, 16)), torch.zeros(2, 8))


@pytest.mark.parametrize("device", ["cuda", "cuda:1"] * (not torch.cuda.is_available()) + ["quantum"])
def test_an_absent_device_gets_one_line(tiny_folder: Path, device: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(str(tiny_folder), device=device)
    assert str(caught.value).startswith(f"no device '{device}' here: ")
    assert "\n" not in str(caught.value)


def test_layers_that_are_no_whole_blocks_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    options = TINY.language.options | {"intermediate_size": 100}
    odd = TINY.model_copy(update={"language": LanguageConfig(options=options)})
    save(tmp_path / "odd", MGLMM(odd), BpeTokenizer.train(TEXTS, 400))
    with pytest.raises(UsageError, match="gate_proj is 64 to 100: use int8"):
        load(str(tmp_path / "odd"), precision=Precision.INT4)
    assert load(str(tmp_path / "odd"), precision=Precision.INT8)


def test_the_library_keeps_its_remarks_to_itself(tiny_folder: Path) -> None:
    pytest.importorskip("bitsandbytes")
    code = (
        "import torch; from engine.model.checkpoint import load; from engine.model.precision import Precision\n"
        f"for precision in {[str(precision.value) for precision in QUANTISED]}:\n"
        f"    model = load({str(tiny_folder)!r}, precision=Precision(precision)).model.language_model\n"
        "    model(input_ids=torch.arange(9)[None])"
    )
    # Not forked: it must import the library itself.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("preset", "device", "precision"),
    [
        ("nano", "cuda", Precision.FLOAT32),
        ("sa2va-1b", "cpu", Precision.FLOAT32),
        ("sa2va-1b", "cuda:1", Precision.BFLOAT16),
        ("sa2va-qwen3vl-2b", "cuda", Precision.BFLOAT16),
        ("7b", "cuda", Precision.BFLOAT16),
    ],
)
def test_a_large_model_is_in_half_precision_on_a_gpu(preset: str, device: str, precision: Precision) -> None:
    assert fitting(PRESETS[preset], device) is precision


def test_the_model_and_the_device_choose_unless_a_precision_is_named() -> None:
    assert named("auto") is None and named("int8") is Precision.INT8
    assert load("random:nano", precision=None).precision is Precision.FLOAT32
