"""Made photographs."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from engine.bench import make_photographs
from engine.images.decode import decode


def test_they_are_the_same_each_time_and_all_different(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (make_photographs(tmp_path / name, 4) for name in ("a", "b"))
    assert [source.file_name for source in first] == ["000000.jpg", "000001.jpg", "000002.jpg", "000003.jpg"]
    contents = [source.path.read_bytes() for source in first]
    assert contents == [source.path.read_bytes() for source in second]
    assert len(set(contents)) == 4


def test_they_are_jpegs_of_usual_sizes(tmp_path: Path) -> None:
    sizes = []
    for source in make_photographs(tmp_path, 3):
        with Image.open(source.path) as image:
            assert image.format == "JPEG"
        pixels = decode(source.path)
        assert pixels.std() > 10
        sizes.append(pixels.shape)
    assert sizes == [(480, 640, 3), (1080, 1920, 3), (1440, 1080, 3)]
