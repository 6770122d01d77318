"""Discord's own data package: `messages/c<id>/messages.json` (older ones: `messages.csv`).

It holds only what the owner wrote. That is half of every conversation, so it is always told.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    OFFSET_ZONE,
    UTC_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Severity,
)
from backupkit.chats.reading.csv_rows import csv_rows
from backupkit.chats.reading.json_records import Record, claim_json, records_in, small_json
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, iso_to_us, list_of, name_of, text_of
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage

_CHANNEL = re.compile(r"c?\d{15,20}$")
_TWO = 2
_HEADER = b"ID,Timestamp,Contents,Attachments"


class DiscordPackage:
    """Reads the messages of a Discord data package."""

    format = "discord-package"
    app = "discord"
    package = "com.discord"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the four capitalised fields that only this package has."""
        claims = dict(claim_json(source, _certainty).claims)
        for name in source.called("messages.json"):
            # A channel in which its owner never wrote: what lies beside the empty list tells whose it is.
            if source.json_sample(name) == [] and _CHANNEL.match(posixpath.basename(posixpath.dirname(name))):
                channel = dict_of(small_json(source, posixpath.join(posixpath.dirname(name), "channel.json")))
                if {"id", "type"} <= channel.keys():
                    claims[name] = 85
        for name in source.of(Content.TEXT):
            if source.head(name, 64).removeprefix(b"\xef\xbb\xbf").startswith(_HEADER):
                claims[name] = 95
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one channel from every claimed file."""
        if recognition.files:
            yield Finding("own-messages-only", Severity.WARNING, Locator(recognition.files[0]))
        yield from read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    first = dict_of(list_of(sample)[0]) if list_of(sample) else {}
    return 95 if {"ID", "Timestamp", "Contents", "Attachments"} <= first.keys() else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    folder = posixpath.dirname(name)
    channel = dict_of(small_json(source, posixpath.join(folder, "channel.json")))
    key = name_of(channel.get("id")) or posixpath.basename(folder).removeprefix("c") or name
    titles = [text_of(dict_of(channel.get("guild")).get("name")), text_of(channel.get("name"))]
    if not any(titles):
        index = dict_of(small_json(source, posixpath.join(posixpath.dirname(folder), "index.json")))
        titles = [text_of(index.get(key))]
    yield Conversation(
        key,
        " / ".join(part for part in titles if part) or None,
        _kind_of(channel),
        locator=Locator(name),
    )
    is_csv = source.head(name, 64).removeprefix(b"\xef\xbb\xbf").startswith(_HEADER)
    damage = TextDamage(name)
    for record in _csv_records(source, name, damage) if is_csv else records_in(source, name, None):
        if isinstance(record, Record):
            yield _message(record, key)
        elif isinstance(record, Finding):
            yield record
    yield from damage.findings()


def _kind_of(channel: dict[str, Any]) -> ConversationKind:
    """Judge a channel by its type, which older packages number and newer ones name."""
    kind = name_of(channel.get("type"))
    if kind in {"1", "DM"}:
        return ConversationKind.PRIVATE
    if kind in {"3", "GROUP_DM"} or channel.get("guild"):
        return ConversationKind.GROUP
    return ConversationKind.PRIVATE if len(list_of(channel.get("recipients"))) == _TWO else ConversationKind.UNKNOWN


def _csv_records(source: SourceFiles, name: str, damage: TextDamage) -> Iterator[Record]:
    return (Record({**row.values}, row.raw, row.locator) for row in csv_rows(source, name, damage=damage))


def _message(record: Record, key: str) -> Message:
    value = record.value
    ts_us, has_zone = iso_to_us(value.get("Timestamp"))
    media = tuple(
        Media(link, MediaState.OMITTED, role_of_name(link))
        for link in (text_of(value.get("Attachments")) or "").split()
    )
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.SECOND,
        # The package's times are UTC whether or not they say so.
        ts_zone=OFFSET_ZONE if has_zone else UTC_ZONE,
        ts_raw=text_of(value.get("Timestamp")) or "",
        native_id=name_of(value.get("ID")),
        direction=Direction.OUT,
        kind=media[0].role if media else MessageKind.TEXT,
        text=text_of(value.get("Contents")) or "",
        media=media,
    )
