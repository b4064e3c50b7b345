"""How often the classes of each set occur: what may be denied, and how often.

A label's name alone must never tell the answer, so a label is denied about as often as it is affirmed.
Each number is the percentage of the training photographs of the set that show the class.
"""

from __future__ import annotations

CCP: dict[str, float] = {
    "skin": 99.9, "hair": 94.9, "shoes": 76.4, "bag": 44.2, "pants": 30.7, "sunglasses": 28.7, "dress": 26.2,
    "coat": 23.4, "purse": 23.4, "blouse": 22.6, "accessories": 20.7, "belt": 19.1, "shirt": 17.6, "skirt": 16.7,
    "jeans": 15.1, "sweater": 12.6, "hat": 11.1, "blazer": 9.8, "t-shirt": 9.8, "stockings": 8.6, "suit": 8.4,
    "sandals": 7.2, "scarf": 7.2, "jacket": 7.2, "bracelet": 6.8, "shorts": 5.9, "boots": 5.6, "socks": 5.5,
    "vest": 5.5, "top": 5.4, "leggings": 4.7, "sweatshirt": 4.0, "necklace": 3.2, "cape": 2.8, "watch": 2.7,
    "romper": 2.5, "wallet": 2.2, "jumper": 2.2, "loafers": 2.1, "tie": 2.0, "glasses": 2.0, "heels": 2.0,
    "gloves": 1.5, "pumps": 1.4, "sneakers": 1.4, "cardigan": 1.3, "flats": 1.2, "tights": 0.9, "bodysuit": 0.8,
    "hoodie": 0.2, "ring": 0.1, "earrings": 0.1, "bra": 0.1, "wedges": 0.1,
}  # fmt: skip
COCO: dict[str, float] = {
    "person": 48.3, "dining table": 12.9, "cup": 12.6, "bottle": 11.6, "bowl": 11.2, "chair": 10.9, "car": 10.5,
    "handbag": 7.8, "potted plant": 6.8, "book": 6.8, "dog": 6.5, "wine glass": 6.1, "knife": 6.1, "truck": 5.4,
    "sink": 5.1, "fork": 5.1, "backpack": 4.8, "clock": 4.8, "sports ball": 4.8, "oven": 4.8, "cell phone": 4.4,
    "refrigerator": 4.4, "bench": 4.4, "teddy bear": 4.1, "traffic light": 4.1, "laptop": 4.1, "tv": 4.1,
    "spoon": 4.1, "baseball glove": 3.4, "carrot": 3.4, "vase": 3.4, "remote": 3.4, "bed": 3.4, "toilet": 3.1,
    "cake": 3.1, "cat": 3.1, "couch": 3.1, "umbrella": 3.1, "bus": 3.1, "broccoli": 3.1, "baseball bat": 3.1,
    "keyboard": 3.1, "motorcycle": 2.7, "suitcase": 2.7, "airplane": 2.7, "pizza": 2.7, "microwave": 2.7,
    "tie": 2.7, "bicycle": 2.7, "tennis racket": 2.4, "skateboard": 2.4, "donut": 2.4, "mouse": 2.4,
    "sandwich": 2.4, "frisbee": 2.4, "giraffe": 2.0, "stop sign": 2.0, "boat": 2.0, "elephant": 2.0,
    "toothbrush": 2.0, "banana": 2.0, "train": 2.0, "scissors": 1.7, "orange": 1.7, "snowboard": 1.7, "skis": 1.7,
    "parking meter": 1.7, "bird": 1.7, "zebra": 1.4, "kite": 1.4, "apple": 1.4, "bear": 1.4, "hot dog": 1.0,
    "horse": 1.0, "fire hydrant": 1.0, "surfboard": 1.0, "hair drier": 0.7, "cow": 0.7, "sheep": 0.7,
    "toaster": 0.7,
}  # fmt: skip
CAMVID: dict[str, float] = {
    "tree": 87, "pavement": 95, "fence": 47, "sign": 95, "pole": 99, "car": 98, "pedestrian": 86, "bicyclist": 55,
}  # fmt: skip
VOC: dict[str, float] = {
    "person": 35.4, "dog": 23.6, "sheep": 19.3, "cow": 19.2, "horse": 19.0, "cat": 13.4, "chair": 8.5, "couch": 7.9,
    "car": 4.8, "potted plant": 4.5, "tv": 3.6, "bottle": 3.2, "dining table": 1.8, "bird": 1.8, "airplane": 1.5,
    "bicycle": 1.1, "boat": 1.1, "motorcycle": 0.8, "bus": 0.5, "train": 0.4,
}  # fmt: skip
FACADE: dict[str, float] = {
    "window": 100.0, "facade": 98.6, "plant": 83.8, "balcony railing": 58.6, "street": 45.0,
    "street furniture": 32.4, "car": 32.4, "fence": 31.1, "traffic sign": 23.4, "shop": 16.2,
}  # fmt: skip
CAR: dict[str, float] = {
    "wheel": 74.1, "front bumper": 61.5, "hood": 59.8, "right mirror": 58.3, "front left light": 58.3,
    "front glass": 57.8, "left mirror": 57.6, "front right light": 55.1, "back left light": 34.6,
    "front left door": 34.6, "back left door": 31.5, "front right door": 29.8, "back right light": 28.3,
    "back right door": 27.8, "back glass": 26.8, "back bumper": 23.7, "trunk": 20.5, "tailgate": 11.0,
}  # fmt: skip
