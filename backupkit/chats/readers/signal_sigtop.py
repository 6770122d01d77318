"""Signal conversations as sigtop writes them: a block of fields for each message, or one line for each.

The long form names the conversation in its first line and tells a zone with every time. The short form has minutes and no zone.
"""

import posixpath
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
    Direction,
    Edit,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Reaction,
)
from backupkit.chats.people import People
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.records.json_fields import within_time
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_CONVERSATION = re.compile(r"Conversation: (.+)$")
_FROM = re.compile(r"From: (.+)$")
_TYPE = re.compile(r"Type: ([a-z\-]{1,60})$")
_FIELD = re.compile(r"(Sent|Received|Attachment|Reaction|Edited): (.*)$")
_ATTACHMENT = re.compile(r"(.*) \(([\w.+\-/]{0,100}), (\d{1,18}) bytes\)$")
_SHORT = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d) ([^:\n]{1,120}?):(?: |$)")
_DETAILS = re.compile(r"\[((?:(?:reply to .{1,150}|edited|\d{1,4} attachments?)(?:, |(?=\])))+)\] ?")
_NOT_SAID = re.compile(r"\[([a-z\-]{1,60}) message\]$")
_LOOKED_AT = 64 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class SignalSigtop:
    """Reads both text forms of sigtop."""

    format = "signal-sigtop"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the block of fields, or for lines of which some are by "You"."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = [line.rstrip("\r") for line in head.lstrip("\ufeff\r\n").splitlines()]
    if lines and _CONVERSATION.match(lines[0]):
        fields = [line.partition(":")[0] for line in lines[1:8] if line]
        return 95 if {"Type", "Sent"} <= set(fields) or {"Type", "Received"} <= set(fields) else 0
    heads = [match for match in map(_SHORT.match, lines) if match]
    if not heads or not lines or not _SHORT.match(lines[0]):
        return 0
    return 72 if any(match[6] == "You" for match in heads) else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    is_long = text_head(source.head(name)).lstrip("\ufeff\r\n").startswith("Conversation: ")
    damage = TextDamage(name)
    reading: _Reading = _Long(name, damage) if is_long else _Short(name, damage)
    yield reading.conversation()
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
        yield from reading.flush()
    yield reading.conversation()
    yield from damage.findings()


class _Reading:
    """One file while its lines are gathered into messages."""

    def __init__(self, file: str, damage: TextDamage) -> None:
        self.file = file
        self.damage = damage
        self.people = People()
        self.title = posixpath.splitext(posixpath.basename(file))[0]
        self._lines: list[Line] | None = None
        self._size_bytes = 0

    def line(self, line: Line) -> Iterator[Message]:
        self.damage.saw(line)
        begun = self._begun(line)
        if begun is not None:
            yield from self.flush()
            self._lines, self._size_bytes = begun, 0
        elif self._lines is not None and not self.damage.stops_in_head(line):
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self.flush()
                self.damage.too_long(line)
                return
            self._lines.append(line)

    def flush(self) -> Iterator[Message]:
        lines, self._lines = self._lines, None
        if lines:
            yield self._message(lines)

    def conversation(self) -> Conversation:
        return Conversation(self.title, self.title, participants=self.people.participants(), locator=Locator(self.file))

    def _begun(self, line: Line) -> list[Line] | None:
        """Return the first lines of the message that begins here, None where none does."""
        raise NotImplementedError

    def _message(self, lines: list[Line]) -> Message:
        raise NotImplementedError


class _Long(_Reading):
    """A block of fields, an empty line, and the text."""

    def __init__(self, file: str, damage: TextDamage) -> None:
        super().__init__(file, damage)
        self._before: Line | None = None
        self._is_after_gap = False
        self._is_named = False

    def _begun(self, line: Line) -> list[Line] | None:
        found = None if self._is_named else _CONVERSATION.match(line.text)
        if found is not None:
            self.title, self._is_named = found[1], True
        before, was_after_gap = self._before, self._is_after_gap
        self._is_after_gap = before is None or not before.text.strip()
        self._before = line
        found = _TYPE.match(line.text)
        if before is None or found is None:
            return None
        if was_after_gap and _FROM.match(before.text):
            if self._lines:
                self._lines.pop()
            return [before, line]
        # Only what nobody said comes without a name.
        return [line] if self._is_after_gap and found[1] not in {"incoming", "outgoing"} else None

    def _message(self, lines: list[Line]) -> Message:
        fields: dict[str, list[str]] = {}
        body: list[str] = []
        for line in lines:
            if body or not (_FROM.match(line.text) or _TYPE.match(line.text) or _FIELD.match(line.text)):
                body.append(line.text)
                continue
            key, _colon, value = line.text.partition(": ")
            fields.setdefault(key, []).append(value)
        kind = fields.get("Type", [""])[0]
        written = (fields.get("Sent") or fields.get("Received") or [""])[0]
        media = tuple(map(_attachment, fields.get("Attachment", [])))
        sender = fields.get("From", [None])[0]
        is_own = kind == "outgoing"
        self.people.saw(None, sender, is_owner=is_own)
        versions = fields.get("Edited", ["1"])[0].partition(" ")[0]
        edits = int(versions) - 1 if versions.isascii() and versions.isdecimal() and len(versions) < 5 else 1
        return Message(
            conversation=self.title,
            locator=Locator(self.file, f"line {lines[0].number}"),
            raw=b"".join(line.raw for line in lines),
            ts_utc_us=_when(written),
            ts_precision=Precision.SECOND,
            ts_zone=OFFSET_ZONE,
            ts_raw=written,
            sender_name=sender,
            direction=_direction(kind),
            kind=_kind(kind, media),
            native_kind=kind,
            text="\n".join(body).strip("\n"),
            edits=(Edit(),) * edits,
            reactions=tuple(map(_reaction, fields.get("Reaction", []))),
            media=media,
        )


class _Short(_Reading):
    """A line with the time, the name, what is special about the message, and its text."""

    def _begun(self, line: Line) -> list[Line] | None:
        match = _SHORT.match(line.text)
        if match is None:
            return None
        self.damage.head(line.text[: match.start(6)])
        return [line]

    def _message(self, lines: list[Line]) -> Message:
        first = lines[0].text
        match = _SHORT.match(first)
        if match is None:
            raise MalformedExport(Locator(self.file, f"line {lines[0].number}"), "unexpected-shape")
        year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
        days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
        seconds = seconds_of_day(hour, minute, 0, None)
        text = "\n".join([first[match.end() :], *(line.text for line in lines[1:])]).rstrip()
        details = _DETAILS.match(text)
        special = details[1].split(", ") if details else []
        text = text[details.end() :] if details else text
        not_said = _NOT_SAID.match(text)
        count = sum(int(one.split()[0]) for one in special if one.partition(" ")[2].startswith("attachment"))
        media = tuple(Media("attachment", MediaState.OMITTED) for _each in range(min(count, 1000)))
        is_own = match[6] == "You"
        kind = not_said[1] if not_said else "outgoing" if is_own else "incoming"
        self.people.saw(None, match[6], is_owner=is_own)
        return Message(
            conversation=self.title,
            locator=Locator(self.file, f"line {lines[0].number}"),
            raw=b"".join(line.raw for line in lines),
            ts_utc_us=None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000,
            ts_precision=Precision.MINUTE,
            ts_zone=UNKNOWN_ZONE,
            ts_raw=first[:16],
            sender_name=match[6],
            direction=_direction(kind),
            kind=_kind(kind, media),
            native_kind=kind,
            text=text,
            edits=(Edit(),) if "edited" in special else (),
            media=media,
        )


def _direction(kind: str) -> Direction:
    return {"outgoing": Direction.OUT, "incoming": Direction.IN}.get(kind, Direction.SYSTEM)


def _kind(kind: str, media: tuple[Media, ...]) -> MessageKind:
    if kind == "call-history":
        return MessageKind.CALL
    if kind not in {"incoming", "outgoing"}:
        return MessageKind.SYSTEM
    return media[0].role if media else MessageKind.TEXT


def _when(written: str) -> int | None:
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    return within_time(int(moment.timestamp()) * 1_000_000) if moment.tzinfo else None


def _attachment(value: str) -> Media:
    match = _ATTACHMENT.match(value)
    name, mime, size = match.groups() if match else (value, "", "0")
    family = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}
    role = family.get(mime.partition("/")[0], role_of_name(name))
    # The files lie in a folder of their own, under names that this text does not tell.
    return Media(name, MediaState.OMITTED, role, mime or None, int(size) or None)


def _reaction(value: str) -> Reaction:
    symbol, _from, sender = value.partition(" from ")
    return Reaction(symbol, sender or None)
