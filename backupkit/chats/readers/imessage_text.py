"""Apple's Messages as imessage-exporter writes them to plain text: time, sender and words, and an empty line.

Replies stand twice: indented below what they answer, and at their own place. Only the latter are messages here. A time with words
behind it tells what happened to the conversation.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from backupkit.chats.model import (
    Conversation,
    DeletionState,
    Direction,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.people import People
from backupkit.chats.readers import imessage_words as words
from backupkit.chats.reading.media_files import find_media, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import Line, lines_of

_HEAD = re.compile(rf"{words.TIME}(?: \(Read by .{{1,80}} after .{{1,80}}\))?$")
_NOTICE = re.compile(rf"{words.TIME} (?!\(Read by )(?P<said>\S.*)$")
_FILE = re.compile(r"(?:~?/|attachments/|[A-Za-z]:\\)[^\n]{1,500}\.\w{1,8}$")
_INDENT = "    "
_REPLY = re.compile(rf"{_INDENT}{words.TIME}(?: \(Read by .{{1,80}} after .{{1,80}}\))?$")
_TAPBACKS = {"Reactions:", "Tapbacks:"}
_LOOKED_AT = 16 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class ImessageText:
    """Reads the plain text of imessage-exporter."""

    format = "imessage-text"
    app = "imessage"
    package = None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a time in the first line, with a sender and words below it, or with words behind it."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = [line.rstrip("\r") for line in head.lstrip("\ufeff").split("\n")]
    if _HEAD.match(lines[0]) and len(lines) > 2 and lines[1].strip() and not lines[1].startswith(" "):
        return 88
    others = any(_HEAD.match(line) and not before for before, line in pairwise(lines))
    return 80 if _NOTICE.match(lines[0]) and len(lines) > 1 and not lines[1] and others else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    damage = TextDamage(name)
    reading = _Reading(source, name, damage)
    yield reading.conversation()
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
    yield from reading.flush()
    yield reading.conversation()
    yield from damage.findings()


@dataclass(slots=True)
class _Reading:
    source: SourceFiles
    file: str
    damage: TextDamage
    _people: People = field(default_factory=People)
    _head: tuple[re.Match[str], int] | None = None
    _texts: list[str] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        is_apart = self._head is None or not self._texts or not self._texts[-1]
        head = (_HEAD.match(line.text) or _NOTICE.match(line.text)) if is_apart else None
        if head:
            yield from self.flush()
            self.damage.head(head.group("time"))
            self._head, self._texts, self._raw, self._size_bytes = (head, line.number), [], [line.raw], 0
        elif self._head is not None and self._is_sender(self._head[0]) and line.is_unfinished:
            # Half a name is nobody's.
            self.damage.cut_at(line.number)
            self._head = None
        elif self._head is not None and not self.damage.stops_in_head(line):
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self.flush()
                self.damage.too_long(line)
                return
            self._texts.append(line.text)
            self._raw.append(line.raw)

    def _is_sender(self, head: re.Match[str]) -> bool:
        return not self._texts and not head.groupdict().get("said")

    def flush(self) -> Iterator[Message]:
        if self._head is None:
            return
        (head, number), self._head = self._head, None
        said = head.groupdict().get("said")
        sender = None if said or not self._texts else self._texts[0]
        lines = [said, *self._texts] if said else self._texts[1:]
        own = list(_without_replies(_without_tapbacks(lines)))
        text = "\n".join(own).strip("\n").removesuffix(words.ANSWERED).rstrip("\n")
        media = tuple(_media(self.source, self.file, line) for line in own if not said and _FILE.match(line))
        is_recalled = not said and words.RECALLED.search(text) is not None
        if sender:
            self._people.saw(None, sender, is_owner=sender == words.OWNER)
        kind = MessageKind.SYSTEM if said else media[0].role if media else MessageKind.TEXT
        yield Message(
            conversation=_stem(self.file),
            locator=Locator(self.file, f"line {number}"),
            raw=b"".join(self._raw),
            ts_utc_us=words.time_of(head),
            ts_precision=Precision.SECOND,
            ts_raw=head["time"],
            sender_name=sender,
            direction=Direction.SYSTEM if said else words.direction_of(sender),
            kind=MessageKind.RECALL if is_recalled else kind,
            text=text,
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=media,
        )

    def conversation(self) -> Conversation:
        """Return what is known of the conversation so far."""
        key = _stem(self.file)
        return Conversation(key, key, participants=self._people.participants(), locator=Locator(self.file))


def _stem(file: str) -> str:
    return posixpath.splitext(posixpath.basename(file))[0]


def _without_tapbacks(lines: list[str]) -> Iterator[str]:
    """Leave out the lists of reactions. Where they are indented the next part of the message follows at once, else an empty line."""
    is_inside = False
    entry: str | None = None
    for line in lines:
        if line.strip() in _TAPBACKS:
            is_inside, entry = True, None
            indent = line[: len(line) - len(line.lstrip())] + _INDENT
        elif is_inside:
            if entry is None:
                entry = indent if line.startswith(indent) else ""
            is_inside = bool(line) and line.startswith(entry) and _REPLY.match(line) is None
        if not is_inside:
            yield line


def _without_replies(lines: Iterable[str]) -> Iterator[str]:
    """Leave out the replies, each of which begins with its time, indented. Of its parts the first line alone is indented."""
    is_inside = is_below = False
    for line in lines:
        begins = _REPLY.match(line) is not None
        is_inside = bool(line) and (is_inside or begins)
        is_below = is_below or begins
        if not is_inside and not (is_below and line.startswith(_INDENT)):
            yield line


def _media(source: SourceFiles, file: str, reference: str) -> Media:
    found, state = find_media(source, file, reference)
    if state is MediaState.MISSING and not reference.startswith("attachments/"):
        # Without copies the export names where the computer keeps the file.
        state = MediaState.OMITTED
    return Media(found, state, role_of_name(found))
