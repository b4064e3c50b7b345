"""Tensors where they lie in files: names, types and shapes first, the bytes only when they are asked for.

Reads `.safetensors` and torch's `.bin`, `.pth`, `.pt`. No file is mapped or read as a whole, but for the format that
torch wrote before 1.6, which can't be read otherwise; of those one at a time is held.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import UsageError

CHUNK = 16 * 2**20
"""Bytes that are copied at once."""

_PACKING, _PACKED = 8, 64 << 20
"""How much larger than its file what is in a zip may be, and the bytes that are allowed beside; weights hardly pack."""

_LENGTHS = 26
"""Where in the header of a zip record the lengths of its name and of what follows stand, two bytes each."""

DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""Types by the names that safetensors gives them."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file.

    Attributes:
        key: its name in the file.
        file: the file.
        dtype: type of its numbers.
        shape: its shape.
        stride: steps between numbers, as torch counts them.
        offset: of its first byte in the file, or None where it can only be had by loading the file.
    """

    key: str
    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int | None

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return torch.Size(self.shape).numel()


class TensorFiles:
    """The tensors of one or several files.

    Args:
        files: read in this order.

    Raises:
        UsageError: if a file can't be read, or two hold the same key.
    """

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self.tensors: dict[str, StoredTensor] = {}
        self._held: tuple[Path, Mapping[str, Tensor]] | None = None
        for file in files:
            for tensor in _index(file):
                if (other := self.tensors.get(tensor.key)) is not None:
                    raise UsageError(f"{file}: {tensor.key} is in {other.file.name} too")
                self.tensors[tensor.key] = tensor

    def read(self, tensor: StoredTensor) -> Tensor:
        """The tensor itself, contiguous."""
        if tensor.offset is None:
            return self._load(tensor.file)[tensor.key].contiguous()
        size = tensor.dtype.itemsize
        span = _span(tensor.shape, tensor.stride)
        content = bytearray(span * size)
        with tensor.file.open("rb") as file:
            file.seek(tensor.offset)
            if file.readinto(content) != len(content):
                raise _too_short(tensor.file)
        if not content:
            return torch.empty(tensor.shape, dtype=tensor.dtype)
        return torch.frombuffer(content, dtype=tensor.dtype).as_strided(tensor.shape, tensor.stride).contiguous()

    def chunks(self, tensor: StoredTensor) -> Iterator[memoryview]:
        """The tensor's bytes in order; one without gaps goes by in small pieces."""
        if tensor.offset is None or not _is_dense(tensor.shape, tensor.stride):
            yield from tensor_chunks(self.read(tensor))
            return
        left = tensor.parameters * tensor.dtype.itemsize
        buffer = memoryview(bytearray(min(left, CHUNK)))
        with tensor.file.open("rb", buffering=0) as file:
            file.seek(tensor.offset)
            while left:
                count = file.readinto(buffer[: min(left, CHUNK)])
                if not count:
                    raise _too_short(tensor.file)
                yield buffer[:count]
                left -= count

    def _load(self, path: Path) -> Mapping[str, Tensor]:
        if self._held is None or self._held[0] != path:
            self._held = None  # let go of the one before the next is read
            self._held = (path, _torch_load(path, "cpu"))
        return self._held[1]


def tensor_chunks(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in memory."""
    if tensor.numel():
        yield tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _index(path: Path) -> Iterator[StoredTensor]:
    if not path.is_file():
        raise UsageError(f"{path}: missing")
    return _safetensors_index(path) if path.suffix == ".safetensors" else _torch_index(path)


def _safetensors_index(path: Path) -> Iterator[StoredTensor]:
    try:
        with safe_open(path, "pt"):  # the library checks the header against the file
            pass
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: can't be read as safetensors: {error}") from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    for key, entry in header.items():
        if entry["dtype"] not in DTYPES:
            raise UsageError(f"{path}: {key} has the type {entry['dtype']}, which is not supported")
        shape = tuple(entry["shape"])
        yield StoredTensor(
            key, path, DTYPES[entry["dtype"]], shape, _dense_stride(shape), 8 + length + entry["data_offsets"][0]
        )


def _torch_index(path: Path) -> Iterator[StoredTensor]:
    tensors = _torch_load(path, "meta")
    records = _records(path)
    for key, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.dtype not in DTYPES.values():
            raise UsageError(f"{path}: {key} is {tensor.layout}, {tensor.dtype}, which is not supported")
        shape, stride = tuple(tensor.shape), tensor.stride()
        # Torch notes where in a zip file a storage lies. Where it does not, or is wrong, nothing but loading helps.
        start: int | None = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
        first, size = int(tensor.storage_offset()), tensor.dtype.itemsize
        offset = None
        if start is not None and (first + _span(shape, stride)) * size <= records.get(start, -1):
            offset = start + first * size
        yield StoredTensor(key, path, tensor.dtype, shape, stride, offset)


def _torch_load(path: Path, device: str) -> Mapping[str, Tensor]:
    _check_packing(path)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    # A damaged file makes torch raise nearly anything.
    except Exception as error:
        raise UsageError(
            f"{path}: can't be read: it is damaged, or a pickle of more than tensors (which is not opened, since it "
            f"could run code; save the state dict alone)"
        ) from error
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds a {type(content).__name__}, not a table of tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise UsageError(f"{path}: {key} is a {type(value).__name__}, not a tensor; save the state dict alone")
    return content


def _check_packing(path: Path) -> None:
    """Refuse a small file that would fill the memory."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(record.file_size for record in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UsageError(f"{path}: can't be read: it is damaged: {error}") from error
    size = path.stat().st_size
    if whole > _PACKING * size + _PACKED:
        raise UsageError(f"{path}: {size / 1e6:.1f} MB that would be {whole / 1e6:.0f} unpacked: not a checkpoint")


def _records(path: Path) -> dict[int, int]:
    """Where the uncompressed records of a zip file begin, and how long each is."""
    if not zipfile.is_zipfile(path):
        return {}
    records = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for record in archive.infolist():
            if record.filename.endswith("/byteorder") and archive.read(record) != b"little":
                raise UsageError(f"{path}: was written by a big-endian machine, which is not supported")
            if record.compress_type == zipfile.ZIP_STORED:
                # The record's own header may be longer than what the archive's directory tells.
                file.seek(record.header_offset + _LENGTHS)
                name, extra = struct.unpack("<HH", file.read(4))
                records[record.header_offset + _LENGTHS + 4 + name + extra] = record.file_size
    return records


def _span(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """How many numbers lie between the first and the last, both included."""
    if 0 in shape:
        return 0
    return 1 + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))


def _dense_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps = []
    step = 1
    for length in reversed(shape):
        steps.append(step)
        step *= max(length, 1)
    return tuple(reversed(steps))


def _is_dense(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    dense = _dense_stride(shape)
    return all(length == 1 or a == b for length, a, b in zip(shape, stride, dense, strict=True))


def _too_short(path: Path) -> UsageError:
    return UsageError(f"{path}: is cut short; copy or download it again")
