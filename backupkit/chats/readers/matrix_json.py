"""Element's JSON export of a Matrix room: the raw events of the room.

Redactions and reactions are events of their own. What could not be decrypted appears as `m.room.encrypted`, or as a message that
says so; it is counted and told, because those words are lost to whoever holds only this file.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    DeletionState,
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
from backupkit.chats.reading.json_records import Around, Record, claim_json, facts_around, records_in
from backupkit.chats.reading.media_files import find_media
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

_ROLES = {
    "m.image": MessageKind.IMAGE,
    "m.video": MessageKind.VIDEO,
    "m.audio": MessageKind.VOICE,
    "m.file": MessageKind.FILE,
}
_KINDS = {
    "m.sticker": MessageKind.STICKER,
    "m.reaction": MessageKind.OTHER,
    "m.room.redaction": MessageKind.OTHER,
    "m.room.encrypted": MessageKind.OTHER,
    "m.poll.start": MessageKind.POLL,
    "org.matrix.msc3381.poll.start": MessageKind.POLL,
    "m.call.invite": MessageKind.CALL,
    "m.call.hangup": MessageKind.CALL,
}


# What the app shows in the place of a message that it has no key for.
_SEALED = "m.bad.encrypted"
# Where the app puts media, under their names with the time behind.
_FOLDERS = {"m.image": "images", "m.video": "videos", "m.audio": "audio", "m.sticker": "stickers"}


class MatrixJson:
    """Reads `export.json` of Element."""

    format = "matrix-json"
    app = "element"
    package = "im.vector.app"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for Matrix events under `messages`, with the facts of the room around them."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the room of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    first = dict_of(list_of(root.get("messages"))[0]) if list_of(root.get("messages")) else {}
    is_event = {"event_id", "origin_server_ts", "type"} <= first.keys()
    is_room = "room_name" in root or "exported_by" in root
    if is_event:
        return 95 if is_room else 80
    return 80 if {"room_name", "exported_by", "messages"} <= root.keys() and not first else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    facts = facts_around(source, name, "messages")
    first = dict_of(dict_of(source.json_sample(name)).get("messages") and source.json_sample(name)["messages"][0])
    title = text_of(facts.get("room_name"))
    key = name_of(first.get("room_id")) or title or name
    people = People()
    yield Conversation(key, title, locator=Locator(name))
    encrypted = 0
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            message = _message(source, name, found, key)
            is_sealed = message.native_kind == "m.room.encrypted" or _msgtype(found) == _SEALED
            encrypted += is_sealed and message.deletion is DeletionState.NONE
            people.saw(message.sender_id, message.sender_name)
            yield message
        elif isinstance(found, Around):
            continue
    yield Conversation(key, title, participants=people.participants(), locator=Locator(name))
    if encrypted:
        yield Finding("undecryptable", Severity.ERROR, Locator(name), {"conversation": key, "count": encrypted})


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    content = dict_of(value.get("content"))
    native_kind = text_of(value.get("type")) or ""
    msgtype = text_of(content.get("msgtype")) or ""
    relates = dict_of(content.get("m.relates_to"))
    answered = name_of(dict_of(relates.get("m.in_reply_to")).get("event_id"))
    is_redacted = bool(dict_of(dict_of(value.get("unsigned")).get("redacted_because"))) or "redacted_because" in value
    media = tuple(_media(source, name, content)) if native_kind in {"m.room.message", "m.sticker"} else ()
    reaction = text_of(relates.get("key")) if native_kind == "m.reaction" else None
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=milliseconds_to_us(value.get("origin_server_ts")),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("origin_server_ts", "")),
        native_id=name_of(value.get("event_id")),
        sender_id=name_of(value.get("sender")),
        sender_name=text_of(dict_of(value.get("sender_profile")).get("displayname")),
        kind=MessageKind.RECALL if is_redacted else _kind(native_kind, msgtype, media),
        native_kind=native_kind,
        text=_without_quote(text_of(content.get("body")) or "") if answered else text_of(content.get("body")) or "",
        reply_to=answered or name_of(relates.get("event_id")),
        deletion=DeletionState.RECALLED if is_redacted else DeletionState.NONE,
        reactions=() if reaction is None else (Reaction(reaction, name_of(value.get("sender"))),),
        media=media,
    )


def _without_quote(body: str) -> str:
    """Leave out the answered message, which older apps put in front of an answer for those that know no answers."""
    if not body.startswith(("> <@", "> * <@")):
        return body
    lines = body.split("\n")
    end = next((at for at, line in enumerate(lines) if not line.startswith(">")), None)
    return body if end is None or lines[end] else "\n".join(lines[end + 1 :])


def _msgtype(record: Record) -> str:
    return text_of(dict_of(record.value.get("content")).get("msgtype")) or ""


def _kind(native_kind: str, msgtype: str, media: tuple[Media, ...]) -> MessageKind:
    if native_kind == "m.room.message":
        if media:
            return media[0].role
        if msgtype == _SEALED:
            return MessageKind.OTHER
        return MessageKind.LOCATION if msgtype == "m.location" else MessageKind.TEXT
    return _KINDS.get(native_kind, MessageKind.SYSTEM)


def _dated(source: SourceFiles, folder: str, stem: str) -> str | None:
    """Find a file by its name in front of the time, which the app writes in the user's language. Of several, none is certain."""
    stems = source.keep(
        f"matrix {folder}", lambda _stack: sorted(one for one in source.names() if posixpath.dirname(one) == folder)
    )
    beginning = f"{folder}/{stem}-"
    at = bisect_left(stems, beginning)
    fitting = [one for one in stems[at : at + 2] if one.startswith(beginning)]
    return fitting[0] if len(fitting) == 1 else None


def _media(source: SourceFiles, name: str, content: dict[str, Any]) -> Iterator[Media]:
    role = _ROLES.get(text_of(content.get("msgtype")) or "")
    link = text_of(content.get("url")) or text_of(dict_of(content.get("file")).get("url"))
    if role is None and link is None:
        return
    info = dict_of(content.get("info"))
    shown = text_of(content.get("filename")) or text_of(content.get("body")) or link or ""
    found, state = find_media(source, name, shown) if shown and "\n" not in shown else (shown, MediaState.MISSING)
    if state is MediaState.MISSING:
        folder = _FOLDERS.get(text_of(content.get("msgtype")) or ("m.sticker" if role is None else ""), "files")
        dated = _dated(source, posixpath.join(posixpath.dirname(name), folder), posixpath.splitext(shown)[0])
        if dated is not None:
            found, state = dated, MediaState.PRESENT if source.size(dated) else MediaState.CORRUPT
    if state is MediaState.MISSING:
        state = MediaState.OMITTED
    yield Media(found, state, role or MessageKind.STICKER, text_of(info.get("mimetype")), int_of(info.get("size")))
