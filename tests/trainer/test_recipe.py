from pathlib import Path

import pytest

from engine.errors import UsageError
from trainer.recipe import read_recipe

SHIPPED = Path(__file__).parents[2] / "trainer" / "recipes" / "nano.yaml"


def _write(folder: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text().replace("../shared/data", str(folder))
    assert old in text
    path = folder / "recipe.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size:", "batchsize:", "batch"),
        ("batch_size: 8", "batch_size: 0", "batch_size"),
        ("model: nano", "model: pico", "no preset 'pico'"),
        ("ccp: 0.", "ccq: 0.", "sets"),
        ("model: nano", "model: [", "not YAML"),
        ("align: 1.0", "align: 1.0, mask_frame: full", "loss: .*align needs mask_frame: low_res"),
        ("align: 1.0", "mask_frame: half", "loss.mask_frame"),
        ("data: ", "data: /no/such", "data: no folder"),
    ],
)
def test_a_wrong_recipe_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = _write(tmp_path, old, new)
    with pytest.raises(UsageError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shipped_recipe_is_valid(tmp_path: Path) -> None:
    recipe = read_recipe(_write(tmp_path, "model: nano", "model: nano"))
    assert recipe.backbone is not None
    assert set(recipe.sets) == {"ccp", "camvid", "coco", "person", "captions"}
