"""How each kind of photographs is spoken of."""

from __future__ import annotations

from collections.abc import Mapping

from trainer.data.compose.kinds.base import SceneKind
from trainer.data.compose.kinds.captioned import Captioned, OnePerson
from trainer.data.compose.kinds.car import CarParts
from trainer.data.compose.kinds.facade import Facade
from trainer.data.compose.kinds.fashion import Fashion
from trainer.data.compose.kinds.objects import ClassesAndAnimals, Objects, ThingsAndStuff
from trainer.data.compose.kinds.street import Street
from trainer.data.scene import Kind

KINDS: Mapping[Kind, SceneKind] = {
    "ccp": Fashion(),
    "camvid": Street(),
    "coco": Objects(),
    "voc": ClassesAndAnimals(),
    "cocostuff": ThingsAndStuff(),
    "carparts": CarParts(),
    "facade": Facade(),
    "person": OnePerson(),
    "captions": Captioned(),
    "records": SceneKind(),
}

__all__ = ["KINDS", "SceneKind"]
