"""Hostile exports: one typed error or a finding, never a traceback, never another format."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from chat_samples import SAMPLES
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.chats.counting.summary import first_messages, summarise
from backupkit.chats.model import Finding
from backupkit.chats.readers.registry import READERS
from backupkit.chats.sources.source import open_source

QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def must_be_honest(path: Path, name: str) -> None:
    """A damage may cost messages. It may not turn one format into another, nor surprise a reader."""
    with open_source(path) as source:
        for reader in READERS:
            reader.recognise(source)
    summary = summarise(path)
    if summary is None:
        return
    assert summary.format in {name.split(maxsplit=1)[0], *MAY_BECOME.get(name.split(maxsplit=1)[0], ())}
    assert "unexpected-shape" not in {finding.facts.get("reason") for finding in summary.findings}
    assert all(isinstance(finding, Finding) for finding in summary.findings)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_its_own_format(tmp_path: Path, name: str) -> None:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)

    summary = summarise(tmp_path / file)

    assert summary is not None
    assert summary.format == name.split(maxsplit=1)[0]
    assert {finding.code for finding in summary.findings} <= {"own-messages-only"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_is_known_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    _file, data = SAMPLES[name](tmp_path)
    (tmp_path / "download").write_bytes(data)

    summary = summarise(tmp_path / "download")

    assert summary is not None
    assert summary.format == name.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    "saved_as",
    [
        "utf-16 with a mark",
        "utf-16 the other way",
        "utf-16 without a mark",
        "utf-32",
        "other line ends",
        "returns alone",
        "returns alone in utf-16",
        "a mark in front",
        "two marks in front",
        "an empty line and a mark",
        "empty lines in front",
        "a space without width",
    ],
)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_that_was_saved_again_says_the_same(tmp_path: Path, name: str, saved_as: str) -> None:
    file, data = SAMPLES[name](tmp_path)
    text = data.decode("utf-8-sig")
    again = {
        "utf-16 with a mark": text.encode("utf-16"),
        "utf-16 the other way": b"\xfe\xff" + text.encode("utf-16-be"),
        "utf-16 without a mark": text.encode("utf-16-le"),
        "other line ends": text.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
        "utf-32": text.encode("utf-32"),
        "returns alone": text.replace("\r\n", "\n").replace("\n", "\r").encode(),
        "returns alone in utf-16": text.replace("\r\n", "\n").replace("\n", "\r").encode("utf-16"),
        "a mark in front": b"\xef\xbb\xbf" + text.encode(),
        "two marks in front": b"\xef\xbb\xbf" * 2 + text.encode(),
        "an empty line and a mark": b"\r\n\xef\xbb\xbf" + text.encode(),
        "empty lines in front": b"\n \n" + text.encode(),
        "a space without width": "\u200b".encode() + text.encode(),
    }[saved_as]
    (tmp_path / file).write_bytes(data)
    before = first_messages(tmp_path / file, count=1000)
    (tmp_path / file).write_bytes(again)

    after = first_messages(tmp_path / file, count=1000)

    assert before
    assert [(one.text.replace("\r", ""), one.ts_utc_us, one.kind) for one in after] == [
        (one.text.replace("\r", ""), one.ts_utc_us, one.kind) for one in before
    ]


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(data=st.data())
def test_bytes_changed_anywhere_are_never_a_traceback(tmp_path: Path, name: str, data: st.DataObject) -> None:
    file, original = SAMPLES[name](tmp_path)
    damaged = bytearray(original)
    for _change in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged)))
        junk = data.draw(
            st.binary(min_size=1, max_size=4) | st.sampled_from([b"{", b"[", b'"', b"\n", b"\t", b"<", b"\0"])
        )
        damaged[at : at + data.draw(st.integers(0, 30))] = junk
    (tmp_path / file).write_bytes(bytes(damaged))

    must_be_honest(tmp_path / file, name)


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(cut=st.floats(0, 1))
def test_a_file_cut_anywhere_is_never_a_traceback(tmp_path: Path, name: str, cut: Any) -> None:
    file, original = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(original[: int(len(original) * cut)])

    must_be_honest(tmp_path / file, name)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_lies_before_a_cut_is_delivered_and_the_cut_is_told(tmp_path: Path, name: str) -> None:
    file, original = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(original)
    whole = first_messages(tmp_path / file, count=10_000)
    ends: list[int] = []
    for one in whole:
        at = original.find(one.raw, ends[-1] if ends else 0)
        ends += [at + len(one.raw)] if at >= 0 else []
    # Lines of JSON have no end mark: one that ends with its line is whole by all that can be seen.
    is_told_by_its_shape = original.lstrip(b"\xef\xbb\xbf \r\n")[:1] in b"{[<" and not re.search(
        r"text|lines|jsonl", name
    )

    for part in range(1, 20):
        cut = len(original) * part // 20
        (tmp_path / file).write_bytes(original[:cut])
        summary = summarise(tmp_path / file)
        if summary is None:
            continue  # too little of it is left to say what it was
        found = first_messages(tmp_path / file, count=10_000)

        assert len(found) >= sum(end <= cut for end in ends)
        assert [one.ts_utc_us for one in found[:-1]] == [one.ts_utc_us for one in whole[: max(len(found) - 1, 0)]]
        if is_told_by_its_shape:
            assert summary.is_damaged, f"cut at {cut} of {len(original)}: {summary.findings}"


# What tells the app may be what was damaged: paths, or the commas of a file of four lines.
MAY_BECOME = {
    "signal-text": ("whatsapp-text",),
    # In the shape of another app, and cut before its first message.
    "whatsapp-exporter": ("telegram-json",),
    "facebook-json": ("meta-json", "instagram-json"),
    "instagram-json": ("facebook-json", "meta-json"),
    "facebook-html": ("meta-html",),
    "instagram-html": ("meta-html",),
}

ODD: list[Any] = [None, True, 0, -1, 1.5, 2**63, "", "x", "\ud800", "9" * 30, [], [[]], [None], {}, {"a": {"b": []}}]


def odd_places(value: Any, dice: Any) -> Any:
    """Return the value with one place in it made odd."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(list(value))
        return {**value, key: odd_places(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        at = dice.randrange(len(value))
        return [*value[:at], odd_places(value[at], dice), *value[at + 1 :]]
    return dice.choice(ODD)


@pytest.mark.parametrize("name", [name for name in SAMPLES if "json" in name])
def test_an_odd_value_anywhere_is_never_a_traceback(tmp_path: Path, name: str) -> None:
    file, original = SAMPLES[name](tmp_path)
    is_lines = file.endswith(".jsonl")
    value = list(map(json.loads, original.splitlines())) if is_lines else json.loads(original)

    for seed in range(60):
        odd = odd_places(value, random.Random(seed))
        text = "\n".join(map(json.dumps, odd)) if is_lines and isinstance(odd, list) else json.dumps(odd)
        (tmp_path / file).write_text(text, "utf-8")
        must_be_honest(tmp_path / file, name)
