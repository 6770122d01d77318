"""QQ's text export from the computer: `YYYY-MM-DD H:MM:SS nick(number)`, the text below, and an empty line.

There are no ids and no zone. One file may hold every conversation, each under its own heading.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
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
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_TOP = re.compile(r"消息记录[（(]此消息记录为文本格式")
_GROUP = re.compile(r"消息分组[:：](.*)$")
_WITH = re.compile(r"消息对象[:：](.*)$")
_RULE = re.compile(r"={10,}\s*$")
_HEAD = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{1,2}):(\d{2}):(\d{2}) (.{1,200})$")
SENDER = re.compile(
    r"(?:【(?P<rank>[^】]{0,40})】)*(?P<nick>.*?)(?:\((?P<number>\d{4,12})\)|<(?P<mail>[^<>@\s]+@[^<>\s]+)>)\s*$"
)
_MEDIA = {
    "[图片]": MessageKind.IMAGE,
    "[表情]": MessageKind.STICKER,
    "[视频]": MessageKind.VIDEO,
    "[语音]": MessageKind.VOICE,
}
RECALLED = re.compile(r"撤回了一条(?:成员)?消息")
_LOOKED_AT = 16 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class QqText:
    """Reads the `.txt` that QQ's message manager exports."""

    format = "qq-text"
    app = "qq"
    package = "com.tencent.mobileqq"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the heading that says it is text, or for the line that names the other side, with messages below."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every conversation of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(beginning: str) -> int:
    lines = beginning.splitlines()
    first = next((line for line in lines if line.strip("\ufeff \t\r")), "")
    is_topped = _TOP.match(first.lstrip("\ufeff")) is not None
    names_other = any(_WITH.match(line) for line in lines[:20])
    has_message = any((head := _HEAD.match(line)) and SENDER.match(head.group(7)) for line in lines)
    if is_topped:
        return 97 if names_other or has_message else 85
    return 85 if names_other and has_message else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    damage = TextDamage(name)
    reading = _Reading(name, damage)
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
        yield from reading.end()
    yield from damage.findings()


@dataclass(slots=True)
class _Reading:
    file: str
    damage: TextDamage
    _group: str = ""
    _with: str | None = None
    _people: People = field(default_factory=People)
    _head: tuple[re.Match[str], int] | None = None
    _texts: list[str] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        head = _HEAD.match(line.text)
        # Inside a message a line that looks like a head but names nobody is text.
        if head and (SENDER.match(head.group(7)) or self._head is None or self._is_after_gap()):
            yield from self._flush()
            if line.is_unfinished:
                # Half a name is nobody's.
                self.damage.cut_at(line.number)
                return
            self.damage.head(line.text[: head.start(7)])
            self._head, self._texts, self._raw, self._size_bytes = (head, line.number), [], [line.raw], 0
        elif _RULE.match(line.text):
            yield from self._flush()
        elif self._head is None and (group := _GROUP.match(line.text)):
            yield from self._leave()
            self._people = People()
            self._group = group.group(1).strip()
        elif (other := _WITH.match(line.text)) and self._head is None:
            yield from self._leave()
            self._with = other.group(1).strip()
            self._people = People()
            yield self._conversation()
        elif self._head is not None and not self.damage.stops_in_head(line):
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self._flush()
                self.damage.too_long(line)
                return
            self._texts.append(line.text)
            self._raw.append(line.raw)

    def end(self) -> Iterator[Told]:
        yield from self._flush()
        yield from self._leave()

    def _is_after_gap(self) -> bool:
        return bool(self._texts) and not self._texts[-1].strip()

    def _leave(self) -> Iterator[Told]:
        if self._people.participants():
            yield self._conversation()

    def _conversation(self) -> Conversation:
        kind = ConversationKind.GROUP if "群" in self._group else ConversationKind.UNKNOWN
        return Conversation(
            self._with or self.file, self._with, kind, self._people.participants(), locator=Locator(self.file)
        )

    def _flush(self) -> Iterator[Message]:
        if self._head is None:
            return
        (match, number), self._head = self._head, None
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
        seconds = seconds_of_day(hour, minute, second, None)
        sender = SENDER.match(match.group(7))
        identity = (sender["number"] or sender["mail"]) if sender else None
        nick = (sender["nick"] if sender else match.group(7)).strip()
        text = "\n".join(self._texts).strip("\n\r ")
        is_system = identity == "10000" or (sender is None and nick == "系统消息")
        if not is_system:
            self._people.saw(identity, nick)
        roles = [role for mark, role in _MEDIA.items() for _each in range(text.count(mark))]
        is_recalled = len(text) < 80 and RECALLED.search(text) is not None
        kind = MessageKind.SYSTEM if is_system else MessageKind.TEXT
        if is_recalled:
            kind = MessageKind.RECALL
        elif roles and text in _MEDIA:
            kind = roles[0]
        yield Message(
            conversation=self._with or self.file,
            locator=Locator(self.file, f"line {number}"),
            raw=b"".join(self._raw),
            ts_utc_us=None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000,
            ts_precision=Precision.SECOND,
            ts_raw=match.group()[:19].strip(),
            sender_id=identity,
            sender_name=nick or None,
            direction=Direction.SYSTEM if is_system else Direction.UNKNOWN,
            kind=kind,
            text=text,
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=tuple(Media(f"[{role.value}]", MediaState.OMITTED, role) for role in roles[:200]),
        )
