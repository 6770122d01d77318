"""Google Chat from Takeout: `Groups/<DM or Space id>/messages.json`.

Times are English sentences in UTC, in newer files with a narrow space before PM; there is no number to read instead.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

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
from backupkit.chats.reading.json_records import Record, claim_json, records_in, small_json
from backupkit.chats.reading.media_files import find_media, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, list_of, name_of, text_of, within_time
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.named_day import day_in
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, seconds_of_day

_CLOCK = re.compile(
    rf"(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})(?:[:.]|시{SPACE})(?P<minute>\d{{1,2}})(?:[:.]|분{SPACE})(?P<second>\d{{1,2}})초?(?:{SPACE}?(?P<after>{HALF_DAY}))?"
)
_DATED = {"created_date", "updated_date", "message_state"}


class GoogleChat:
    """Reads Google Chat's part of a Takeout."""

    format = "google-chat"
    app = "google-chat"
    package = "com.google.android.apps.dynamite"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for creators, dates and topics."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the group of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    messages = [dict_of(message) for message in list_of(dict_of(sample).get("messages"))]
    # What was deleted may have neither creator nor date.
    return 95 if any({"topic_id", "message_id"} <= one.keys() and _DATED & one.keys() for one in messages) else 0


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
    """Read a date in the words of the account's language: `Monday, August 25, 2014 at 5:29:21 PM UTC`, `2014年8月25日… UTC 17:29:21`."""
    clock = _CLOCK.search(text)
    if clock is None:
        return None, UNKNOWN_ZONE
    hour, minute, second = (int(clock[part]) for part in ("hour", "minute", "second"))
    of_day = seconds_of_day(hour, minute, second, clock["before"] or clock["after"])
    rest = f"{text[: clock.start()]} {text[clock.end() :]}"
    day = day_in(rest)
    if of_day is None or day is None:
        return None, UNKNOWN_ZONE
    return within_time((day * 86_400 + of_day) * 1_000_000), UTC_ZONE if "UTC" in rest else UNKNOWN_ZONE


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
