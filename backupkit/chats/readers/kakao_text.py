"""KakaoTalk's exports: Windows and iPhone brackets, Android lines with a comma, and the Mac's CSV."""

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
    Participant,
    Precision,
)
from backupkit.chats.reading.csv_rows import csv_rows
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import Line, lines_of
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, seconds_of_day

_TITLE = re.compile(
    r"(?P<who>.+?) ?님과(?:의)? 카카오톡 대화\s*$|(?P<group>.+?) 카카오톡 대화\s*$|KakaoTalk Chats with (?P<en>.+?)\s*$"
    r"|(?P<en_windows>.+?) with KakaoTalk Chats\s*$|Talk_\d{4}\.\d{1,2}\.\d{1,2} \d{1,2}:\d{2}-\d{1,4}\.txt\s*$"
)
_SAVED = re.compile(r"(?:저장한 날짜|Date Saved|Saved Date) ?: ?")
_DAY = re.compile(r"-{3,} ?(\d{4})년 (\d{1,2})월 (\d{1,2})일 .{0,8}-{3,}\s*$")
_PLAIN_DAY = re.compile(r"(\d{4})년 (\d{1,2})월 (\d{1,2})일(?: .요일| (?:오전|오후) \d{1,2}:\d{2})?\s*$")
_BRACKETS = re.compile(
    rf"\[(.{{1,100}}?)\] \[(?:({HALF_DAY}) )?(\d{{1,2}}):(\d{{2}})(?:{SPACE}({HALF_DAY}))?\] ?(.*)$", re.DOTALL
)
_COMMA = re.compile(
    rf"(\d{{4}})(?:년 |\. ?)(\d{{1,2}})(?:월 |\. ?)(\d{{1,2}})(?:일|\.) (?:({HALF_DAY}) )?(\d{{1,2}}):(\d{{2}})(?:, (?:(.{{1,100}}?) : ?)?|: )(.*)$",
    re.DOTALL,
)
# What Windows writes about people coming and going has neither a name nor a time in front.
_SYSTEM = re.compile(
    r".{1,60}님(?:이|을|께서) .{0,60}(?:들어왔|나갔|초대했|내보냈|되었|바꾸었)습니다\.?$|채팅방 관리자가 메시지를 가렸습니다\.$"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905  twelve words
# The month or the day comes first, by the country; very old files begin with the clock.
_ENGLISH_DATE = (
    r"(?:(?P<month>[A-Z][a-z]{2})[a-z]*\.? (?P<day>\d{1,2}),|(?P<day_first>\d{1,2}) (?P<month_second>[A-Z][a-z]{2})[a-z]*\.?,?) "
    r"(?P<year>\d{4})"
)
_ENGLISH_DAY = re.compile(rf"(?:-{{3,}} )?(?:\w+day,? )?{_ENGLISH_DATE}(?: -{{3,}})?\s*$")
_ENGLISH_SAID = r"(?:, (?:(?P<sender>.{1,100}?) : ?)?|: )(?P<text>.*)$"
_ENGLISH_CLOCK = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?:{SPACE}?(?P<half>{HALF_DAY}))?"
_ENGLISH = re.compile(rf"{_ENGLISH_DATE}(?:,| at)? {_ENGLISH_CLOCK}{_ENGLISH_SAID}", re.DOTALL)
_ENGLISH_OLD = re.compile(rf"{_ENGLISH_CLOCK}, {_ENGLISH_DATE}{_ENGLISH_SAID}", re.DOTALL)
_CSV_HEADER = "Date,User,Message"
_MEDIA = {
    "사진": MessageKind.IMAGE,
    "동영상": MessageKind.VIDEO,
    "이모티콘": MessageKind.STICKER,
    "음성메시지": MessageKind.VOICE,
    "Photo": MessageKind.IMAGE,
    "Photos": MessageKind.IMAGE,
    "Video": MessageKind.VIDEO,
    "Emoticon": MessageKind.STICKER,
    "Emoticons": MessageKind.STICKER,
    "Voice Note": MessageKind.VOICE,
}
_PHOTOS = re.compile(r"(?:사진 \d+장|\d+ Photos|Photos)$")
# Stands alone, without a name or a time, where a message was deleted.
_DELETED_LINE = "메시지가 삭제되었습니다."
_DELETED = {
    _DELETED_LINE,
    "삭제된 메시지입니다.",
    "삭제된 메시지입니다",
    "This message was deleted.",
    "Message deleted",
}
_FILE = re.compile(r"파일: (\S.{0,250}\.\w{1,8})$")
_CUT_HEAD = re.compile(r"\[[^\]]{1,60}\] \[[^\]]{0,12}$")
_LOOKED_AT = 32 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class KakaoText:
    """Reads KakaoTalk's text and CSV exports."""

    format = "kakaotalk-text"
    app = "kakaotalk"
    package = "com.kakao.talk"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the app's title line, for its way of writing time in Korean, or for the Mac's header."""
        return claim_text(source, (Content.TEXT, Content.JSON), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = head.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.strip() == _CSV_HEADER:
        rows = [line for line in lines[1:] if re.match(r'"?\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"?,', line)]
        return 88 if rows else 0
    messages = [line for line in lines if _BRACKETS.match(line) or _COMMA.match(line) or _english(line)]
    if _TITLE.match(first) and (messages or any(map(_SAVED.match, lines[:3]))):
        return 97 if messages else 85
    days = any(_DAY.match(line) or _PLAIN_DAY.match(line) for line in lines[:20])
    return 80 if days and len(messages) > 1 else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    if text_head(source.head(name)).lstrip("\ufeff").startswith(_CSV_HEADER):
        yield from _read_csv(source, name)
        return
    damage = TextDamage(name)
    reading = _Reading(name, damage)
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
        yield from reading.flush()
    yield reading.conversation()
    yield from damage.findings()


@dataclass(slots=True)
class _Reading:
    file: str
    damage: TextDamage
    _title: str | None = None
    _kind: ConversationKind = ConversationKind.UNKNOWN
    _people: dict[str, None] = field(default_factory=dict)
    _day: int | None = None
    _pending: tuple[int, str | None, int | None, str] | None = None
    _texts: list[str] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0
    _is_begun: bool = False
    _is_bracketed: bool = False

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        if not self._is_begun:
            if line.text.strip():
                self._is_begun = True
                is_title = self._name(line.text)
                yield self.conversation()
                if is_title:
                    return
            else:
                return
        brackets = _BRACKETS.match(line.text)
        comma = None if brackets else _COMMA.match(line.text)
        if brackets:
            yield from self.flush()
            self._is_bracketed = True
            sender, before, hour, minute, after, text = brackets.groups()
            self.damage.head(line.text[: brackets.start(6)])
            second = seconds_of_day(int(hour), int(minute), 0, before or after)
            if not self.damage.day.is_known_at(second):
                self._day = None
            self._begin(line, sender, (self._day, second), text)
        elif comma:
            yield from self.flush()
            year, month, day, half, hour, minute, sender, text = comma.groups()
            self.damage.head(line.text[: comma.start(7)])
            days = DateOrder.YEAR_MONTH_DAY.day_number((int(year), int(month), int(day)))
            self._begin(line, sender, (days, seconds_of_day(int(hour), int(minute), 0, half)), text)
        elif english := _english(line.text):
            yield from self.flush()
            hour, minute, half, sender, text = english.group("hour", "minute", "half", "sender", "text")
            self.damage.head(line.text[: english.start("sender" if sender else "text")])
            when = (_english_day(english), seconds_of_day(int(hour), int(minute), 0, half))
            self._begin(line, sender, when, text)
        elif english_day := _ENGLISH_DAY.match(line.text):
            yield from self.flush()
            self._day = _english_day(english_day)
            self.damage.day.begins()
            self._is_bracketed = self._is_bracketed or line.text.startswith("---")
        elif day_line := _DAY.match(line.text) or _PLAIN_DAY.match(line.text):
            yield from self.flush()
            parts = (int(day_line.group(1)), int(day_line.group(2)), int(day_line.group(3)))
            self._day = DateOrder.YEAR_MONTH_DAY.day_number(parts)
            self.damage.day.begins()
            # Only Windows rules a line through the day, and people may come before anybody speaks.
            self._is_bracketed = self._is_bracketed or line.text.startswith("---")
        elif line.text.rstrip() == _DELETED_LINE or (self._is_bracketed and _SYSTEM.match(line.text)):
            yield from self.flush()
            self._begin(line, None, (None, None), line.text)
        elif line.is_unfinished and self._is_bracketed and _CUT_HEAD.match(line.text):
            self.damage.cut_at(line.number)
        elif self._pending is not None and not self.damage.stops_in_head(line):
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self.flush()
                self.damage.too_long(line)
                return
            self._texts.append(line.text)
            self._raw.append(line.raw)

    def _name(self, text: str) -> bool:
        match = _TITLE.match(text)
        if match is None:
            return False
        # Files of an iPhone may begin with their own name instead, which names nobody.
        title = match["who"] or match["group"] or match["en"] or match["en_windows"]
        self._title = title.strip("\ufeff ") if title else None
        self._kind = ConversationKind.UNKNOWN if match["group"] is None else ConversationKind.GROUP
        return True

    def _begin(self, line: Line, sender: str | None, when: tuple[int | None, int | None], text: str) -> None:
        day, second = when
        ts_us = None if day is None or second is None else (day * 86400 + second) * 1_000_000
        self._pending = (line.number, sender, ts_us, line.text[:60])
        self._texts, self._raw, self._size_bytes = [text], [line.raw], 0
        if sender and len(self._people) < 20_000:
            self._people[sender] = None

    def flush(self) -> Iterator[Message]:
        if self._pending is None:
            return
        number, sender, ts_us, written = self._pending
        self._pending = None
        yield _message(
            self._title or posixpath.splitext(posixpath.basename(self.file))[0],
            Locator(self.file, f"line {number}"),
            b"".join(self._raw),
            (ts_us, Precision.MINUTE, written),
            (sender, "\n".join(self._texts).rstrip()),
        )

    def conversation(self) -> Conversation:
        key = self._title or posixpath.splitext(posixpath.basename(self.file))[0]
        people = tuple(Participant(None, person) for person in self._people)
        return Conversation(key, self._title, self._kind, people, locator=Locator(self.file))


def _read_csv(source: SourceFiles, name: str) -> Iterator[Told]:
    key = posixpath.splitext(posixpath.basename(name))[0]
    yield Conversation(key, locator=Locator(name))
    damage = TextDamage(name)
    for row in csv_rows(source, name, damage=damage):
        when = (_csv_time(row.values["Date"]), Precision.SECOND, row.values["Date"])
        yield _message(key, row.locator, row.raw, when, (row.values["User"] or None, row.values["Message"]))
    yield from damage.findings()


def _english(line: str) -> re.Match[str] | None:
    return _ENGLISH.match(line) or _ENGLISH_OLD.match(line)


def _english_day(found: re.Match[str]) -> int | None:
    month, day = found["month"] or found["month_second"], found["day"] or found["day_first"]
    if month not in _MONTHS:
        return None
    return DateOrder.YEAR_MONTH_DAY.day_number((int(found["year"]), _MONTHS.index(month) + 1, int(day)))


def _csv_time(text: str) -> int | None:
    match = re.match(r"(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$", text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
    seconds = seconds_of_day(hour, minute, second, None)
    return None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000


def _message(
    key: str,
    locator: Locator,
    raw: bytes,
    when: tuple[int | None, Precision, str],
    said: tuple[str | None, str],
) -> Message:
    sender, text = said
    role = _MEDIA.get(text) or (MessageKind.IMAGE if _PHOTOS.match(text) else None)
    file = _FILE.match(text)
    role = role_of_name(file[1]) if file else role
    is_deleted = text in _DELETED
    kind = MessageKind.TEXT
    if is_deleted:
        kind = MessageKind.RECALL
    elif sender is None:
        kind = MessageKind.SYSTEM
    elif role is not None:
        kind = role
    return Message(
        conversation=key,
        locator=locator,
        raw=raw,
        ts_utc_us=when[0],
        ts_precision=when[1],
        ts_raw=when[2],
        sender_name=sender,
        direction=Direction.SYSTEM if sender is None else Direction.UNKNOWN,
        kind=kind,
        text=text,
        deletion=DeletionState.RECALLED if is_deleted else DeletionState.NONE,
        media=() if role is None or sender is None else (Media(file[1] if file else text, MediaState.OMITTED, role),),
    )
