"""QQ chats as QQChatExporter writes them to JSON: one file, or a manifest with its messages in parts beside it.

The manifest lists its parts and how many messages each holds, so that a missing part is told.
"""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backupkit.chats.model import (
    UNKNOWN_ZONE,
    UTC_ZONE,
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
    Precision,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.readers.qq_words import answered_by, words_of
from backupkit.chats.reading.json_lines import json_line_values
from backupkit.chats.reading.json_records import Record, claim_json, facts_around, records_in
from backupkit.chats.reading.media_files import find_media_above, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import (
    dict_of,
    int_of,
    iso_to_us,
    list_of,
    milliseconds_to_us,
    name_of,
    text_of,
)
from backupkit.chats.sources.source import SourceFiles

_RESOURCES = {
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "voice": MessageKind.VOICE,
    "audio": MessageKind.VOICE,
    "file": MessageKind.FILE,
}
_KINDS = {"group": ConversationKind.GROUP, "private": ConversationKind.PRIVATE, "friend": ConversationKind.PRIVATE}


class QqExporter:
    """Reads the JSON of QQChatExporter."""

    format = "qq-exporter"
    app = "qq"
    package = "com.tencent.mobileqq"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's name, the chat and its messages, or the list of its parts."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chat of every claimed file."""
        shared = _titles_of_several(source, recognition.files)
        return read_each(recognition.files, lambda name: _read_file(source, name, shared))


def _titles_of_several(source: SourceFiles, names: Iterable[str]) -> set[str]:
    """Return the titles that more than one chat without a number has."""
    chats = [dict_of(dict_of(source.json_sample(name)).get("chatInfo")) for name in names]
    titles = Counter(text_of(about.get("name")) for about in chats if _number_of(about) is None)
    return {title for title, files in titles.items() if title and files > 1}


def _number_of(about: dict[str, Any]) -> str | None:
    return name_of(about.get("peerUin")) or name_of(about.get("peerUid"))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    made_by = text_of(dict_of(root.get("metadata")).get("name")) or ""
    if not isinstance(root.get("chatInfo"), dict) or not (isinstance(root.get("messages"), list) or _has_parts(root)):
        return 0
    if "QQChatExporter" in made_by:
        return 96
    first = dict_of(next(iter(list_of(root.get("messages"))), None))
    return 85 if isinstance(first.get("sender"), dict) and isinstance(first.get("content"), dict) else 0


def _has_parts(root: dict[str, Any]) -> bool:
    return isinstance(dict_of(root.get("chunked")).get("chunks"), list)


@dataclass(slots=True)
class _Chat:
    """The chat of one file while it is read."""

    name: str
    key: str
    title: str | None
    kind: ConversationKind
    owner: frozenset[str]
    declared: int | None
    people: People

    def conversation(self) -> Conversation:
        return Conversation(
            self.key, self.title, self.kind, self.people.participants(), self.declared, Locator(self.name)
        )


def _read_file(source: SourceFiles, name: str, shared: set[str]) -> Iterator[Told]:
    facts = facts_around(source, name, "messages")
    about, statistics = dict_of(facts.get("chatInfo")), dict_of(facts.get("statistics"))
    title = text_of(about.get("name"))
    owner = {found for field in ("selfUin", "selfUid") if (found := name_of(about.get(field)))}
    chat = _Chat(
        name,
        # A file's name changes with every export. But two chats may have one title, and their messages must not be mixed.
        _number_of(about) or (title if title and title not in shared else name),
        title,
        _KINDS.get(text_of(about.get("type")) or "", ConversationKind.UNKNOWN),
        frozenset(owner),
        int_of(statistics.get("totalMessages")),
        People(),
    )
    yield chat.conversation()
    if _has_parts(facts):
        yield from _read_parts(source, chat, facts)
    else:
        for one in records_in(source, name, "messages"):
            if isinstance(one, Finding):
                yield one
            elif isinstance(one, Record):
                yield _message(source, chat, one)
    yield chat.conversation()


def _read_parts(source: SourceFiles, chat: _Chat, facts: dict[str, Any]) -> Iterator[Told]:
    folder, chunked = posixpath.dirname(chat.name), dict_of(facts.get("chunked"))
    absent: list[str] = []
    present: list[str] = []
    named = (
        {"fileName": chunk} if isinstance(chunk, str) else dict_of(chunk) for chunk in list_of(chunked.get("chunks"))
    )
    for chunk in named:
        file = text_of(chunk.get("relativePath")) or posixpath.join(
            text_of(chunked.get("chunksDir")) or "chunks", text_of(chunk.get("fileName")) or ""
        )
        part = posixpath.normpath(posixpath.join(folder, file))
        (absent if source.size(part) is None else present).append(part)
    yield from read_each(present, lambda part: _read_part(source, chat, part))
    if absent:
        yield Finding("shard-missing", Severity.ERROR, Locator(chat.name), {"name": absent[0], "count": len(absent)})


def _read_part(source: SourceFiles, chat: _Chat, part: str) -> Iterator[Told]:
    for value, raw, locator in json_line_values(source, part):
        if isinstance(value, dict):
            yield _message(source, chat, Record(value, raw, locator))
        else:
            yield Finding("record-not-understood", Severity.WARNING, locator)


def _message(source: SourceFiles, chat: _Chat, record: Record) -> Message:
    value = record.value
    sender, content, raw = (dict_of(value.get(field)) for field in ("sender", "content", "rawMessage"))
    person = name_of(sender.get("uin")) or name_of(sender.get("uid")) or name_of(raw.get("senderUin"))
    name = text_of(raw.get("sendMemberName")) or text_of(raw.get("sendNickName")) or text_of(sender.get("name"))
    is_system = value.get("isSystemMessage") is True or value.get("system") is True
    is_recalled = value.get("isRecalled") is True or value.get("recalled") is True
    is_own = person in chat.owner or name_of(sender.get("uid")) in chat.owner
    media = tuple(_media(source, record.locator.file, dict_of(one)) for one in list_of(content.get("resources"))[:1000])
    kind = media[0].role if media else MessageKind.TEXT
    if is_recalled:
        kind = MessageKind.RECALL
    elif is_system:
        kind = MessageKind.SYSTEM
    if not is_system:
        chat.people.saw(person, name, is_owner=is_own)
    ts_us, zone = milliseconds_to_us(value.get("timestamp")), UTC_ZONE
    if ts_us is None:
        ts_us, has_zone = iso_to_us(value.get("timestamp"))
        zone = UTC_ZONE if has_zone else UNKNOWN_ZONE
    direction = Direction.UNKNOWN if not chat.owner else Direction.OUT if is_own else Direction.IN
    return Message(
        conversation=chat.key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.SECOND,
        ts_zone=zone,
        ts_raw=str(value.get("timestamp", "")),
        native_id=name_of(value.get("messageId")) or name_of(value.get("id")),
        native_seq=int_of(value.get("messageSeq")) or int_of(value.get("seq")),
        sender_id=person,
        sender_name=name,
        direction=Direction.SYSTEM if is_system else direction,
        kind=kind,
        native_kind=name_of(value.get("messageType")) or text_of(value.get("type")) or "",
        text=words_of(content),
        reply_to=answered_by(content),
        deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
        media=media,
    )


def _media(source: SourceFiles, file: str, resource: dict[str, Any]) -> Media:
    shown = next((found for field in ("filename", "fileName", "name") if (found := text_of(resource.get(field)))), "")
    reference = next((found for field in ("localPath", "path", "url") if (found := text_of(resource.get(field)))), "")
    role = _RESOURCES.get(text_of(resource.get("type")) or "", role_of_name(shown or reference))
    size_bytes = int_of(resource.get("size"))
    if not reference or is_link(reference):
        return Media(shown or reference or role.value, MediaState.OMITTED, role, size_bytes=size_bytes)
    name, state = find_media_above(source, file, reference)
    return Media(name, state, role, size_bytes=size_bytes)
