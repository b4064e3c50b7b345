"""`mglmm segcap` and `mglmm ask` as a person runs them: the shipped model, real photographs, bad files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests import program

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def _mglmm(*args: str | Path, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return program.run_bytes(*args, cwd=cwd, stdin=stdin)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two photographs and everything that goes wrong."""
    folder = tmp_path_factory.mktemp("mixed") / "photos"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(EXAMPLES / "coffee.jpg", folder / "coffee.jpg")
    shutil.copy(EXAMPLES / "chelsea.png", folder / "sub" / "chelsea.png")
    whole = (EXAMPLES / "coffee.jpg").read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is a text")
    (folder / "broken.png").write_bytes((EXAMPLES / "chelsea.png").read_bytes()[:60])
    header = (EXAMPLES / "chelsea.png").read_bytes()
    zero = bytearray(header)
    zero[16:24] = bytes(8)  # width and height of the PNG header
    (folder / "zero.png").write_bytes(bytes(zero))
    Image.new("1", (20_000, 13_000)).save(folder / "bomb.png")
    return folder


@pytest.fixture(scope="module")
def run(mixed: Path) -> subprocess.CompletedProcess[bytes]:
    return _mglmm("segcap", mixed, "-o", "out", "--granularity", "panoptic", "--overlay", cwd=mixed.parent)


def test_bad_files_are_recorded_and_the_others_done(run: subprocess.CompletedProcess[bytes], mixed: Path) -> None:
    assert run.returncode == 3, run.stderr
    assert b"Traceback" not in run.stderr
    failures = [json.loads(line) for line in (mixed.parent / "out" / "failures.jsonl").read_text().splitlines()]
    reasons = {entry["file_name"]: entry["failure"]["reason"] for entry in failures}
    assert set(reasons) == {"empty.jpg", "truncated.jpg", "text.jpg", "broken.png", "zero.png", "bomb.png"}
    assert "megapixels" in reasons["bomb.png"] and "empty" in reasons["empty.jpg"]
    for name, reason in reasons.items():
        assert f"{name}: " in run.stderr.decode() and reason in run.stderr.decode()


def test_the_coco_file_loads(run: subprocess.CompletedProcess[bytes], mixed: Path) -> None:
    coco = COCO(str(mixed.parent / "out" / "segcap.json"))
    assert sorted(image["file_name"] for image in coco.dataset["images"]) == ["coffee.jpg", "sub/chelsea.png"]
    captions = {caption["id"]: caption for caption in coco.dataset["captions"]}
    assert {caption["granularity"] for caption in captions.values()} == {"panoptic"}
    for annotation in coco.anns.values():
        image = coco.imgs[annotation["image_id"]]
        assert coco.annToMask(annotation).shape == (image["height"], image["width"])
        start, end = annotation["span"]
        assert captions[annotation["caption_id"]]["caption"][start:end] == annotation["phrase"]


def test_overlays_stand_beside(run: subprocess.CompletedProcess[bytes], mixed: Path) -> None:
    names = {
        str(path.relative_to(mixed.parent / "out" / "overlays")) for path in mixed.parent.rglob("overlays/**/*.jpg")
    }
    assert names == {"coffee.jpg.jpg", "sub/chelsea.png.jpg"}


def test_the_first_line_names_the_model_and_the_last_what_was_written(run: subprocess.CompletedProcess[bytes]) -> None:
    first, *_, last = run.stderr.decode().splitlines()
    assert first.startswith("mglmm: nano on cpu (")
    assert last.endswith("; wrote out/segcap.json, out/failures.jsonl, out/overlays/")


def test_the_same_command_again_opens_no_photograph_that_is_done(
    run: subprocess.CompletedProcess[bytes], mixed: Path
) -> None:
    out = mixed.parent / "out"
    before = json.loads((out / "segcap.json").read_bytes())
    again = _mglmm("segcap", mixed, "-o", "out", "--granularity", "panoptic", "--overlay", cwd=mixed.parent)
    assert again.returncode == 3  # those that failed are tried again
    assert b"0 photographs done (2 before)" in again.stderr and b"6 failed" in again.stderr
    after = json.loads((out / "segcap.json").read_bytes())
    assert before["info"].pop("finished") and after["info"].pop("finished")
    assert after == before


def test_other_options_are_refused_by_name(run: subprocess.CompletedProcess[bytes], mixed: Path) -> None:
    before = (mixed.parent / "out" / "journal.jsonl").read_bytes()
    other = _mglmm("segcap", mixed, "-o", "out", "--max-children", "2", cwd=mixed.parent)
    assert other.returncode == 2
    assert other.stderr.count(b"\n") == 1
    assert b"granularity was panoptic, is both; max-children was 4, is 2" in other.stderr and b"--fresh" in other.stderr
    assert (mixed.parent / "out" / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_a_list_on_stdin_and_lines_on_stdout(tmp_path: Path, separator: bytes) -> None:
    names = [str(EXAMPLES / "rocket.jpg").encode(), str(EXAMPLES / "coffee.jpg").encode()]
    listed = separator.join(names) + separator
    done = _mglmm("segcap", "-", "-o", "-", "--granularity", "panoptic", cwd=tmp_path, stdin=listed)
    assert done.returncode == 0, done.stderr
    photos = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(photo["file_name"]).name for photo in photos] == ["rocket.jpg", "coffee.jpg"]
    assert not any(tmp_path.iterdir())


def test_a_folder_with_nothing_readable_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photograph")
    done = _mglmm("segcap", tmp_path, "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1 and b"no photograph" in done.stderr


def test_one_question_with_masks(tmp_path: Path) -> None:
    done = _mglmm(
        "ask", EXAMPLES / "astronaut.jpg", "Segment the person.", "--mask-dir", tmp_path / "masks", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "person" in done.stdout.decode()
    (mask,) = (tmp_path / "masks").iterdir()
    with Image.open(mask) as image, Image.open(EXAMPLES / "astronaut.jpg") as photo:
        assert image.mode == "1" and image.size == photo.size
        assert image.getpixel((photo.width // 2, photo.height * 3 // 4))


def test_a_question_about_a_box(tmp_path: Path) -> None:
    done = _mglmm("ask", EXAMPLES / "coffee.jpg", "--box", "100,50,300,250", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (segcap,) = json.loads(done.stdout)["segcaps"]
    assert "[17, 12, 67, 75]" in segcap["instruction"]
    assert segcap["caption"]
