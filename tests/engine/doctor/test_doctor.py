"""Examining models: sound ones pass, each kind of damage is named by its check, estimates are what loading takes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.doctor import Check, Device, Memory, Report, Status, examine
from engine.doctor.machine import fits
from engine.doctor.memory import estimate
from engine.doctor.parts import outline
from engine.doctor.selftest import self_test
from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint, load, own_state
from engine.model.manifest import write_manifest
from engine.model.mglmm import MGLMM
from engine.model.precision import Precision
from tests.engine.tiny import TINY, leaning_to_seg

FILES = ["manifest", "config", "weights", "finite weights", "exported mask decoder"]
LANGUAGE = ["tokenizer", "vocabulary", "tags", "template", "positions"]
MACHINE = ["ONNX Runtime"]
SELF_TEST = ["answers", "KV cache", "[SEG] capture", "pixel encoder", "mask decoder", "RLE"]


def _by_name(checks: tuple[Check, ...] | list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def _memory(report: Report, precision: Precision, batch: int) -> Memory:
    (found,) = (one for one in report.memory if (one.precision, one.batch) == (precision, batch))
    return found


@pytest.fixture(scope="module")
def report(tiny_folder: Path) -> Report:
    return examine(str(tiny_folder))


def test_a_sound_model_passes(report: Report) -> None:
    assert report.passed
    assert [check.name for check in report.checks] == FILES + LANGUAGE + MACHINE + SELF_TEST
    assert {check.name for check in report.checks if check.status is not Status.OK} <= {"[SEG] capture"}
    assert all(check.line and "\n" not in check.line for check in report.checks)


def test_parts_are_those_of_the_network(report: Report, tiny: Checkpoint, tiny_folder: Path) -> None:
    own = own_state(tiny.model)
    assert sum(part.parameters for part in report.parts) == sum(one.numel() for one in tiny.model.parameters())
    assert {part.name: part.disk for part in report.parts} == {
        part.name: sum(tensor.nbytes for name, tensor in own.items() if name.startswith(f"{part.name}."))
        for part in report.parts
    }
    assert sum(part.disk or 0 for part in report.parts) < (tiny_folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize("precision", Precision)
def test_the_weights_take_what_is_told(report: Report, tiny_folder: Path, precision: Precision) -> None:
    if precision.quantised:
        pytest.importorskip("bitsandbytes")
    model = load(str(tiny_folder), precision=precision).model
    stored = sum(tensor.nbytes for tensor in own_state(model).values())
    assert _memory(report, precision, 1).weights == pytest.approx(stored, rel=0.02 if precision.quantised else 0)
    half = _memory(report, Precision.BFLOAT16, 1).weights
    assert _memory(report, precision, 1).loading == (half if precision.quantised else stored)


def test_the_cache_grows_with_batch_and_precision(report: Report) -> None:
    one = _memory(report, Precision.FLOAT32, 1)
    # 2 layers, keys and values, 2 heads of 16 channels, 4 bytes
    assert one.cache % (2 * 2 * 2 * 16 * 4) == 0
    assert _memory(report, Precision.FLOAT32, 8).cache == 8 * one.cache
    assert 2 * _memory(report, Precision.BFLOAT16, 1).cache == one.cache


def test_activations_hold_the_largest_tensors(report: Report) -> None:
    one, eight, many = (_memory(report, Precision.FLOAT32, batch) for batch in (1, 8, 32))
    # The first block of the backbone widens to 32 channels of 48 x 48 and back, and its input still lives.
    assert one.activations > 2 * 32 * 48 * 48 * 4
    assert eight.activations > 7 * one.activations
    # The encoders, which take most, never get more together.
    assert eight.activations <= many.activations < 2 * eight.activations
    assert one.total == one.weights + one.cache + one.activations


def test_a_large_model_is_sized_without_its_weights() -> None:
    report = examine("random:7b")
    assert report.passed
    assert _by_name(report.checks)["self-test"].status is Status.SKIPPED
    assert all(part.disk is None for part in report.parts)
    assert sum(part.parameters for part in report.parts) == pytest.approx(7.72e9, rel=0.01)
    assert _memory(report, Precision.BFLOAT16, 1).weights == pytest.approx(2 * 7.72e9, rel=0.01)
    # One map of SAM's global attention: 16 heads, 64 x 64 places that look at 64 x 64 places.
    assert _memory(report, Precision.FLOAT32, 8).activations > 8 * 2 * 16 * 4096**2 * 4


def test_random_weights_of_a_small_preset_are_tried() -> None:
    checks = _by_name(examine("random:nano").checks)
    assert [*checks] == LANGUAGE + MACHINE + SELF_TEST
    assert checks["KV cache"].status is Status.OK
    assert checks["mask decoder"].line == "there is no exported mask decoder"


def test_a_template_is_not_asked_of_a_borrowed_tokenizer() -> None:
    report = examine("random:sa2va-qwen3vl-2b")
    checks = _by_name(report.checks)
    assert report.passed
    assert checks["template"].status is checks["self-test"].status is Status.SKIPPED
    assert "borrowed" in checks["template"].line
    assert {part.name: part.kind for part in report.parts}["global_encoder"] == "grid, 24 x 1024, up to 1568 tokens"
    assert _memory(report, Precision.BFLOAT16, 1).weights == pytest.approx(2 * 2.67e9, rel=0.01)


def _change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    write_manifest(folder)


def _change_config(folder: Path, change: Callable[[dict], None]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    write_manifest(folder)


def _flip_a_byte(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")


def _cut_the_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    write_manifest(folder)


def _remove_the_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _remove_the_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _remove_the_decoder(folder: Path) -> None:
    (folder / "mask_decoder.onnx").unlink()
    write_manifest(folder)


def _spoil_the_decoder(folder: Path) -> None:
    (folder / "mask_decoder.onnx").write_bytes(b"no graph")
    write_manifest(folder)


def _spoil_a_weight(folder: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["projector.0.weight"][0, 0] = torch.nan

    _change_weights(folder, change)


def _drop_a_tensor(folder: Path) -> None:
    _change_weights(folder, lambda tensors: tensors.__delitem__("projector.0.bias"))


def _add_a_tensor(folder: Path) -> None:
    _change_weights(folder, lambda tensors: tensors.__setitem__("lora.weight", torch.zeros(2)))


def _fewer_rows(folder: Path) -> None:
    _change_config(folder, lambda config: config["language"]["options"].__setitem__("vocab_size", 300))


def _few_positions(folder: Path) -> None:
    _change_config(folder, lambda config: config["language"]["options"].__setitem__("max_position_embeddings", 40))


def _unknown_template(folder: Path) -> None:
    _change_config(folder, lambda config: config.__setitem__("template", "alpaca"))


def _impossible_part(folder: Path) -> None:
    _change_config(folder, lambda config: config["pixel_encoder"].__setitem__("backbone", "no_such_net"))


def _other_grid(folder: Path) -> None:
    _change_config(folder, lambda config: config["pixel_encoder"].__setitem__("image_size", 192))


def _lengthen_the_config(folder: Path) -> None:
    os.truncate(folder / "config.json", 10 << 30)


def _a_pipe_for_the_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def _lengthen_the_weights(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 10 << 30)


def _list_many(folder: Path) -> None:
    files = {f"{number}.safetensors": "0" for number in range(100_000)}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


@pytest.fixture(scope="module")
def estimated() -> Iterator[None]:
    """Estimates of memory, which have nothing to do with damage, are made once for each config."""
    known: dict[tuple[str, int], tuple[Memory, ...]] = {}

    def once(network: MGLMM, prompt: int) -> tuple[Memory, ...]:
        key = (network.config.model_dump_json(), prompt)
        if key not in known:
            known[key] = estimate(network, prompt)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.doctor.examination.estimate", once)
        yield


@pytest.mark.usefixtures("estimated")
@pytest.mark.parametrize(
    ("damage", "name", "words"),
    [
        (_lengthen_the_config, "config", "config.json: 10737 MB: too large to be what its name says"),
        (_lengthen_the_config, "manifest", "config.json: 10737 MB: too large"),
        (_lengthen_the_weights, "manifest", "model.safetensors: can't be read as safetensors"),
        (_a_pipe_for_the_config, "config", "config.json: is no file"),
        (_list_many, "manifest", "4.safetensors and 99995 more: listed in manifest.json, but missing"),
        (_flip_a_byte, "manifest", "model.safetensors: damaged or changed"),
        (_remove_the_manifest, "manifest", "manifest.json is missing"),
        (_remove_the_tokenizer, "manifest", "tokenizer.json: listed in manifest.json, but missing"),
        (_remove_the_tokenizer, "tokenizer", "no tokenizer"),
        (_cut_the_weights, "weights", "model.safetensors: can't be read"),
        (_drop_a_tensor, "weights", "1 missing, the first is projector.0.bias"),
        (_add_a_tensor, "weights", "1 not of this config, the first is lora.weight"),
        (_spoil_a_weight, "finite weights", "NaN or infinity in 1 tensors, the first is projector.0.weight"),
        (_fewer_rows, "weights", "1 of another shape, the first is language_model.model.embed_tokens.weight"),
        (_fewer_rows, "vocabulary", "the embeddings have 300 rows"),
        (_few_positions, "positions", "more than max_position_embeddings (40)"),
        (_unknown_template, "config", "unknown template 'alpaca'"),
        (_impossible_part, "config", "no_such_net"),
        (_remove_the_decoder, "exported mask decoder", "mask_decoder.onnx is missing: run `mglmm export onnx"),
        (_spoil_the_decoder, "exported mask decoder", "mask_decoder.onnx"),
        (_other_grid, "exported mask decoder", "config.json asks for ['any', 32, 16, 16]"),
    ],
)
def test_damage_fails_the_check_that_is_about_it(
    tiny_folder: Path, tmp_path: Path, damage: Callable[[Path], None], name: str, words: str
) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "damaged"))
    damage(folder)
    report = examine(str(folder))
    check = _by_name(report.checks)[name]
    assert check.status is Status.FAILED
    assert words in check.line
    assert not report.passed


def test_a_model_that_failed_is_not_tried_but_one_without_decoder_is(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "damaged"))
    _remove_the_decoder(folder)
    assert _by_name(examine(str(folder)).checks)["KV cache"].status is Status.OK
    _spoil_a_weight(folder)
    last = examine(str(folder)).checks[-1]
    assert (last.name, last.status) == ("self-test", Status.SKIPPED)


@pytest.mark.parametrize("offset", [-1, 0])
def test_states_of_the_step_are_compared_where_there_is_a_seg(tiny: Checkpoint, offset: int) -> None:
    checks = _by_name(self_test(leaning_to_seg(tiny, offset)))
    assert {check.status for check in checks.values()} == {Status.OK}
    assert "prompt vectors, at most" in checks["[SEG] capture"].line


def test_a_decoder_of_other_weights_is_found(tiny: Checkpoint) -> None:
    other = MGLMM(TINY).eval()
    checks = _by_name(self_test(replace(tiny, model=other)))
    assert checks["mask decoder"].status is Status.FAILED
    assert checks["KV cache"].status is Status.OK


def test_a_model_of_no_numbers_fails_its_self_test(tiny: Checkpoint) -> None:
    spoilt = MGLMM(TINY).eval()
    spoilt.load_state_dict(tiny.model.state_dict())
    with torch.no_grad():
        spoilt.language_model.model.norm.weight[0] = torch.nan
    assert _by_name(self_test(replace(tiny, model=spoilt)))["KV cache"].status is Status.FAILED


def test_onnx_runtime_that_is_installed_twice_is_named_and_the_model_tried(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.doctor.machine.conflict", lambda: "both are installed")
    report = examine(str(tiny_folder))
    check = _by_name(report.checks)["ONNX Runtime"]
    assert (check.status, check.line) == (Status.FAILED, "both are installed")
    assert _by_name(report.checks)["KV cache"].status is Status.OK and not report.passed


def test_a_model_that_is_too_large_for_the_device_is_not_loaded(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.doctor.examination.list_devices", lambda: (Device("cpu", "1 CPU", 1000),))
    report = examine(str(tiny_folder))
    assert report.checks[-1].status is Status.SKIPPED
    assert "are free on cpu" in report.checks[-1].line
    assert {fit.batch for fit in report.fits} == {None}


@pytest.mark.parametrize(("precision", "expected"), [(Precision.BFLOAT16, True), (Precision.INT8, False)])
def test_only_what_is_quantised_comes_through_the_cpus_memory(precision: Precision, expected: bool) -> None:
    need = Memory(precision, 1, weights=100, cache=10, activations=10, loading=200)
    devices = (Device("cpu", "1 CPU", 150), Device("cuda:0", "a card", 1000))
    assert fits(need, devices[1], devices) is expected
    assert not fits(need, devices[0], devices)


def test_an_outline_takes_no_memory() -> None:
    network = outline(TINY)
    assert all(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_what_names_no_model_is_refused() -> None:
    with pytest.raises(UsageError, match="no-such-model"):
        examine("no-such-model")
