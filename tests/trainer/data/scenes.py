"""Small hand-made scenes."""

from __future__ import annotations

import numpy as np

from trainer.data.scene import Kind, Scene, Thing

COLOURS = {"red": (200, 20, 20), "blue": (30, 60, 180), "black": (15, 15, 15), "white": (240, 240, 240)}
SIZE = 40

Spot = tuple[str, str, tuple[int, int, int, int]]  # label, colour, (top, bottom, left, right)


def scene(kind: Kind, *spots: Spot, captions: tuple[str, ...] = (), crowds: tuple[str, ...] = ()) -> Scene:
    """A grey frame with coloured rectangles."""
    image = np.full((SIZE, SIZE, 3), 128, np.uint8)
    things = []
    for label, colour, (top, bottom, left, right) in spots:
        mask = np.zeros((SIZE, SIZE), bool)
        mask[top:bottom, left:right] = True
        image[mask] = COLOURS[colour]
        things.append(Thing(label, mask))
    return Scene("hand.jpg", kind, image, tuple(things), captions, crowds=crowds)


def dressed() -> Scene:
    return scene(
        "ccp",
        ("shoes", "black", (36, 40, 15, 25)),
        ("jeans", "blue", (22, 36, 15, 25)),
        ("t-shirt", "red", (8, 22, 15, 25)),
        ("hair", "black", (0, 4, 17, 23)),
        ("skin", "white", (4, 8, 17, 23)),
        ("bag", "white", (20, 28, 26, 32)),
    )


def street() -> Scene:
    return scene(
        "camvid",
        ("car", "blue", (20, 30, 2, 12)),
        ("road", "black", (30, 40, 0, 40)),
        ("sky", "white", (0, 15, 0, 40)),
    )


def traffic() -> Scene:
    return scene(
        "coco",
        ("person", "white", (5, 30, 26, 32)),
        ("bus", "red", (5, 35, 0, 14)),
        ("person", "black", (5, 25, 18, 24)),
        captions=("two people wait beside a red bus", "A bus on the street."),
    )


def car() -> Scene:
    return scene(
        "carparts",
        ("wheel", "black", (30, 38, 5, 15)),
        ("hood", "red", (10, 20, 5, 20)),
        ("front left door", "red", (10, 30, 22, 38)),
    )


def building() -> Scene:
    return scene(
        "facade",
        ("window", "blue", (5, 10, 5, 30)),
        ("facade", "white", (10, 30, 0, 30)),
        ("street", "black", (30, 40, 0, 40)),
        ("plant", "blue", (20, 30, 30, 40)),
    )
