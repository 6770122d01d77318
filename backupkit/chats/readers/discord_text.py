"""DiscordChatExporter's plain text: a heading with guild and channel, and `[time] name` above each message.

The time follows the computer's language, so the order of day and month is settled over the whole file. The last lines say how many
messages were written, which is compared.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.readers.discord_csv import CHANNEL
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import MOST_LINES_BETWEEN, Line, lines_of
from backupkit.chats.texts.month_names import month_of
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, OrderEvidence, seconds_of_day

_RULE = re.compile(r"={20,}$")
_GUILD = re.compile(r"Guild: (.*)$")
_CHANNEL_NAME = re.compile(r"Channel: (.*)$")
_LIMIT = re.compile(r"(After|Before): (.*)$")
_WRITTEN = re.compile(r"Exported ([\d.,\u00a0\u202f' ]{1,20}) message\(s\)$")
_HEAD = re.compile(
    rf"\[(?:(?P<first>\d{{1,4}})[./-] ?(?P<middle>\d{{1,2}})[./-] ?(?P<last>\d{{1,4}})\.?"
    rf"|(?P<day>\d{{1,2}})-(?P<month>[^\W\d_]{{3,5}})\.?-(?P<year>\d{{2,4}})),?{SPACE}"
    rf"(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})(?::\d{{2}})?(?:{SPACE}?(?P<after>{HALF_DAY}))?\] "
    r"(?P<who>\S.{0,100}?)(?P<pinned> \(pinned\))?$"
)
_SECTION = re.compile(r"\{(Attachments|Embed|Stickers|Reactions)\}$")
_REACTION = re.compile(r"(\S+)(?: \((\d{1,7})\))?(?: |$)")
_LOOKED_AT = 8 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20
_ENOUGH_TO_TELL = 4
_ORDERS = (DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR, DateOrder.YEAR_MONTH_DAY)


class DiscordText:
    """Reads what DiscordChatExporter writes as plain text."""

    format = "discord-text"
    app = "discord"
    package = "com.discord"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the heading: a rule, the guild and the channel."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the channel of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = [line.rstrip("\r") for line in head.lstrip("\ufeff").split("\n", 3)]
    is_heading = len(lines) > 2 and _RULE.match(lines[0]) and _GUILD.match(lines[1]) and _CHANNEL_NAME.match(lines[2])
    return 95 if is_heading else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    survey = _survey(source, name)
    order, is_certain = survey.order, survey.is_certain
    damage = TextDamage(name)
    reading = _Reading(source, name, order, damage, survey.is_tight)
    with source.open(name) as stream:
        for line in lines_of(stream):
            yield from reading.line(line)
    yield from reading.end()
    if not is_certain:
        yield Finding("date-order-assumed", Severity.WARNING, Locator(name), {"order": order.spelt})
    yield from damage.findings()


@dataclass(frozen=True, slots=True)
class _Survey:
    """What only the whole file tells: the order of its dates, and whether one empty line alone parts its messages."""

    order: DateOrder
    is_certain: bool
    is_tight: bool


def _survey(source: SourceFiles, name: str) -> _Survey:
    evidence = OrderEvidence()
    dates = slashes = parted = loose = since = 0
    written: int | None = None
    before = above = ""
    with source.open(name) as stream:
        try:
            for line in lines_of(stream):
                head = _HEAD.match(line.text)
                since = 0 if head else since + 1
                if since > MOST_LINES_BETWEEN:
                    break
                if head and not before:
                    parted += 1
                    loose += not above and parted > 1
                    slashes += (
                        head["first"] is not None and head["after"] is not None and "/" in line.text[: head.end("last")]
                    )
                    if head["first"]:
                        dates += 1
                        evidence.saw((int(head["first"]), int(head["middle"]), int(head["last"])))
                elif number := _WRITTEN.match(line.text):
                    written = int(re.sub(r"\D", "", number[1]) or 0)
                above, before = before, line.text
        except MalformedExport:
            pass  # the reading meets it again and tells it
    # A tie only: slashes with a clock of twelve hours are those of the United States.
    order, is_certain = evidence.settle((_ORDERS[1], _ORDERS[0], _ORDERS[2]) if slashes else _ORDERS)
    # Of a file that was cut or damaged the count at its end says nothing. Then not one pair of empty lines says it.
    is_tight = written == parted or (not loose and parted >= _ENOUGH_TO_TELL)
    return _Survey(order, is_certain or not dates, is_tight)


@dataclass(slots=True)
class _Reading:
    source: SourceFiles
    file: str
    order: DateOrder
    damage: TextDamage
    is_tight: bool
    _facts: dict[str, str] = field(default_factory=dict)
    _people: People = field(default_factory=People)
    _rules: int = 0
    _head: tuple[re.Match[str], int] | None = None
    _texts: list[str] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0
    _declared: int | None = None
    _last: int = 0

    def line(self, line: Line) -> Iterator[Told]:
        self.damage.saw(line)
        self._last = line.number
        if self._rules < 2:
            yield from self._heading(line)
            return
        head = _HEAD.match(line.text)
        if head and (self._head is None or self._may_end()):
            yield from self._flush()
            if line.is_unfinished:
                # Half a name is nobody's.
                self.damage.cut_at(line.number)
                return
            self.damage.head(line.text[: head.start("who")])
            self._head, self._texts, self._raw, self._size_bytes = (head, line.number), [], [line.raw], 0
        elif _RULE.match(line.text) and not (self._texts and self._texts[-1]):
            yield from self._flush()
        elif self._head is None:
            if written := _WRITTEN.match(line.text):
                self._declared = int(re.sub(r"\D", "", written[1]) or 0)
        elif not self.damage.stops_in_head(line):
            self._size_bytes += line.weight
            if self._size_bytes > _MAX_MESSAGE_BYTES:
                yield from self._flush()
                self.damage.too_long(line)
                return
            self._texts.append(line.text)
            self._raw.append(line.raw)

    def _may_end(self) -> bool:
        """Say whether a message is over: two empty lines end it, or one behind its reactions. What looks like a head before is text."""
        last = self._texts[-2:]
        if last[-1:] != [""]:
            return False
        return self.is_tight or last == ["", ""] or "{Reactions}" in self._texts[-4:-2]

    def end(self) -> Iterator[Told]:
        yield from self._flush()
        yield self._conversation()
        after, before = self._facts.get("After"), self._facts.get("Before")
        if after or before:
            facts: dict[str, str | int] = {"from": after or "…", "to": before or "…"}
            yield Finding("export-partial", Severity.WARNING, Locator(self.file), facts)
        if self._declared is None:
            self.damage.cut_at(self._last)

    def _heading(self, line: Line) -> Iterator[Told]:
        for label, pattern in (("guild", _GUILD), ("channel", _CHANNEL_NAME)):
            if label not in self._facts and (found := pattern.match(line.text)):
                self._facts[label] = found[1].strip()
        if limit := _LIMIT.match(line.text):
            self._facts[limit[1]] = limit[2].strip()
        if _RULE.match(line.text.lstrip("\ufeff")):
            self._rules += 1
            if self._rules == 2:
                yield self._conversation()

    def _key(self) -> tuple[str, str]:
        stem = posixpath.splitext(posixpath.basename(self.file))[0]
        named = CHANNEL.match(stem)
        title = " / ".join(filter(None, (self._facts.get("guild"), self._facts.get("channel")))) or stem
        return (named["id"] if named else title), title

    def _conversation(self) -> Conversation:
        key, title = self._key()
        is_direct = self._facts.get("guild") == "Direct Messages"
        kind = ConversationKind.PRIVATE if is_direct else ConversationKind.GROUP
        people = self._people.participants()
        return Conversation(key, title, kind, people, self._declared, Locator(self.file))

    def _flush(self) -> Iterator[Message]:
        if self._head is None:
            return
        (head, number), self._head = self._head, None
        self._people.saw(None, head["who"])
        parts = _sections(self._texts)
        media = tuple(
            _media(self.source, self.file, reference, role)
            for section, role in (("Attachments", None), ("Stickers", MessageKind.STICKER))
            for reference in parts.get(section, [])[:1000]
        )
        ts_us = self._time(head)
        yield Message(
            conversation=self._key()[0],
            locator=Locator(self.file, f"line {number}"),
            raw=b"".join(self._raw),
            ts_utc_us=ts_us,
            ts_precision=Precision.MINUTE,
            ts_raw=head.group().partition("]")[0].lstrip("["),
            sender_name=head["who"],
            kind=media[0].role if media else MessageKind.TEXT,
            text="\n".join(parts.get("", [])).strip("\n"),
            reactions=tuple(
                Reaction(symbol, count=int(count or 1))
                for line in parts.get("Reactions", [])
                for symbol, count in _REACTION.findall(line)
            ),
            media=media,
        )

    def _time(self, head: re.Match[str]) -> int | None:
        if head["month"]:
            month = month_of(head["month"])
            year = int(head["year"]) + (2000 if len(head["year"]) == 2 else 0)
            day = None if month is None else DateOrder.YEAR_MONTH_DAY.day_number((year, month, int(head["day"])))
        else:
            day = self.order.day_number((int(head["first"]), int(head["middle"]), int(head["last"])))
        second = seconds_of_day(int(head["hour"]), int(head["minute"]), 0, head["before"] or head["after"])
        return None if day is None or second is None else (day * 86_400 + second) * 1_000_000


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """Part the words of a message from what the program writes below them."""
    parts: dict[str, list[str]] = {"": []}
    section = ""
    for place, line in enumerate(lines):
        begins = _SECTION.match(line)
        # Sections stand behind an empty line; somebody may write such a word.
        if begins and place and not lines[place - 1]:
            section = begins[1]
            parts.setdefault(section, [])
        elif section == "" or line:
            parts[section].append(line)
    return parts


def _media(source: SourceFiles, file: str, reference: str, role: MessageKind | None) -> Media:
    if is_link(reference):
        return Media(reference, MediaState.OMITTED, role or role_of_name(reference))
    found, state = find_media(source, file, reference)
    return Media(found, state, role or role_of_name(found))
