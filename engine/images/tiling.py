"""A photograph cut in tiles of one size, with a thumbnail of the whole behind them.

Legend: `T` tiles, `s` side of a tile.

Source: InternVL 1.5 (arXiv 2404.16821), section 3; the rule of its public code for ties.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.images.decode import Photograph
from engine.images.normalise import normalise
from engine.model.config import TilesConfig

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def tile_grid(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Columns and rows in which a photograph is cut: those whose proportion is nearest to its own.

    It is the shape that decides, not the size: small photographs are enlarged. Of two grids that are as near, the
    larger one is taken if the photograph has more than half of its pixels.

    Args:
        width: of the photograph.
        height: of the photograph.
        side: of a tile.
        most: tiles.
    """
    grids = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if c * r <= most]
    ratio, best, nearest = width / height, (1, 1), float("inf")
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(ratio - columns / rows)
        larger = distance == nearest and width * height > 0.5 * side * side * columns * rows
        if distance < nearest or larger:
            best, nearest = (columns, rows), distance
    return best


def tiles_of(photograph: Photograph, config: TilesConfig) -> Tensor:
    """The tiles row by row, and if there are several the thumbnail: `(T, 3, s, s)` float32."""
    side = config.image_size
    columns, rows = tile_grid(photograph.width, photograph.height, side, config.most_tiles)
    whole = photograph.image.resize((side * columns, side * rows), Image.Resampling.BICUBIC, photograph.box)
    places = [(column * side, row * side) for row in range(rows) for column in range(columns)]
    tiles = [whole.crop((left, top, left + side, top + side)) for left, top in places]
    if len(tiles) > 1:
        tiles.append(photograph.image.resize((side, side), Image.Resampling.BICUBIC, photograph.box))
    out = np.empty((len(tiles), 3, side, side), np.float32)
    for tile, view in zip(tiles, out, strict=True):
        normalise(np.asarray(tile).astype(np.float32) / np.float32(255), MEAN, STD, view)
    return torch.from_numpy(out)
