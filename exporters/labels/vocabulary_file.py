"""Files that list categories, told apart by their ending.

    .json         COCO: `categories` with `id`, `name`, and `supercategory` where there is one
    .yaml, .yml   `names` as in YOLO's data.yaml: a list, numbered from 0, or a mapping of numbers to names
    .csv, .tsv    columns `phrase` and `category`: other phrases for a category, numbered from 1 as they come
    others        a name a line, numbered from 1; lines that begin with # are remarks

Sources: https://cocodataset.org/#format-data; docs.ultralytics.com, "Instance Segmentation Datasets Overview".
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from engine.errors import UsageError
from engine.json_file import parse_json, read_bytes
from engine.text.decoding import decoded, rows_of
from exporters.labels.vocabulary import Category, Vocabulary

_COLUMNS = ("phrase", "category")


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a list of categories.

    Raises:
        UsageError: if it can't be read, is no such list or an empty one, or has a name or an id twice.
    """
    content = read_bytes(path)
    ending = path.suffix.lower()
    synonyms: Mapping[str, str] = {}
    try:
        if ending == ".json":
            categories = _coco(parse_json(content))
        elif ending in (".yaml", ".yml"):
            categories = _names(_yaml(decoded(content)))
        elif ending in (".csv", ".tsv"):
            categories, synonyms = _table(decoded(content))
        else:
            categories = _numbered(line for line in decoded(content).splitlines() if not line.lstrip().startswith("#"))
        _check(categories)
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{path}: {error}") from None
    return Vocabulary(path.name, hashlib.sha256(content).hexdigest(), tuple(categories), synonyms)


def _coco(value: Any) -> list[Category]:
    listed = value.get("categories") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no COCO file: it has no list 'categories'")
    found = []
    for at, entry in enumerate(listed):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int or not isinstance(entry.get("name"), str):
            raise ValueError(f"categories[{at}] must have an 'id' that is a whole number and a 'name' that is text")
        above = entry.get("supercategory")
        found.append(Category(entry["id"], entry["name"].strip(), above if isinstance(above, str) else ""))
    return found


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not YAML: {str(error).splitlines()[0]}") from None


def _names(value: Any) -> list[Category]:
    names = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        raise ValueError("no 'names', a list or a mapping of numbers to names, as in data.yaml")
    for number, name in names.items():
        if type(number) is not int or not isinstance(name, str):
            raise ValueError(f"names: {number!r}: {name!r} is no whole number with a name (text; quote what is not)")
    return [Category(number, name.strip()) for number, name in names.items()]


def _table(text: str) -> tuple[list[Category], dict[str, str]]:
    rows = rows_of(text)
    columns = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise ValueError(f"no column {missing[0]!r}: the first line must name {' and '.join(_COLUMNS)}")
    names: dict[str, None] = {}
    synonyms: dict[str, str] = {}
    for row in rows:
        phrase, name = ((row[columns[column]] or "").strip() for column in _COLUMNS)
        if not name:
            if phrase:
                raise ValueError(f"line {rows.line_num}: {phrase!r} has no category")
            continue
        names[name] = None
        if phrase and synonyms.setdefault(phrase, name) != name:
            raise ValueError(f"line {rows.line_num}: {phrase!r} is of {synonyms[phrase]!r} and of {name!r}")
    return _numbered(names), synonyms


def _numbered(names: Iterable[str]) -> list[Category]:
    found = [name.strip() for name in names if name.strip()]
    return [Category(number, name) for number, name in enumerate(found, start=1)]


def _check(categories: Sequence[Category]) -> None:
    if not categories:
        raise ValueError("lists no category")
    if any(not category.name for category in categories):
        raise ValueError("a category has no name")
    for what, values in (
        ("id", [category.id for category in categories]),
        ("name", [category.name.lower() for category in categories]),
    ):
        value, count = Counter(values).most_common(1)[0]
        if count > 1:
            raise ValueError(f"the {what} {value!r} is there {count} times")
    if any(not 0 <= category.id < 1 << 31 for category in categories):
        raise ValueError("ids are whole numbers from 0 to 2147483647")
