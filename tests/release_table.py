"""`python -m tests.release_table`: the table of official releases in docs/models.md, computed from the presets' sizes.

Nothing is downloaded: parameters are counted on shapes without numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.doctor.memory import weights_size
from engine.doctor.parts import outline
from engine.model.config import ClipConfig, ModelConfig, RegionEncoderConfig
from engine.model.precision import Precision
from engine.model.presets import PRESETS

DOCUMENT = Path(__file__).parents[1] / "docs" / "models.md"
_TABLE = re.compile(r"(?<=<!-- releases -->\n\n)(\|.*\n)+")


@dataclass(frozen=True)
class Official:
    """A release.

    Attributes:
        name: on the hub; of MGLMM, whose weights are not public, its own.
        config: its sizes.
        stored: type of the released numbers.
        licence: as its card says, where that is known.
        tasks: that it was trained for.
    """

    name: str
    config: ModelConfig
    stored: torch.dtype
    licence: str
    tasks: str


def _lisa(preset: str) -> ModelConfig:
    """CLIP with 224 pixels, a projector of one layer, three added tokens."""
    config = PRESETS[preset]
    language = config.language.model_copy(update={"options": {**config.language.options, "vocab_size": 32003}})
    clip = ClipConfig(image_size=224)
    return config.model_copy(
        update={"global_encoder": clip, "projector": "linear", "template": "lisa", "language": language}
    )


_GLAMM = PRESETS["7b"].model_copy(update={"region_encoder": RegionEncoderConfig()})
_CARD = "see its card"
_SA2VA = "grounded captions, referring and reasoning segmentation, conversation"
OFFICIAL = (
    *(
        Official(
            f"ByteDance/Sa2VA-{name}",
            PRESETS[f"sa2va-{name.lower()}".replace("qwen3-vl", "qwen3vl")],
            torch.float32,
            "Apache-2.0",
            _SA2VA,
        )
        for name in ("1B", "4B", "8B", "InternVL3-2B", "InternVL3-8B", "InternVL3-14B", "Qwen3-VL-2B", "Qwen3-VL-4B")
    ),
    Official("MBZUAI/GLaMM-FullScope", _GLAMM, torch.bfloat16, _CARD, "grounded captions, referring, regions"),
    Official("xinlai/LISA-7B-v1", _lisa("7b"), torch.bfloat16, _CARD, "reasoning and referring segmentation"),
    Official("xinlai/LISA-13B-llama2-v1", _lisa("13b"), torch.bfloat16, _CARD, "reasoning and referring segmentation"),
    Official("MGLMM, 7B", PRESETS["7b"], torch.bfloat16, "not public yet", "all tasks of this program"),
)
_MEMORY: Mapping[str, Precision] = {
    "float32": Precision.FLOAT32,
    "bfloat16, float16": Precision.BFLOAT16,
    "int8": Precision.INT8,
    "int4": Precision.INT4,
}


def table() -> str:
    """In Markdown, with a newline at its end."""
    rows = [["release", "parameters", "on disk", *_MEMORY, "licence", "trained for"]]
    rows.append(["---", *["---:"] * (2 + len(_MEMORY)), "---", "---"])
    rows += [_row(official) for official in OFFICIAL]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def written() -> str:
    """The table as the document has it."""
    found = _TABLE.search(DOCUMENT.read_text(encoding="utf-8"))
    return found[0] if found else ""


def _row(official: Official) -> list[str]:
    network = outline(official.config)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    memory = [f"{weights_size(network, precision) / 1e9:.1f}" for precision in _MEMORY.values()]
    disk = f"{numbers * official.stored.itemsize / 1e9:.1f}"
    name = f"`{official.name}`" if "/" in official.name else official.name
    return [name, f"{numbers / 1e9:.2f}", disk, *memory, official.licence, official.tasks]


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(_TABLE.sub(lambda _: table(), text), encoding="utf-8")
