"""The records of a file that a mapping describes, one by one, with what lies around them."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator
from backupkit.chats.reading.csv_rows import csv_rows
from backupkit.chats.reading.json_lines import json_line_values
from backupkit.chats.reading.mapping import ROOT, ExportMapping, FieldPath
from backupkit.chats.reading.xlsx_rows import xlsx_rows
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles

MAX_SURROUNDINGS = 200_000
ENDINGS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
}


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One record. `around` holds the wanted values of what it lies in, by their path."""

    value: Any
    raw: bytes
    locator: Locator
    around: Mapping[FieldPath, Any] = field(default_factory=dict)
    key: str = ""
    sheet: str = ""

    def get(self, path: FieldPath) -> Any:
        """Return the value at a path, None where there is none."""
        match path.segments:
            case ("@file",):
                return posixpath.splitext(posixpath.basename(self.locator.file))[0]
            case ("@sheet",):
                return self.sheet
            case ("@key",) if path.level == 0:
                return self.key
        if path.level != 0:
            return self.around.get(path)
        return value_at(self.value, path.segments)


def value_at(value: Any, segments: tuple[str, ...]) -> Any:
    """Follow keys, and numbers of list elements, into a value."""
    for segment in segments:
        if isinstance(value, dict):
            value = value.get(segment)
        elif isinstance(value, list) and segment.isascii() and segment.isdecimal() and len(segment) < 7:
            value = value[int(segment)] if int(segment) < len(value) else None
        else:
            return None
    return value


def rows_of(
    source: SourceFiles, name: str, mapping: ExportMapping, wanted: frozenset[FieldPath]
) -> Iterator[MappedRow]:
    """Stream the records of a file. `wanted` are all paths that will be asked for.

    Raises:
        MalformedExport: it is damaged, or not what the mapping says.
    """
    match mapping.format or ENDINGS.get(posixpath.splitext(name)[1].lower(), "json"):
        case "csv":
            separator = "\t" if name.lower().endswith(".tsv") and mapping.separator == "," else mapping.separator
            rows = csv_rows(source, name, header=mapping.header, separator=separator, encoding=mapping.encoding)
            for row in rows:
                yield MappedRow(row.values, row.raw, row.locator)
        case "xlsx":
            for row in xlsx_rows(source, name, mapping.sheet, mapping.header):
                yield MappedRow(row.values, row.raw, row.locator, sheet=row.values["@sheet"])
        case "jsonl":
            yield from (MappedRow(*one) for one in json_line_values(source, name))
        case _:
            yield from _Walk(source, name, mapping.at or ("*",), wanted).rows()


class _Walk:
    """Walks a JSON file along a path of keys and `*`; each `*` is a level.

    What lies around the records may stand behind them, so it is gathered in a first pass, and only if it is wanted.
    """

    def __init__(self, source: SourceFiles, name: str, at: tuple[str, ...], wanted: frozenset[FieldPath]) -> None:
        self._source, self._name, self._at = source, name, at
        levels = at.count("*")
        # By distance from the root: the root itself is 0, what a record lies in is one less than the records.
        self._wanted: dict[int, dict[FieldPath, tuple[str, ...]]] = {}
        for path in wanted:
            if path.level != 0:
                place = 0 if path.level == ROOT else levels - path.level
                self._wanted.setdefault(place, {})[path] = path.segments
        self._facts: dict[tuple[int, ...], dict[FieldPath, Any]] = {}

    def rows(self) -> Iterator[MappedRow]:
        if self._wanted:
            with self._source.open(self._name) as opened:
                # Damage behind the wanted values is told by the second pass, with the records before it.
                try:
                    self._gather(JsonStream(opened, self._name), 0, (), self._wanted.get(0, {}))
                except MalformedExport as error:
                    if error.reason == "too-many-surroundings":
                        raise
        with self._source.open(self._name) as opened:
            stream = JsonStream(opened, self._name)
            yield from self._records(stream, 0, (), "", "")
            stream.finish()

    def _gather(
        self, stream: JsonStream, step: int, numbers: tuple[int, ...], wanted: Mapping[FieldPath, tuple[str, ...]]
    ) -> None:
        is_last_level = "*" not in self._at[step + 1 :]
        if step >= len(self._at) or (self._at[step] == "*" and is_last_level and stream.peek() == "["):
            stream.skip()
        elif self._at[step] == "*":
            for number, key in _children(stream):
                here = (*numbers, number)
                inner = self._wanted.get(len(here), {})
                for path in [path for path, segments in inner.items() if segments == ("@key",)]:
                    self._keep(here, path, key)
                if not is_last_level:
                    self._gather(stream, step + 1, here, inner)
        elif stream.peek() == "{":
            for key in stream.members():
                below = {path: segments[1:] for path, segments in wanted.items() if segments[0] == key}
                if key == self._at[step]:
                    self._gather(stream, step + 1, numbers, {path: rest for path, rest in below.items() if rest})
                elif below:
                    value = stream.take()
                    for path, rest in below.items():
                        self._keep(numbers, path, value_at(value, rest))

    def _keep(self, numbers: tuple[int, ...], path: FieldPath, value: Any) -> None:
        if numbers not in self._facts and len(self._facts) >= MAX_SURROUNDINGS:
            raise MalformedExport(Locator(self._name), "too-many-surroundings")
        kept = value[:300] if isinstance(value, str) else value
        if not isinstance(kept, dict | list):
            self._facts.setdefault(numbers, {})[path] = kept

    def _records(
        self, stream: JsonStream, step: int, numbers: tuple[int, ...], pointer: str, key: str
    ) -> Iterator[MappedRow]:
        if step >= len(self._at):
            value, raw = stream.take_raw()
            around: dict[FieldPath, Any] = {}
            for place in self._wanted:
                around |= self._facts.get(numbers[:place], {})
            yield MappedRow(value, raw, Locator(self._name, pointer), around, key)
        elif self._at[step] == "*":
            for number, found in _children(stream):
                yield from self._records(
                    stream, step + 1, (*numbers, number), f"{pointer}/{found or number}", found or str(number)
                )
        elif stream.peek() == "{":
            for found in stream.members():
                if found == self._at[step]:
                    yield from self._records(stream, step + 1, numbers, f"{pointer}/{found}", key)
        else:
            stream.skip()


def _children(stream: JsonStream) -> Iterator[tuple[int, str]]:
    """Enter a list or an object, and tell the number and the key of each child."""
    if stream.peek() == "[":
        for number in stream.elements():
            yield number, ""
    elif stream.peek() == "{":
        for number, key in enumerate(stream.members()):
            yield number, key
    else:
        stream.skip()
