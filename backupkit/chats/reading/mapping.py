"""A mapping: its owner's own description of an export that no reader knows, as for a copy of personal data.

It lies in the export as `backupkit-mapping.toml` and says where the records are and what their fields mean. The format
is described in `docs/how-to/describe-your-own-export.md`; what is not in it is refused, so that a slip of the pen is told
instead of losing a field.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from backupkit.chats.model import MessageKind, Precision
from backupkit.errors import BackupkitError, ExitCode

MAPPING_VERSION = 1
MAX_MAPPING_BYTES = 256 * 1024
# `tomllib` takes the square of a key's parts: a key of 50,000 would keep a snapshot waiting for minutes.
_MANY_DOTS = re.compile(rb"(?:[^.\n]*\.){256}")
ROOT = -1
"""The level of a field that is looked up at the root of its file."""

_SPECIAL = frozenset(["@key", "@file", "@sheet"])
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_APP = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
_DOT = re.compile(r"(?<!\\)\.")
_FORMATS = {"json", "jsonl", "csv", "xlsx"}
_UNIX = {
    "unix-s": (1_000_000, Precision.SECOND),
    "unix-ms": (1000, Precision.MILLISECOND),
    "unix-us": (1, Precision.MICROSECOND),
}
_KINDS = {kind.value: kind for kind in MessageKind}


class MappingWrong(BackupkitError):
    """A mapping cannot be used: it says nothing, or something that is not understood."""

    code = "mapping-wrong"
    exit_code = ExitCode.USAGE

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place=place, reason=reason)
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where a value is: `level` 0 is the record, 1 what it lies in, and so on; `ROOT` is the root of the file."""

    level: int
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How times are written. `unit_us` is set for numbers since 1970, `pattern` for `strptime`, neither for ISO 8601."""

    paths: tuple[FieldPath, ...] = ()
    unit_us: int | None = None
    pattern: str | None = None
    precision: Precision = Precision.SECOND
    zone: tzinfo | None = None
    zone_name: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A field whose values stand for something."""

    paths: tuple[FieldPath, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportMapping:
    """One mapping, valid."""

    app: str
    package: str | None
    files: tuple[str, ...]
    format: str | None
    at: tuple[str, ...]
    sheet: str | None
    header: int
    encoding: str | None
    separator: str
    fields: Mapping[str, tuple[FieldPath, ...]]
    time: TimeRule
    kind: Choice
    direction: Choice
    owner: tuple[FieldPath, ...]
    deleted: Choice


def parse_mapping(data: bytes) -> ExportMapping:
    """Read a mapping.

    Raises:
        MappingWrong: it is no TOML, or says what is not understood.
    """
    if len(data) > MAX_MAPPING_BYTES:
        raise MappingWrong("", "too-long")
    if _MANY_DOTS.search(data):
        raise MappingWrong("", "nested-too-deeply")
    try:
        root = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # `tomllib` lets through what `int` says of a number with thousands of digits, which is a ValueError too.
        place = re.search(r"\(at (line \d+)", str(error))
        raise MappingWrong(place[1] if place else "", "not-toml") from error
    top = _Table("", root)
    version = top.take("mapping", int, None)
    if version != MAPPING_VERSION:
        raise MappingWrong("mapping", "version-unknown" if version is not None else "missing")
    app = top.take("app", str, None)
    if app is None or not _APP.fullmatch(app):
        raise MappingWrong("app", "name-missing" if app is None else "name-odd")
    package = top.take("package", str, None)
    if package is not None and not _PACKAGE.fullmatch(package):
        raise MappingWrong("package", "name-odd")
    records, conversation, message = top.table("records"), top.table("conversation"), top.table("message")
    found = ExportMapping(
        app=app,
        package=package,
        files=top.texts("files"),
        format=records.one_of("format", _FORMATS),
        at=_segments(records.take("at", str, ""), "records.at"),
        sheet=records.take("sheet", str, None),
        header=records.take("header", int, 1),
        encoding=_encoding(records.take("encoding", str, None)),
        separator=records.take("separator", str, ","),
        fields={
            "conversation": conversation.paths("id"),
            "title": conversation.paths("title"),
            "id": message.paths("id"),
            "sender": message.paths("sender"),
            "sender_name": message.paths("sender_name"),
            "text": message.paths("text"),
            "reply_to": message.paths("reply_to"),
            "media": message.paths("media"),
        },
        time=_time(top.table("time")),
        kind=_choice(top.table("kind"), _KINDS),
        direction=_choice(direction := top.table("direction"), {"in", "out", "system"}, beside={"owner"}),
        owner=direction.paths("owner"),
        deleted=_choice(top.table("deleted"), {"is"}),
    )
    for table in (top, records, conversation, message, direction):
        table.refuse_the_rest()
    if len(found.separator) != 1:
        raise MappingWrong("records.separator", "not-one-character")
    if not 0 <= found.header <= 1000:
        raise MappingWrong("records.header", "out-of-range")
    if not found.fields["text"] and not found.fields["media"]:
        raise MappingWrong("message.text", "missing")
    _require_levels(found)
    return found


def _require_levels(found: ExportMapping) -> None:
    levels = max(found.at.count("*"), 1)
    for paths in (*found.fields.values(), found.time.paths, found.kind.paths, found.direction.paths, found.owner):
        for path in paths:
            if path.level >= levels:
                raise MappingWrong("^" * path.level + "." + ".".join(path.segments), "no-such-level")


class _Table:
    """One table of the file; what nobody asked for is refused at the end."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self._name = name
        self._left = dict(values)

    def place(self, key: str) -> str:
        """Say where a key is."""
        return f"{self._name}.{key}" if self._name else key

    def take(self, key: str, kind: type, default: Any) -> Any:
        value = self._left.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, kind) or isinstance(value, bool):
            raise MappingWrong(self.place(key), "wrong-type")
        return value

    def one_of(self, key: str, known: set[str]) -> str | None:
        value: str | None = self.take(key, str, None)
        if value is not None and value not in known:
            raise MappingWrong(self.place(key), "value-unknown")
        return value

    def table(self, key: str) -> "_Table":
        return _Table(key, self.take(key, dict, {}))

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._left.pop(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
            raise MappingWrong(self.place(key), "wrong-type")
        return tuple(found)

    def values(self, key: str) -> tuple[str, ...]:
        value = self._left.pop(key, [])
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in found):
            raise MappingWrong(self.place(key), "wrong-type")
        return tuple(plain_text(one) for one in found)

    def paths(self, key: str) -> tuple[FieldPath, ...]:
        return tuple(_path(text, self.place(key)) for text in self.texts(key))

    def left(self) -> tuple[str, ...]:
        return tuple(self._left)

    def refuse_the_rest(self) -> None:
        if self._left:
            raise MappingWrong(self.place(next(iter(self._left))), "key-unknown")


def plain_text(value: Any) -> str:
    """Write a value as it is compared: truth as `true` and `false`, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _segments(text: str, place: str) -> tuple[str, ...]:
    parts = tuple(part.replace("\\.", ".") for part in _DOT.split(text)) if text else ()
    if "" in parts or len(parts) > 20:
        raise MappingWrong(place, "path-odd")
    return parts


def _path(text: str, place: str) -> FieldPath:
    if text in _SPECIAL:
        return FieldPath(0, (text,))
    level = len(text) - len(text.lstrip("^"))
    rest = text[level:]
    if level:
        if not rest.startswith("."):
            raise MappingWrong(place, "path-odd")
        rest = rest[1:]
    elif rest.startswith("$."):
        level, rest = ROOT, rest[2:]
    parts = _segments(rest, place)
    if not parts or "*" in parts or (level == ROOT and parts[-1].startswith("@")):
        raise MappingWrong(place, "path-odd")
    return FieldPath(level, parts)


def _encoding(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        # Only encodings in which a line feed is always one byte of its own, as lines are cut before they are decoded.
        if "\n".encode(name) != b"\n" or b"\n".decode(name) != "\n":
            raise MappingWrong("records.encoding", "value-unknown")
    except (LookupError, UnicodeError) as error:
        raise MappingWrong("records.encoding", "value-unknown") from error
    return name


def _time(table: _Table) -> TimeRule:
    paths = table.paths("from")
    form = table.take("format", str, "iso")
    zone_name = table.take("zone", str, "")
    table.refuse_the_rest()
    zone = _zone(zone_name)
    if form in _UNIX:
        unit_us, precision = _UNIX[form]
        return TimeRule(paths, unit_us, None, precision)
    if form == "iso":
        return TimeRule(paths, None, None, Precision.SECOND, zone, zone_name)
    if "%" not in form:
        raise MappingWrong("time.format", "value-unknown")
    finest = {"%f": Precision.MICROSECOND, "%S": Precision.SECOND, "%T": Precision.SECOND, "%M": Precision.MINUTE}
    precision = next((finest[mark] for mark in finest if mark in form), Precision.DAY)
    return TimeRule(paths, None, form, precision, zone, zone_name)


def _zone(name: str) -> tzinfo | None:
    if not name:
        return None
    if name.lower() == "utc":
        return UTC
    found = _OFFSET.fullmatch(name)
    if found is not None:
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes >= 24 * 60:
            raise MappingWrong("time.zone", "value-unknown")
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise MappingWrong("time.zone", "value-unknown") from error


def _choice(
    table: _Table, known: "Mapping[str, Any] | set[str]", *, beside: "set[str] | frozenset[str]" = frozenset()
) -> Choice:
    paths = table.paths("from")
    meanings: dict[str, str] = {}
    for key in table.left():
        if key in beside:
            continue
        if key not in known:
            raise MappingWrong(table.place(key), "key-unknown")
        for value in table.values(key):
            meanings[value] = key
    if meanings and not paths:
        raise MappingWrong(table.place("from"), "missing")
    return Choice(paths, meanings)
