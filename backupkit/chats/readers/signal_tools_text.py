"""Signal conversations as signalbackup-tools writes them from a backup: `[Jan 13, 2024 10:01:02] <name> text`, and `***` for what happened.

A file of a message stands in a line of its own before the words. Nothing says which name is the owner's.
"""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    Direction,
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
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.named_day import day_in
from backupkit.chats.texts.wall_time import seconds_of_day

_HEAD = re.compile(
    r"\[([A-Z][a-z]{2} \d\d, \d{4}) (\d\d):(\d\d):(\d\d)\] (?:(?P<event>\*\*\* )|<(?P<who>[^\n]{1,200}?)> )"
)
_SENT = re.compile(
    r"<(?P<who>[^\n]{1,200}?)> sent file(?: \"(?P<name>.{1,500}?)\"| of type (?P<mime>[\w.+/\-]{1,100}))?(?= \(|$)"
)
# No name or word is a sign without letters.
_REACTION = r"[^();\n]{1,100}: [^\s();:\w]{1,40}"
_REACTIONS = re.compile(rf" \(({_REACTION}(?:; {_REACTION})*)\)$")
_POLL = re.compile(r"Poll: .*(?:\n +\[\d+\] .*)+$")
_CALL = re.compile(r"(?:.{0,200} ?called you|You called|Missed (?:video )?call)$")
_STEM = re.compile(r"(.+) \(_id\d{1,18}\)$")
_LOOKED_AT = 64 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20
_MOST_REACTIONS = 20_000


class SignalToolsText:
    """Reads the plain text of signalbackup-tools."""

    format = "signal-tools-text"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's lines from the first on, and for what it calls its files."""
        claims = {}
        for name in source.of(Content.TEXT, Content.JSON):
            head = text_head(source.head(name, _LOOKED_AT)).lstrip("\ufeff\r\n")
            if _HEAD.match(head):
                claims[name] = 92 if _STEM.match(posixpath.splitext(posixpath.basename(name))[0]) else 74
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    # Two conversations may share a name, and never the number behind it.
    key = posixpath.splitext(posixpath.basename(name))[0]
    named = _STEM.match(key)
    title = named[1] if named else key
    people = People()
    damage = TextDamage(name)
    yield Conversation(key, title, locator=Locator(name))
    with source.open(name) as stream:
        for lines in _blocks(lines_of(stream), damage):
            yield _message(name, key, lines, people)
    yield Conversation(key, title, participants=people.participants(), locator=Locator(name))
    yield from damage.findings()


def _blocks(lines: Iterator[Line], damage: TextDamage) -> Iterator[list[Line]]:
    """Gather the lines of each message."""
    block: list[Line] = []
    size_bytes = 0
    for line in lines:
        damage.saw(line)
        found = _HEAD.match(line.text)
        if found is not None:
            damage.head(line.text[: found.end()])
            if block:
                yield block
            block, size_bytes = [line], 0
        elif block and not damage.stops_in_head(line):
            size_bytes += line.weight
            if size_bytes > _MAX_MESSAGE_BYTES:
                yield block
                damage.too_long(line)
                block = []
                continue
            block.append(line)
    if block:
        yield block


def _message(name: str, key: str, lines: list[Line], people: People) -> Message:
    found = _HEAD.match(lines[0].text)
    if found is None:
        raise MalformedExport(Locator(name, f"line {lines[0].number}"), "unexpected-shape")
    day = day_in(found[1])
    second = seconds_of_day(int(found[2]), int(found[3]), int(found[4]), None)
    text = "\n".join([lines[0].text[found.end() :], *(line.text for line in lines[1:])]).rstrip()
    sender: str | None = found["who"]
    sent = _SENT.match(text) if found["event"] else None
    reacted = _REACTIONS.search(text, max(0, len(text) - _MOST_REACTIONS)) if sender or sent else None
    if reacted is not None:
        text = text[: reacted.start()]
    media: tuple[Media, ...] = ()
    if sent is not None:
        sender, text = sent["who"], ""
        file = sent["name"] or sent["mime"] or "attachment"
        # Where a name is told the file lies in another export of the tool, if anywhere.
        role = role_of_name(sent["name"]) if sent["name"] else _role_of_type(sent["mime"] or "")
        media = (Media(file, MediaState.OMITTED, role, sent["mime"]),)
    people.saw(None, sender)
    return Message(
        conversation=key,
        locator=Locator(name, f"line {lines[0].number}"),
        raw=b"".join(line.raw for line in lines),
        ts_utc_us=None if day is None or second is None else (day * 86_400 + second) * 1_000_000,
        ts_precision=Precision.SECOND,
        ts_raw=lines[0].text[1:22],
        sender_name=sender,
        direction=Direction.UNKNOWN if sender else Direction.SYSTEM,
        kind=_kind(text, media, is_event=sender is None),
        text=text,
        reactions=tuple(map(_reaction, reacted[1].split("; "))) if reacted else (),
        media=media,
    )


def _kind(text: str, media: tuple[Media, ...], *, is_event: bool) -> MessageKind:
    if media:
        return media[0].role
    if is_event:
        return MessageKind.CALL if _CALL.match(text) else MessageKind.SYSTEM
    return MessageKind.POLL if _POLL.match(text) else MessageKind.TEXT


def _role_of_type(mime: str) -> MessageKind:
    family = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}
    return family.get(mime.partition("/")[0], MessageKind.FILE)


def _reaction(told: str) -> Reaction:
    sender, _colon, symbol = told.rpartition(": ")
    return Reaction(symbol, sender)
