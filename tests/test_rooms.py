"""The plan of docs/architecture.md, read from the imports: which room knows which."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A package may import those that stand before it in its own tuple, and itself.
PACKAGES = {
    "engine": (),
    "exporters": ("engine",),
    "trainer": ("engine",),
    "mglmm": ("engine", "exporters"),
    "mglmm_cli": ("engine", "exporters", "trainer"),
}

# A room may import its own files and the rooms named; the loose files of a package are the ground of its rooms.
ENGINE = {
    "text": (),
    "journal": ("text",),
    "model": ("text",),
    "images": ("text", "model"),
    "masks": ("model", "images"),
    "decoding": ("text", "model"),
    "pipeline": ("text", "model", "images", "masks", "decoding"),
    "workers": ("model", "images", "pipeline"),
    "convert": ("text", "model", "images"),
    "releases": ("model", "convert"),
    "doctor": ("text", "model", "images", "masks", "decoding"),
    "bench": ("text", "model", "images", "masks", "decoding", "pipeline"),
}
TRAINER = {
    "data": (),
    "metrics": (),
    "learning": ("data",),
    "run": ("data", "learning"),
    "benchmarks": ("data", "metrics"),
}
LOOSE = {"engine": 6, "trainer": 3}


def _imports(package: str) -> Iterator[tuple[str, str]]:
    """Who imports what, as dotted names, at any depth of the code."""
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}: relative imports hide the arrows"
                assert node.module is not None
                if node.module in PACKAGES:
                    yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)
                else:
                    yield name, node.module


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_know_only_what_lies_below(package: str) -> None:
    allowed = {package, *PACKAGES[package]}
    wrong = [
        f"{name} imports {other}"
        for name, other in _imports(package)
        if other.split(".")[0] in PACKAGES and other.split(".")[0] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize(("package", "rooms"), [("engine", ENGINE), ("trainer", TRAINER)])
def test_rooms_know_only_what_lies_below(package: str, rooms: dict[str, tuple[str, ...]]) -> None:
    folders = {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(rooms)
    names = list(rooms)
    for room, known in rooms.items():
        assert all(names.index(other) < names.index(room) for other in known), f"{room} would make a circle"
    wrong = []
    for name, other in _imports(package):
        if other.split(".")[0] != package or len(other.split(".")) < 2:
            continue
        source, target = name.split(".")[1] if "." in name else "", other.split(".")[1]
        if target in rooms and source != target and target not in rooms.get(source, ()):
            wrong.append(f"{name} imports {other}")
    assert not wrong


def test_all_packages_ship_with_their_types() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert set(build["wheel"]["packages"]) == set(PACKAGES) <= set(build["sdist"]["include"])
    assert all((ROOT / package / "py.typed").is_file() for package in PACKAGES)


@pytest.mark.parametrize("package", LOOSE)
def test_few_files_lie_loose(package: str) -> None:
    loose = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= LOOSE[package], loose
