import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from backupkit.codec.canonical import MAX_DEPTH, MAX_INTEGER, decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.errors import ExitCode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.text(st.characters(max_codepoint=127), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


def decode(data: bytes, max_bytes: int = 10_000) -> Any:
    return decode_json(data, what="thing", max_bytes=max_bytes)


@given(values)
def test_every_value_has_one_spelling_and_is_read_back(value: Any) -> None:
    written = encode_canonical(value)

    assert decode(written, 10**6) == value
    assert encode_canonical(decode(written, 10**6)) == written


def test_keys_are_sorted_and_nothing_is_spaced_or_escaped_needlessly() -> None:
    assert encode_canonical({"b": [1, True, None], "a": "é/\n"}) == '{"a":"é/\\n","b":[1,true,null]}'.encode()


@pytest.mark.parametrize("value", [1.5, float("nan"), {1: 2}, {"é": 1}, b"bytes", (1,), {"a": {"b": {2}}}])
def test_what_has_no_canonical_spelling_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        encode_canonical(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", [["\udfff"]]])
def test_numbers_and_text_that_others_would_read_otherwise_are_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        encode_canonical(value)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_nesting_is_bounded() -> None:
    assert decode(nested(MAX_DEPTH))
    with pytest.raises(MalformedObject):
        decode(nested(MAX_DEPTH + 2))
    with pytest.raises(MalformedObject):
        decode_json(nested(500_000), what="thing", max_bytes=10**7)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":1}x',
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b'"\xff"',
        b'"\\ud800"',
        '{"é":1}'.encode(),
        b"\xef\xbb\xbf1",
    ],
)
def test_hostile_json_gives_one_typed_error(data: bytes) -> None:
    with pytest.raises(MalformedObject) as caught:
        decode(data)

    assert caught.value.facts == {"what": "thing", "reason": "not-strict-json"}
    assert caught.value.exit_code is ExitCode.DAMAGED


def test_a_file_over_the_bound_is_not_parsed() -> None:
    with pytest.raises(MalformedObject) as caught:
        decode(b"[" + b" " * 100 + b"]", 100)

    assert caught.value.facts["reason"] == "too-large"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_the_typed_error(data: bytes) -> None:
    try:
        value = decode(data)
    except MalformedObject:
        return
    assert json.loads(data) == value
