"""Reading a module's `args` into a dataclass."""

import dataclasses
import json
import types
import typing
from typing import Any, NoReturn

from .refusal import Refusal

_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def key(name: str, **more: Any) -> Any:
    """A dataclass's field whose key in the configuration is no name of Python's, such as `interval.ms`."""
    return dataclasses.field(metadata={"key": name}, **more)


def configured[T](made: type[T], args: Any, example: Any) -> T:
    """The configuration as a dataclass, whose fields say the keys and their types.

    A field with a default may be missing. Types are those of JSON (`str`, `int`, `float`, `bool`, `list`, `dict`),
    `Any`, further dataclasses, and unions of these such as `int | None`. Raises a `Refusal` that names the key and
    shows the example.
    """

    def refuse(place: str, reason: str) -> NoReturn:
        raise Refusal(f"{place}: {reason}; write for example {json.dumps(example, ensure_ascii=False)}")

    def read(wanted: Any, value: Any, place: str) -> Any:
        if dataclasses.is_dataclass(wanted):
            return read_object(wanted, value, place)
        union = isinstance(wanted, types.UnionType)
        kinds = typing.get_args(wanted) if union else (typing.get_origin(wanted) or wanted,)
        for kind in kinds:
            if kind is Any or type(value) is kind:
                return value
            if kind is float and type(value) is int:
                return float(value)
        names = " or ".join(_NAMES.get(kind, str(kind)) for kind in kinds)
        refuse(place, f"found {json.dumps(value, ensure_ascii=False)}, wanted {names}")

    def read_object(wanted: Any, value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            refuse(place, f"found {json.dumps(value, ensure_ascii=False)}, wanted an object")
        fields = {field.metadata.get("key", field.name): field for field in dataclasses.fields(wanted)}
        for name in value:
            if name not in fields:
                refuse(f"{place}.{name}", f"unknown key, wanted one of {', '.join(fields)}")
        found = {}
        for name, field in fields.items():
            if name in value:
                found[field.name] = read(field.type, value[name], f"{place}.{name}")
            elif field.default is field.default_factory is dataclasses.MISSING:
                refuse(f"{place}.{name}", "it is missing")
        return wanted(**found)

    return read_object(made, args, "args")
