"""JSON with one spelling per value.

Signed and hashed objects need the same bytes every time. The rule: ASCII keys, strings, integers below 2^53, booleans,
null, arrays and objects; keys sorted, no spaces, UTF-8. Under that rule the standard library writes what RFC 8785
(JCS) asks for. Lone surrogates cannot be written in UTF-8, so who stores odd bytes stores them as base64.
"""

import json
from typing import Any, NoReturn, TypeAlias

from backupkit.codec.malformed import MalformedObject

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def encode_canonical(value: Any) -> bytes:
    """Write a value as canonical JSON.

    Raises:
        TypeError: the value has floats, non-ASCII or non-string keys, or other types.
        ValueError: an integer is too large, a string cannot be UTF-8, or the nesting is too deep.
    """
    _require_canonical(value, 0)
    return _CANONICAL.encode(value).encode("utf-8")


def decode_json(data: bytes | memoryview, *, what: str, max_bytes: int) -> Any:
    """Read hostile JSON strictly: bounded, UTF-8, no duplicate keys, no floats, no NaN, bounded depth.

    `what` names the object in the error.

    Raises:
        MalformedObject: the bytes are anything else.
    """
    if len(data) > max_bytes:
        raise MalformedObject(what=what, reason="too-large")
    try:
        value = _STRICT.decode(bytes(data).decode("utf-8"))
        _require_canonical(value, 0)
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedObject(what=what, reason="not-strict-json") from error
    return value


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("duplicate key")
    return unique


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _bounded_int(text: str) -> int:
    # CPython needs quadratic time for long digit strings: look at the length first.
    if len(text) > 17:
        raise ValueError("integer too large")
    return int(text)


_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique_pairs, parse_float=_refuse, parse_constant=_refuse, parse_int=_bounded_int
)


def _require_canonical(value: Any, depth: int) -> None:
    # The exact types first, and strings without a call: a tree has hundred thousands of them.
    kind = type(value)
    if (kind is dict or kind is list) and depth >= MAX_DEPTH and value:
        raise ValueError("nested too deeply")
    if kind is dict:
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError("keys must be ASCII strings")
            if type(item) is not str or not item.isascii():
                _require_canonical(item, depth + 1)
    elif kind is list:
        for item in value:
            if type(item) is not str or not item.isascii():
                _require_canonical(item, depth + 1)
    elif kind is int:
        if abs(value) > MAX_INTEGER:
            raise ValueError("integer too large")
    elif kind is str:
        value.encode("utf-8")
    elif value is not None and kind is not bool:
        _require_subtype(value, depth)


def _require_subtype(value: Any, depth: int) -> None:
    """Look at a value whose type was derived from one that JSON knows: the standard library writes it as that."""
    kinds: tuple[Any, ...] = (str, int, dict, list)
    for kind in kinds:
        if isinstance(value, kind):
            _require_canonical(kind(value), depth)
            return
    raise TypeError(type(value).__name__)
