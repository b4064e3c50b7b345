"""Which files are photographs: by the endings of their names, and by their first bytes."""

from __future__ import annotations

import os
import re
import struct
from importlib.util import find_spec

HEAD = 264
"""First bytes that tell what a file is."""

HEIF = find_spec("pillow_heif") is not None
"""Whether what reads HEIC is installed: the extra `heic`."""
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
    *(".jfif", ".jpe", ".jif", ".mpo", ".avif"),
    *((".heic", ".heif") if HEIF else ()),
)
"""Endings of photographs, in any case of letters."""

READABLE = f"JPEG, PNG, WebP, BMP, TIFF, GIF{', HEIC' if HEIF else ''} or AVIF"

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
}
_BITMAP_HEADS = frozenset({12, 40, 52, 56, 64, 108, 124})

# Kinds of the family of films, each by its brand.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"crx ",), "raw camera"),
}
_OTHERS = {
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"<svg": "SVG",
    b"PK\x03\x04": "ZIP",
    b"Rar!\x1a\x07": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x1f\x8b": "gzip",
    b"\x1a\x45\xdf\xa3": "film",
    b"<!DOCTYPE": "HTML",
    b"<html": "HTML",
    b"version https://git-lfs": "Git LFS pointer",
}

_TAR = slice(257, 262)
_UNPACK = "unpack it, and give the folder"
_NEXT = {
    **dict.fromkeys(("ZIP", "RAR", "7z", "gzip", "TAR"), _UNPACK),
    "film": "take pictures from it first: ffmpeg -i FILM -vf fps=1 frames/%06d.jpg",
    "HEIC": "pip install 'mglmm[heic]' reads those",
    "PDF": "take pictures from it first: pdftoppm -jpeg FILE pages/page",
    "raw camera": "develop it into a JPEG or TIFF first",
    "Git LFS pointer": "fetch the file with git lfs pull",
}

# Files whose content is no photograph of its own, or that hold a small one beside what they are: raw pictures, films,
# copies that programs keep, and what is on its way. They are not looked into.
_OTHER_THINGS = frozenset(
    (
        "3fr arw cap cr2 cr3 crw dcr dcs dng erf fff gpr iiq kdc mdc mef mos mrw nef nrw orf pef ptx pxn raf raw rw2 "
        "rwl rwz sr2 srf srw x3f heics "
        "3g2 3gp avi flv insv lrv m2ts m4v mkv mov mp4 mpeg mpg mts thm webm wmv "
        "aac aif aiff flac m4a mp3 oga ogg opus wav wma "
        "bak crdownload download jpg_original old orig original part partial tmp "
        "aae cfg conf css csv doc docx geojson htm html ini js json jsonl log md ods odt pdf ppt pptx rst rtf svg tex "
        "tsv txt xls xlsx xml xmp yaml yml "
        "7z bz2 gz rar tar tgz xz zip zst "
        "c cpp go h java ipynb py pyc rs sh "
        "bin ckpt db h5 hdf5 lock mat npy npz onnx parquet pickle pkl pt pth safetensors sqlite tfrecord "
        "ai cdr eps indd ps psb psd xcf dll exe lnk so url"
    ).split()
)
_LONGEST_ENDING = 12


def has_suffix(name: str) -> bool:
    """Whether a file is called as a photograph is."""
    return name.lower().endswith(SUFFIXES)


def ending(name: str) -> str:
    """The ending of a file's name in small letters, without its dot; empty if there is none."""
    found = os.path.splitext(name)[1][1:].lower()
    return found if len(found) <= _LONGEST_ENDING and found.replace("_", "").isalnum() else ""


def may_hold_photograph(name: str) -> bool:
    """Whether a file that is not called as a photograph is worth a look at its first bytes."""
    return ending(name) not in _OTHER_THINGS and not name.endswith("~")


def format_of(head: bytes) -> str | None:
    """Which format a file has that can be read here, by Pillow's name for it; None for any other.

    Args:
        head: its first `HEAD` bytes.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    brand = _brand(head)
    if brand == "AVIF" or (brand == "HEIC" and HEIF):
        return "AVIF" if brand == "AVIF" else "HEIF"
    return next((name for name, signatures in _SIGNATURES.items() if head.startswith(signatures)), None)


def is_photograph(name: str, head: bytes) -> bool:
    """Whether a file that is not called as a photograph is one.

    Args:
        name: of the file. One with an ending of its own needs more than the signature of TIFF, which raw pictures
            and much else have, too.
        head: its first `HEAD` bytes.
    """
    found = format_of(head)
    if found == "BMP":  # two letters are not enough
        return len(head) >= 18 and struct.unpack("<I", head[14:18])[0] in _BITMAP_HEADS
    return found is not None and (found != "TIFF" or not ending(name))


def other_kind(head: bytes) -> str | None:
    """What a file is that can't be read here, in a word, as far as that is known."""
    if head[4:8] == b"ftyp":
        return _brand(head) or "film"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "film"
    if head[_TAR.start : _TAR.stop] == b"ustar":
        return "TAR"
    return next((name for start, name in _OTHERS.items() if head.startswith(start)), None)


def next_step(kind: str) -> str:
    """What to do with a file of another kind; empty where nothing is known."""
    return _NEXT.get(kind, "")


def _brand(head: bytes) -> str | None:
    """What a file of the family of films is, by those of its brands that say it."""
    if head[4:8] != b"ftyp":
        return None
    end = min(len(head), int.from_bytes(head[:4], "big"))
    known = [_BRANDS[brand] for at in (8, *range(16, end, 4)) if (brand := head[at : at + 4]) in _BRANDS]
    return "AVIF" if "AVIF" in known else next(iter(known), None)


def is_address(given: str) -> bool:
    """Whether a path is one of a network, such as `https://...` or `s3://...`; slashes may have been joined."""
    return re.match(r"(?:.*/)?(?:https?|ftp|s3|gs|az|hf):/", given, re.IGNORECASE) is not None
