"""The region encoder against loops over channels, cells and samples, the tower's hidden layers, and the whole model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.images.transforms import region_boxes
from engine.model.config import ClipConfig, ModelConfig, RegionEncoderConfig
from engine.model.embedding import ImageEmbedding
from engine.model.global_encoder import ClipTower
from engine.model.mglmm import MGLMM
from engine.model.pixel_features import PixelFeatures
from engine.model.region_encoder import RegionEncoder
from engine.text.prompts import Box
from tests.engine.tiny import TINY

REGIONS = RegionEncoderConfig(layers=(-4, -3, -2), dim=32, groups=4, position_dim=16, bins=4)
CLIP = ClipConfig(
    image_size=336,
    patch_size=56,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=5,
    num_attention_heads=4,
)
"""6 x 6 patches. A side of a box is 224 of 336 pixels: 4 of 6."""

BOXES = torch.tensor([[0.1, 0.2, 0.55, 0.9], [0.0, 0.0, 1.0, 1.0], [0.7, 0.05, 0.75, 0.95], [0.3, 0.3, 0.6, 0.4]])
IMAGES = torch.tensor([1, 0, 1, 0])


def encoder(config: RegionEncoderConfig = REGIONS) -> RegionEncoder:
    """Random weights, the norms' too, large enough that every part of the result counts."""
    torch.manual_seed(3)
    made = RegionEncoder(config, patch_size=56, image_size=336, hidden_size=24)
    for norm in (m for m in made.modules() if isinstance(m, (torch.nn.GroupNorm, torch.nn.LayerNorm))):
        torch.nn.init.normal_(norm.weight, 1, 0.3)
        torch.nn.init.normal_(norm.bias, 0, 0.3)
    return made.eval()


def tokens(levels: int = 3, images: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(images, 36, 32, generator=generator) for _ in range(levels)]


def corner_aligned(side: int, to: int) -> Tensor:
    """`(to, side)` weights of a linear resize in which the end cells keep their places."""
    weights = torch.zeros(to, side)
    for row in range(to):
        place = row * (side - 1) / (to - 1)
        low = min(int(place), side - 2)
        weights[row, low], weights[row, low + 1] = 1 - (place - low), place - low
    return weights


def resized(map_: Tensor, to: int) -> Tensor:
    weights = corner_aligned(map_.shape[-1], to)
    return torch.einsum("yi,cij,xj->cyx", weights, map_, weights)


def shuffled(maps: Sequence[Tensor], level: int) -> Tensor:
    """Of 32 channels: 0-15 its own, then 24-31 of the coarser level, then 16-23 of the finer level."""
    side = maps[level].shape[-1]
    coarser, finer = maps[min(level + 1, len(maps) - 1)], maps[max(level - 1, 0)]
    rows = [maps[level][channel] for channel in range(16)]
    rows += [resized(coarser, side)[channel] for channel in range(24, 32)]
    rows += [resized(finer, side)[channel] for channel in range(16, 24)]
    return torch.stack(rows)


def value_at(map_: Tensor, y: float, x: float) -> Tensor:
    """`(C,)` between the cells' centres; nothing outside the map."""
    side = map_.shape[-1]
    if not (-1 <= y <= side and -1 <= x <= side):
        return torch.zeros(len(map_))
    y, x = min(max(y, 0.0), side - 1.0), min(max(x, 0.0), side - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, side - 1), min(left + 1, side - 1)
    down, across = y - top, x - left
    return (
        map_[:, top, left] * (1 - down) * (1 - across)
        + map_[:, top, right] * (1 - down) * across
        + map_[:, bottom, left] * down * (1 - across)
        + map_[:, bottom, right] * down * across
    )


def sampled(map_: Tensor, box: Sequence[float], cell: float, bins: int) -> Tensor:
    """`(C, bins, bins)`: the mean of 2 x 2 samples a bin; a cell's centre is half a cell from its edge."""
    left, top, right, bottom = (224 * value / cell - 0.5 for value in box)
    height, width = (bottom - top) / bins, (right - left) / bins
    out = torch.zeros(len(map_), bins, bins)
    for row in range(bins):
        for column in range(bins):
            for down in (0.25, 0.75):
                for across in (0.25, 0.75):
                    out[:, row, column] += (
                        value_at(map_, top + (row + down) * height, left + (column + across) * width) / 4
                    )
    return out


def one_region(encoder: RegionEncoder, levels: Sequence[Tensor], box: Tensor) -> Tensor:
    """The vector of one box of one image, from the encoder's weights only: `levels` are `(36, 32)`."""
    weight = dict(encoder.state_dict())
    count = len(levels)
    maps = []
    for level, patch_tokens in enumerate(levels):
        map_ = torch.stack([patch_tokens[6 * row : 6 * row + 6].T for row in range(6)], dim=1)
        side = 6 * 2 ** (count - 1 - level)
        map_ = resized(map_, side) if side != 6 else map_
        line = torch.tensor([-1 + 2 * cell / (side - 1) for cell in range(side)])
        map_ = torch.cat([map_, line.expand(1, side, side), line[:, None].expand(1, side, side)])
        into = weight[f"mlvl_fuse.input_conv.{level}.weight"][:, :, 0, 0]
        maps.append(
            torch.einsum("oc,cyx->oyx", into, map_) + weight[f"mlvl_fuse.input_conv.{level}.bias"][:, None, None]
        )
    for step in range(5):
        name, mixed = f"mlvl_fuse.fuse_convs.{step}", [shuffled(maps, level) for level in range(count)]
        for level, map_ in enumerate(mixed):
            map_ = F.conv2d(map_[None], weight[f"{name}.conv.weight"], padding=1)[0]
            groups = map_.reshape(4, -1)
            spread = (groups.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
            normal = ((groups - groups.mean(1, keepdim=True)) / spread).reshape(map_.shape)
            scale, shift = weight[f"{name}.gn.weight"], weight[f"{name}.gn.bias"]
            maps[level] = (normal * scale[:, None, None] + shift[:, None, None]).clamp(min=0)
    inside = torch.zeros(32, 4, 4)
    for level, map_ in enumerate(maps):
        inside += F.conv2d(
            sampled(map_, box.tolist(), 56 / 2 ** (count - 1 - level), 4)[None],
            weight[f"roi_align.pconvs.{level}.weight"],
            weight[f"roi_align.pconvs.{level}.bias"],
            padding=1,
        )[0]
    position = box
    for linear, norm in ((0, 2), (3, 5)):
        name = "roi_align.pos_embedd"
        position = (weight[f"{name}.{linear}.weight"] @ position + weight[f"{name}.{linear}.bias"]).clamp(min=0)
        position = (position - position.mean()) / (position.var(unbiased=False) + 1e-5).sqrt()
        position = position * weight[f"{name}.{norm}.weight"] + weight[f"{name}.{norm}.bias"]
    flat = inside.clamp(min=0).reshape(-1)
    vector = weight["roi_align.flatten_linear.weight"] @ flat + weight["roi_align.flatten_linear.bias"] + position
    return weight["roi_align.updims.weight"] @ vector + weight["roi_align.updims.bias"]


@torch.inference_mode()
@pytest.mark.parametrize("count", [2, 3, 4])
def test_vectors_equal_a_recomputation_in_loops(count: int) -> None:
    made = encoder(REGIONS.model_copy(update={"layers": tuple(range(count))}))
    levels = tokens(count)
    vectors = made(levels, BOXES, IMAGES)
    assert vectors.shape == (4, 24)
    for vector, box, image in zip(vectors, BOXES, IMAGES, strict=True):
        naive = one_region(made, [level[image] for level in levels], box)
        torch.testing.assert_close(vector, naive, atol=2e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_batch_equals_its_regions_one_by_one() -> None:
    made, levels = encoder(), tokens()
    together = made(levels, BOXES, IMAGES)
    for vector, box, image in zip(together, BOXES, IMAGES, strict=True):
        alone = made([level[image][None] for level in levels], box[None], torch.tensor([0]))
        torch.testing.assert_close(vector, alone[0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_another_place_another_image_and_another_level_give_another_vector() -> None:
    made, levels = encoder(), tokens()
    for parameter in made.roi_align.pos_embedd.parameters():
        parameter.zero_()
    box = torch.tensor([[0.1, 0.1, 0.4, 0.5]])
    first = made(levels, box, torch.tensor([0]))
    others = [
        made(levels, box + torch.tensor([0.4, 0, 0.4, 0]), torch.tensor([0])),
        made(levels, box + torch.tensor([0, 0.3, 0, 0.3]), torch.tensor([0])),
        made(levels, box, torch.tensor([1])),
        *(made([*levels[:at], -levels[at], *levels[at + 1 :]], box, torch.tensor([0])) for at in range(3)),
    ]
    spread = first.abs().max()
    assert all((first - other).abs().max() > 0.02 * spread for other in others)


@torch.inference_mode()
def test_no_regions_give_no_vectors() -> None:
    assert encoder()(tokens(), region_boxes([]), torch.tensor([], dtype=torch.long)).shape == (0, 24)


@torch.inference_mode()
def test_bfloat16_stays_near_float() -> None:
    made = encoder()
    exact = made(tokens(), BOXES, IMAGES)
    half = made.bfloat16()([level.bfloat16() for level in tokens()], BOXES, IMAGES)
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).norm() < 0.03 * exact.norm()


def test_every_parameter_learns() -> None:
    made = encoder()
    made(tokens(), BOXES, IMAGES).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in made.parameters())


def test_defaults_have_the_keys_and_shapes_of_the_published_checkpoint() -> None:
    with torch.device("meta"):
        made = RegionEncoder(RegionEncoderConfig(), patch_size=14, image_size=336, hidden_size=4096)
    expected: dict[str, tuple[int, ...]] = {
        "roi_align.pos_embedd.0.weight": (256, 4),
        "roi_align.pos_embedd.0.bias": (256,),
        "roi_align.pos_embedd.2.weight": (256,),
        "roi_align.pos_embedd.2.bias": (256,),
        "roi_align.pos_embedd.3.weight": (1024, 256),
        "roi_align.pos_embedd.3.bias": (1024,),
        "roi_align.pos_embedd.5.weight": (1024,),
        "roi_align.pos_embedd.5.bias": (1024,),
        "roi_align.updims.weight": (4096, 1024),
        "roi_align.updims.bias": (4096,),
        "roi_align.flatten_linear.weight": (1024, 1024 * 196),
        "roi_align.flatten_linear.bias": (1024,),
    }
    for level in range(4):
        expected[f"mlvl_fuse.input_conv.{level}.weight"] = (1024, 1026, 1, 1)
        expected[f"mlvl_fuse.input_conv.{level}.bias"] = (1024,)
        expected[f"roi_align.pconvs.{level}.weight"] = (1024, 1024, 3, 3)
        expected[f"roi_align.pconvs.{level}.bias"] = (1024,)
    for step in range(5):
        expected[f"mlvl_fuse.fuse_convs.{step}.conv.weight"] = (1024, 1024, 3, 3)
        expected[f"mlvl_fuse.fuse_convs.{step}.gn.weight"] = (1024,)
        expected[f"mlvl_fuse.fuse_convs.{step}.gn.bias"] = (1024,)
    assert {key: tuple(value.shape) for key, value in made.state_dict().items()} == expected
    assert {module.num_groups for module in made.modules() if isinstance(module, torch.nn.GroupNorm)} == {64}


def test_boxes_are_fractions_of_the_whole_photograph() -> None:
    boxes = region_boxes([Box(0.0, 0.25, 0.5, 1.0), Box(0.125, 0.0, 1.0, 0.75)])
    assert boxes.tolist() == [[0.0, 0.25, 0.5, 1.0], [0.125, 0.0, 1.0, 0.75]]


@torch.inference_mode()
@pytest.mark.parametrize("layers", [(-2,), (-4, -3, -2), (-1, 0), (5, 2, 2), (-6,)])
def test_hidden_layers_are_those_of_the_full_tower(layers: tuple[int, ...]) -> None:
    tower, view = ClipTower(CLIP).eval(), torch.randn(2, 3, 336, 336)
    states = tower.tower(view, output_hidden_states=True).hidden_states
    hidden = tower.hidden(view, layers)
    assert len(hidden) == len(layers)
    for given, layer in zip(hidden, layers, strict=True):
        assert given.shape == (2, 36, 32)
        assert torch.equal(given, states[layer][:, 1:])
    features = PixelFeatures(embedding=ImageEmbedding(torch.zeros(0)), coarse=None)
    assert torch.equal(tower(view, features), states[-2][:, 1:])


@torch.inference_mode()
def test_the_tower_runs_no_layer_above_the_highest_one_asked_for() -> None:
    tower, ran = ClipTower(CLIP).eval(), []
    for number, block in enumerate(tower.tower.encoder.layers, start=1):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    tower.hidden(torch.randn(1, 3, 336, 336), (-4, -2))
    assert ran == [1, 2, 3, 4]


@pytest.mark.parametrize("layer", [6, -7])
def test_a_layer_that_the_tower_lacks_is_an_error(layer: int) -> None:
    with pytest.raises(ValueError, match="5 layers"):
        ClipTower(CLIP).hidden(torch.zeros(1, 3, 336, 336), [layer])


@torch.inference_mode()
def test_the_model_reads_the_configured_layers() -> None:
    config = ModelConfig(**{**dict(TINY), "global_encoder": CLIP, "region_encoder": REGIONS})
    model, view = MGLMM(config).eval(), torch.randn(2, 3, 336, 336)
    assert model.region_encoder is not None and isinstance(model.global_encoder, ClipTower)
    states = model.global_encoder.tower(view, output_hidden_states=True).hidden_states
    expected = model.region_encoder([states[layer][:, 1:] for layer in REGIONS.layers], BOXES, IMAGES)
    assert expected.shape == (4, 64)
    assert torch.equal(model.region_vectors(view, BOXES, IMAGES), expected)


def test_a_model_without_a_region_encoder_has_no_such_parameters() -> None:
    model = MGLMM(TINY)
    assert not any(key.startswith("region_encoder") for key in model.state_dict())
    with pytest.raises(ValueError, match="'tiny' has no region encoder"):
        model.region_vectors(torch.zeros(1, 3, 336, 336), BOXES[:1], IMAGES[:1])
