"""PNG: chunks, each with its length and kind. Texts and profiles are packed, and may unpack to very much more.

Source: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib

from engine.images.formats import METADATA, SEVERAL, Contents
from engine.images.reading import Part, PictureFile, Stretch

_SIGNATURE = 8
_ANIMATION = b"acTL"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_NOTES = frozenset({b"eXIf", b"iCCP", b"iTXt", b"tEXt", b"zTXt"})
_GREY, _COLOURS = 0, 2
_XMP, _RAW_EXIF = "XML:com.adobe.xmp", "Raw profile type exif"
_TEXT = 1 << 20
"""Bytes of a text that are read: where the top is stands near the beginning."""


def take_apart(file: PictureFile) -> Contents:
    """The picture of a PNG file; of an animation, its still image.

    Raises:
        PhotographError: if it is in too many pieces to be read.
    """
    parts: list[Part] = [Stretch(0, _SIGNATURE)]
    info: dict[str, bytes | str] = {}
    at, depth, colours = _SIGNATURE, 8, _COLOURS
    while len(head := file.read_at(at, 8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        chunk = Stretch(at, at + 12 + length)
        if not kind.isalpha():
            parts.append(Stretch(at, file.size))  # for the decoder to judge
            break
        if kind == b"IHDR":
            depth, colours = file.read_at(at + 16, 2).ljust(2, b"\0")
        if kind == b"tRNS":
            parts.append(_transparency(file, chunk, depth, colours))
        elif kind in _PICTURE:
            parts.append(chunk)
        elif kind == _ANIMATION:
            info[SEVERAL] = "yes"
        elif kind in _NOTES and length <= METADATA:
            _note(info, kind, file.read(length))
        if kind == b"IEND":
            break
        at = chunk.stop
    return Contents(tuple(parts), info)


def _transparency(file: PictureFile, chunk: Stretch, depth: int, colours: int) -> Part:
    """The chunk that says which level or colour can't be seen, as that is once decoded: in eight bits."""
    count = {_GREY: 1, _COLOURS: 3}.get(colours, 0)
    data = file.read_at(chunk.start + 8, 2 * count)
    if len(data) < 2 * count or (colours, depth) not in ((_GREY, 2), (_GREY, 4), (_COLOURS, 16)):
        return chunk
    most = (1 << depth) - 1
    found = [level & most for level in struct.unpack(f">{count}H", data)]
    # Few bits are stretched, of many the high ones are kept.
    levels = [level >> 8 if depth == 16 else level * 255 // most for level in found]
    content = b"tRNS" + struct.pack(f">{count}H", *levels)
    return struct.pack(">I", 2 * count) + content + struct.pack(">I", zlib.crc32(content))


def _note(info: dict[str, bytes | str], kind: bytes, data: bytes) -> None:
    """Take what matters from a chunk of metadata, if it is the first of its kind: each may take long to unpack."""
    if kind == b"eXIf":
        info.setdefault("exif", b"Exif\0\0" + data)
        return
    name, _, rest = data.partition(b"\0")
    if kind == b"iCCP":
        if "icc_profile" not in info:
            info["icc_profile"] = _profile(rest[1:])
    elif kind == b"iTXt":
        if name == _XMP.encode() and "xmp" not in info:
            _language, _, text = rest[2:].partition(b"\0")
            _keyword, _, text = text.partition(b"\0")
            info["xmp"] = _unpacked(text, _TEXT) if rest[:1] == b"\1" else text[:_TEXT]
    elif name == _RAW_EXIF.encode() and _RAW_EXIF not in info:
        text = _unpacked(rest[1:], _TEXT) if kind == b"zTXt" else rest[:_TEXT]
        info[_RAW_EXIF] = text.decode("latin-1")


def _profile(packed: bytes) -> bytes:
    """A colour profile, as long as it says to be; empty if it is none."""
    head = _unpacked(packed, 128)
    if head[36:40] != b"acsp":
        return b""
    return _unpacked(packed, min(int.from_bytes(head[:4], "big"), METADATA))


def _unpacked(packed: bytes, most: int) -> bytes:
    """The first bytes of what was packed; empty if it is damaged."""
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return b""
