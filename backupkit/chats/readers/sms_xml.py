"""SMS Backup & Restore's XML: text messages, multimedia messages and calls.

The declared `count` is wrong in copies that were cut, so it is compared. The app writes characters beyond the basic plane as two
character references, which no XML parser accepts; they are joined before parsing. What else no XML may hold, and phones put into messages all
the same (control characters, halves of such pairs, bytes that are no UTF-8), becomes U+FFFD, so that one odd message never hides
the others. Entities and document types are refused: the app never writes them, and they are how XML bombs are made.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Severity,
)
from backupkit.chats.partial import read_some
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import int_of, milliseconds_to_us
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import damaged_lines
from backupkit.chats.texts.head import text_head

_ROOT = re.compile(r"<(smses|calls|allsms)\b")
_PAIR = re.compile(rb"&#(?:(\d{5})|x([dD][89abAB][0-9a-fA-F]{2}));&#(?:(\d{5})|x([dD][c-fC-F][0-9a-fA-F]{2}));")
_REFERENCE = re.compile(rb"&#(?:(\d{1,8})|x([0-9a-fA-F]{1,7}));")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NO_XML = re.compile(
    rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]"
)
_REPLACED = b"&#65533;"
_NO_TEXT = re.compile("[\udc80-\udcff]")
_OTHER_ENCODING = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE)
_BLOCK_BYTES = 1 << 16
# Only those that carry files are long; of each the parser takes several times its length in memory.
_MAX_RECORD_BYTES = 16 * 2**20
_MAX_MMS_BYTES = 96 * 2**20
_MAX_DEPTH = 8
_MAX_RESTARTS = 1000
_MAX_PARTS = 50_000
_RECORD = re.compile(rb"<(?:sms|mms|call)\s")
_MAX_CONVERSATIONS = 200_000
_NOBODY = {None, "", "null", "(Unknown)"}
_UNSENT = {"3", "4", "5", "6"}
# What may still become a pair of references when the next block comes.
_TAIL_BYTES = 20


class SmsXml:
    """Reads the XML of SMS Backup & Restore."""

    format = "sms-xml"
    app = "sms"
    package = "com.android.providers.telephony"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the root element, and for a record where there is one."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = text_head(source.head(name))
            root = _ROOT.search(head)
            if root and "count=" in head:
                claims[name] = 95
            elif root and re.search(r"<(?:sms|mms|call)\s+[a-z_]+=", head):
                claims[name] = 85
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the records of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    parsing = _Parsing(name)
    counted = 0
    known: dict[str, bool] = {}
    with source.open(name) as stream:
        while True:
            block, failure = read_some(stream, _BLOCK_BYTES, name)
            try:
                if failure is not None and not block:
                    raise failure
                parsing.feed(block)
            except MalformedExport as error:
                parsing.failure = error
            except expat.ExpatError as error:
                parsing.failure = _trouble(name, error, at_end=not block)
            for record in parsing.records():
                if isinstance(record, Finding):
                    yield record
                    continue
                counted += 1
                message, people = _message(name, record), _people(record)
                is_named = any(people.values())
                # The app asks its contacts anew for each message: some come without the names that others have.
                if known.get(message.conversation, is_named) < is_named or (
                    message.conversation not in known and len(known) < _MAX_CONVERSATIONS
                ):
                    known[message.conversation] = is_named
                    yield _conversation(name, message.conversation, people, _value(record.attributes, "contact_name"))
                yield message
            if parsing.failure is not None or failure is not None:
                raise parsing.failure or failure  # type: ignore[misc]  # one of both is an error here
            if not block:
                break
    if parsing.bad_lines:
        yield Finding("text-not-utf-8", Severity.ERROR, Locator(name), {"count": parsing.bad_lines})
    declared = int_of(parsing.declared)
    if declared is not None and declared != counted:
        severity = Severity.WARNING if declared > counted else Severity.INFO
        facts: dict[str, str | int] = {"conversation": name, "declared": declared, "counted": counted}
        yield Finding("declared-differs", severity, Locator(name), facts)
    if parsing.broken is not None:
        raise parsing.broken


def _trouble(name: str, error: expat.ExpatError, *, at_end: bool) -> MalformedExport:
    locator = Locator(name, f"line {error.lineno}")
    return TruncatedExport(locator, "xml-unclosed") if at_end else MalformedExport(locator, "xml-broken")


@dataclass(frozen=True, slots=True)
class _Record:
    """One element below the root, what lies in it, its bytes and its line."""

    tag: str
    attributes: dict[str, str]
    inner: list[tuple[str, dict[str, str]]]
    raw: bytes
    line: int


class _Parsing:
    """Feeds the parser and collects whole records."""

    def __init__(self, name: str) -> None:
        self.declared: str | None = None
        self.failure: MalformedExport | None = None
        self.broken: MalformedExport | None = None
        self._name = name
        self._parser = self._new_parser()
        self._root = ""
        self._lines_before = self._begun_at = self._restarts = 0
        self._is_seeking = False
        self._fed = bytearray()
        self._fed_from = 0
        self._carried = b""
        self._is_utf_8: bool | None = None
        self.bad_lines = 0
        self._depth = 0
        self._open: tuple[str, dict[str, str], int, int] | None = None
        self._inner: list[tuple[str, dict[str, str]]] = []
        self._done: list[_Record | Finding] = []

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        return parser

    @property
    def _line(self) -> int:
        return self._lines_before + self._parser.CurrentLineNumber

    def feed(self, block: bytes) -> None:
        data = _PAIR.sub(_joined, self._carried + block)
        if self._is_utf_8 is None:
            self._is_utf_8 = _OTHER_ENCODING.match(data.lstrip(b"\xef\xbb\xbf \t\r\n")) is None
        keep = 0
        if block:
            # Whole pairs are joined already, so the first reference near the end may begin one that goes on.
            at = data.find(b"&", max(0, len(data) - _TAIL_BYTES))
            keep = len(data) - at if at >= 0 else 0
            keep = max(keep, _unfinished(data)) if self._is_utf_8 else keep
        data, self._carried = data[: len(data) - keep], data[len(data) - keep :]
        data = self._made_xml(data)
        self._fed += data
        self._parse(self._begin_again(0) if self._is_seeking else data)
        if self._is_seeking:
            return
        if not block:
            self._parser.Parse(b"", True)
        reached = self._parser.CurrentByteIndex if self._open is None else self._open[2]
        start = max(0, min(reached - self._fed_from, len(self._fed)))
        del self._fed[:start]
        self._fed_from += start
        if len(self._fed) > (_MAX_MMS_BYTES if self._fed.startswith(b"<mms") else _MAX_RECORD_BYTES):
            locator = Locator(self._name, f"line {self._line}")
            self.broken = self.broken or MalformedExport(locator, "record-too-long")
            if not self._may_begin_again():
                raise self.broken
            self._begin_again(len(self._fed))

    def _parse(self, data: bytes) -> None:
        """Feed the parser. What breaks it costs the record that it is in, and the next one is where it begins anew."""
        while data:
            try:
                self._parser.Parse(data, False)
            except expat.ExpatError as error:
                if not self._may_begin_again():
                    raise
                locator = Locator(self._name, f"line {self._lines_before + error.lineno}")
                self._done.append(Finding("record-not-understood", Severity.WARNING, locator))
                self.broken = self.broken or MalformedExport(locator, "xml-broken")
                self._lines_before += error.lineno - 1
                at = max(self._parser.ErrorByteIndex, self._begun_at) - self._fed_from
                data = self._begin_again(max(at, 0))
            else:
                return

    def _may_begin_again(self) -> bool:
        # What never was such a file is none further on, and a hostile one breaks a million times.
        self._restarts += 1
        return bool(self._root) and self._is_utf_8 is True and self._restarts <= _MAX_RESTARTS

    def _begin_again(self, at: int) -> bytes:
        """Return what to feed to a new parser: the root, and all from the next record behind `at` on. Nothing if none is here yet."""
        found = _RECORD.search(self._fed, at)
        self._is_seeking = found is None
        keep_from = found.start() if found else max(len(self._fed) - _TAIL_BYTES, at)
        self._lines_before += self._fed.count(b"\n", at, keep_from)
        rest = self._fed[keep_from:]
        root = bytearray() if found is None else bytearray(b"<" + self._root.encode("utf-8") + b">")
        self._parser = self._new_parser()
        self._depth, self._open, self._inner = 0, None, []
        self._fed, self._fed_from = root + rest, 0
        # A record that is broken itself is not begun with twice.
        self._begun_at = len(root) + 1
        return bytes(self._fed) if found else b""

    def _made_xml(self, data: bytes) -> bytes:
        """Replace what no XML may hold."""
        data = _REFERENCE.sub(_possible, data)
        if self._is_utf_8:
            data = _NO_XML.sub(_possible_bytes, data)
            if damaged := damaged_lines(data):
                self.bad_lines += damaged
                # As a letter it could be part of a name, and make one record of two.
                data = _NO_TEXT.sub("&#65533;", data.decode("utf-8", "surrogateescape")).encode("utf-8")
        return _CONTROL.sub(_REPLACED, data)

    def records(self) -> Iterator[_Record | Finding]:
        done, self._done = self._done, []
        return iter(done)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise MalformedExport(Locator(self._name, f"line {self._line}"), "nested-too-deeply")
        if self._depth == 1:
            if not self._root:
                self._root, self.declared = name, attributes.get("count")
        elif self._depth == 2:
            self._open = (name, attributes, self._parser.CurrentByteIndex, self._line)
            self._inner = []
        # What no message has so many of is not worth the memory.
        elif len(self._inner) < _MAX_PARTS:
            self._inner.append((name, attributes))

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth != 1 or self._open is None:
            return
        (_name, attributes, start, line), self._open = self._open, None
        locator = Locator(self._name, f"line {line}")
        if name not in {"sms", "mms", "call"} or "date" not in attributes:
            self._done.append(Finding("record-not-understood", Severity.WARNING, locator))
            return
        end = self._parser.CurrentByteIndex
        raw = bytes(self._fed[start - self._fed_from : max(end, start) - self._fed_from])
        self._done.append(_Record(name, attributes, self._inner, raw, line))

    def _refuse(self, *_declared: object) -> None:
        raise MalformedExport(Locator(self._name, f"line {self._line}"), "entities-refused")


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end may belong to a character, or half of a pair, that goes on in the next block."""
    at = next((place for place in range(max(0, len(data) - 6), len(data)) if data[place] >= 0xC0), len(data))
    if at >= 3 and data[at - 3] == 0xED and data[at - 2] >= 0xA0:
        at -= 3
    return len(data) - at


def _possible(match: re.Match[bytes]) -> bytes:
    number = int(match[1]) if match[1] else int(match[2], 16)
    is_possible = (
        number in {9, 10, 13} or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0xFFFF < number < 0x110000
    )
    return match[0] if is_possible else _REPLACED


def _possible_bytes(match: re.Match[bytes]) -> bytes:
    if len(match[0]) == 6:
        return match[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode()
    return _REPLACED


def _joined(match: re.Match[bytes]) -> bytes:
    high = int(match.group(1)) if match.group(1) else int(match.group(2), 16)
    low = int(match.group(3)) if match.group(3) else int(match.group(4), 16)
    if 0xD800 <= high <= 0xDBFF and 0xDC00 <= low <= 0xDFFF:
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode("utf-8")
    return match.group()


def _value(attributes: dict[str, str], name: str) -> str | None:
    """Return an attribute; the app writes the word "null" where there is none, and a phrase where it knows no name."""
    value = attributes.get(name)
    return None if value in _NOBODY else value


def _address(record: _Record) -> str:
    return _value(record.attributes, "number" if record.tag == "call" else "address") or "unknown"


def _people(record: _Record) -> dict[str, str | None]:
    """Return the name of each address. Those of a group stand in one attribute: they are told apart only if all have one."""
    addresses = _address(record).split("~")[:200]
    written = _value(record.attributes, "contact_name")
    names = [written] if len(addresses) == 1 else (written or "").split(", ")
    if len(names) != len(addresses):
        return dict.fromkeys(addresses)
    return {address: None if name in _NOBODY else name for address, name in zip(addresses, names, strict=True)}


def _conversation(name: str, key: str, people: dict[str, str | None], title: str | None) -> Conversation:
    kind = ConversationKind.GROUP if len(people) > 1 else ConversationKind.PRIVATE
    participants = tuple(Participant(address, person) for address, person in people.items())
    return Conversation(key, title, kind, participants, locator=Locator(name))


def _message(name: str, record: _Record) -> Message:
    tag, attributes, inner = record.tag, record.attributes, record.inner
    address = _address(record)
    box = attributes.get("msg_box" if tag == "mms" else "type")
    direction = {"1": Direction.IN, "2": Direction.OUT}.get(box or "", Direction.UNKNOWN)
    if box in _UNSENT:
        # Of messages these are drafts and what was not sent yet; of calls those that nobody took.
        direction = Direction.IN if tag == "call" else Direction.OUT
    parts = [found for element, found in inner if element == "part"]
    media = tuple(_media(part) for part in parts if not _is_text(part))
    texts = [_value(part, "text") or "" for part in parts if (part.get("ct") or "").startswith("text/plain")]
    sender = next(
        (found.get("address") for element, found in inner if element == "addr" and found.get("type") == "137"), None
    )
    if direction is Direction.IN and sender in {None, "insert-address-token"}:
        # In a group, who of them it was is not known then.
        sender = None if "~" in address else address
    kind = MessageKind.CALL if tag == "call" else media[0].role if media else MessageKind.TEXT
    text = _value(attributes, "body") or "\n".join(filter(None, texts)) or _value(attributes, "sub") or ""
    if tag == "call":
        text = f"{attributes.get('duration', '0')} s"
    return Message(
        conversation="~".join(sorted(address.split("~"))),
        locator=Locator(name, f"line {record.line}"),
        raw=record.raw,
        ts_utc_us=milliseconds_to_us(attributes.get("date")),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=attributes.get("date", ""),
        native_id=_value(attributes, "m_id") if tag == "mms" else None,
        sender_id=sender if direction is Direction.IN else None,
        sender_name=_people(record).get(sender or "") if direction is Direction.IN else None,
        direction=direction,
        kind=kind,
        native_kind=f"{tag}/{box or ''}",
        text=text,
        media=media,
    )


def _is_text(part: dict[str, str]) -> bool:
    return (part.get("ct") or "") in {"application/smil", ""} or (part.get("ct") or "").startswith("text/plain")


def _media(part: dict[str, str]) -> Media:
    mime = part.get("ct") or ""
    family = mime.partition("/")[0]
    role = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}.get(
        family, MessageKind.FILE
    )
    if mime.lower() in {"text/x-vcard", "text/vcard"}:
        role = MessageKind.CONTACT
    name = _value(part, "cl") or _value(part, "name") or _value(part, "fn") or mime
    data = _value(part, "data")
    if data is None:
        return Media(name, MediaState.MISSING, role, mime)
    try:
        size_bytes = len(binascii.a2b_base64("".join(data.split()), strict_mode=True))
    except (binascii.Error, ValueError):
        return Media(name, MediaState.CORRUPT, role, mime)
    return Media(name, MediaState.PRESENT if size_bytes else MediaState.CORRUPT, role, mime, size_bytes)
