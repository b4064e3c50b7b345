"""Damaged pictures without end, and a look at what the decoder makes of them.

`python -m tests.engine.corpus FIRST COUNT FOLDER` decodes examples `FIRST` to `FIRST + COUNT - 1` and prints what came
of them as JSON. It is a process of its own because a decoder may crash, hang or fill the memory, and limits are set
for all three. Needs no more than numpy and Pillow.
"""

from __future__ import annotations

import faulthandler
import io
import json
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from engine.errors import PhotographError
from engine.images.decode import decode, decode_at_least

MAX_PIXELS = 1_000_000
_MEMORY = 3 << 30  # bytes of addresses, most of which libraries only reserve
_LONGEST = 60.0  # seconds of one example before it counts as endless
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (b"\xff\xd8\xff", b"\xff\xda", b"\xff\xc2", b"\xff\xe1", b"IHDR", b"IDAT", b"acTL", b"iCCP", b"eXIf", b"VP8X",
          b"ANMF", b"EXIF", b"II*\0", b"MM\0*", b"GIF89a", b"\x21\xf9\x04", b"\x2c", b"BM", b"ftyp")  # fmt: skip


@cache
def seeds() -> tuple[tuple[str, bytes], ...]:
    """Small pictures of every format and of most of their kinds, each with the name of its kind."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    noise[:20] = np.linspace(0, 255, 56).astype(np.uint8)[None, :, None]
    rgb, half = Image.fromarray(noise), Image.fromarray(noise[:, :, 0])
    deep = Image.fromarray((np.arange(40 * 56, dtype=np.uint16) * 29).reshape(40, 56))
    rgba = rgb.convert("RGBA")
    rgba.putalpha(half)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    both: dict[str, Any] = {"exif": exif, "icc_profile": profile}

    def frames() -> dict[str, Any]:  # each time anew, as Pillow leaves notes of one format on an image
        return {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}

    made: tuple[tuple[str, Image.Image, str, dict[str, Any]], ...] = (
        ("jpeg", rgb, "JPEG", both),
        ("jpeg progressive", rgb, "JPEG", {"progressive": True, **both}),
        ("jpeg grey", half, "JPEG", {"restart_marker_rows": 1}),
        ("jpeg cmyk", rgb.convert("CMYK"), "JPEG", {}),
        ("mpo", rgb, "MPO", frames()),
        ("png", rgb, "PNG", both),
        ("png alpha", rgba, "PNG", {}),
        ("png palette", rgb.quantize(16), "PNG", {"transparency": 2}),
        ("png 16", deep, "PNG", {}),
        ("png 1", half.convert("1"), "PNG", {}),
        ("apng", rgb, "PNG", frames()),
        ("webp", rgb, "WEBP", {"quality": 60, **both}),
        ("webp lossless", rgba, "WEBP", {"lossless": True}),
        ("webp animated", rgb, "WEBP", frames()),
        ("gif", rgb.quantize(32), "GIF", {"transparency": 3}),
        ("gif animated", rgb, "GIF", frames()),
        ("bmp", rgb, "BMP", {}),
        ("bmp palette", rgb.quantize(16), "BMP", {}),
        ("tiff", rgb, "TIFF", both),
        ("tiff lzw", rgb, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff deflate", rgba, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("tiff jpeg", rgb, "TIFF", {"compression": "jpeg"}),
        ("tiff fax", half.convert("1"), "TIFF", {"compression": "group4"}),
        ("tiff 16", deep, "TIFF", {"compression": "packbits"}),
        ("tiff pages", rgb, "TIFF", frames()),
        ("avif", rgb, "AVIF", {"quality": 60, **both}),
        ("avif alpha", rgba, "AVIF", {"quality": 60}),
    )
    return tuple((name, _encoded(image, kind, options)) for name, image, kind, options in made)


def example(number: int) -> tuple[str, bytes]:
    """Damaged picture number so and so, and which kind it was."""
    draw = random.Random(number)
    name, whole = draw.choice(seeds())
    data = bytearray(whole)
    for _ in range(draw.choice((1, 1, 2, 3, 5, 9, 20))):
        _damage(data, draw)
    if "png" in name and draw.random() < 0.6:
        _mend_checksums(data)
    return name, bytes(data)


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **options)
    return buffer.getvalue()


def _damage(data: bytearray, draw: random.Random) -> None:
    # Most of what a decoder believes stands in the head, and in the tail of a TIFF.
    reach = draw.choice((32, 128, 700, len(data)))
    at = draw.randrange(max(1, min(reach, len(data))))
    at = len(data) - at if draw.random() < 0.1 else at
    how = draw.randrange(8)
    if how == 0:
        data[at : at + 1] = bytes((draw.randrange(256),))
    elif how == 1:
        form = draw.choice((">B", ">H", "<H", ">I", "<I"))
        value = draw.choice(_EXTREMES) & (1 << 8 * struct.calcsize(form)) - 1
        data[at : at + struct.calcsize(form)] = struct.pack(form, value)
    elif how == 2:
        del data[at : at + draw.randrange(1, 40)]
    elif how == 3:
        data[at:at] = draw.randbytes(draw.randrange(1, 40))
    elif how == 4:
        start = draw.randrange(max(1, len(data)))
        data[at:at] = data[start : start + draw.randrange(1, 400)] * draw.choice((1, 1, 2, 50))
    elif how == 5:
        data[at : at + 4] = draw.choice(_WORDS)
    elif how == 6:
        _, other = draw.choice(seeds())
        start = draw.randrange(len(other))
        data[at : at + draw.choice((0, 100))] = other[start : start + draw.randrange(1, 300)]
    elif draw.random() < 0.5:
        del data[at:]
    else:
        data += bytes(draw.randrange(1, 5000))


def _mend_checksums(data: bytearray) -> None:
    """Or hardly any damage in a PNG would be looked at."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def look_at(path: Path) -> str:
    """Decode a file both ways; what came of it, in a word.

    Raises:
        Exception: whatever but a `PhotographError` comes out of the decoder.
        AssertionError: if what it says or gives is not as promised.
    """
    try:
        array = decode(path, max_pixels=MAX_PIXELS)
        small = decode_at_least(path, longest=9, shortest=7, max_pixels=MAX_PIXELS)
    except PhotographError as error:
        assert error.stage in ("open", "decode"), error.stage
        assert error.reason and error.reason.isprintable() and str(path) not in error.reason, error.reason
        return "no memory" if "memory" in error.reason else f"refused at {error.stage}"
    assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3, array.shape
    assert 0 < array.shape[0] * array.shape[1] <= MAX_PIXELS, array.shape
    assert (small.height, small.width) == array.shape[:2] and small.image.mode == "RGB"
    return "decoded"


def _peak() -> int:
    """Most memory that this process really used, in bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # elsewhere than on Linux, where getrusage would count the parent's, too
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def main(first: int, count: int, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    path = folder / "picture"
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    longest = 0.0
    seeds()
    for number in range(first, first + count):
        name, data = example(number)
        path.write_bytes(data)
        started = time.monotonic()
        faulthandler.dump_traceback_later(_LONGEST, exit=True)
        try:
            outcome = look_at(path)
        except Exception as error:
            wrong.append(f"{number} ({name}): {type(error).__name__}: {error}")
            outcome = "wrong"
        faulthandler.cancel_dump_traceback_later()
        longest = max(longest, time.monotonic() - started)
        outcomes[outcome] += 1
        kinds[f"{name}: {outcome}"] += 1
    report = {"outcomes": outcomes, "kinds": kinds, "wrong": wrong, "longest": longest, "memory": _peak()}
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
