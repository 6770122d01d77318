"""Any JSON, CSV or Excel export that its owner described in a mapping."""

import fnmatch
import json
import posixpath
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from backupkit.chats.archives.members import MAPPING_NAME
from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    UTC_ZONE,
    Conversation,
    DeletionState,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.reading.mapped_rows import ENDINGS, MappedRow, rows_of
from backupkit.chats.reading.mapping import (
    MAX_MAPPING_BYTES,
    Choice,
    ExportMapping,
    FieldPath,
    MappingWrong,
    TimeRule,
    parse_mapping,
    plain_text,
)
from backupkit.chats.reading.media_files import find_media_above, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import int_of, within_time
from backupkit.chats.sources.source import SourceFiles

CERTAINTY = 200
"""The owner's word stands above every reader's judgement."""

_MAX_CONVERSATIONS = 200_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FILES = {MessageKind.IMAGE, MessageKind.VOICE, MessageKind.VIDEO, MessageKind.FILE, MessageKind.STICKER}


class Mapped:
    """Reads what the mappings of one app describe."""

    def __init__(self, app: str | None, package: str | None) -> None:
        self.app = app
        self.package = package
        self.format = "mapping" if app is None else f"mapping-{app}"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Claim the mappings themselves, and every file that they speak of."""
        claims: dict[str, int] = {}
        for name, mapping in _mappings_of(source, self.app, self.package):
            claims[name] = CERTAINTY
            if isinstance(mapping, ExportMapping):
                claims.update(dict.fromkeys(_files_of(source, name, mapping), CERTAINTY))
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream what each mapping describes."""
        claimed = set(recognition.files)
        for name, mapping in _mappings_of(source, self.app, self.package):
            if name not in claimed:
                continue
            if isinstance(mapping, MappingWrong):
                facts = {"reason": mapping.reason}
                yield Finding("mapping-wrong", Severity.ERROR, Locator(name, mapping.place), dict(facts))
                continue
            reading = _Reading(source, name, mapping)
            files = [file for file in _files_of(source, name, mapping) if file in claimed]
            yield from read_each(files, reading.read_file, is_foreign=True)
            yield from reading.findings(files)


def mapped_readers(source: SourceFiles) -> tuple[Mapped, ...]:
    """Return a reader for every app that a mapping in the source speaks of."""
    apps = dict.fromkeys(
        (found.app, found.package) if isinstance(found, ExportMapping) else (None, None)
        for _name, found in _all_mappings(source)
    )
    return tuple(Mapped(app, package) for app, package in apps)


def _mappings_of(
    source: SourceFiles, app: str | None, package: str | None
) -> Iterator[tuple[str, ExportMapping | MappingWrong]]:
    for name, found in _all_mappings(source):
        whose = (found.app, found.package) if isinstance(found, ExportMapping) else (None, None)
        if whose == (app, package):
            yield name, found


def _all_mappings(source: SourceFiles) -> tuple[tuple[str, ExportMapping | MappingWrong], ...]:
    return source.keep("mappings", lambda _stack: tuple(_parsed(source)))


def _parsed(source: SourceFiles) -> Iterator[tuple[str, ExportMapping | MappingWrong]]:
    for name in source.called(MAPPING_NAME):
        try:
            yield name, parse_mapping(source.head(name, MAX_MAPPING_BYTES + 1))
        except MappingWrong as error:
            yield name, error


def _files_of(source: SourceFiles, mapping_name: str, mapping: ExportMapping) -> list[str]:
    folder = posixpath.dirname(mapping_name)
    prefix = folder + "/" if folder else ""
    inside = [name for name in source.names() if name.startswith(prefix) and posixpath.basename(name) != MAPPING_NAME]
    if not mapping.files:
        return [name for name in inside if posixpath.splitext(name)[1].lower() in ENDINGS]
    return [
        name
        for name in inside
        if any(fnmatch.fnmatchcase(name.removeprefix(prefix), pattern) for pattern in mapping.files)
    ]


class _Reading:
    """The files of one mapping while they are read."""

    def __init__(self, source: SourceFiles, name: str, mapping: ExportMapping) -> None:
        self._source, self._name, self._mapping = source, name, mapping
        self._people: dict[str, People] = {}
        self._known: set[str] = set()
        self._messages = 0
        self._without_time = 0
        self._empty_files: list[str] = []
        self._given = dict.fromkeys((key for key, paths in mapping.fields.items() if paths), 0)
        paths = [path for found in mapping.fields.values() for path in found]
        for choice in (mapping.kind, mapping.direction, mapping.deleted):
            paths += choice.paths
        self._wanted = frozenset([*paths, *mapping.time.paths, *mapping.owner])

    def read_file(self, name: str) -> Iterator[Told]:
        """Stream one file."""
        before = self._messages
        for row in rows_of(self._source, name, self._mapping, self._wanted):
            if not isinstance(row.value, dict | list):
                yield Finding("record-not-understood", Severity.WARNING, row.locator)
                continue
            message = self._message(row)
            self._messages += 1
            if message.conversation not in self._known and len(self._known) < _MAX_CONVERSATIONS:
                self._known.add(message.conversation)
                title = self._text(row, "title") or message.conversation
                yield Conversation(message.conversation, title, locator=Locator(name))
            yield message
        if self._messages == before:
            self._empty_files.append(name)

    def findings(self, files: list[str]) -> Iterator[Finding]:
        """Tell what of the mapping found nothing: whoever wrote it wants to know."""
        for name in self._empty_files if files else ["*"]:
            facts = {"name": name, "at": ".".join(self._mapping.at)}
            yield Finding("mapping-found-nothing", Severity.ERROR, Locator(self._name), dict(facts))
        if not self._messages:
            return
        missing = {key: self._messages for key, count in self._given.items() if not count}
        if self._without_time and self._mapping.time.paths:
            missing["time"] = self._without_time
        for key, count in missing.items():
            yield Finding(
                "mapping-field-empty",
                Severity.WARNING,
                Locator(self._name),
                {"field": key, "count": count, "messages": self._messages},
            )

    def _text(self, row: MappedRow, field: str) -> str:
        found = _first(row, self._mapping.fields[field])
        if found:
            self._given[field] += 1
        return found

    def _message(self, row: MappedRow) -> Message:
        mapping = self._mapping
        sender = self._text(row, "sender")
        ts_us, precision, zone, ts_raw = _time(row, mapping.time)
        self._without_time += ts_us is None
        native_kind = _first(row, mapping.kind.paths)
        kind = MessageKind(mapping.kind.meanings.get(native_kind, "other" if mapping.kind.meanings else "text"))
        media = self._media(row, kind)
        if media and not mapping.kind.meanings:
            kind = media[0].role
        is_taken_back = _meaning(row, mapping.deleted) == "is"
        return Message(
            conversation=self._text(row, "conversation") or posixpath.splitext(row.locator.file)[0],
            locator=row.locator,
            raw=row.raw,
            ts_utc_us=ts_us,
            ts_precision=precision,
            ts_zone=zone,
            ts_raw=ts_raw,
            native_id=self._text(row, "id") or None,
            sender_id=sender or None,
            sender_name=self._text(row, "sender_name") or None,
            direction=self._direction(row, sender, kind),
            kind=kind,
            native_kind=native_kind,
            text=self._text(row, "text"),
            reply_to=self._text(row, "reply_to") or None,
            deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
            media=media,
        )

    def _direction(self, row: MappedRow, sender: str, kind: MessageKind) -> Direction:
        if kind is MessageKind.SYSTEM:
            return Direction.SYSTEM
        choice = self._mapping.direction
        if choice.meanings:
            meaning = _meaning(row, choice)
            if meaning is not None:
                return Direction(meaning)
            # Where only one side is named, everything else is the other one.
            named = set(choice.meanings.values()) & {"in", "out"}
            return {frozenset(["out"]): Direction.IN, frozenset(["in"]): Direction.OUT}.get(
                frozenset(named), Direction.UNKNOWN
            )
        owner = _first(row, self._mapping.owner)
        if owner and sender:
            return Direction.OUT if sender == owner else Direction.IN
        return Direction.UNKNOWN

    def _media(self, row: MappedRow, kind: MessageKind) -> tuple[Media, ...]:
        found = []
        for path in self._mapping.fields["media"]:
            value = row.get(path)
            for one in value if isinstance(value, list) else [value]:
                reference = _shown(one)
                if not reference:
                    continue
                self._given["media"] += 1
                role = kind if kind in _FILES else role_of_name(reference)
                if is_link(reference):
                    found.append(Media(reference, MediaState.OMITTED, role))
                else:
                    name, state = find_media_above(self._source, row.locator.file, reference)
                    found.append(Media(name, state, role))
        return tuple(found[:1000])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return plain_text(value)


def _first(row: MappedRow, paths: tuple[FieldPath, ...]) -> str:
    """Return the first of the fields that holds something."""
    return next((text for path in paths if (text := _shown(row.get(path)))), "")


def _meaning(row: MappedRow, choice: Choice) -> str | None:
    return choice.meanings.get(_first(row, choice.paths))


def _time(row: MappedRow, rule: TimeRule) -> tuple[int | None, Precision, str, str]:
    """Return microseconds, precision, the zone's provenance, and the time as it stands there."""
    raw = " ".join(text for path in rule.paths if (text := _shown(row.get(path))))
    if rule.unit_us is not None:
        number = int_of(raw)
        if number is None:
            # A number of seconds with a fraction is still a time.
            number = _fraction(raw, rule)
            return number, rule.precision, UTC_ZONE, raw
        return within_time(number * rule.unit_us), rule.precision, UTC_ZONE, raw
    try:
        text = raw.strip()
        moment = datetime.fromisoformat(text) if rule.pattern is None else datetime.strptime(text, rule.pattern)  # noqa: DTZ007  the zone follows
    except (ValueError, OverflowError):
        return None, rule.precision, UNKNOWN_ZONE, raw
    precision = rule.precision
    if rule.pattern is None:
        precision = Precision.DAY if len(text) <= 10 else Precision.MILLISECOND if moment.microsecond else precision
    return (*_in_zone(moment, rule, precision), raw)


def _fraction(raw: str, rule: TimeRule) -> int | None:
    try:
        value = float(raw)
    except ValueError:
        return None
    return within_time(round(value * (rule.unit_us or 1))) if abs(value) < 1e18 else None


def _in_zone(moment: datetime, rule: TimeRule, precision: Precision) -> tuple[int | None, Precision, str]:
    zone = OFFSET_ZONE
    if moment.tzinfo is None:
        if rule.zone is None:
            zone, moment = UNKNOWN_ZONE, moment.replace(tzinfo=UTC)
        else:
            zone = UTC_ZONE if rule.zone is UTC else f"assumed:{rule.zone_name}"
            moment = moment.replace(tzinfo=rule.zone)
    try:
        since = moment.astimezone(UTC) - _EPOCH
    except (OverflowError, ValueError):
        return None, precision, UNKNOWN_ZONE
    return within_time((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds), precision, zone
