"""Streaming gives what the whole decoder gives, in bounded memory."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from chat_reading import take_all
from hypothesis import given, settings, strategies as st

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.records import json_stream
from backupkit.chats.records.json_sample import sample_json
from backupkit.chats.records.json_stream import JsonStream

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(records=st.lists(VALUES, max_size=6), step=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_every_element_is_what_the_whole_decoder_reads(records: Any, step: Any, indent: Any) -> None:
    data = json.dumps({"first": 1, "list": records, "last": "x"}, ensure_ascii=False, indent=indent).encode()

    stream = JsonStream(io.BytesIO(data), "x.json", window_bytes=step)
    found = {}
    for key in stream.members():
        found[key] = [stream.take() for _number in stream.elements()] if key == "list" else stream.take()
    stream.finish()

    assert found == {"first": 1, "list": records, "last": "x"}


@settings(max_examples=60, deadline=None)
@given(value=VALUES, step=st.integers(1, 40))
def test_skipping_passes_over_exactly_one_value(value: Any, step: Any) -> None:
    data = json.dumps([value, "after"], ensure_ascii=False).encode()

    stream = JsonStream(io.BytesIO(data), "x.json", window_bytes=step)
    found = [stream.take() if number else None for number in stream.elements()]

    assert found == [None, "after"]


@settings(max_examples=50, deadline=None)
@given(records=st.lists(VALUES, min_size=1, max_size=5), cut=st.data())
def test_a_text_cut_anywhere_delivers_what_lies_before_the_cut(records: Any, cut: Any) -> None:
    data = json.dumps(records, ensure_ascii=False).encode()
    length = cut.draw(st.integers(0, len(data) - 1))

    found: list[object] = []
    with pytest.raises(TruncatedExport):
        take_all(JsonStream(io.BytesIO(data[:length]), "x.json"), found)

    # A number at the cut may be the beginning of a longer one: it is taken as it stands.
    assert found[:-1] == records[: max(len(found) - 1, 0)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1 2]", "comma-expected"),
        ("[1,]", "value-expected"),
        ("[" * 100_000 + "x", "nested-too-deeply"),
        ("[NaN]", "number-not-understood"),
        ("[" + "9" * 5000 + "]", "number-not-understood"),
        ("[x" + " " * 100 + "]", "json-broken"),
        ("[] trailing", "text-after-the-end"),
        ("{}", "array-expected"),
    ],
)
def test_what_is_not_json_is_one_typed_error_with_its_place(text: str, reason: str) -> None:
    stream = JsonStream(io.BytesIO(text.encode()), "x.json")

    with pytest.raises(MalformedExport) as caught:
        take_all(stream, [])

    assert caught.value.reason == reason
    assert caught.value.facts["file"] == "x.json"


def test_bytes_that_are_no_text_cost_their_characters_and_are_told_at_the_end() -> None:
    stream = JsonStream(io.BytesIO(b'["good", "also good", "\xff\xfe", "good again"]'), "x.json")

    found: list[object] = []
    with pytest.raises(MalformedExport) as caught:
        take_all(stream, found)

    assert found == ["good", "also good", "\ufffd\ufffd", "good again"]
    assert caught.value.reason == "not-utf-8"


def test_a_value_longer_than_any_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARACTERS", 1000)
    stream = JsonStream(io.BytesIO(b'["' + b"a" * 5000 + b'"]'), "x.json", window_bytes=100)

    with pytest.raises(MalformedExport) as caught:
        take_all(stream, [])

    assert caught.value.reason == "value-too-long"


def test_a_long_list_takes_the_memory_of_its_window() -> None:
    record = json.dumps({"id": 1, "text": "x" * 500}).encode()
    data = b"[" + b",".join([record] * 20_000) + b"]"

    tracemalloc.start()
    stream = JsonStream(io.BytesIO(data), "x.json")
    count = sum(1 for _number in stream.elements() if stream.take())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 10 * 2**20


def test_a_sample_shows_the_structure_and_stays_small() -> None:
    data = json.dumps({"list": [{"id": n, "text": "y" * 5000} for n in range(500)], "end": True}).encode()

    sample = sample_json(io.BytesIO(data), "x.json")

    assert [record["id"] for record in sample["list"]] == [0, 1, 2]
    assert len(sample["list"][0]["text"]) == 300
    assert sample["end"] is True


def test_a_sample_of_broken_json_shows_what_came_before() -> None:
    assert sample_json(io.BytesIO(b'{"a": [1, {"b": 2, "c"'), "x.json") == {"a": [1, {"b": 2}]}
    assert sample_json(io.BytesIO(b"hello"), "x.json") is None


@settings(max_examples=80, deadline=None)
@given(records=st.lists(VALUES, min_size=1, max_size=8), step=st.integers(1, 40), taken=st.integers(0, 3))
def test_what_follows_the_rest_of_a_list_is_read_as_it_is(records: list[Any], step: int, taken: int) -> None:
    text = json.dumps({"list": records, "after": "the list"}).encode()
    stream = JsonStream(io.BytesIO(text), "export.json", window_bytes=step)
    found: list[Any] = []

    for key in stream.members():
        if key == "after":
            found.append(stream.take())
            continue
        for number in stream.elements():
            if number < taken:
                found.append(stream.take())
            else:
                assert stream.pass_over_rest(1 << 20)
                break

    assert found == [*records[:taken], "the list"]


def test_the_rest_of_a_list_is_not_read_beyond_the_budget() -> None:
    endless = io.BytesIO(b'{"list": [1, "' + b"x" * (9 << 20))
    stream = JsonStream(endless, "export.json")

    for _ in stream.members():
        for _ in stream.elements():
            assert not stream.pass_over_rest(1 << 20)
            break
        break

    assert endless.tell() < 4 << 20


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.sampled_from('\x0b\x1fa\\x41"é'), max_size=8), min_size=1, max_size=5),
    step=st.integers(1, 40),
)
def test_control_characters_as_telegram_writes_them_are_read_and_kept_as_they_are(texts: list[str], step: int) -> None:
    records = [json.dumps({"text": text}).replace("\\u000b", "\\x0B").replace("\\u001f", "\\x1F") for text in texts]
    stream = JsonStream(io.BytesIO(f"[{', '.join(records)}]".encode()), "result.json", window_bytes=step)

    found = [stream.take_raw() for _number in stream.elements()]

    stream.finish()
    assert [value["text"] for value, _raw in found] == texts
    assert [raw.decode() for _value, raw in found] == records


def test_a_million_such_characters_are_mended_window_by_window(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    mend = JsonStream._mend

    def counted(stream: JsonStream, place: int) -> bool:
        calls.append(place)
        return mend(stream, place)

    monkeypatch.setattr(JsonStream, "_mend", counted)
    stream = JsonStream(io.BytesIO(b'["' + b"\\x0B" * 1_000_000 + b'"]'), "result.json")

    found = [stream.take() for _number in stream.elements()]

    assert found == ["\x0b" * 1_000_000]
    assert len(calls) < 100
