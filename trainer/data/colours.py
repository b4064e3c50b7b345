"""The colour name of a region, measured on its pixels.

Every pixel of a sample votes for a name by hue, saturation and value; the most frequent name wins.
"""

from __future__ import annotations

import numpy as np

NAMES = ("black", "white", "grey", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink", "beige")
HAIR_NAMES = ("black", "brown", "blond", "red", "grey")

_INDEX = {name: number for number, name in enumerate(NAMES)}
_SAMPLE = 1500


def colour_name(image: np.ndarray, mask: np.ndarray) -> str:
    """The dominant colour of a region.

    Args:
        image: `H x W x 3` uint8 RGB.
        mask: `H x W` bool.

    Returns:
        One of `NAMES`; empty if the mask is.
    """
    pixels = _sample(image, mask)
    if not len(pixels):
        return ""
    votes = np.bincount(_classify(pixels), minlength=len(NAMES))
    return NAMES[int(votes.argmax())]


def hair_colour(image: np.ndarray, mask: np.ndarray) -> str:
    """The colour of a region of hair: one of `HAIR_NAMES`; empty if the mask is."""
    pixels = _sample(image, mask)
    if not len(pixels):
        return ""
    hue, saturation, value = (float(channel[0]) for channel in _hsv(np.median(pixels, axis=0, keepdims=True)))
    if value < 52:
        return "black"
    if saturation < 0.13:
        return "grey" if value > 95 else "black"
    if (hue < 20 or hue > 345) and saturation > 0.5 and value > 85:
        return "red"
    return "blond" if value > 138 else "brown"


def _sample(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """At most about `_SAMPLE` pixels of the mask, `n x 3` float32, always the same ones."""
    where = np.flatnonzero(mask)
    where = where[:: max(1, len(where) // _SAMPLE)]
    return image.reshape(-1, 3)[where].astype(np.float32)


def _hsv(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`n x 3` RGB in 0..255 -> hue in degrees, saturation in 0..1, value in 0..255."""
    red, green, blue = pixels.T
    value = pixels.max(axis=1)
    chroma = value - pixels.min(axis=1)
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return hue * 60 % 360, chroma / np.maximum(value, 1e-6), value


def _classify(pixels: np.ndarray) -> np.ndarray:
    """`n x 3` RGB -> `n` indices into `NAMES`; the first rule that fits decides."""
    hue, saturation, value = _hsv(pixels)
    chroma = saturation * value
    warm = (hue < 50) | (hue > 340)
    # Shade out of doors is bluish, so a faint blue is no blue.
    grey = (chroma < 20) | (saturation < 0.11) | ((hue > 170) & (hue < 260) & (saturation < 0.2))
    rules = (
        ((value < 42) | ((value < 75) & (chroma < 26)), "black"),
        (grey & (value >= 170), "white"),
        (grey, "grey"),
        ((hue >= 18) & (hue < 62) & (value > 145) & (saturation < 0.43), "beige"),
        (((hue >= 312) | (hue < 18)) & (value > 140) & (saturation < 0.5), "pink"),
        ((hue >= 300) & (hue < 345) & (value > 140), "pink"),
        (warm & (hue >= 12) & (hue < 50) & ((value <= 165) | (value <= 190) & (saturation < 0.55)), "brown"),
        (warm & (value < 95) & (saturation < 0.55), "brown"),
        ((hue >= 48) & (hue < 68) & (value < 150), "green"),  # olive
        ((hue < 14) | (hue >= 335), "red"),
        (hue < 42, "orange"),
        (hue < 68, "yellow"),
        (hue < 168, "green"),
        (hue < 256, "blue"),
        (hue < 335, "purple"),
    )
    return np.select([test for test, _ in rules], [_INDEX[name] for _, name in rules], default=_INDEX["grey"])
