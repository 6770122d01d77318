"""Element's text export of a Matrix room: `date, time - name: text`, with what happened in the room as lines without a name."""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
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
from backupkit.chats.readers.element_heads import ElementHeads, element_head
from backupkit.chats.readers.element_signs import is_element, is_event
from backupkit.chats.readers.whatsapp_heads import Head
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import MOST_LINES_BETWEEN, Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, OrderEvidence

_SENDER = re.compile(r"([^\n]{1,120}?): ")
_SENT = re.compile(r"(?P<who>[^:]{1,200}) sent an? (?P<what>image|sticker)\.")
_NOTE = re.compile(r" \((?:Media omitted[^()]{0,60}|File Attached|Error fetching file)\)$")
_SEALED = "** Unable to decrypt"
_ROOM = re.compile(r"^matrix-(.+)-export-.*$|^[^/]*? ?- ?(.+?) ?- ?Chat[ -]Export[ -].*$")
_LOOKED_AT = 64 * 1024
_MAX_MESSAGE_BYTES = 32 * 2**20


class MatrixText:
    """Reads the plain text of Element."""

    format = "matrix-text"
    app = "element"
    package = "im.vector.app"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for lines with seconds, and for what only this app writes or calls its files."""
        names = source.of(Content.TEXT)
        return Recognition({name: 90 for name in names if is_element(_shown(source, name), _head(source, name))})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one room for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _shown(source: SourceFiles, name: str) -> str:
    return f"{posixpath.splitext(source.label)[0]}/{name}"


def _head(source: SourceFiles, name: str) -> str:
    first = text_head(source.head(name)).lstrip("\ufeff")
    return text_head(source.head(name, _LOOKED_AT)).lstrip("\ufeff") if element_head(first.split("\n", 1)[0]) else ""


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    order, is_certain = _order(source, name)
    damage = TextDamage(name)
    stem = posixpath.splitext(posixpath.basename(name))[0]
    label = (
        posixpath.basename(posixpath.dirname(name)) or posixpath.splitext(source.label)[0] if stem == "export" else stem
    )
    found = _ROOM.match(label)
    title = (found[1] or found[2]).strip(" -") if found else label
    people = People()
    sealed = 0
    yield Conversation(title, title, locator=Locator(name))
    with source.open(name) as stream:
        for message in _messages(name, title, order, lines_of(stream), damage):
            sealed += message.text.startswith(_SEALED)
            people.saw(None, message.sender_name)
            yield message
    yield Conversation(title, title, participants=people.participants(), locator=Locator(name))
    if not is_certain:
        yield Finding("date-order-assumed", Severity.WARNING, Locator(name), {"order": order.spelt})
    if sealed:
        yield Finding("undecryptable", Severity.ERROR, Locator(name), {"conversation": title, "count": sealed})
    yield from damage.findings()


def _order(source: SourceFiles, name: str) -> tuple[DateOrder, bool]:
    evidence = OrderEvidence()
    has_half_day = False
    since = 0
    with source.open(name) as stream:
        try:
            for line in lines_of(stream):
                since += 1
                if since > MOST_LINES_BETWEEN:
                    break
                if found := element_head(line.text):
                    since = 0
                    evidence.saw(found.parts)
                    has_half_day = has_half_day or (found.has_half_day and "/" in line.text[: found.end])
        except MalformedExport:
            pass  # the reading meets it again and tells it
    orders = (DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR, DateOrder.YEAR_MONTH_DAY)
    # A tie only: slashes with a clock of twelve hours are those of the United States.
    return evidence.settle((orders[1], orders[0], orders[2]) if has_half_day else orders)


def _messages(name: str, key: str, order: DateOrder, lines: Iterator[Line], damage: TextDamage) -> Iterator[Message]:
    current: tuple[Head, Line] | None = None
    texts: list[str] = []
    raw: list[bytes] = []
    size_bytes = 0
    heads = ElementHeads()
    for line in lines:
        damage.saw(line)
        found = heads.of(line.text)
        # Every line of the app tells seconds: one without them is somebody's words.
        if found is not None and found.has_seconds:
            damage.head(line.text[: found.end])
            if current is not None:
                yield _message(name, key, order, current, (texts, raw))
            current, texts, raw, size_bytes = (found, line), [line.text[found.end :]], [line.raw], 0
        elif current is not None and not damage.stops_in_head(line):
            size_bytes += line.weight
            if size_bytes > _MAX_MESSAGE_BYTES:
                yield _message(name, key, order, current, (texts, raw))
                damage.too_long(line)
                current = None
                continue
            texts.append(line.text)
            raw.append(line.raw)
    if current is not None:
        yield _message(name, key, order, current, (texts, raw))


def _message(
    name: str, key: str, order: DateOrder, current: tuple[Head, Line], collected: tuple[list[str], list[bytes]]
) -> Message:
    (head, line), (texts, raw) = current, collected
    whole = "\n".join(texts)
    # Of what somebody does, as in `* Ada waves`, nothing says where the name ends.
    is_deed = whole.startswith("* ")
    sent, said = _SENT.match(whole), None if is_deed or is_event(texts[0]) else _SENDER.match(whole)
    sender = sent["who"] if sent else said[1] if said else None
    text = whole[said.end() :] if said else whole
    note = _NOTE.search(text)
    is_system = sender is None and not is_deed
    kind = MessageKind.SYSTEM if is_system else MessageKind.TEXT
    if sent:
        kind = MessageKind.IMAGE if sent["what"] == "image" else MessageKind.STICKER
    elif said and note:
        kind = MessageKind.FILE
    day = order.day_number(head.parts)
    is_file = kind in {MessageKind.IMAGE, MessageKind.STICKER, MessageKind.FILE}
    return Message(
        conversation=key,
        locator=Locator(name, f"line {line.number}"),
        raw=b"".join(raw),
        ts_utc_us=None if day is None or day < 0 else (day * 86_400 + head.second) * 1_000_000,
        ts_precision=Precision.SECOND,
        ts_raw=line.text[: head.end].strip(" -"),
        sender_name=sender,
        direction=Direction.SYSTEM if is_system else Direction.UNKNOWN,
        kind=MessageKind.OTHER if text.startswith(_SEALED) else kind,
        text=text,
        # The lines name no file, and the file's own name has the time in it.
        media=(Media(_NOTE.sub("", text) or kind.value, MediaState.OMITTED, kind),) if is_file else (),
    )
