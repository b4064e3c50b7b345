"""What the predicted masks of a batch are compared with, in one of two frames.

`LowResTargets` are in the frame of the decoder's own logits, which is cheap: the share of each cell that is
foreground. `FullTargets` are the masks themselves, in the photograph's own frame; the logits are brought there first,
as the public models were trained.

Legend: `B` photographs, `N` masks, `m` side of the low-res masks, `S` side of the pixel view, `H x W` the frame of a
photograph.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.images.transforms import Frame
from engine.masks.postprocess import upscale
from engine.model.config import ModelConfig
from trainer.learning.losses import full_mask_losses, low_res_mask_losses
from trainer.recipe import MaskFrame


@dataclass(frozen=True, slots=True)
class MaskTargets(ABC):
    """The masks of a batch, or of one photograph as a batch of one.

    Attributes:
        image_index: `(N,)` int64, the photograph of each mask.
    """

    image_index: Tensor

    def __len__(self) -> int:
        return len(self.image_index)

    @classmethod
    @abstractmethod
    def write(cls, masks: Sequence[np.ndarray], frame: Frame, config: ModelConfig) -> Self:
        """The masks of one photograph.

        Args:
            masks: `(H, W)` bool each.
            frame: where the photograph lies in the pixel view.
            config: of the model that is trained.
        """

    @classmethod
    @abstractmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """One batch of several."""

    @abstractmethod
    def pick(self, which: Tensor) -> Self:
        """Some of the masks, in the order of `which` `(M,)`."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """The same on another device."""

    @abstractmethod
    def losses(self, low_res: Tensor) -> tuple[Tensor, Tensor]:
        """BCE and dice of logits `(N, m, m)`, each the mean over masks; both are zero for `N = 0`."""


@dataclass(frozen=True, slots=True)
class LowResTargets(MaskTargets):
    """Masks in the padded low-res frame.

    Attributes:
        masks: `(N, m, m)` float, the share of a cell that is foreground.
        valid: `(B, m, m)` float, 1 inside the photograph.
    """

    masks: Tensor
    valid: Tensor

    @classmethod
    def write(cls, masks: Sequence[np.ndarray], frame: Frame, config: ModelConfig) -> LowResTargets:
        """See `MaskTargets`.

        Raises:
            ValueError: if the photograph was not resized to the pixel view before.
        """
        if (frame.height, frame.width) != (frame.inner_height, frame.inner_width):
            raise ValueError(f"{frame.height}x{frame.width} is not resized to {config.pixel_encoder.image_size} pixels")
        inside = _low_res([np.ones((frame.height, frame.width), bool)], config)
        return cls(torch.zeros(len(masks), dtype=torch.long), _low_res(masks, config), inside)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """See `MaskTargets`."""
        masks, valid = torch.cat([part.masks for part in parts]), torch.cat([part.valid for part in parts])
        return cls(_joined_index(parts, [len(part.valid) for part in parts]), masks, valid)

    def pick(self, which: Tensor) -> LowResTargets:
        """See `MaskTargets`."""
        return replace(self, image_index=self.image_index[which], masks=self.masks[which])

    def to(self, device: torch.device) -> LowResTargets:
        """See `MaskTargets`."""
        return LowResTargets(self.image_index.to(device), self.masks.to(device), self.valid.to(device))

    def losses(self, low_res: Tensor) -> tuple[Tensor, Tensor]:
        """See `MaskTargets`."""
        return low_res_mask_losses(low_res, self.masks, self.valid[self.image_index])


@dataclass(frozen=True, slots=True)
class FullTargets(MaskTargets):
    """Masks in the frames of their photographs.

    Attributes:
        masks: `(n, H, W)` bool of each of the `B` photographs.
        place: `(N,)` int64, the number of each mask among those of its photograph.
        frames: where each photograph lies in the pixel view.
        side: `S`.
    """

    masks: tuple[Tensor, ...]
    place: Tensor
    frames: tuple[Frame, ...]
    side: int

    @classmethod
    def write(cls, masks: Sequence[np.ndarray], frame: Frame, config: ModelConfig) -> FullTargets:
        """See `MaskTargets`."""
        count, none = len(masks), np.zeros((0, frame.height, frame.width), bool)
        stacked = torch.from_numpy(np.stack(masks) if count else none)
        index = torch.zeros(count, dtype=torch.long)
        return cls(index, (stacked,), torch.arange(count), (frame,), config.pixel_encoder.image_size)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """See `MaskTargets`."""
        return cls(
            image_index=_joined_index(parts, [len(part.masks) for part in parts]),
            masks=tuple(masks for part in parts for masks in part.masks),
            place=torch.cat([part.place for part in parts]),
            frames=tuple(frame for part in parts for frame in part.frames),
            side=parts[0].side,
        )

    def pick(self, which: Tensor) -> FullTargets:
        """See `MaskTargets`."""
        return replace(self, image_index=self.image_index[which], place=self.place[which])

    def to(self, device: torch.device) -> FullTargets:
        """See `MaskTargets`."""
        masks = tuple(masks.to(device) for masks in self.masks)
        return replace(self, image_index=self.image_index.to(device), place=self.place.to(device), masks=masks)

    def losses(self, low_res: Tensor) -> tuple[Tensor, Tensor]:
        """See `MaskTargets`."""
        if not len(low_res):
            return low_res.sum(), low_res.sum()
        bce, dice = [], []
        for number, (masks, frame) in enumerate(zip(self.masks, self.frames, strict=True)):
            rows = (self.image_index == number).nonzero()[:, 0]
            if len(rows):
                logits = upscale(low_res[rows], frame, self.side)
                one = full_mask_losses(logits, masks[self.place[rows]].float())
                bce.append(one[0])
                dice.append(one[1])
        return torch.cat(bce).mean(), torch.cat(dice).mean()


TARGETS: dict[MaskFrame, type[MaskTargets]] = {"low_res": LowResTargets, "full": FullTargets}
"""The kind of targets that a recipe names."""


def _joined_index(parts: Sequence[MaskTargets], photographs: Sequence[int]) -> Tensor:
    starts = np.cumsum([0, *photographs[:-1]]).tolist()
    return torch.cat([part.image_index + start for part, start in zip(parts, starts, strict=True)])


def _low_res(masks: Sequence[np.ndarray], config: ModelConfig) -> Tensor:
    """`(h, w)` masks to the share of foreground in each cell of the padded low-res frame `(N, m, m)`."""
    side, low = config.pixel_encoder.image_size, config.low_res_side
    if not masks:
        return torch.zeros(0, low, low)
    padded = torch.zeros(len(masks), side, side)
    height, width = masks[0].shape
    padded[:, :height, :width] = torch.from_numpy(np.stack(masks)).float()
    return F.adaptive_avg_pool2d(padded, low)
