"""DiscordChatExporter's CSV: one channel in each file, without ids of messages.

Only the file's name tells which channel it is; parts of one channel carry the same id there.
"""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
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
from backupkit.chats.reading.csv_rows import Row, csv_rows
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.records.json_fields import iso_to_us
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.month_names import month_of
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, OrderEvidence, seconds_of_day

_HEADER = "AuthorID,Author,Date,Content,Attachments,Reactions"
_LOOKED_AT = 4096
CHANNEL = re.compile(r"(?P<title>.+?) ?\[(?P<id>\d{15,20})\](?: \[part \d+\])?$")
# Before 2.38 the day was written as `06-Jan-23 02:00 PM`, then as `01/06/2023 2:00 PM`, and then as the computer's language has it.
_OLD_DATE = re.compile(r"(\d{1,2})-([^\W\d_]{3,5})\.?-(\d{2}) (\d{1,2}):(\d{2})(?: ([AP]M))?$")
_NUMBERS = re.compile(
    rf"(?P<first>\d{{1,4}})[./-] ?(?P<middle>\d{{1,2}})[./-] ?(?P<last>\d{{1,4}})\.?,?{SPACE}"
    rf"(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})(?:[:.](?P<second>\d{{2}}))?"
    rf"(?:{SPACE}?(?P<after>{HALF_DAY}))?$"
)
_ORDERS = (DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR, DateOrder.YEAR_MONTH_DAY)
_REACTION = re.compile(r"([^,]+?) \((\d{1,7})\)(?:,|$)")


class DiscordCsv:
    """Reads what DiscordChatExporter writes as CSV."""

    format = "discord-csv"
    app = "discord"
    package = "com.discord"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the six columns, which no other program names so."""
        return claim_text(source, (Content.TEXT,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the channel of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    first = head.lstrip("\ufeff").partition("\n")[0]
    return 95 if first.strip().replace('"', "") == _HEADER else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    stem = posixpath.splitext(posixpath.basename(name))[0]
    found = CHANNEL.match(stem)
    key, title = (found["id"], found["title"]) if found else (stem, stem)
    # A conversation between two is filed under `Direct Messages`.
    kind = ConversationKind.PRIVATE if title.startswith("Direct Messages - ") else ConversationKind.GROUP
    people = People()
    yield Conversation(key, title, kind, (), locator=Locator(name))
    order, is_certain = _order(source, name)
    damage = TextDamage(name)
    for row in csv_rows(source, name, damage=damage):
        message = _message(source, name, row, key, order)
        people.saw(message.sender_id, message.sender_name)
        yield message
    yield Conversation(key, title, kind, people.participants(), locator=Locator(name))
    if not is_certain:
        yield Finding("date-order-assumed", Severity.WARNING, Locator(name), {"order": order.spelt})
    yield from damage.findings()


def _order(source: SourceFiles, name: str) -> tuple[DateOrder, bool]:
    """Return the order of the dates, and whether it is certain. A file whose first row has a date that needs none is not read twice."""
    evidence = OrderEvidence()
    rows = slashes = 0
    # The reading meets what is broken again, and tells it.
    for row in csv_rows(source, name, damage=TextDamage(name)):
        written = row.values["Date"]
        found = _NUMBERS.match(written)
        if found is None and not rows and (iso_to_us(written)[0] is not None or _OLD_DATE.match(written)):
            break
        if found:
            rows += 1
            slashes += "/" in written and found["after"] is not None
            evidence.saw((int(found["first"]), int(found["middle"]), int(found["last"])))
    # A tie only: slashes with a clock of twelve hours are those of the United States.
    order, is_certain = evidence.settle((_ORDERS[1], _ORDERS[0], _ORDERS[2]) if slashes else _ORDERS)
    return order, is_certain or not rows


def _message(source: SourceFiles, name: str, row: Row, key: str, order: DateOrder) -> Message:
    written = row.values["Date"]
    ts_us, has_zone = iso_to_us(written)
    precision = Precision.MILLISECOND
    if ts_us is None:
        ts_us, precision = _old_time(written, order), Precision.MINUTE
    media = tuple(_media(source, name, row.values["Attachments"]))
    return Message(
        conversation=key,
        locator=row.locator,
        raw=row.raw,
        ts_utc_us=ts_us,
        ts_precision=precision,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=written,
        sender_id=row.values["AuthorID"] or None,
        sender_name=row.values["Author"] or None,
        kind=media[0].role if media else MessageKind.TEXT,
        text=row.values["Content"],
        reactions=tuple(
            Reaction(symbol, count=int(count)) for symbol, count in _REACTION.findall(row.values["Reactions"])
        ),
        media=media,
    )


def _old_time(written: str, order: DateOrder) -> int | None:
    if found := _NUMBERS.match(written):
        day = order.day_number((int(found["first"]), int(found["middle"]), int(found["last"])))
        clock = (int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
        second = seconds_of_day(*clock, found["before"] or found["after"])
    else:
        match = _OLD_DATE.match(written)
        month = month_of(match[2]) if match else None
        if match is None or month is None:
            return None
        day = DateOrder.YEAR_MONTH_DAY.day_number((2000 + int(match[3]), month, int(match[1])))
        second = seconds_of_day(int(match[4]), int(match[5]), 0, match[6])
    return None if day is None or second is None else (day * 86_400 + second) * 1_000_000


def _media(source: SourceFiles, name: str, written: str) -> Iterator[Media]:
    for reference in filter(None, written.split(",")):
        shown, state = reference, MediaState.OMITTED
        if not is_link(reference):
            found, state = find_media(source, name, reference)
            shown = found if state is MediaState.PRESENT else reference
        yield Media(shown, state, role_of_name(shown.partition("?")[0]))
