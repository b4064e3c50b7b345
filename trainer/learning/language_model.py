"""A language model of transformers in the place of the one in an MGLMM.

The encoders and the mask decoder stay; the projector and the layers behind `[SEG]` states are new, since they have the
width of the language model. Its tokenizer gets the tokens of the unified format.

Legend: `V` rows of the language model's embeddings, `D` its width.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from engine.errors import UsageError
from engine.model.checkpoint import Checkpoint
from engine.model.language_config import LanguageConfig, LanguageOptions
from engine.model.llama import check_supported
from engine.model.manifest import sha256
from engine.model.mglmm import MGLMM
from engine.model.tokenizers import BpeTokenizer
from engine.model.tokenizers.base import BOS, EOS

_VISUAL = ("pixel_encoder", "global_encoder", "mask_head")


@dataclass(frozen=True, slots=True)
class LanguageFiles:
    """Where a language model lies.

    Attributes:
        folder: of its files.
        gguf: the file in it that holds everything, or None for a folder as transformers writes it.
    """

    folder: Path
    gguf: str | None

    @property
    def name(self) -> str:
        """How the model is called."""
        return Path(self.gguf).stem if self.gguf else self.folder.resolve().name

    def identity(self) -> str:
        """Hash of the files."""
        files = [self.folder / self.gguf] if self.gguf else sorted(p for p in self.folder.iterdir() if p.is_file())
        return hashlib.sha256(" ".join(sha256(path) for path in files).encode()).hexdigest()


def find_language_model(source: str) -> LanguageFiles:
    """What `source` names: a folder with config.json, a GGUF file, or a folder or installed package with one.

    Raises:
        UsageError: if it is none of them.
    """
    path = Path(source)
    if path.is_file() and path.suffix == ".gguf":
        return LanguageFiles(path.parent, path.name)
    folder = path if path.is_dir() else _package(source)
    if (folder / "config.json").is_file():
        return LanguageFiles(folder, None)
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise UsageError(f"{folder}: neither config.json nor one *.gguf ({len(found)} are there): no language model")
    return LanguageFiles(folder, found[0].name)


def with_language_model(visual: Checkpoint, files: LanguageFiles) -> tuple[MGLMM, BpeTokenizer]:
    """The visual parts of a model around a language model; what is new is drawn at random.

    Args:
        visual: whose encoders and mask decoder are taken.
        files: of the language model.

    Raises:
        UsageError: if the language model can't be read, or is not of a kind that can be run.
    """
    language, tokenizer, known = _read(files)
    options = {
        key: value for key, value in language.config.to_diff_dict().items() if key in LanguageOptions.model_fields
    }
    rows = max(language.config.vocab_size, tokenizer.size)
    config = visual.config.model_copy(
        update={
            "name": f"{visual.name}-{files.name}",
            "language": LanguageConfig(model_type=language.config.model_type, options={**options, "vocab_size": rows}),
        }
    )
    model = MGLMM(config)
    for part in _VISUAL:
        model.get_submodule(part).load_state_dict(visual.model.get_submodule(part).state_dict())
    state = language.state_dict()
    assert tokenizer.bos is not None  # its own kind of tokenizer
    ends = {tokenizer.bos: language.config.bos_token_id, tokenizer.eos: language.config.eos_token_id}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        state[name] = _extended(state[name], rows, range(known, tokenizer.size), ends)
    model.language_model.load_state_dict(state)
    model.language_model.tie_weights()
    return model, tokenizer


def _extended(table: Tensor, rows: int, new: range, ends: dict[int, Any]) -> Tensor:
    """`(V, D)` to `(rows, D)`: the row of a new token is the mean of the known ones, or that of its like in `ends`.

    A model may have more rows than tokens; then new tokens take rows that had no meaning.
    """
    extended = torch.cat([table, table.new_zeros(rows - len(table), table.shape[1])])
    extended[new.start : new.stop] = table[: new.start].float().mean(dim=0).to(table.dtype)
    for token, old in ends.items():
        # Some models have several tokens that end a text; the first is the usual one.
        old = old[0] if isinstance(old, list) else old
        if old is not None:
            extended[token] = table[old]
    return extended


def _read(files: LanguageFiles) -> tuple[PreTrainedModel, BpeTokenizer, int]:
    """The language model, its extended tokenizer, and how many tokens that had before."""
    where = files.folder / (files.gguf or "")
    options: dict[str, Any] = {"gguf_file": files.gguf, "local_files_only": True, "trust_remote_code": False}
    try:
        language = AutoModelForCausalLM.from_pretrained(files.folder, dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(files.folder, **options)
    except Exception as error:  # whatever its many readers raise
        raise UsageError(f"{where}: transformers can't read it: {' '.join(str(error).split())}") from error
    check_supported(language)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UsageError(f"{where}: its tokenizer is no byte-level BPE")
    if any(backend.token_to_id(token) is not None for token in (BOS, EOS)):
        raise UsageError(f"{where}: its tokenizer has {BOS} or {EOS} already")
    known = backend.get_vocab_size()
    try:
        return language, BpeTokenizer.extend(backend), known
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None:
        raise UsageError(f"no language model {name!r}: give a folder, a .gguf file or an installed package")
    return Path(spec.origin).parent
