"""Apple's `chat.db` and `sms.db`: Messages of a Mac or an iPhone.

Newer systems leave `text` empty and put the words into `attributedBody`, an archive of Objective-C objects of which only the first string is
needed. A message in no conversation is normal there and is kept.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from backupkit.chats.model import (
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
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.readers.whatsapp_iphone_db import apple_to_us
from backupkit.chats.reading.database import Database, claim_databases, database_in, raw_of, read_databases
from backupkit.chats.reading.media_files import find_media_above, role_of_name
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.records.json_fields import int_of, text_of
from backupkit.chats.sources.source import SourceFiles

_NO_CHAT = "no-conversation"
_WORDS = ((b"chat_message_join",),)
_TAPBACKS = {2000: "❤️", 2001: "👍", 2002: "👎", 2003: "😂", 2004: "‼️", 2005: "❓"}
_COLUMNS = [
    "guid",
    "text",
    "attributedBody",
    "handle_id",
    "service",
    "date",
    "date_edited",
    "date_retracted",
    "is_from_me",
    "associated_message_guid",
    "associated_message_type",
    "associated_message_emoji",
    "thread_originator_guid",
    "reply_to_guid",
    "item_type",
]


class AppleDatabase:
    """Reads a plain `chat.db` or `sms.db`."""

    format = "apple-messages-db"
    app = "imessage"
    package = None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for messages, chats, handles and what joins them."""
        return claim_databases(source, _WORDS, _is_it)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversations of every claimed database."""
        return read_databases(source, recognition.files, lambda name: _read_file(source, name))


def _is_it(database: Database) -> bool:
    return (
        database.has("message", "ROWID", "guid", "text", "handle_id", "date", "is_from_me")
        and database.has("chat", "ROWID", "guid")
        and database.has("handle", "ROWID", "id")
        and database.has("chat_message_join", "chat_id", "message_id")
    )


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    database = database_in(source, name)
    columns = database.columns("chat")
    title = "display_name" if "display_name" in columns else "null"
    style = "style" if "style" in columns else "null"
    identifier = "chat_identifier" if "chat_identifier" in columns else "null"
    for row in database.rows(
        f"select guid, {title} as title, {style} as style, {identifier} as identifier from chat order by ROWID"  # noqa: S608  only names that this file chose
    ):
        kind = ConversationKind.GROUP if row["style"] == 43 else ConversationKind.PRIVATE
        shown = text_of(row["title"]) or text_of(row["identifier"])
        yield Conversation(text_of(row["guid"]) or "unknown", shown, kind, locator=Locator(name))
    files = _attachments(database)
    orphans = 0
    for row in database.rows(_query(database)):
        message = _message(source, name, row, files.get(row["row_number"], []))
        orphans += message.conversation == _NO_CHAT
        yield message
    yield from database.deleted("message")
    if orphans:
        yield Finding("in-no-conversation", Severity.INFO, Locator(name), {"count": orphans})


def _query(database: Database) -> str:
    present = database.columns("message")
    fields = ", ".join(f"message.{column}" if column in present else f"null as {column}" for column in _COLUMNS)
    # A message in two chats is one message: the first chat holds it.
    return (
        f"select message.ROWID as row_number, {fields}, handle.id as handle, "  # noqa: S608  only names that this file chose
        "(select chat.guid from chat_message_join j join chat on chat.ROWID = j.chat_id where j.message_id = message.ROWID "
        "order by j.chat_id limit 1) as chat_guid "
        "from message left join handle on handle.ROWID = message.handle_id order by message.date, message.ROWID"
    )


def _attachments(database: Database) -> dict[Any, list[Mapping[str, Any]]]:
    found: dict[Any, list[Mapping[str, Any]]] = {}
    if not (
        database.has("attachment", "ROWID", "filename")
        and database.has("message_attachment_join", "message_id", "attachment_id")
    ):
        return found
    present = database.columns("attachment")
    extra = ", ".join(
        column if column in present else f"null as {column}" for column in ("mime_type", "transfer_name", "total_bytes")
    )
    query = (
        f"select j.message_id as message_id, filename, {extra} "  # noqa: S608  only names that this file chose
        "from message_attachment_join j join attachment on attachment.ROWID = j.attachment_id"
    )
    for row in database.rows(query):
        found.setdefault(row["message_id"], []).append(row)
    return found


def _message(source: SourceFiles, name: str, row: Mapping[str, Any], files: list[Mapping[str, Any]]) -> Message:
    media = tuple(_media(source, name, file) for file in files)
    text = text_of(row["text"]) or text_of_body(row["attributedBody"]) or ""
    retracted = apple_to_us(row["date_retracted"]) is not None
    edited = apple_to_us(row["date_edited"])
    tapback = int_of(row["associated_message_type"]) or 0
    target = text_of(row["associated_message_guid"])
    is_own = row["is_from_me"] == 1
    kind = media[0].role if media else MessageKind.TEXT
    if (int_of(row["item_type"]) or 0) != 0:
        kind = MessageKind.SYSTEM
    elif 2000 <= tapback < 4000:
        kind = MessageKind.OTHER
    elif retracted:
        kind = MessageKind.RECALL
    symbol = text_of(row["associated_message_emoji"]) or _TAPBACKS.get(tapback)
    direction = Direction.OUT if is_own else Direction.IN
    reply = text_of(row["thread_originator_guid"])
    return Message(
        conversation=text_of(row["chat_guid"]) or _NO_CHAT,
        locator=Locator(name, f"message#{row['row_number']}"),
        raw=raw_of(row),
        ts_utc_us=apple_to_us(row["date"]),
        ts_precision=Precision.MICROSECOND if abs(int_of(row["date"]) or 0) > 10**11 else Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(row["date"]),
        native_id=text_of(row["guid"]),
        sender_id=None if is_own else text_of(row["handle"]),
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
        kind=kind,
        native_kind=f"{row['item_type'] or 0}/{tapback}",
        text=text.replace("\ufffc", "").strip() if media else text,
        reply_to=target.rpartition("/")[2] if target else reply,
        edits=() if edited is None or retracted else (Edit(edited),),
        deletion=DeletionState.RECALLED if retracted else DeletionState.NONE,
        reactions=(Reaction(symbol),) if symbol and 2000 <= tapback < 3000 else (),
        media=media,
    )


def text_of_body(body: Any) -> str | None:
    """Return the words of an archived attributed string: the first string object in it."""
    if not isinstance(body, bytes) or body[2:13] != b"streamtyped":
        return None
    at = body.find(b"NSString")
    at = body.find(b"+", at, at + 24) if at >= 0 else -1
    if at < 0:
        return None
    # A length up to 0x7f is one byte; 0x81 and 0x82 announce two and four bytes, least first.
    length, start = body[at + 1 : at + 2], at + 2
    if length in {b"\x81", b"\x82"}:
        width = 2 if length == b"\x81" else 4
        length, start = body[start : start + width], start + width
    size = int.from_bytes(length, "little")
    text = body[start : start + size]
    return text.decode("utf-8", "replace") if size and len(text) == size else None


def _media(source: SourceFiles, name: str, file: Mapping[str, Any]) -> Media:
    path = text_of(file["filename"]) or ""
    shown = text_of(file["transfer_name"]) or path
    mime = text_of(file["mime_type"])
    role = role_of_name(path or shown)
    if not path:
        return Media(shown or "attachment", MediaState.EXPIRED, role, mime, int_of(file["total_bytes"]))
    inside = path.removeprefix("~/Library/Messages/").removeprefix("~/Library/SMS/").lstrip("/")
    found, state = find_media_above(source, name, inside)
    return Media(found, state, role, mime, int_of(file["total_bytes"]))
