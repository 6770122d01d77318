"""Google Chat from Takeout: `Groups/<DM or Space id>/messages.json`.

Times are English sentences in UTC, in newer files with a narrow space before PM; there is no number to read instead.
"""

import posixpath
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from backupkit.chats.json_fields import dict_of, list_of, name_of, text_of, within_time
from backupkit.chats.json_records import Record, claim_json, records_in, small_json
from backupkit.chats.media_files import find_media, role_of_name
from backupkit.chats.model import (
    UNKNOWN_ZONE,
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Edit,
    Finding,
    Locator,
    Media,
    Message,
    MessageKind,
    Participant,
    Precision,
    Reaction,
)
from backupkit.chats.reader import Recognition, Told, read_each
from backupkit.chats.source import SourceFiles
from backupkit.chats.wall_time import SPACE, is_afternoon

_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_DATE = re.compile(
    rf"(?:\w+day,?{SPACE})?(?:(?P<month>[A-Z]\w+){SPACE}(?P<day>\d{{1,2}})|(?P<day_2>\d{{1,2}}){SPACE}(?P<month_2>[A-Z]\w+)),?"
    rf"{SPACE}(?P<year>\d{{4}}){SPACE}at{SPACE}(?P<hour>\d{{1,2}}):(?P<minute>\d\d):(?P<second>\d\d)"
    rf"(?:{SPACE}(?P<half>[AaPp]\.?[Mm]\.?))?(?:{SPACE}(?P<zone>\w+))?$"
)


class GoogleChat:
    """Reads Google Chat's part of a Takeout."""

    format = "google-chat"
    app = "google-chat"
    package = "com.google.android.apps.dynamite"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for creators, English dates and topics."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the group of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    messages = list_of(dict_of(sample).get("messages"))
    first = dict_of(messages[0]) if messages else {}
    marks = {"created_date", "topic_id", "message_id", "creator"} & first.keys()
    return 95 if len(marks) >= 3 and "created_date" in marks else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    folder = posixpath.dirname(name)
    info = dict_of(small_json(source, posixpath.join(folder, "group_info.json")))
    label = posixpath.basename(folder)
    key = label.partition(" ")[2] or label or _first_group(source, name) or name
    people = tuple(
        Participant(text_of(person.get("email")), text_of(person.get("name")))
        for person in map(dict_of, list_of(info.get("members")))
    )
    kind = ConversationKind.PRIVATE if label.startswith("DM ") else ConversationKind.GROUP
    yield Conversation(
        key, text_of(info.get("name")), kind if label else ConversationKind.UNKNOWN, people, locator=Locator(name)
    )
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            yield _message(source, name, found, key)


def _first_group(source: SourceFiles, name: str) -> str | None:
    messages = list_of(dict_of(source.json_sample(name)).get("messages"))
    identity = text_of(dict_of(messages[0]).get("message_id")) if messages else None
    return identity.partition("/")[0] if identity and "/" in identity else None


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    creator = dict_of(value.get("creator"))
    ts_us, zone = _when(text_of(value.get("created_date")) or text_of(value.get("updated_date")) or "")
    media = tuple(_media(source, name, value))
    edited = text_of(value.get("updated_date")) if "created_date" in value else None
    is_deleted = text_of(value.get("message_state")) == "DELETED"
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.SECOND,
        ts_zone=zone,
        ts_raw=text_of(value.get("created_date")) or "",
        native_id=name_of(value.get("message_id")),
        sender_id=text_of(creator.get("email")),
        sender_name=text_of(creator.get("name")),
        kind=MessageKind.RECALL if is_deleted else media[0].role if media else MessageKind.TEXT,
        text=text_of(value.get("text")) or "",
        edits=() if edited is None else (Edit(_when(edited)[0]),),
        deletion=DeletionState.TOMBSTONE if is_deleted else DeletionState.NONE,
        reactions=tuple(_reactions(value.get("reactions"))),
        media=media,
    )


def _when(text: str) -> tuple[int | None, str]:
    match = _DATE.match(text)
    if match is None:
        return None, UNKNOWN_ZONE
    part = match.groupdict()
    month = part["month"] or part["month_2"]
    hour = int(part["hour"])
    if part["half"]:
        hour = hour % 12 + (12 if is_afternoon(part["half"]) else 0)
    if month not in _MONTHS:
        return None, UNKNOWN_ZONE
    try:
        moment = datetime(
            int(part["year"]),
            _MONTHS.index(month) + 1,
            int(part["day"] or part["day_2"]),
            hour,
            int(part["minute"]),
            int(part["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None, UNKNOWN_ZONE
    return within_time(int(moment.timestamp()) * 1_000_000), UTC_ZONE if part["zone"] == "UTC" else UNKNOWN_ZONE


def _media(source: SourceFiles, name: str, value: dict[str, Any]) -> Iterator[Media]:
    for item in map(dict_of, list_of(value.get("attached_files"))):
        original = text_of(item.get("original_name"))
        reference = text_of(item.get("export_name")) or original
        if reference:
            found, state = find_media(source, name, reference)
            yield Media(found, state, role_of_name(original or reference))


def _reactions(value: Any) -> Iterator[Reaction]:
    for reaction in map(dict_of, list_of(value)):
        people = list_of(reaction.get("reactor_emails"))
        yield Reaction(text_of(dict_of(reaction.get("emoji")).get("unicode")) or "", count=len(people) or 1)
