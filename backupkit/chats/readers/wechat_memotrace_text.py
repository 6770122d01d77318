"""WeChat chats as WeChatMsg / MemoTrace wrote them to text: `YYYY-MM-DD HH:MM:SS name`, the words below, and an empty line.

Older versions put the app's own words behind the time, newer ones below it. What is no text is a word in brackets. There are no ids and
no zone.
"""

import posixpath
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
from backupkit.chats.people import MAX_PEOPLE, People
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of_word
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_HEAD = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?: (.{1,200}))?$")
# The words that the tool puts in the place of what is no text; older versions write nothing beside them.
_PLACED = "图片|语音|视频|表情包|文件|音乐分享"
_OLD_WORD = re.compile(rf"\[({_PLACED})\]$|\s*\[(链接)\]:title:")
_NEW_WORD = re.compile(
    rf"【({_PLACED}|分享链接|视频号|合并转发的聊天记录|音视频通话|位置分享|名片|红包|笔记|发起转账|已收款|已退还|(?:发起)?非实时转账(?:收款)?)】"
)
_QUOTED = re.compile(r"引用[:：]")
_PAID = re.compile(r"收款|退还|转账")
_FILE_NAME = re.compile(r"【文件】(.{1,250}?) \d+\.\d\d MB ")
_LOOKED_AT = 64 * 1024
_LEAST_HEADS = 2
_MOST_IN_PRIVATE = 2
_MAX_MESSAGE_BYTES = 16 * 2**20


class WechatMemotraceText:
    """Reads the text files of WeChatMsg, now MemoTrace."""

    format = "wechat-memotrace-text"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for messages that begin with a time, each behind an empty line, and for a word that the tool writes."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = [line.rstrip("\r") for line in head.lstrip("\ufeff").split("\n")]
    if not _HEAD.match(lines[0]):
        return 0
    heads = apart = 0
    for above, line in zip(["", *lines], lines, strict=False):
        if _HEAD.match(line):
            heads += 1
            apart += not above.strip()
    has_word = any(_OLD_WORD.match(line) or _NEW_WORD.match(line) or _QUOTED.match(line) for line in lines)
    # Logs and diaries begin with times too, but not so.
    return 88 if apart >= _LEAST_HEADS and apart * 10 >= heads * 9 and has_word else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    damage = TextDamage(name)
    reading = _Reading(name, damage)
    yield reading.conversation()
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
        yield from reading.end()
    yield from damage.findings()


@dataclass(slots=True)
class _Reading:
    file: str
    damage: TextDamage
    _people: People = field(default_factory=People)
    _named: set[str] = field(default_factory=set)
    _head: tuple[re.Match[str], int] | None = None
    _texts: list[str] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        head = _HEAD.match(line.text)
        if head and (self._head is None or self._is_after_gap()):
            yield from self._flush()
            if line.is_unfinished:
                # Half a name is nobody's.
                self.damage.cut_at(line.number)
                return
            self.damage.head(line.text[: head.end(6)] + " ")
            self._head, self._texts, self._raw, self._size_bytes = (head, line.number), [], [line.raw], 0
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
        yield self.conversation()

    def _is_after_gap(self) -> bool:
        return bool(self._texts) and not self._texts[-1].strip()

    def conversation(self) -> Conversation:
        title = posixpath.splitext(posixpath.basename(self.file))[0]
        people = self._people.participants()
        kind = ConversationKind.GROUP if len(people) > _MOST_IN_PRIVATE else ConversationKind.UNKNOWN
        return Conversation(title, title, kind, people, locator=Locator(self.file))

    def _flush(self) -> Iterator[Message]:
        if self._head is None:
            return
        (match, number), self._head = self._head, None
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
        seconds = seconds_of_day(hour, minute, second, None)
        name: str | None = match.group(7)
        text = "\n".join(self._texts).strip("\n\r")
        is_apps_own = name is None or not (text.strip() or name in self._named)
        if name is not None and is_apps_own:
            # Older versions have nothing below the app's own words.
            text, name = name, None
        if text.startswith(" "):
            text = "\n".join(filter(None, map(str.strip, text.split("\n"))))
        word = _word_of(text)
        kind = MessageKind.SYSTEM if is_apps_own else MessageKind.TEXT if word is None else _kind_of(word)
        is_taken_back = is_apps_own and is_recall(text)
        self._people.saw(None, name)
        if name is not None and len(self._named) < MAX_PEOPLE:
            self._named.add(name)
        yield Message(
            conversation=posixpath.splitext(posixpath.basename(self.file))[0],
            locator=Locator(self.file, f"line {number}"),
            raw=b"".join(self._raw),
            ts_utc_us=None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000,
            ts_precision=Precision.SECOND,
            ts_raw=match.group()[:19],
            sender_name=name,
            direction=Direction.SYSTEM if is_apps_own else Direction.UNKNOWN,
            kind=MessageKind.RECALL if is_taken_back else kind,
            native_kind=word or "",
            text=text,
            deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
            media=(Media(_name_of_file(text) or word or kind.value, MediaState.OMITTED, kind),)
            if kind in HAS_FILE
            else (),
        )


def _word_of(text: str) -> str | None:
    match = _OLD_WORD.match(text) or _NEW_WORD.match(text)
    return None if match is None else next(filter(None, match.groups()))


def _kind_of(word: str) -> MessageKind:
    return MessageKind.PAYMENT if _PAID.search(word) else kind_of_word(word)


def _name_of_file(text: str) -> str | None:
    match = _FILE_NAME.match(text)
    return None if match is None else match[1]
