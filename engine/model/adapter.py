"""LoRA factors beside the layers of a language model, in peft's own files.

A model folder with `adapter_config.json` and `adapter_model.safetensors` holds the weights without the factors; both
together are the model. peft puts a layer of its own around each adapted one, so tensors get other names: the functions
here give them the stored ones.

Legend: `W` `(out, in)` the weight of a layer, `A` `(r, in)` and `B` `(out, r)` its factors, `s = alpha / r`.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.errors import UsageError
from engine.model.limits import read_table

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_NAME = "default"
_PART = "language_model."
_LARGEST_RANK = 4096
_UNKNOWN = (
    "alpha_pattern", "bias", "fan_in_fan_out", "layer_replication", "layers_pattern", "layers_to_transform",
    "modules_to_save", "rank_pattern", "target_parameters", "trainable_token_indices", "use_dora", "use_rslora",
)  # fmt: skip
_STORED = "base_model.model."
"""What peft puts in front of the names of a language model's tensors."""


def attach(language_model: nn.Module, *, rank: int, alpha: float, dropout: float, layers: Sequence[str]) -> None:
    """Put new factors beside linear layers; `B` is zero, so that nothing changes yet.

    Args:
        language_model: the causal LM.
        rank: `r`.
        alpha: the factors count `alpha / r` times.
        dropout: of what `A` gets, in training.
        layers: last names of the layers.
    """
    peft = _peft()
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(layers))
    peft.inject_adapter_in_model(config, language_model)


def is_factor(name: str) -> bool:
    """Whether a tensor of a module with an adapter is one of its factors."""
    return ".lora_" in name


def own_name(name: str) -> str:
    """The name that a tensor has where there is no adapter."""
    return name.replace(".base_layer.", ".")


def has_adapter(language_model: nn.Module) -> bool:
    """Whether there are factors beside any layer."""
    return any(is_factor(name) for name, _ in language_model.named_parameters())


def save(folder: Path, language_model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Write the factors as peft does; without an adapter, what lies there of an older one is removed.

    Args:
        folder: of the model.
        language_model: knows its adapter.
        state: tensors of the whole model, the factors among them.
    """
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    if not has_adapter(language_model):
        return
    config: Any = language_model.peft_config[_NAME]  # type: ignore[index]
    # As peft writes it, but for sets, which it leaves in any order: the same adapter has the same files.
    content = {key: sorted(value) if isinstance(value, set) else value for key, value in config.to_dict().items()}
    content["inference_mode"] = True
    (folder / ADAPTER_CONFIG).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    factors = {
        _stored_name(name.removeprefix(_PART)): tensor.float().contiguous()
        for name, tensor in state.items()
        if is_factor(name)
    }
    save_file(factors, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})


def load(folder: Path, language_model: nn.Module, dtype: torch.dtype) -> None:
    """Put the factors of a model folder beside the layers of its language model, if it has any.

    Args:
        folder: of the model.
        language_model: its weights are loaded.
        dtype: of the factors in memory.

    Raises:
        UsageError: if a file is missing or damaged, or the factors don't fit.
    """
    if not (folder / ADAPTER_CONFIG).is_file():
        return
    config = _read_config(folder / ADAPTER_CONFIG)
    path = folder / ADAPTER_WEIGHTS
    try:
        stored = load_file(path)
        _peft().inject_adapter_in_model(config, language_model, low_cpu_mem_usage=True)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise UsageError(f"{path}: not an adapter of this model: {' '.join(str(error).split())}") from error
    _assign(path, language_model, {name: tensor.to(dtype) for name, tensor in stored.items()})


def _read_config(path: Path) -> Any:
    """The few settings that are known here; peft has others, some of which would give other answers.

    Raises:
        UsageError: if the file sets one of those, or a value is not one that LoRA can have.
    """
    table = read_table(path)
    odd = [key for key in _UNKNOWN if table.get(key) not in (None, False, "none", [], {})]
    if table.get("peft_type") != "LORA" or odd:
        raise UsageError(f"{path}: only plain LoRA can be read, not {', '.join(odd) or table.get('peft_type')}")
    rank, alpha, layers = table.get("r"), table.get("lora_alpha"), table.get("target_modules")
    if not isinstance(rank, int) or not 1 <= rank <= _LARGEST_RANK:
        raise UsageError(f"{path}: r is {rank!r}, not a rank from 1 to {_LARGEST_RANK}")
    if not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
        raise UsageError(f"{path}: lora_alpha is {alpha!r}, not a positive number")
    if not isinstance(layers, list) or not layers or not all(isinstance(x, str) and x.isidentifier() for x in layers):
        raise UsageError(f"{path}: target_modules is not a list of layers' names")
    dropout = table.get("lora_dropout", 0.0)
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise UsageError(f"{path}: lora_dropout is {dropout!r}, not a share")
    return _peft().LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=layers, inference_mode=True
    )


def merge(language_model: nn.Module) -> None:
    """`W + s B A` takes the place of each adapted layer; the model is then one without an adapter."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(language_model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge(safe_merge=True)
            language_model.set_submodule(name, layer.get_base_layer())
    if hasattr(language_model, "peft_config"):
        del language_model.peft_config


def _stored_name(name: str) -> str:
    return _STORED + name.replace(f".{_NAME}.", ".")


def _assign(path: Path, language_model: nn.Module, stored: Mapping[str, Tensor]) -> None:
    own = {name: tensor for name, tensor in language_model.named_parameters() if is_factor(name)}
    names = {_stored_name(name): name for name in own}
    if names.keys() != stored.keys():
        odd = min(names.keys() ^ stored.keys())
        raise UsageError(f"{path}: {odd} is {'unknown' if odd in stored else 'missing'}: not of {ADAPTER_CONFIG}")
    for key, name in names.items():
        if own[name].shape != stored[key].shape:
            raise UsageError(
                f"{path}: {key} is {tuple(stored[key].shape)}, the model asks for {tuple(own[name].shape)}"
            )
        owner, _, leaf = name.rpartition(".")
        parameter = nn.Parameter(stored[key], requires_grad=False)
        setattr(language_model.get_submodule(owner), leaf, parameter)


def _peft() -> Any:
    """Imported only where it is needed: it takes seconds."""
    # It imports bitsandbytes, which remarks that a faster kernel could be fetched.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    import peft

    return peft
