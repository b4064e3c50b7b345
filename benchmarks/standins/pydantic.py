"""Frozen configurations made of tables, taken on trust: the presets and the embedded model are known to be right.

Types and bounds are not checked, and validators are not run. A part is made of its table by the annotation, a choice of
parts by its `kind`; a name that is unknown or missing is an error.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Self, Union, get_args, get_origin, get_type_hints

PositiveFloat = float
PositiveInt = int
ConfigDict = dict
_NOTHING = object()


class ValidationError(ValueError):
    """A table that does not fit."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self._error = {"loc": (where,), "msg": what}

    def errors(self) -> list[dict[str, Any]]:
        """What is wrong, and where."""
        return [self._error]


class _Field:
    """What is annotated beside a type, or stands where a default would."""

    def __init__(self, default: Any) -> None:
        self.default = default


def Field(default: Any = _NOTHING, **_: Any) -> Any:
    """A field's default; what else is said of it is not looked at."""
    return _Field(default)


def model_validator(**_: Any) -> Callable[[Any], Any]:
    """Leaves the method alone, and it is not called."""
    return lambda method: method


def field_validator(*_: str) -> Callable[[Any], Any]:
    """Leaves the method alone, and it is not called."""
    return lambda method: method


class BaseModel:
    """Fields by annotation, with or without defaults."""

    def __init__(self, **values: Any) -> None:
        fields = _fields(type(self))
        for name in values.keys() - fields.keys():
            raise ValidationError(name, "is not known")
        for name, kind in fields.items():
            default = getattr(type(self), name, _NOTHING)
            value = values.get(name, default.default if isinstance(default, _Field) else default)
            if value is _NOTHING:
                raise ValidationError(name, "is missing")
            vars(self)[name] = _made(kind, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name}: is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @classmethod
    def model_validate(cls, table: Mapping[str, Any]) -> Self:
        """Made of a table."""
        return cls(**table)

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        """Made of a table in JSON."""
        return cls(**json.loads(text))

    def model_dump(self) -> dict[str, Any]:
        """The table that it is made of."""
        return {
            name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in vars(self).items()
        }

    def model_dump_json(self, indent: int | None = None) -> str:
        """The table in JSON."""
        return json.dumps(self.model_dump(), indent=indent)

    def model_copy(self, update: Mapping[str, Any]) -> Self:
        """The same but for some fields."""
        return type(self)(**{**vars(self), **update})


@cache
def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: kind for name, kind in get_type_hints(model, include_extras=True).items() if name != "model_config"}


def _made(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _made(get_args(kind)[0], value)
    if isinstance(value, dict):
        choice = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
        for part in choice:
            known = isinstance(part, type) and issubclass(part, BaseModel)
            if known and ("kind" not in value or value["kind"] == getattr(part, "kind", None)):
                return part(**value)
    if isinstance(value, list) and get_origin(kind) is tuple:
        return tuple(value)
    return value
