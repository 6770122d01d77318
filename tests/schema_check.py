"""Checks a JSON value against one of our own schemas: the few words of JSON Schema 2020-12 that they use."""

import re
from typing import Any

_KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "items", "enum",
    "const", "pattern", "minimum", "maximum", "maxLength", "additionalProperties", "anyOf",
}  # fmt: skip


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """Name every place where `value` is not what `schema` says."""
    root = schema if root is None else root
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema:
        choices = [problems(value, choice, root, at) for choice in schema["anyOf"]]
        return [] if any(not found for found in choices) else [f"{at}: none of {choices}"]
    found = list(_of_itself(value, schema, at))
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{at}: no {name}" for name in schema.get("required", ()) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{at}: unknown {name}" for name in value if name not in known]
        for name, item in value.items():
            if name in known:
                found += problems(item, known[name], root, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{at}[{place}]")
    return found


def _of_itself(value: Any, schema: dict[str, Any], at: str) -> list[str]:
    found = []
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(
        isinstance(value, _KINDS[kind]) and not (kind == "integer" and isinstance(value, bool)) for kind in kinds
    ):
        found.append(f"{at}: {value!r} is not {kinds}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{at}: {value!r} does not match")
        if len(value) > schema.get("maxLength", len(value)):
            found.append(f"{at}: too long")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value} is out of range")
    return found
