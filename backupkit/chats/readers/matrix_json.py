"""Element's JSON export of a Matrix room: the raw events of the room.

Edits, reactions and redactions are events of their own, and are told with the message that they change. What could not be decrypted
appears as `m.room.encrypted`, or as a message that says so; it is counted and told, because those words are lost to whoever holds only
this file. The events name people by their ids; what these are called stands in the events of their coming.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    DeletionState,
    Direction,
    Edit,
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
from backupkit.chats.people import MAX_PEOPLE, People
from backupkit.chats.readers.matrix_changes import Changes, is_lost_in_edit
from backupkit.chats.readers.matrix_words import POLLS, words_of
from backupkit.chats.reading.json_records import Around, Record, claim_json, records_in
from backupkit.chats.reading.media_files import find_media
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.sources.source import SourceFiles
from backupkit.errors import Fact

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
    **dict.fromkeys(POLLS, MessageKind.POLL),
    "m.call.invite": MessageKind.CALL,
    "m.call.hangup": MessageKind.CALL,
}
_SAID = {"m.room.message", "m.sticker", *POLLS}
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
    room = _Room(source, name)
    yield room.conversation()
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            yield from room.event(found)
    yield room.conversation()
    yield from room.undecryptable()


class _Room:
    """One room while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        self._source = source
        self._name = name
        self._changes = Changes()
        facts = dict(_facts(source, name, self._changes))
        sample = dict_of(source.json_sample(name))
        first = dict_of(next(iter(list_of(sample.get("messages"))), None))
        self._title = text_of(facts.get("room_name"))
        self._key = name_of(first.get("room_id")) or self._title or name
        # Whoever goes by no other name is written by their id here.
        self._owner = text_of(facts.get("exported_by"))
        self._names: dict[str, str] = {}
        self._people = People()
        self._sealed = 0

    def conversation(self) -> Conversation:
        people = self._people.participants()
        return Conversation(self._key, self._title, participants=people, locator=Locator(self._name))

    def undecryptable(self) -> Iterator[Finding]:
        if self._sealed:
            facts: dict[str, Fact] = {"conversation": self._key, "count": self._sealed}
            yield Finding("undecryptable", Severity.ERROR, Locator(self._name), facts)

    def event(self, record: Record) -> Iterator[Message]:
        if self._changes.is_told(record.value):
            return
        message = self._message(record)
        is_sealed = (
            message.native_kind == "m.room.encrypted"
            or _msgtype(record.value) == _SEALED
            or is_lost_in_edit(record.value)
        )
        self._sealed += is_sealed and message.deletion is DeletionState.NONE
        self._people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
        yield message

    def _message(self, record: Record) -> Message:
        value = record.value
        native_kind = text_of(value.get("type")) or ""
        sender, state_key = name_of(value.get("sender")), text_of(value.get("state_key"))
        changed = self._changes.of(value)
        content = changed.content
        relates = dict_of(dict_of(value.get("content")).get("m.relates_to"))
        is_redacted = changed.is_redacted or _is_redacted(value)
        media = tuple(_media(self._source, self._name, content)) if native_kind in _SAID else ()
        reaction = text_of(relates.get("key")) if native_kind == "m.reaction" else None
        reactions = changed.reactions if reaction is None else (Reaction(reaction, sender),)
        if native_kind == "m.room.member":
            self._named(state_key, text_of(content.get("displayname")))
        return Message(
            conversation=self._key,
            locator=record.locator,
            raw=record.raw,
            ts_utc_us=milliseconds_to_us(value.get("origin_server_ts")),
            ts_precision=Precision.MILLISECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(value.get("origin_server_ts", "")),
            native_id=name_of(value.get("event_id")),
            sender_id=sender,
            sender_name=text_of(dict_of(value.get("sender_profile")).get("displayname"))
            or self._names.get(sender or ""),
            direction=self._direction(sender, native_kind),
            kind=_kind(native_kind, _msgtype(value), media, is_redacted=is_redacted),
            native_kind=native_kind,
            text=_shown(native_kind, content, state_key, is_answer="m.in_reply_to" in relates),
            reply_to=_answered(relates),
            edits=tuple(
                Edit(
                    ts_us,
                    None
                    if before is None
                    else _shown(native_kind, before, state_key, is_answer="m.in_reply_to" in relates),
                )
                for ts_us, before in changed.earlier
            ),
            deletion=DeletionState.RECALLED if is_redacted else DeletionState.NONE,
            reactions=reactions,
            media=media,
        )

    def _named(self, person: str | None, name: str | None) -> None:
        if person and name and (person in self._names or len(self._names) < MAX_PEOPLE):
            self._names[person] = name

    def _direction(self, sender: str | None, native_kind: str) -> Direction:
        if native_kind not in _SAID and native_kind not in _KINDS:
            return Direction.SYSTEM
        return Direction.OUT if sender is not None and sender == self._owner else Direction.UNKNOWN


def _facts(source: SourceFiles, name: str, changes: Changes) -> Iterator[tuple[str, Any]]:
    """Tell the facts beside the events, and note what these change. Damage ends the looking."""
    with suppress(MalformedExport):
        for found in records_in(source, name, "messages"):
            if isinstance(found, Around):
                yield found.key, found.value
            elif isinstance(found, Record):
                changes.saw(found.value, len(found.raw))


def _is_redacted(value: dict[str, Any]) -> bool:
    return bool(dict_of(dict_of(value.get("unsigned")).get("redacted_because"))) or "redacted_because" in value


def _answered(relates: dict[str, Any]) -> str | None:
    """Return what an event answers. In a thread that is, for apps that know no threads, the message before it, which nobody answered."""
    if relates.get("rel_type") == "m.thread" and relates.get("is_falling_back") is True:
        return None
    return name_of(dict_of(relates.get("m.in_reply_to")).get("event_id")) or (
        name_of(relates.get("event_id")) if relates.get("rel_type") != "m.thread" else None
    )


def _shown(native_kind: str, content: dict[str, Any], state_key: str | None, *, is_answer: bool) -> str:
    text = words_of(native_kind, content, state_key)
    return _without_quote(text) if is_answer else text


def _without_quote(body: str) -> str:
    """Leave out the answered message, which older apps put in front of an answer for those that know no answers."""
    if not body.startswith(("> <@", "> * <@")):
        return body
    lines = body.split("\n")
    end = next((at for at, line in enumerate(lines) if not line.startswith(">")), None)
    return body if end is None or lines[end] else "\n".join(lines[end + 1 :])


def _msgtype(value: dict[str, Any]) -> str:
    return text_of(dict_of(value.get("content")).get("msgtype")) or ""


def _kind(native_kind: str, msgtype: str, media: tuple[Media, ...], *, is_redacted: bool) -> MessageKind:
    # A reaction or a name that was taken back is no message that somebody took back.
    if is_redacted and (native_kind in _SAID or native_kind == "m.room.encrypted"):
        return MessageKind.RECALL
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
