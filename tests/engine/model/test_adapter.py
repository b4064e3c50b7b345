"""Models with LoRA: stored in peft's own files, loaded unmerged, merged without another answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.decoding.generator import Generator
from engine.decoding.row import Generated
from engine.decoding.sequence import PromptWriter
from engine.errors import UsageError
from engine.model import adapter
from engine.model.checkpoint import Checkpoint, load, save
from engine.model.manifest import write_manifest
from engine.model.merging import merge
from engine.model.mglmm import build_language_model
from engine.model.precision import Precision


@pytest.fixture(scope="module")
def adapted(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with factors that change what it says."""
    folder = tmp_path_factory.mktemp("models") / "adapted"
    tiny = load(str(tiny_folder))
    language = tiny.model.language_model
    adapter.attach(language, rank=4, alpha=16, dropout=0.05, layers=["q_proj", "v_proj"])
    generator = torch.Generator().manual_seed(0)
    for name, parameter in language.named_parameters():
        if adapter.is_factor(name):
            nn.init.normal_(parameter, std=0.5, generator=generator)
    save(folder, tiny.model, tiny.tokenizer, dtype=torch.float32)
    return folder


def _answers(checkpoint: Checkpoint) -> list[Generated]:
    writer = PromptWriter(checkpoint.config, checkpoint.tokenizer)
    tokens = torch.randn(3, 9, 64, generator=torch.Generator().manual_seed(0))
    questions = [writer.question(text) for text in ("Segment the sky.", "What is it?", "Describe the dog.")]
    return Generator(checkpoint.model, checkpoint.tokenizer).generate(writer.prefix, tokens, questions, 24)


def _logits(language: nn.Module) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = language(input_ids=torch.arange(20)[None]).logits
    return logits


def test_merged_and_unmerged_give_the_same_answers(adapted: Path, tiny_folder: Path, tmp_path: Path) -> None:
    merge(str(adapted), tmp_path / "merged")
    plain, unmerged, merged = (load(str(path)) for path in (tiny_folder, adapted, tmp_path / "merged"))
    assert adapter.has_adapter(unmerged.model.language_model)
    assert not adapter.has_adapter(merged.model.language_model)
    assert {path.name for path in (tmp_path / "merged").iterdir()}.isdisjoint({"adapter_config.json"})
    before, after = _answers(unmerged), _answers(merged)
    assert [answer.ids for answer in before] == [answer.ids for answer in after]
    assert [answer.ids for answer in before] != [answer.ids for answer in _answers(plain)]
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one.seg_states, other.seg_states, atol=1e-4, rtol=1e-4)


def test_a_saved_adapter_comes_back_as_it_was(adapted: Path, tmp_path: Path) -> None:
    first = load(str(adapted))
    save(tmp_path / "again", first.model, first.tokenizer, dtype=torch.float32)
    for name in ("model.safetensors", "adapter_model.safetensors", "adapter_config.json"):
        assert (adapted / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert not first.model.training
    assert not any(parameter.requires_grad for n, parameter in first.model.named_parameters() if adapter.is_factor(n))


def test_all_files_of_a_model_may_be_read_by_the_same_people(adapted: Path) -> None:
    assert len({path.stat().st_mode for path in adapted.iterdir()}) == 1


def test_peft_itself_reads_the_adapter(adapted: Path) -> None:
    ours = load(str(adapted))
    base = build_language_model(ours.config.language).eval()
    prefix = "language_model."
    stored = load_file(adapted / "model.safetensors")
    weights = {name.removeprefix(prefix): tensor for name, tensor in stored.items() if name.startswith(prefix)}
    base.load_state_dict(weights, strict=False)
    base.tie_weights()
    theirs = PeftModel.from_pretrained(base, str(adapted))
    torch.testing.assert_close(_logits(theirs), _logits(ours.model.language_model))


def test_half_precision_keeps_the_adapter_beside_its_layers(adapted: Path) -> None:
    half = load(str(adapted), precision=Precision.BFLOAT16)
    factors = [p for name, p in half.model.named_parameters() if adapter.is_factor(name)]
    assert factors and {p.dtype for p in factors} == {torch.bfloat16}


def test_a_model_without_an_adapter_has_nothing_to_merge(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to merge"):
        merge(str(tiny_folder), tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        merge(str(tiny_folder), tmp_path / "full")


def test_an_adapter_that_does_not_fit_is_refused(adapted: Path, tmp_path: Path) -> None:
    first = load(str(adapted))
    folder = tmp_path / "odd"
    save(folder, first.model, first.tokenizer, dtype=torch.float32)
    path = folder / "adapter_model.safetensors"
    factors = load_file(path)
    name = min(factors)
    save_file({key: tensor for key, tensor in factors.items() if key != name}, path)
    write_manifest(folder)
    with pytest.raises(UsageError, match=rf"{name} is missing"):
        load(str(folder))
    save_file(factors | {name: torch.zeros(2, 2)}, path)
    write_manifest(folder)
    with pytest.raises(UsageError, match=rf"{name} is \(2, 2\)"):
        load(str(folder))
    path.unlink()
    write_manifest(folder)
    with pytest.raises(UsageError, match="not an adapter of this model"):
        load(str(folder))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"r": 0}, "r is 0, not a rank from 1 to 4096"),
        ({"r": 10**9}, "not a rank"),
        ({"lora_alpha": "x"}, "lora_alpha is 'x'"),
        ({"target_modules": ".*"}, "target_modules"),
        ({"use_dora": True}, "only plain LoRA can be read, not use_dora"),
        ({"rank_pattern": {"q_proj": 4}}, "not rank_pattern"),
        ({"peft_type": "IA3"}, "not IA3"),
    ],
)
def test_settings_of_an_adapter_are_bounded(adapted: Path, tmp_path: Path, change: dict, reason: str) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(adapted, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    write_manifest(folder)
    with pytest.raises(UsageError, match=reason):
        load(str(folder))
