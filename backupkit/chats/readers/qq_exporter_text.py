"""QQ chats as QQChatExporter writes them to text: a name, `时间:` and `内容:` below it, and two empty lines behind each message.

There are no ids and no zone. The number of messages stands in the heading and at the end, and is compared.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.people import People
from backupkit.chats.readers.qq_text import RECALLED
from backupkit.chats.reading.media_files import find_media
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_TOP = re.compile(r"\[QQChatExporter |\s+QQ聊天记录导出文件\s*$")
_FACT = re.compile(r"(聊天名称|聊天类型|消息总数): (.*)$")
_TIME = re.compile(
    r"时间: ((\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}|\d+(?:天|小时|分钟)前|刚刚)$"
)
_SAID = "内容: "
_FILES = re.compile(r"资源: (\d{1,4}) 个文件$")
_FILE = re.compile(r"  - (\w{1,20}): (.*)$")
_RULE = re.compile(r"={20,}$")
_DONE = re.compile(r"\s+导出完成$")
_ROLES = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}
_KINDS = {"群聊": ConversationKind.GROUP, "私聊": ConversationKind.PRIVATE, "临时会话": ConversationKind.PRIVATE}
_LOOKED_AT = 16 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class QqExporterText:
    """Reads the text files of QQChatExporter."""

    format = "qq-exporter-text"
    app = "qq"
    package = "com.tencent.mobileqq"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's heading, and for a message below it."""
        return claim_text(source, (Content.TEXT, Content.JSON), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        shared = _titles_of_several(source, recognition.files)
        return read_each(recognition.files, lambda name: _read_file(source, name, shared))


def _certainty(head: str) -> int:
    lines = [line.rstrip("\r") for line in head.split("\n")]
    if not any(_TOP.match(line.lstrip("\ufeff")) for line in lines[:12]):
        return 0
    has_message = any(_TIME.match(line) and above.endswith(":") for above, line in pairwise(lines))
    return 96 if has_message or any(map(_FACT.match, lines)) else 0


def _facts(head: str) -> dict[str, str]:
    found = (_FACT.match(line.rstrip("\r")) for line in head.split("\n")[:20])
    return {match[1]: match[2].strip() for match in found if match}


def _titles_of_several(source: SourceFiles, names: Iterable[str]) -> set[str]:
    titles = Counter(_facts(text_head(source.head(name, _LOOKED_AT))).get("聊天名称", "") for name in names)
    return {title for title, files in titles.items() if files > 1}


def _read_file(source: SourceFiles, name: str, shared: set[str]) -> Iterator[Told]:
    facts = _facts(text_head(source.head(name, _LOOKED_AT)))
    title = facts.get("聊天名称") or None
    declared = facts.get("消息总数", "")
    damage = TextDamage(name)
    reading = _Reading(
        source, name, damage, name if title is None or title in shared else title, title, _KINDS.get(facts.get("聊天类型", ""), ConversationKind.UNKNOWN),
        int(declared) if declared.isascii() and declared.isdecimal() and len(declared) < 10 else None,
    )  # fmt: skip
    yield reading.conversation()
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
        yield from reading.end()
    yield from damage.findings()


@dataclass(slots=True)
class _Reading:
    source: SourceFiles
    file: str
    damage: TextDamage
    key: str
    title: str | None
    kind: ConversationKind
    declared: int | None
    _people: People = field(default_factory=People)
    _head: tuple[str, re.Match[str], int] | None = None
    _lines: list[Line] = field(default_factory=list)
    _size_bytes: int = 0
    _is_done: bool = False
    _last: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        self._last = line.number
        if self._is_done:
            return
        above = self._lines[-1] if self._lines else None
        time = _TIME.match(line.text)
        if time and above is not None and above.text.endswith(":") and self._is_apart():
            self._lines.pop()
            yield from self._flush()
            if line.is_unfinished:
                # Half a time is none.
                self.damage.cut_at(line.number)
                return
            self.damage.head(line.text)
            self._head, self._lines = (above.text[:-1].strip(), time, above.number), [above, line]
            self._size_bytes = above.weight + line.weight
            return
        if _DONE.match(line.text) and above is not None and _RULE.match(above.text):
            self._lines.pop()
            yield from self._flush()
            self._is_done = True
            return
        self._size_bytes += line.weight
        if self._size_bytes > _MAX_MESSAGE_BYTES:
            if self._head is not None:
                yield from self._flush()
                self.damage.too_long(line)
            self._lines, self._size_bytes = [], 0
        self._lines.append(line)

    def _is_apart(self) -> bool:
        """Say whether the name stands behind an empty line: then it is no word of the message before."""
        return len(self._lines) < 2 or not self._lines[-2].text.strip()

    def end(self) -> Iterator[Told]:
        if not self._is_done:
            self.damage.cut_at(self._last)
            # The file may stop in a name or a time: that is no text of the message before.
            for begun in (1, 2):
                gap = self._lines[-begun - 2 : -begun]
                if len(gap) == 2 and not any(line.text.strip() for line in gap):
                    del self._lines[-begun:]
        yield from self._flush()
        yield self.conversation()

    def conversation(self) -> Conversation:
        return Conversation(
            self.key, self.title, self.kind, self._people.participants(), self.declared, Locator(self.file)
        )

    def _flush(self) -> Iterator[Message]:
        if self._head is None:
            return
        (name, time, number), self._head = self._head, None
        lines, self._lines = self._lines, []
        text, files = _parts([line.text for line in lines[2:]])
        is_recalled = len(text) < 80 and RECALLED.search(text) is not None
        media = tuple(self._media(role, reference) for role, reference in files)
        kind = media[0].role if media and text.startswith("[") else MessageKind.TEXT
        if not is_recalled:
            self._people.saw(None, name or None)
        yield Message(
            conversation=self.key,
            locator=Locator(self.file, f"line {number}"),
            raw=b"".join(line.raw for line in lines),
            ts_utc_us=_ts_us(time),
            ts_precision=Precision.SECOND,
            ts_raw=time[1],
            sender_name=name or None,
            kind=MessageKind.RECALL if is_recalled else kind,
            text=text,
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=media,
        )

    def _media(self, role: str, reference: str) -> Media:
        found, state = find_media(self.source, self.file, reference)
        # The tool tells a file's name and not where it put it.
        return Media(
            found,
            MediaState.OMITTED if state is MediaState.MISSING else state,
            _ROLES.get(role, MessageKind.FILE),
        )


def _ts_us(time: re.Match[str]) -> int | None:
    if time[2] is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in time.groups()[1:])
    days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
    seconds = seconds_of_day(hour, minute, second, None)
    return None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000


def _parts(lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """Part the words from what the tool writes below them: files, who was called, and what was answered."""
    while lines and not lines[-1].strip():
        lines.pop()
    answer = next((place for place in range(len(lines) - 1, 0, -1) if lines[place].startswith("回复: ")), None)
    if answer is not None and " - " in lines[answer]:
        lines = lines[:answer]
    if len(lines) > 1 and lines[-1].startswith("提及: "):
        lines = lines[:-1]
    files: list[tuple[str, str]] = []
    for place in range(len(lines) - 1, 0, -1):
        named = _FILES.match(lines[place])
        if named is None:
            continue
        listed = [match.groups() for line in lines[place + 1 :] if (match := _FILE.match(line))]
        if len(listed) == int(named[1]) == len(lines) - place - 1:
            files = [(role, reference) for role, reference in listed]
            lines = lines[:place]
        break
    text = "\n".join(lines)
    return text.removeprefix(_SAID).strip("\n"), files
