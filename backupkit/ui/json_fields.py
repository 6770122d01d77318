"""What a use case returns, as plain JSON values."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from backupkit.clock import to_rfc3339
from backupkit.ops.events import Found


def path_fields(path: str, name: str = "path") -> dict[str, str]:
    """Return a path for JSON: as text and, where its bytes are no UTF-8, in base64 too."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogateescape")
        return {name: raw.decode("utf-8", "replace"), f"{name}_b64": b64encode(raw).decode("ascii")}
    return {name: path}


def json_fields(value: Any) -> dict[str, Any]:
    """Return a frozen value, or a mapping, as a JSON object: field names as they are, times in UTC."""
    if isinstance(value, Found):
        return {"code": value.code, "severity": value.severity.value, "params": json_fields(value.facts)}
    named = (
        value.items() if isinstance(value, Mapping) else ((one.name, getattr(value, one.name)) for one in fields(value))
    )
    found: dict[str, Any] = {}
    for name, below in named:
        plain = json_value(below)
        is_path = isinstance(plain, str) and (isinstance(below, Path) or name == "path")
        found |= path_fields(plain, str(name)) if is_path else {str(name): plain}
    return found


def json_value(value: Any) -> Any:
    """Return any value as JSON has it: bytes as hex, lengths of time in seconds, paths as text."""
    match value:
        case Enum():
            return json_value(value.value)
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return to_rfc3339(value)
        case timedelta():
            return int(value.total_seconds())
        case Path():
            return str(value)
        case bytes():
            return value.hex()
        case list() | tuple():
            return [json_value(one) for one in value]
        case set() | frozenset():
            return sorted(map(json_value, value))
    if is_dataclass(value) or isinstance(value, Mapping):
        return json_fields(value)
    raise TypeError(type(value).__name__)
