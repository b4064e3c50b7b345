"""A LLaVA directory and a SAM file become an MGLMM that is yet to be trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.convert.convert import convert
from engine.errors import UsageError
from engine.model.checkpoint import load
from tests.engine.convert.making import ADDED, PIECES, Made, edit_json, make_llava, rewrite, write_json

EMBEDDINGS, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@pytest.fixture
def llava(tmp_path: Path) -> Made:
    """A LLaVA that the test may change; `sam.pth` lies beside it."""
    return make_llava(tmp_path / "source")


def _sam(llava: Made) -> Path:
    return llava.folder.parent / "sam.pth"


def test_seven_tokens_and_text_layers_are_added(llava: Made, tmp_path: Path) -> None:
    report = convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
    loaded = load(str(tmp_path / "out"))
    assert loaded.config == llava.config.model_copy(update={"name": "checkpoint"})
    assert loaded.tokenizer.encode("".join(ADDED["mglmm"])) == list(range(PIECES, PIECES + 7))
    drawn = [name for name in loaded.model.state_dict() if name.startswith("text_hidden_fcs.")]
    tables = ["language_model.model.embed_tokens.weight", "language_model.lm_head.weight"]
    made = {how: sorted(names) for how, names in report.made.items()}
    assert made == {
        "7 new rows, each the mean of the others": sorted(tables),
        "drawn at random with a fixed seed": sorted(drawn),
    }
    assert "this model has not been trained to make masks yet" in report.notes[0]
    theirs = llava.network.state_dict()
    for name, tensor in loaded.model.state_dict().items():
        if name not in (*drawn, *tables):
            assert torch.equal(tensor, theirs[name]), name


def test_new_rows_are_the_mean_of_the_old(llava: Made, tmp_path: Path) -> None:
    convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
    state = load(str(tmp_path / "out")).model.state_dict()
    for key in (EMBEDDINGS, HEAD):
        table, old = state[f"language_model.{key}"], llava.tensors[key]
        assert torch.equal(table[:PIECES], old)
        assert torch.allclose(table[PIECES:], old.mean(0).expand(7, -1), atol=1e-6)


def test_what_is_drawn_is_the_same_every_time_and_of_a_sensible_size(llava: Made, tmp_path: Path) -> None:
    for name in ("one", "two"):
        convert(str(llava.folder), tmp_path / name, sam=_sam(llava))
    one, two = (load(str(tmp_path / name)).model.text_hidden_fcs.state_dict() for name in ("one", "two"))
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name])
        assert 0.5 * 32**-0.5 < tensor.abs().max() <= 32**-0.5
    assert not torch.equal(one["0.bias"], one["2.bias"])


def test_half_precision_tables_keep_their_type(llava: Made, tmp_path: Path) -> None:
    rewrite(llava, {key: tensor.bfloat16() for key, tensor in llava.tensors.items()})
    report = convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
    types = {part.name: part.dtypes for part in report.parts}
    assert types["language_model"] == types["text_hidden_fcs"] == ("bfloat16",)
    table = load(str(tmp_path / "out")).model.language_model.model.embed_tokens.weight
    expected = llava.tensors[EMBEDDINGS].bfloat16().float().mean(0).bfloat16().float()
    assert torch.equal(table[PIECES:], expected.expand(7, -1))


def test_tokens_that_it_has_are_kept(llava: Made, tmp_path: Path) -> None:
    write_json(llava.folder / "added_tokens.json", {"<s>": 1, "<pad>": PIECES, "<im_end>": PIECES + 1})
    wider = {key: torch.cat([llava.tensors[key], torch.ones(2, 32)]) for key in (EMBEDDINGS, HEAD)}
    rewrite(llava, llava.tensors | wider)
    report = convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
    assert report.facts["tokens"].startswith("<pad> 60, <im_end> 61, <im_start> 62, <bbox> 63")
    table = load(str(tmp_path / "out")).model.language_model.model.embed_tokens.weight
    assert table.shape == (PIECES + 2 + 6, 32)
    assert torch.equal(table[: PIECES + 2], wider[EMBEDDINGS])


def test_rows_without_a_token_are_dropped(llava: Made, tmp_path: Path) -> None:
    padded = {key: torch.cat([llava.tensors[key], torch.full((4, 32), 9.0)]) for key in (EMBEDDINGS, HEAD)}
    rewrite(llava, llava.tensors | padded)
    report = convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
    assert "4 rows of the embeddings had no token and were dropped" in report.notes
    table = load(str(tmp_path / "out")).model.language_model.model.embed_tokens.weight
    assert table.shape == (PIECES + 7, 32)
    assert table.abs().max() < 5


def test_without_a_sam_it_is_refused(llava: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no SAM; give the file of one \(sam_vit_\*\.pth\) with --sam"):
        convert(str(llava.folder), tmp_path / "out")


def test_it_can_only_become_an_mglmm(llava: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--family lisa, but it is mglmm \(config.json names LlavaLlamaForCausalLM\)"):
        convert(str(llava.folder), tmp_path / "out", sam=_sam(llava), family="lisa")
    edit_json(llava.folder / "config.json", architectures=None)
    report = convert(str(llava.folder), tmp_path / "out", sam=_sam(llava), family="mglmm")
    assert report.facts["family"] == "mglmm, a starting point (--family)"


def test_tokens_without_rows_are_refused(llava: Made, tmp_path: Path) -> None:
    write_json(llava.folder / "added_tokens.json", {"<pad>": PIECES})
    with pytest.raises(UsageError, match="the tokenizer has 61 tokens, the embeddings have 60 rows"):
        convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))


def test_tables_of_different_lengths_are_refused(llava: Made, tmp_path: Path) -> None:
    rewrite(llava, llava.tensors | {HEAD: torch.ones(PIECES - 1, 32)})
    with pytest.raises(UsageError, match=r"lm_head\.weight has 59 rows, the vocabulary has 60 tokens"):
        convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))


def test_a_table_with_factors_cannot_grow(llava: Made, tmp_path: Path) -> None:
    factors = {"lm_head.lora_A.weight": torch.ones(2, 32), "lm_head.lora_B.weight": torch.ones(PIECES, 2)}
    rewrite(llava, llava.tensors | factors)
    with pytest.raises(UsageError, match="a table that gets new rows can't have LoRA factors"):
        convert(str(llava.folder), tmp_path / "out", sam=_sam(llava))
