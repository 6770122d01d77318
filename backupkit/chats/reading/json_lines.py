"""JSON Lines: a record on each line. A record that runs over several lines is put together; one that is broken costs itself only."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.reading.json_records import Record
from backupkit.chats.records.json_window import said_once
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import MOST_LINES_BETWEEN, Line, lines_of

_MAX_LINES_OF_A_RECORD = 200
_MAX_RECORD_BYTES = 16 * 2**20


def json_line_records(source: SourceFiles, name: str) -> Iterator[Record | Finding]:
    """Stream the objects of a file.

    Raises:
        TruncatedExport: the last line stops inside a record.
    """
    pending: list[Line] = []
    damaged = empty = 0
    with source.open(name) as stream:
        for line in lines_of(stream):
            damaged += line.is_damaged
            empty = 0 if line.text else empty + 1
            if empty > MOST_LINES_BETWEEN:
                raise MalformedExport(Locator(name, f"line {line.number}"), "too-many-empty-lines")
            if not (pending or line.text.strip("\ufeff ")):
                continue
            alone = _value(line.text)
            if pending and alone is None:
                pending.append(line)
                value = _value("\n".join(one.text for one in pending))
                is_short = (
                    len(pending) < _MAX_LINES_OF_A_RECORD and sum(one.weight for one in pending) < _MAX_RECORD_BYTES
                )
                if value is None and is_short:
                    continue
            else:
                if pending:
                    # The line is whole by itself, so what came before it was not.
                    yield Finding("record-not-understood", Severity.WARNING, Locator(name, f"line {pending[0].number}"))
                value, pending = alone, [line]
                if value is None:
                    continue
            locator = Locator(name, f"line {pending[0].number}")
            raw = b"".join(one.raw for one in pending)
            pending = []
            yield (
                Record(value, raw, locator)
                if value is not None
                else Finding("record-not-understood", Severity.WARNING, locator)
            )
    if damaged:
        yield Finding("text-not-utf-8", Severity.ERROR, Locator(name), {"count": damaged})
    if pending:
        raise TruncatedExport(Locator(name, f"line {pending[0].number}"), "json-broken")


class LineValue(NamedTuple):
    """The value of one line, the line as it was read, and where it is."""

    value: Any
    raw: bytes
    locator: Locator


def json_line_values(source: SourceFiles, name: str) -> Iterator[LineValue]:
    """Stream the value of each line, whatever it is. A broken line costs itself, and is told when all others were.

    Raises:
        TruncatedExport: the last line stops inside a value.
        MalformedExport: a line is broken; the first of them.
    """
    first: MalformedExport | None = None
    with source.open(name) as stream:
        for line in lines_of(stream):
            if not line.text.strip():
                continue
            locator = Locator(name, f"line {line.number}")
            try:
                value = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                if line.is_unfinished:
                    raise TruncatedExport(locator, "json-broken") from error
                first = first or MalformedExport(locator, "json-broken")
                continue
            yield LineValue(value, line.raw, locator)
    if first is not None:
        raise first


def first_records(source: SourceFiles, name: str, size_bytes: int) -> list[dict[str, Any]]:
    """Return the objects of the whole lines at the beginning of a file."""
    lines = text_head(source.head(name, size_bytes)).split("\n")
    if (source.size(name) or 0) > size_bytes:
        lines = lines[:-1]
    return [value for line in lines if (value := _value(line)) is not None]


def _value(text: str) -> dict[str, Any] | None:
    if "{" not in text[:80]:
        return None
    try:
        # Some programs leave line ends and tabs in strings as they are.
        value = json.loads(text.lstrip("\ufeff"), strict=False, object_pairs_hook=said_once)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
