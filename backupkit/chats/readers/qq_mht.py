"""QQ's `.mht` export from the computer: one web page without line breaks, and the pictures behind it as MIME parts.

A row of the page is a date, a heading or a message; the day of a message is that of the date row before it. The page may be
gigabytes long, so it is read row by row, and of the parts only their names are looked at.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
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
from backupkit.chats.partial import read_some
from backupkit.chats.people import People
from backupkit.chats.readers.qq_text import RECALLED, SENDER
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import DayInHeading, damaged_lines
from backupkit.chats.texts.holes import without_origin
from backupkit.chats.texts.html_pieces import Elements, Piece, pieces_of
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, seconds_of_day

_MADE_BY_QQ = re.compile(rb"^(?:From:.*Tencent MsgMgr|Subject:\s*Tencent IM Message)", re.MULTILINE)
_RELATED = re.compile(rb"multipart/related", re.IGNORECASE)
_BOUNDARY = re.compile(rb"boundary=\s*\"?([^\"\r\n;]{1,200})", re.IGNORECASE)
_ENCODING = re.compile(rb"^Content-Transfer-Encoding:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
_PART_NAME = re.compile(rb"^Content-Location:[ \t]*([^\r\n]{1,300}?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n[ \t]*\r?\n")
_ROW = re.compile(rb"<[tT][rR][\s>]")
_ROW_END = re.compile(rb"</(?:tr|table)\s*>", re.IGNORECASE)
_DATE = re.compile(r"^\D{0,20}[:：]\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*$")
_CLOCK = re.compile(
    rf"(?:(?P<before>{HALF_DAY}){SPACE}*)?(\d{{1,2}}):(\d{{2}}):(\d{{2}})(?:{SPACE}*(?P<after>{HALF_DAY}))?\s*$"
)
_HEADING = re.compile(r"^(消息分组|消息对象)[:：]\s*(.*)$", re.DOTALL)
_LOOKED_AT = 16 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_BLOCK = 1 << 20
_MAX_PARTS = 2_000_000
_OWN, _OTHERS = "#42b475", "#006efe"


class QqMht:
    """Reads the `.mht` that QQ's message manager exports."""

    format = "qq-mht"
    app = "qq"
    package = "com.tencent.mobileqq"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the program's own words in the head of a MIME file."""
        claims = {}
        for name in source.of(Content.TEXT):
            head = source.head(name, _LOOKED_AT)
            if _MADE_BY_QQ.search(head) and _RELATED.search(head) and _BOUNDARY.search(head):
                claims[name] = 97
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every conversation of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    boundary = _boundary(source, name)
    parts, is_closed = _look_through(source, name, boundary)
    reading = _Reading(name, parts)
    with source.open(name) as stream:
        page = _Page(stream, name, boundary)
        for piece in pieces_of(cast("BinaryIO", page), name, _ROW):
            yield from reading.row(piece, page.start)
        yield from reading.end()
    yield from reading.damage()
    if not is_closed:
        raise TruncatedExport(Locator(name), "mime-unclosed")


def _boundary(source: SourceFiles, name: str) -> bytes:
    found = _BOUNDARY.search(source.head(name, _LOOKED_AT))
    if found is None:
        raise MalformedExport(Locator(name), "mime-broken")
    return b"--" + found[1].strip()


def _look_through(source: SourceFiles, name: str, boundary: bytes) -> tuple[set[bytes], bool]:
    """Return digests of the names of all parts, and whether the file's last line closes it."""
    names: set[bytes] = set()
    tail = b""
    with source.open(name) as stream:
        while True:
            block, failure = read_some(stream, _BLOCK, name)
            window = tail + block
            for found in _PART_NAME.finditer(window):
                if len(names) >= _MAX_PARTS:
                    raise MalformedExport(Locator(name), "too-many-parts")
                names.add(_digest(found[1]))
            if not block or failure is not None:
                return names, (boundary + b"--") in window[-len(boundary) - 64 :]
            tail = window[-1024:]


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name.strip(b"<>").lower(), digest_size=8).digest()


class _Page:
    """The bytes of the first part, up to the next boundary."""

    def __init__(self, stream: BinaryIO, name: str, boundary: bytes) -> None:
        self._stream, self._name, self._mark = stream, name, b"\n" + boundary
        head, failure = read_some(stream, _MAX_HEAD_BYTES, name)
        first = head.find(boundary)
        blank = _BLANK.search(head, first) if first >= 0 else None
        if blank is None:
            raise failure or MalformedExport(Locator(name), "mime-broken")
        encoding = _ENCODING.search(head, first, blank.start())
        if encoding is not None and encoding[1].lower() not in {b"7bit", b"8bit", b"binary"}:
            raise MalformedExport(Locator(name), "encoding-unknown")
        self.start = blank.end()
        self._pending = head[self.start :]
        self._failure = failure
        self._is_over = False

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, none at the end of the part."""
        if self._is_over:
            return b""
        if self._failure is None:
            more, self._failure = read_some(self._stream, size_bytes, self._name)
            self._pending += more
        else:
            more = b""
        end = self._pending.find(self._mark)
        if end >= 0 or not more:
            self._is_over = True
            given = self._pending[:end] if end >= 0 else self._pending
            if end < 0 and self._failure is not None and not given:
                raise self._failure
            return given
        # The mark may begin at the end of this block.
        keep = len(self._mark)
        given, self._pending = self._pending[:-keep], self._pending[-keep:]
        return given or self.read(size_bytes)


class _RowElements(Elements):
    """What a row of the page holds."""

    single = frozenset({"head", "nick"})

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.images: list[str] = []
        self.colour = ""
        self.has_body = False
        super().take(data, file, offset)

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        del classes
        style = attributes.get("style", "").replace(" ", "").lower()
        if tag == "img":
            if len(self.images) < 1000:
                self.images.append(attributes.get("src", ""))
        elif tag == "div" and "float:left" in style:
            return "nick"
        elif tag == "div" and "padding-left:20px" in style:
            self.has_body = True
            return "body"
        elif tag == "div" and "padding-left:10px" in style:
            self.colour = next((colour for colour in (_OWN, _OTHERS) if colour in style), "")
            return "head"
        elif tag == "td":
            return "cell"
        return None


def _second_of(clock: re.Match[str]) -> int | None:
    return seconds_of_day(int(clock[2]), int(clock[3]), int(clock[4]), clock["before"] or clock["after"])


@dataclass(slots=True)
class _Reading:
    file: str
    parts: set[bytes]
    _elements: _RowElements = field(default_factory=_RowElements)
    _group: str = ""
    _with: str | None = None
    _people: People = field(default_factory=People)
    _day: int | None = None
    _date: str = ""
    _day_in_heading: DayInHeading = field(default_factory=DayInHeading)

    def row(self, piece: Piece, start: int) -> Iterator[Told]:
        offset = start + piece.offset
        if not _ROW.match(piece.data):
            return
        if damaged_lines(piece.data):
            self._day_in_heading.has_hole()
        if not _ROW_END.search(piece.data):
            if piece.is_last:
                raise TruncatedExport(Locator(self.file, f"byte {offset}"), "page-unclosed")
            yield Finding("record-not-understood", Severity.WARNING, Locator(self.file, f"byte {offset}"))
            return
        found = self._elements
        try:
            found.take(piece.data, self.file, offset)
        except MalformedExport as error:
            yield Finding("record-not-understood", Severity.WARNING, error.locator, {"reason": error.reason})
            return
        fields = {name: text.strip(" \t\r\n\u00a0") for name, text in found.fields.items()}
        head = fields.get("head", "")
        clock = _CLOCK.search(head)
        if "nick" in fields and clock is not None and found.has_body:
            if not self._day_in_heading.is_known_at(_second_of(clock)):
                self._day, self._date = None, ""
            message = self._message(piece, offset, fields, clock)
            yield without_origin(message) if found.is_torn else message
            if found.has_run_on or found.is_torn:
                yield Finding("record-not-understood", Severity.WARNING, Locator(self.file, f"byte {offset}"))
        elif (date := _DATE.match(fields.get("cell", "") or head)) is not None:
            self._day_in_heading.begins()
            parts = int(date[1]), int(date[2]), int(date[3])
            self._day, self._date = DateOrder.YEAR_MONTH_DAY.day_number(parts), f"{date[1]}-{date[2]}-{date[3]}"
        elif (heading := _HEADING.match(head)) is not None:
            yield from self._heading(heading[1], heading[2].strip())

    def damage(self) -> Iterator[Finding]:
        return self._elements.damage(self.file)

    def end(self) -> Iterator[Told]:
        if self._people.participants():
            yield self._conversation()

    def _heading(self, which: str, name: str) -> Iterator[Told]:
        yield from self.end()
        self._people = People()
        self._day = None
        if which == "消息分组":
            self._group = name
        else:
            self._with = name
            yield self._conversation()

    def _conversation(self) -> Conversation:
        kind = ConversationKind.GROUP if "群" in self._group else ConversationKind.UNKNOWN
        return Conversation(
            self._with or self.file, self._with, kind, self._people.participants(), locator=Locator(self.file)
        )

    def _message(self, piece: Piece, offset: int, fields: dict[str, str], clock: re.Match[str]) -> Message:
        found = self._elements
        sender = SENDER.match(fields["nick"])
        identity = (sender["number"] or sender["mail"]) if sender else None
        nick = (sender["nick"] if sender else fields["nick"]).strip()
        is_system = identity == "10000" or nick == "系统消息"
        is_own = found.colour == _OWN
        if not is_system:
            self._people.saw(identity, nick, is_owner=is_own)
        seconds = _second_of(clock)
        media = tuple(self._media(reference) for reference in found.images)
        text = fields.get("body", "").replace("\u00a0", " ")
        is_recalled = len(text) < 80 and RECALLED.search(text) is not None
        kind = MessageKind.IMAGE if media and not text else MessageKind.TEXT
        if is_system:
            kind = MessageKind.SYSTEM
        sides = {_OWN: Direction.OUT, _OTHERS: Direction.IN}
        return Message(
            conversation=self._with or self.file,
            locator=Locator(self.file, f"byte {offset}"),
            raw=piece.data,
            ts_utc_us=None if self._day is None or seconds is None else (self._day * 86400 + seconds) * 1_000_000,
            ts_precision=Precision.SECOND,
            ts_raw=f"{self._date} {clock[0]}".strip(),
            sender_id=identity,
            sender_name=nick or None,
            direction=Direction.SYSTEM if is_system else sides.get(found.colour, Direction.UNKNOWN),
            kind=MessageKind.RECALL if is_recalled else kind,
            text=text,
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=media,
        )

    def _media(self, reference: str) -> Media:
        is_there = _digest(reference.encode("utf-8", "replace")) in self.parts
        return Media(reference, MediaState.PRESENT if is_there else MediaState.MISSING, MessageKind.IMAGE)
