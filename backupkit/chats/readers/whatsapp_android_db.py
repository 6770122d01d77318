"""WhatsApp's `msgstore.db` of Android, both schemas: `message` with `chat` and `jid`, and the older `messages`.

A message is the same one by its key, its side and its chat; the row number changes when a backup is restored.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Edit,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.reading.database import Database, claim_databases, database_in, raw_of, read_databases
from backupkit.chats.reading.media_files import find_media_above
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.records.json_fields import int_of, milliseconds_to_us, text_of
from backupkit.chats.sources.source import SourceFiles

_KINDS = {
    0: MessageKind.TEXT,
    1: MessageKind.IMAGE,
    2: MessageKind.VOICE,
    3: MessageKind.VIDEO,
    4: MessageKind.CONTACT,
    5: MessageKind.LOCATION,
    7: MessageKind.SYSTEM,
    8: MessageKind.CALL,
    9: MessageKind.FILE,
    10: MessageKind.CALL,
    13: MessageKind.VIDEO,
    14: MessageKind.CONTACT,
    15: MessageKind.RECALL,
    16: MessageKind.LOCATION,
    20: MessageKind.STICKER,
    42: MessageKind.IMAGE,
    43: MessageKind.VIDEO,
    66: MessageKind.POLL,
    90: MessageKind.CALL,
}
_WORDS = ((b"chat_row_id",), (b"key_remote_jid",))
_HAS_FILE = {MessageKind.IMAGE, MessageKind.VOICE, MessageKind.VIDEO, MessageKind.FILE, MessageKind.STICKER}


class WhatsAppAndroidDatabase:
    """Reads a plain `msgstore.db`."""

    format = "whatsapp-android-db"
    app = "whatsapp"
    package = "com.whatsapp"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tables and columns of either schema."""
        return claim_databases(source, _WORDS, _is_it)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats of every claimed database."""
        return read_databases(source, recognition.files, lambda name: _read_file(source, name))


def _is_it(database: Database) -> bool:
    return _is_new(database) or _is_old(database)


def _is_new(database: Database) -> bool:
    return (
        database.has("message", "_id", "chat_row_id", "from_me", "key_id", "timestamp", "text_data")
        and database.has("chat", "_id", "jid_row_id")
        and database.has("jid", "_id", "raw_string")
    )


def _is_old(database: Database) -> bool:
    return database.has("messages", "_id", "key_remote_jid", "key_from_me", "key_id", "data", "timestamp")


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    database = database_in(source, name)
    yield from _read_new(source, database) if _is_new(database) else _read_old(source, database)
    yield from database.deleted("message" if _is_new(database) else "messages")


def _read_new(source: SourceFiles, database: Database) -> Iterator[Told]:
    subject = "chat.subject" if database.has("chat", "subject") else "null"
    for row in database.rows(
        f"select jid.raw_string as jid, {subject} as subject from chat left join jid on jid._id = chat.jid_row_id order by chat._id"  # noqa: S608  no value of a user is in it
    ):
        yield _conversation(database.name, row["jid"], row["subject"])
    select, join = ["message.*", "chat_jid.raw_string as chat_jid", "sender_jid.raw_string as sender_jid"], []
    if database.has("message_media", "message_row_id", "file_path"):
        media = database.columns("message_media")
        size = "file_length" if "file_length" in media else "file_size" if "file_size" in media else "null"
        mime = "media.mime_type" if "mime_type" in media else "null"
        select += [
            "media.file_path",
            f"{mime} as mime",
            f"media.{size} as media_size" if size != "null" else "null as media_size",
        ]
        join.append("left join message_media media on media.message_row_id = message._id")
    if database.has("message_quoted", "message_row_id", "key_id"):
        select.append("quoted.key_id as quoted_key")
        join.append("left join message_quoted quoted on quoted.message_row_id = message._id")
    if database.has("message_edit_info", "message_row_id", "edited_timestamp"):
        select.append("edit.edited_timestamp as edited")
        join.append("left join message_edit_info edit on edit.message_row_id = message._id")
    sender = "message.sender_jid_row_id" if database.has("message", "sender_jid_row_id") else "0"
    order = "message.sort_id" if database.has("message", "sort_id") else "message._id"
    query = (
        f"select {', '.join(select)} from message left join chat on chat._id = message.chat_row_id "  # noqa: S608  only names that this file chose
        f"left join jid chat_jid on chat_jid._id = chat.jid_row_id left join jid sender_jid on sender_jid._id = {sender} "
        f"{' '.join(join)} where message._id > 0 and message.chat_row_id > 0 order by {order}, message._id"
    )
    columns: Collection[str] = ()
    for row in database.rows(query):
        columns = columns or frozenset(row.keys())
        yield _message(source, database.name, "message", _New(row, columns))


def _read_old(source: SourceFiles, database: Database) -> Iterator[Told]:
    subjects: dict[str, str | None] = {}
    if database.has("chat_list", "key_remote_jid", "subject"):
        for row in database.rows("select key_remote_jid as jid, subject from chat_list order by _id"):
            subjects[str(row["jid"])] = text_of(row["subject"])
    for jid, subject in subjects.items():
        yield _conversation(database.name, jid, subject)
    # The first row is a stand-in for chats without messages: its key is -1.
    columns: Collection[str] = ()
    for row in database.rows("select * from messages where key_remote_jid <> '-1' and _id > 0 order by timestamp, _id"):
        columns = columns or frozenset(row.keys())
        yield _message(source, database.name, "messages", _Old(row, columns))


def _conversation(name: str, jid: Any, subject: Any) -> Conversation:
    key = text_of(jid) or "unknown"
    kind = ConversationKind.PRIVATE
    if key.endswith("@g.us"):
        kind = ConversationKind.GROUP
    elif key.endswith(("@broadcast", "status")):
        kind = ConversationKind.BROADCAST
    elif key.endswith("@newsletter"):
        kind = ConversationKind.CHANNEL
    return Conversation(key, text_of(subject) or None, kind, locator=Locator(name))


class _New:
    """A row of the schema since 2022."""

    def __init__(self, row: Mapping[str, Any], columns: Collection[str]) -> None:
        def get(column: str) -> Any:
            return row[column] if column in columns else None

        self.row = row
        self.number = int_of(get("_id"))
        self.chat = text_of(get("chat_jid"))
        self.is_own = get("from_me") == 1
        self.key = text_of(get("key_id"))
        self.sender = text_of(get("sender_jid"))
        self.at = get("timestamp")
        self.type = int_of(get("message_type"))
        self.text = text_of(get("text_data"))
        self.path = text_of(get("file_path"))
        self.mime = text_of(get("mime"))
        self.size = int_of(get("media_size"))
        self.quoted = text_of(get("quoted_key"))
        self.edited = get("edited")


class _Old(_New):
    """A row of the schema before 2022."""

    def __init__(self, row: Mapping[str, Any], columns: Collection[str]) -> None:
        super().__init__(row, columns)

        def get(column: str) -> Any:
            return row[column] if column in columns else None

        self.chat = text_of(get("key_remote_jid"))
        self.is_own = get("key_from_me") == 1
        self.sender = text_of(get("remote_resource")) or None
        self.type = int_of(get("media_wa_type")) or 0
        if get("status") == 6:
            self.type = 7
        self.text = text_of(get("data")) if self.type in {0, 7} else text_of(get("media_caption"))
        self.path = text_of(get("media_name"))
        self.mime = text_of(get("media_mime_type"))
        self.size = int_of(get("media_size"))


def _message(source: SourceFiles, name: str, table: str, row: _New) -> Message:
    kind = _KINDS.get(row.type if row.type is not None else 0, MessageKind.OTHER)
    chat = row.chat or "unknown"
    direction = Direction.OUT if row.is_own else Direction.IN
    sender = None if row.is_own else row.sender or (None if chat.endswith("@g.us") else chat)
    edited = milliseconds_to_us(row.edited)
    return Message(
        conversation=chat,
        locator=Locator(name, f"{table}#{row.number}"),
        raw=raw_of(row.row),
        ts_utc_us=milliseconds_to_us(row.at),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(row.at),
        native_id=f"{int(row.is_own)}:{row.key}" if row.key else None,
        native_seq=row.number,
        sender_id=sender,
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
        kind=kind,
        native_kind=str(row.type),
        text=row.text or "",
        reply_to=row.quoted,
        edits=() if edited is None else (Edit(edited),),
        deletion=DeletionState.TOMBSTONE if kind is MessageKind.RECALL else DeletionState.NONE,
        media=_media(source, name, row, kind),
    )


def _media(source: SourceFiles, name: str, row: _New, kind: MessageKind) -> tuple[Media, ...]:
    if row.path:
        found, state = find_media_above(source, name, row.path)
        return (Media(found, state, kind if kind in _HAS_FILE else MessageKind.FILE, row.mime, row.size),)
    # No path: the app never loaded the file, or its servers had dropped it.
    return (Media(row.mime or kind.value, MediaState.EXPIRED, kind, row.mime, row.size),) if kind in _HAS_FILE else ()
