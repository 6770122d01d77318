"""LINE's text export, in every language of the app.

In a language whose titles are not known the shape decides: a title behind `[LINE]`, a line with the date of saving, and a day with
messages below.

The first line names the chat, a line of its own names each day, and each message is `time TAB sender TAB text`. Media are never
exported, only named in brackets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backupkit.chats.malformed import MalformedExport
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
    Participant,
    Precision,
    Severity,
)
from backupkit.chats.readers import line_words as words
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import MOST_LINES_BETWEEN, Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, OrderEvidence, seconds_of_day
from backupkit.chats.texts.weekdays import WeekdayEvidence

_KINDS = {"who": ConversationKind.PRIVATE, "group": ConversationKind.GROUP, "any": ConversationKind.UNKNOWN}
_LOOKED_AT = 16 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20
_MOST_PEOPLE = 20_000
_MOST_WORDS_OF_A_NAME = 5
_LEAST_SPOKEN = 4
_SPEAKERS_OF_TWO = 2


class LineText:
    """Reads what LINE's "Export chat history" sends."""

    format = "line-text"
    app = "line"
    package = "jp.naver.line.android"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the first line in one of LINE's languages, and for its second line or a message."""
        return claim_text(source, (Content.JSON, Content.TEXT), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    first, _newline, rest = head.lstrip("\ufeff\r\n").partition("\n")
    lines = rest.splitlines()
    if not any(title.match(first) for title in words.TITLES):
        # The program for computers may leave the title out: a day with its weekday, and messages below.
        day = words.DAY.match(first.rstrip("\r"))
        if day is not None and sum(1 for line in lines if words.MESSAGE.match(line) and line.count("\t") > 1) > 1:
            return 70
        is_named_day = day is not None and first[4:5] == "." and words.WEEKDAY.search(first) is not None
        return 66 if is_named_day and sum(map(bool, map(words.SPACED.match, lines))) > 1 else 0
    is_saved = any(words.SAVED.match(line) for line in lines[:2])
    if not is_saved and not any(title.match(first) for title in words.TITLES[:-1]):
        # Words that are not known here: all of the shape must be there.
        has_day = any(words.DAY.match(line) for line in lines[2:])
        is_saved = has_day and any(words.ANY_SAVED.match(line) for line in lines[:2])
        return 90 if is_saved and any(map(words.MESSAGE.match, lines)) else 0
    has_message = any(words.MESSAGE.match(line) or words.SPACED.match(line) for line in lines)
    return 97 if is_saved and has_message else 85 if is_saved or has_message else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    survey = _survey_of(source, name, is_spaced=_is_spaced(source, name))
    damage = TextDamage(name)
    reading = _Reading(name, survey, damage)
    messages = 0
    with source.open(name) as stream:
        for line in lines_of(stream):
            for told in reading.line(line):
                messages += isinstance(told, Message)
                yield told
        yield from reading.end()
    yield reading.conversation()
    if not survey.is_order_certain:
        yield Finding("date-order-assumed", Severity.WARNING, Locator(name), {"order": survey.order.spelt})
    yield from damage.findings()


def _is_spaced(source: SourceFiles, name: str) -> bool:
    lines = text_head(source.head(name, _LOOKED_AT)).splitlines()
    return not any(map(words.MESSAGE.match, lines)) and any(map(words.SPACED.match, lines))


@dataclass(slots=True)
class _Survey:
    """What only the whole file tells: the order of its dates, and who speaks in it."""

    order: DateOrder = DateOrder.YEAR_MONTH_DAY
    is_order_certain: bool = True
    is_spaced: bool = False
    people: set[str] = field(default_factory=set)
    weekdays: WeekdayEvidence = field(default_factory=WeekdayEvidence)
    _begun: dict[str, list[str]] = field(default_factory=dict)
    _spoken: dict[str, int] = field(default_factory=dict)

    def saw(self, rest: str) -> None:
        """Note what follows the time of a message."""
        if not self.is_spaced:
            sender, tab, _text = rest.partition("\t")
            if tab and sender and len(self.people) < _MOST_PEOPLE:
                self.people.add(sender)
            return
        # The last word is always said, never part of a name.
        first, *more = rest.split(" ", _MOST_WORDS_OF_A_NAME)[:_MOST_WORDS_OF_A_NAME]
        more = more if rest.count(" ") >= _MOST_WORDS_OF_A_NAME else more[:-1]
        if first not in self._begun:
            if len(self._begun) < _MOST_PEOPLE:
                self._begun[first], self._spoken[first] = more, 1
            return
        same = [mine == theirs for mine, theirs in zip(more, self._begun[first], strict=False)]
        self._begun[first] = more[: [*same, False].index(False)]
        self._spoken[first] += 1

    def name_at(self, rest: str) -> str:
        """Return the name with which a line of the program for computers begins: of several words where all that begin with the first go on with them."""
        first = rest.partition(" ")[0]
        if self._spoken.get(first, 0) < _LEAST_SPOKEN:
            return first
        return " ".join([first, *self._begun[first]])


def _weekday_of(day: re.Match[str]) -> str:
    return (day["before"] or day["in"] or day["after"] or "").strip()


def _survey_of(source: SourceFiles, name: str, *, is_spaced: bool) -> _Survey:
    """Look through a file. The weekday beside each date proves the order of day and month at once, else time running forward does."""
    survey = _Survey(is_spaced=is_spaced)
    begins = words.SPACED if is_spaced else words.MESSAGE
    evidence = OrderEvidence()
    dates = since = 0
    with source.open(name) as stream:
        try:
            for line in lines_of(stream):
                if message := begins.match(line.text):
                    if not words.UNSENT.search(message.group(5)):
                        survey.saw(message.group(5))
                    since = 0
                    continue
                match = words.DAY.match(line.text)
                since = since + 1 if match is None else 0
                if since > MOST_LINES_BETWEEN:
                    break
                if match is None:
                    continue
                parts = (int(match.group(2)), int(match.group(3)), int(match.group(4)))
                dates += 1
                evidence.saw(parts)
                survey.weekdays.saw(parts, _weekday_of(match))
        except MalformedExport:
            pass  # the reading meets it again and tells it
    proven = survey.weekdays.order()
    if proven is not None:
        survey.order = proven
        return survey
    survey.order, is_certain = evidence.settle(
        (DateOrder.YEAR_MONTH_DAY, DateOrder.MONTH_DAY_YEAR, DateOrder.DAY_MONTH_YEAR)
    )
    survey.is_order_certain = is_certain or not dates
    return survey


@dataclass(slots=True)
class _Pending:
    second: int
    written: str
    lines: list[str]
    day: int | None
    number: int
    raw: list[bytes]


@dataclass(slots=True)
class _Reading:
    file: str
    survey: _Survey
    damage: TextDamage
    _title: str | None = None
    _kind: ConversationKind = ConversationKind.UNKNOWN
    _people: dict[str, None] = field(default_factory=dict)
    _day: int | None = None
    _pending: _Pending | None = None
    _is_open_quote: bool = False
    _held_day: tuple[re.Match[str], Line] | None = None
    _is_begun: bool = False
    _size_bytes: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        if not self._is_begun:
            if not line.text.strip("\ufeff "):
                return
            self._is_begun = True
            is_title = self._name(line.text)
            yield self.conversation()
            if is_title:
                return
        begins = (words.SPACED if self.survey.is_spaced else words.MESSAGE).match(line.text)
        held, self._held_day = self._held_day, None
        if begins:
            if held is not None and self._pending is not None:
                self._pending.lines.pop()
                self._pending.raw.pop()
                self._enter_day(*held)
            yield from self._flush()
            self._begin(begins, line)
            return
        day = words.DAY.match(line.text)
        if day and not self.survey.weekdays.is_weekday(_weekday_of(day)):
            day = None
        if day and not self._is_open_quote:
            yield from self._flush()
            self._enter_day(day, line)
            return
        if day and self._pending is not None and self._pending.raw[-1].strip() == b"":
            # Nobody may have meant to open a quote. A day stands behind an empty line, and has messages below it.
            self._held_day = (day, line)
        is_cut = not self._is_open_quote and self.damage.stops_in_head(line)
        if self._pending is not None and not is_cut:
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self._flush()
                self.damage.too_long(line)
                return
            self._pending.lines.append(line.text)
            self._pending.raw.append(line.raw)
            if line.text.endswith('"'):
                self._is_open_quote = False

    def _enter_day(self, day: re.Match[str], line: Line) -> None:
        self.damage.head(line.text, "day")
        self.damage.day.begins()
        self._day = self.survey.order.day_number((int(day.group(2)), int(day.group(3)), int(day.group(4))))
        if self._day is None and line.is_unfinished:
            self.damage.cut_at(line.number)

    def end(self) -> Iterator[Told]:
        pending = self._pending
        # The app wraps what has several lines in quotes: one that is never closed was cut.
        if pending is not None and self._is_open_quote:
            raw = pending.raw
            if len(raw) > 1 or not raw[-1].endswith(b"\n"):
                self.damage.cut_at(pending.number + len(raw) - 1)
        yield from self._flush()

    def conversation(self) -> Conversation:
        people = tuple(Participant(None, person) for person in self._people)
        return Conversation(self._title or self.file, self._title, self._kind, people, locator=Locator(self.file))

    def _name(self, text: str) -> bool:
        for title in words.TITLES:
            match = title.match(text)
            if match:
                found = match.groupdict()
                ((how, self._title),) = found.items()
                self._kind = self._kind_of_chat(how)
                return True
        return False

    def _kind_of_chat(self, how: str) -> ConversationKind:
        """Judge by the words of the title, and by who speaks: English and others name a group as they name a person."""
        people = self.survey.people
        if how == "who" and len(people) > _SPEAKERS_OF_TWO:
            return ConversationKind.GROUP
        if how == "who" and len(people) == _SPEAKERS_OF_TWO and self._title not in people:
            return ConversationKind.UNKNOWN
        return _KINDS[how]

    def _begin(self, match: re.Match[str], line: Line) -> None:
        before, hour, minute, after, rest = match.groups()
        if self.survey.is_spaced:
            rest = self._tabbed(rest)
        second = seconds_of_day(int(hour), int(minute), 0, before or after)
        written = line.text.partition("\t")[0]
        self.damage.head(line.text[: match.start(5)])
        if not self.damage.day.is_known_at(second):
            self._day = None
        self._pending = _Pending(second or 0, written, [rest], self._day, line.number, [line.raw])
        self._size_bytes = 0
        text = rest.partition("\t")[2]
        # A message of several lines is wrapped in quotes, and may hold a line that looks like a day.
        self._is_open_quote = text.startswith('"') and not (text.endswith('"') and len(text) > 1)

    def _tabbed(self, rest: str) -> str:
        """Put the tab where it would be: behind the other side's name where it is known, else behind what is known of the speaker's."""
        if words.UNSENT.search(rest):
            return "\t" + rest
        if self._title and rest.startswith(self._title + " "):
            return self._title + "\t" + rest[len(self._title) + 1 :]
        name = self.survey.name_at(rest)
        return name + "\t" + rest[len(name) + 1 :] if rest.startswith(name + " ") else "\t" + rest

    def _flush(self) -> Iterator[Message]:
        pending, self._pending, self._is_open_quote = self._pending, None, False
        if pending is None:
            return
        sender, tab, text = "\n".join(pending.lines).partition("\t")
        if not tab:
            sender, text = "", sender
        text = text.rstrip("\n")
        if text.startswith('"') and text.endswith('"') and "\n" in text:
            text = text[1:-1].replace('""', '"')
        if sender and len(self._people) < _MOST_PEOPLE:
            self._people[sender] = None
        media = _media(text, is_spaced=self.survey.is_spaced)
        kind, deletion = _kind(sender, text, media)
        yield Message(
            conversation=self._title or self.file,
            locator=Locator(self.file, f"line {pending.number}"),
            raw=b"".join(pending.raw),
            ts_utc_us=None if pending.day is None else (pending.day * 86400 + pending.second) * 1_000_000,
            ts_precision=Precision.MINUTE,
            ts_raw=pending.written,
            sender_name=sender or None,
            direction=Direction.SYSTEM if not sender else self._direction(sender),
            kind=kind,
            text=text,
            deletion=deletion,
            media=media,
        )

    def _direction(self, sender: str) -> Direction:
        if self._kind is not ConversationKind.PRIVATE:
            return Direction.UNKNOWN
        return Direction.IN if sender == self._title else Direction.OUT


def _media(text: str, *, is_spaced: bool) -> tuple[Media, ...]:
    named = text[1:-1] if text.startswith("[") and text.endswith("]") else text if is_spaced else ""
    if named in words.ROLES:
        role = words.ROLES[named]
        return () if role is MessageKind.LOCATION else (Media(text, MediaState.OMITTED, role),)
    return ()


def _kind(sender: str, text: str, media: tuple[Media, ...]) -> tuple[MessageKind, DeletionState]:
    if not sender:
        if words.UNSENT.search(text):
            return MessageKind.RECALL, DeletionState.RECALLED
        return MessageKind.SYSTEM, DeletionState.NONE
    if media:
        return media[0].role, DeletionState.NONE
    if text.startswith("☎"):
        return MessageKind.CALL, DeletionState.NONE
    return (
        MessageKind.LOCATION if text[1:-1] in words.MEDIA[MessageKind.LOCATION] else MessageKind.TEXT
    ), DeletionState.NONE
