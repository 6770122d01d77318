"""Google Chat from Takeout: `Groups/<DM or Space id>/messages.json`.

Times are English sentences in UTC, in newer files with a narrow space before PM; there is no number to read instead.
A message that was changed tells when it was written only in its earlier versions. Of files that share a name, the later
ones lie on the disk with a number, of which the messages say nothing.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backupkit.chats.model import (
    UNKNOWN_ZONE,
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Edit,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Reaction,
)
from backupkit.chats.readers.google_words import words_of
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
_NOT_IN_NAMES = re.compile(r"[?*:<>|\"&%'\\]")
_MOST_NAMES = 200_000
_MOST_VERSIONS = 1000
_MOST_OWNERS = 100


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
        owners = _owners(source)
        return read_each(recognition.files, lambda name: _read_file(source, name, owners))


def _certainty(sample: Any) -> int:
    messages = [dict_of(message) for message in list_of(dict_of(sample).get("messages"))]
    # What was deleted may have neither creator nor date.
    return 95 if any({"topic_id", "message_id"} <= one.keys() and _DATED & one.keys() for one in messages) else 0


def _read_file(source: SourceFiles, name: str, owners: dict[str, str]) -> Iterator[Told]:
    folder = posixpath.dirname(name)
    info = dict_of(small_json(source, posixpath.join(folder, "group_info.json")))
    label = posixpath.basename(folder)
    key = label.partition(" ")[2] or label or _first_group(source, name) or name
    owner = owners.get(_above(folder, 2))
    people = tuple(
        Participant(email, text_of(person.get("name")), is_owner=email is not None and email == owner)
        for person in map(dict_of, list_of(info.get("members")))
        for email in (text_of(person.get("email")),)
    )
    kind = ConversationKind.PRIVATE if label.startswith("DM ") else ConversationKind.GROUP
    others = [one.name for one in people if not one.is_owner]
    title = text_of(info.get("name")) or (
        others[0] if kind is ConversationKind.PRIVATE and owner and len(others) == 1 else None
    )
    yield Conversation(key, title, kind if label else ConversationKind.UNKNOWN, people, locator=Locator(name))
    group = _Group(source, name, key, owner)
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            yield _message(group, found)


def _owners(source: SourceFiles) -> dict[str, str]:
    """Return the address of the account that a Takeout is of, which tells it beside the groups, by the folder of both."""
    found: dict[str, str] = {}
    doubtful = set()
    for name in source.called("user_info.json")[:_MOST_OWNERS]:
        email = text_of(dict_of(dict_of(small_json(source, name)).get("user")).get("email"))
        root = _above(name, 3)
        if email and found.setdefault(root, email) != email:
            doubtful.add(root)
    return {root: email for root, email in found.items() if root not in doubtful}


def _above(name: str, levels: int) -> str:
    for _level in range(levels):
        name = posixpath.dirname(name)
    return name


@dataclass(slots=True)
class _Group:
    source: SourceFiles
    name: str
    key: str
    owner: str | None
    used: Counter[str] = field(default_factory=Counter)


def _first_group(source: SourceFiles, name: str) -> str | None:
    messages = list_of(dict_of(source.json_sample(name)).get("messages"))
    identity = text_of(dict_of(messages[0]).get("message_id")) if messages else None
    return identity.partition("/")[0] if identity and "/" in identity else None


def _message(group: _Group, record: Record) -> Message:
    value = record.value
    creator = dict_of(value.get("creator"))
    sender = text_of(creator.get("email"))
    versions = _versions(value)
    written = _written(value, versions)
    ts_us, zone = _when(written)
    media = tuple(_media(group, value))
    is_deleted = text_of(value.get("message_state")) == "DELETED"
    shown, is_call = words_of(value.get("annotations"))
    text = text_of(value.get("text")) or ""
    kind = MessageKind.CALL if is_call and not text else MessageKind.LINK if shown and not text else MessageKind.TEXT
    return Message(
        conversation=group.key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.SECOND,
        ts_zone=zone,
        ts_raw=written,
        native_id=name_of(value.get("message_id")),
        sender_id=sender,
        sender_name=text_of(creator.get("name")),
        direction=_direction(group.owner, creator, sender),
        kind=MessageKind.RECALL if is_deleted else media[0].role if media else kind,
        text=text or shown,
        reply_to=name_of(dict_of(value.get("quoted_message_metadata")).get("message_id")),
        edits=tuple(_edits(value, versions)),
        deletion=DeletionState.TOMBSTONE if is_deleted else DeletionState.NONE,
        reactions=tuple(_reactions(value.get("reactions"))),
        media=media,
    )


def _direction(owner: str | None, creator: dict[str, Any], sender: str | None) -> Direction:
    if owner is None or not creator:
        return Direction.UNKNOWN
    return Direction.OUT if sender == owner else Direction.IN


def _versions(value: dict[str, Any]) -> list[dict[str, Any]]:
    found = [dict_of(one) for one in list_of(value.get("previous_message_versions"))[:_MOST_VERSIONS]]
    return sorted(found, key=lambda one: _when(_written(one, []))[0] or 0)


def _written(value: dict[str, Any], versions: list[dict[str, Any]]) -> str:
    """Return the date at which a message was written, which one that was changed tells in an earlier version."""
    told = (text_of(one.get("created_date")) for one in (value, *versions))
    return next((date for date in told if date), text_of(value.get("updated_date")) or "")


def _edits(value: dict[str, Any], versions: list[dict[str, Any]]) -> Iterator[Edit]:
    """Tell the earlier versions, each with the time at which the next one took its place."""
    later = [*versions, value][1:]
    for version, after in zip(versions, later, strict=True):
        yield Edit(_when(text_of(after.get("updated_date")) or "")[0], text_of(version.get("text")) or "")
    updated = text_of(value.get("updated_date"))
    if updated and not versions and "created_date" in value:
        yield Edit(_when(updated)[0])


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


def _media(group: _Group, value: dict[str, Any]) -> Iterator[Media]:
    for item in map(dict_of, list_of(value.get("attached_files"))):
        original = text_of(item.get("original_name"))
        reference = text_of(item.get("export_name")) or original
        if reference:
            found, state = _find(group, reference)
            yield Media(found, state, role_of_name(original or reference))


def _find(group: _Group, reference: str) -> tuple[str, MediaState]:
    """Find a file, which on the disk has no signs that names may not have, and a number where its name was taken."""
    earlier = group.used[reference]
    if earlier or len(group.used) < _MOST_NAMES:
        group.used[reference] += 1
    written = _NOT_IN_NAMES.sub("_", reference)
    stem, dot, ending = written.rpartition(".")
    first, numbered = (
        find_media(group.source, group.name, f"{stem}({number}){dot}{ending}" if dot else f"{ending}({number})")
        for number in (1, earlier)
    )
    # Where no file has a number there was one of this name.
    if earlier and first[1] is not MediaState.MISSING:
        return numbered
    found = find_media(group.source, group.name, reference)
    return find_media(group.source, group.name, written) if found[1] is MediaState.MISSING else found


def _reactions(value: Any) -> Iterator[Reaction]:
    for reaction in map(dict_of, list_of(value)):
        emoji = dict_of(reaction.get("emoji"))
        custom = text_of(dict_of(emoji.get("custom_emoji")).get("short_code"))
        symbol = text_of(emoji.get("unicode")) or custom or ""
        people = [text_of(one) for one in list_of(reaction.get("reactor_emails"))]
        yield from (Reaction(symbol, one) for one in people or [None])
