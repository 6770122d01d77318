"""As much of JSON Schema as our own schemas use. A keyword that is not known here fails, so that none is ignored."""

import json
import re
from collections.abc import Callable
from importlib import resources
from typing import Any, TypeAlias

_IGNORED = {"$schema", "$id", "title", "description", "default"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def schema_of(name: str) -> dict[str, Any]:
    """The schema of an object that a command prints, such as `verify-1`, as it is installed."""
    loaded: dict[str, Any] = json.loads(
        (resources.files("backupkit") / "ui" / "schemas" / f"{name}.json").read_text("utf-8")
    )
    return loaded


def differences(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """Return what in `value` is not as `schema` says, fields that it does not mention included.

    Readers must accept unknown fields; we ourselves print none that is not described.
    """
    found = []
    for keyword, rule in schema.items():
        if keyword in _IGNORED:
            continue
        found += _CHECKS[keyword](value, rule, where)
    described = schema.get("properties")
    if isinstance(value, dict) and described is not None:
        found += [f"{where}.{name} is not described" for name in value if name not in described]
    return found


def _type(value: Any, rule: Any, where: str) -> list[str]:
    names = [rule] if isinstance(rule, str) else rule
    fits = any(isinstance(value, _TYPES[name]) and (name != "integer" or not isinstance(value, bool)) for name in names)
    return [] if fits else [f"{where} is {value!r}, no {rule}"]


def _properties(value: Any, rule: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [
        line
        for name, below in rule.items()
        if name in value
        for line in differences(value[name], below, f"{where}.{name}")
    ]


def _required(value: Any, rule: list[str], where: str) -> list[str]:
    return [f"{where}.{name} is missing" for name in rule if isinstance(value, dict) and name not in value]


def _items(value: Any, rule: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, list):
        return []
    return [line for place, one in enumerate(value) for line in differences(one, rule, f"{where}[{place}]")]


def _pattern(value: Any, rule: str, where: str) -> list[str]:
    fits = not isinstance(value, str) or re.search(rule, value)
    return [] if fits else [f"{where} is {value!r}, not like {rule}"]


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


_Check: TypeAlias = Callable[[Any, Any, str], list[str]]

_CHECKS: dict[str, _Check] = {
    "type": _type,
    "properties": _properties,
    "required": _required,
    "items": _items,
    "pattern": _pattern,
    "const": lambda value, rule, where: [] if _equal(value, rule) else [f"{where} is {value!r}, not {rule!r}"],
    "enum": lambda value, rule, where: [] if any(_equal(value, one) for one in rule) else [f"{where} is {value!r}"],
    "minimum": lambda value, rule, where: [f"{where} is {value}"] if isinstance(value, int) and value < rule else [],
    "maximum": lambda value, rule, where: [f"{where} is {value}"] if isinstance(value, int) and value > rule else [],
}
