"""DiscordChatExporter's JSON: one channel in each file, the richest of all exports.

Snowflake ids are not contiguous, so a gap in them says nothing. What the file declares as its `messageCount` is compared
with what is there: partial files have been seen.
"""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
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
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.readers.discord_words import words_of
from backupkit.chats.reading.json_records import Around, Record, claim_json, records_in
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, iso_to_us, list_of, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

# Kinds that the tool has no word for are their numbers: commands (20, 23) are said by somebody.
_SAID = {"Default", "Reply", "20", "23", "ChatInputCommand", "ContextMenuCommand", "ThreadStarterMessage", ""}
_CONVERSATION_OF_TWO = "DirectTextChat"


class DiscordExporter:
    """Reads what DiscordChatExporter writes as JSON."""

    format = "discord-json"
    app = "discord"
    package = "com.discord"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a channel, its guild and messages with authors."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the channel of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    if "id" not in dict_of(root.get("channel")) or not isinstance(root.get("guild"), dict):
        return 0
    messages = root.get("messages")
    if not messages:
        return 85 if "dateRange" in root else 0
    first = dict_of(list_of(messages)[0]) if list_of(messages) else {}
    return 95 if "author" in first and "timestamp" in first else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    facts: dict[str, Any] = {}
    people = People()
    is_told = False
    for found in records_in(source, name, "messages"):
        if isinstance(found, Around):
            facts[found.key] = found.value
            continue
        if not is_told:
            is_told = True
            yield _conversation(name, facts, ())
        if isinstance(found, Finding):
            yield found
            continue
        message = _message(source, name, found, _key(facts, name))
        people.saw(message.sender_id, message.sender_name)
        yield message
    yield _conversation(name, facts, people.participants())
    asked = dict_of(facts.get("dateRange"))
    after, before = text_of(asked.get("after")), text_of(asked.get("before"))
    if after or before:
        yield Finding("export-partial", Severity.WARNING, Locator(name), {"from": after or "…", "to": before or "…"})


def _key(facts: dict[str, Any], name: str) -> str:
    return name_of(dict_of(facts.get("channel")).get("id")) or name


def _conversation(name: str, facts: dict[str, Any], people: tuple[Participant, ...]) -> Conversation:
    channel, guild = dict_of(facts.get("channel")), dict_of(facts.get("guild"))
    is_direct = channel.get("type") == _CONVERSATION_OF_TWO
    parts = [text_of(guild.get("name")), text_of(channel.get("name"))]
    return Conversation(
        key=_key(facts, name),
        title=" / ".join(part for part in parts if part) or None,
        kind=ConversationKind.PRIVATE if is_direct else ConversationKind.GROUP,
        participants=people,
        declared_messages=int_of(facts.get("messageCount")),
        locator=Locator(name),
    )


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    author = dict_of(value.get("author"))
    ts_us, has_zone = iso_to_us(value.get("timestamp"))
    native_kind = text_of(value.get("type")) or ""
    reference, forwarded = dict_of(value.get("reference")), dict_of(value.get("forwardedMessage"))
    is_forward = bool(forwarded) or reference.get("type") == "Forward"
    media = (*_media(source, name, value), *_media(source, name, forwarded))
    edited = iso_to_us(value.get("timestampEdited"))[0]
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.MILLISECOND,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=text_of(value.get("timestamp")) or "",
        native_id=name_of(value.get("id")),
        sender_id=name_of(author.get("id")),
        sender_name=text_of(author.get("nickname")) or text_of(author.get("name")),
        kind=_kind(native_kind, media),
        native_kind=native_kind,
        text="\n".join(filter(None, map(words_of, (value, forwarded)))),
        reply_to=None if is_forward else name_of(reference.get("messageId")),
        forward_of=name_of(reference.get("messageId")) if is_forward else None,
        edits=() if edited is None else (Edit(edited),),
        reactions=tuple(_reactions(value.get("reactions"))),
        media=media,
    )


def _kind(native_kind: str, media: tuple[Media, ...]) -> MessageKind:
    if native_kind == "Call":
        return MessageKind.CALL
    if native_kind not in _SAID:
        return MessageKind.SYSTEM
    return media[0].role if media else MessageKind.TEXT


def _media(source: SourceFiles, name: str, value: dict[str, Any]) -> Iterator[Media]:
    stickers = (
        ({**dict_of(sticker), "url": dict_of(sticker).get("sourceUrl")}) for sticker in list_of(value.get("stickers"))
    )
    for role, items in ((None, list_of(value.get("attachments"))), (MessageKind.STICKER, stickers)):
        for item in map(dict_of, items):
            reference = text_of(item.get("url"))
            if not reference:
                continue
            shown = text_of(item.get("fileName")) or text_of(item.get("name")) or reference
            state = MediaState.OMITTED
            if not is_link(reference):
                found, state = find_media(source, name, reference)
                shown = found if state is MediaState.PRESENT else shown
            yield Media(shown, state, role or role_of_name(shown), size_bytes=int_of(item.get("fileSizeBytes")))


def _reactions(value: Any) -> Iterator[Reaction]:
    for reaction in map(dict_of, list_of(value)):
        emoji = dict_of(reaction.get("emoji"))
        symbol = text_of(emoji.get("name")) or text_of(emoji.get("code")) or ""
        yield Reaction(symbol, count=int_of(reaction.get("count")) or 1)
