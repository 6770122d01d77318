"""JSON exports that are a list of records with some facts around it: the shape of most of them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.reading.reader import Recognition
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import Content, SourceFiles


@dataclass(frozen=True, slots=True)
class Record:
    """One object of a list, its own bytes and where it lies."""

    value: dict[str, Any]
    raw: bytes
    locator: Locator


@dataclass(frozen=True, slots=True)
class Around:
    """A fact beside the list."""

    key: str
    value: Any


def claim_json(source: SourceFiles, certainty_of: Callable[[Any], int]) -> Recognition:
    """Claim the JSON files whose sample a reader is certain of."""
    scores = {name: certainty_of(source.json_sample(name)) for name in source.of(Content.JSON)}
    return Recognition({name: score for name, score in scores.items() if score})


def records_in(source: SourceFiles, name: str, key: str | None) -> Iterator[Record | Around | Finding]:
    """Stream the list under `key` of the root object, or the root list, and the facts beside it in their order.

    Other lists and objects are taken whole when they are small; the rest is passed over.
    """
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        if key is None:
            yield from elements_of(stream, name, "")
        else:
            for found in stream.members():
                if found == key and stream.peek() == "[":
                    yield from elements_of(stream, name, f"/{key}")
                else:
                    yield Around(found, stream.take_small())
        stream.finish()


def elements_of(stream: JsonStream, name: str, pointer: str) -> Iterator[Record | Finding]:
    """Stream the objects of the list that is next."""
    for number in stream.elements():
        value, raw = stream.take_raw()
        locator = Locator(name, f"{pointer}/{number}")
        if isinstance(value, dict):
            yield Record(value, raw, locator)
        else:
            yield Finding("record-not-understood", Severity.WARNING, locator)


def facts_around(source: SourceFiles, name: str, key: str) -> dict[str, Any]:
    """Return all facts beside the list under `key`, those behind it too. Damage ends the looking."""
    facts: dict[str, Any] = {}
    with suppress(MalformedExport):
        for found in records_in(source, name, key):
            if isinstance(found, Around):
                facts[found.key] = found.value
    return facts


def small_json(source: SourceFiles, name: str, *, limit_bytes: int = 32 * 2**20) -> Any:
    """Return a whole small JSON file that lies beside an export; None where it is absent, large or broken."""
    size_bytes = source.size(name)
    if size_bytes is None or size_bytes > limit_bytes:
        return None
    try:
        with source.open(name) as opened:
            return JsonStream(opened, name).take()
    except (MalformedExport, OSError):
        return None
