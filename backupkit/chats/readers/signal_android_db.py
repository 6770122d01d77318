"""Signal's own database on Android, as its backup holds it: the newer table `message`, and the older `sms` and `mms`."""

from collections.abc import Iterator, Mapping
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.reading.database import Database, claim_databases, database_in, raw_of, read_databases
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.records.json_fields import int_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

_WORDS = ((b"date_received", b"thread_id"),)
# The five lowest bits of a type say which way a message went.
_BASE_TYPE = 0x1F
_OUT = {2, 11, 21, 22, 23, 24, 25, 26}
_IN = {1, 10, 20}
_CALLS = {1, 2, 3, 8, 10, 11, 12}
_ROLES = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}


class SignalAndroidDatabase:
    """Reads the database of an opened Signal backup."""

    format = "signal-android-db"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the app's threads, recipients and messages."""
        return claim_databases(source, _WORDS, _is_it)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the threads of every claimed database."""
        return read_databases(source, recognition.files, lambda name: _read_file(source, name))


def _is_it(database: Database) -> bool:
    return database.has("thread", "_id") and database.has("recipient", "_id") and bool(_tables(database))


def _tables(database: Database) -> list[str]:
    return [table for table in ("message", "mms", "sms") if database.has(table, "_id", "thread_id", "body")]


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    database = database_in(source, name)
    names = dict(_people(database))
    groups = dict(_groups(database))
    threads = {}
    column = "recipient_id" if database.has("thread", "recipient_id") else "thread_recipient_id"
    if database.has("thread", column):
        threads = {int_of(row["_id"]): int_of(row[column]) for row in database.rows("select * from thread")}
    for thread, recipient in threads.items():
        title = groups.get(recipient) or names.get(recipient)
        kind = ConversationKind.GROUP if recipient in groups else ConversationKind.PRIVATE
        yield Conversation(f"thread {thread}", title, kind, locator=Locator(name, f"thread#{thread}"))
    media = _attachments(database)
    for table in _tables(database):
        for row in database.rows(f"select * from {table} order by _id"):  # noqa: S608  one of three names
            yield _message(name, table, row, names, media if table != "sms" else {})


def _people(database: Database) -> Iterator[tuple[int | None, str]]:
    fields = ("system_joined_name", "system_display_name", "profile_joined_name", "signal_profile_name", "profile_given_name", "e164", "phone", "username")  # fmt: skip
    for row in database.rows("select * from recipient"):
        keys = set(row.keys())
        name = next((found for field in fields if field in keys and (found := text_of(row[field]))), None)
        yield int_of(row["_id"]), name or f"recipient {row['_id']}"


def _groups(database: Database) -> Iterator[tuple[int | None, str]]:
    if database.has("groups", "recipient_id", "title"):
        for row in database.rows("select recipient_id, title from groups"):
            yield int_of(row["recipient_id"]), text_of(row["title"]) or "group"


def _attachments(database: Database) -> dict[int | None, list[Media]]:
    """Return the media of each message; those whose bytes the backup holds are noted while it is opened."""
    held = set()
    if database.has("backupkit_attachment", "row_id"):
        held = {int_of(row["row_id"]) for row in database.rows("select row_id from backupkit_attachment")}
    found: dict[int | None, list[Media]] = {}
    for table, owner, mime_column, name_column in (
        ("attachment", "message_id", "content_type", "file_name"),
        ("part", "mid", "ct", "file_name"),
    ):
        if not database.has(table, "_id", owner, mime_column):
            continue
        for row in database.rows(f"select * from {table}"):  # noqa: S608  one of two names
            mime = text_of(row[mime_column])
            role = _ROLES.get((mime or "").partition("/")[0], MessageKind.FILE)
            shown = text_of(row[name_column]) if name_column in row.keys() else None  # noqa: SIM118  sqlite3.Row iterates over values
            state = MediaState.PRESENT if int_of(row["_id"]) in held else MediaState.MISSING
            found.setdefault(int_of(row[owner]), []).append(
                Media(shown or f"attachment {row['_id']}", state, role, mime)
            )
    return found


def _message(
    name: str,
    table: str,
    row: Mapping[str, Any],
    names: Mapping[int | None, str],
    media: Mapping[int | None, list[Media]],
) -> Message:
    keys = set(row.keys())

    def get(*columns: str) -> Any:
        return next((row[column] for column in columns if column in keys and row[column] is not None), None)

    number = int_of(get("type", "msg_box")) or 0
    base = number & _BASE_TYPE
    direction = Direction.OUT if base in _OUT else Direction.IN if base in _IN else Direction.SYSTEM
    own = tuple(media.get(int_of(row["_id"]), ()))
    kind = own[0].role if own else MessageKind.TEXT
    is_deleted = get("remote_deleted") == 1
    if is_deleted:
        kind = MessageKind.RECALL
    elif direction is Direction.SYSTEM:
        kind = MessageKind.CALL if base in _CALLS else MessageKind.SYSTEM
    sender = int_of(get("from_recipient_id", "recipient_id", "address"))
    sent = get("date_sent", "date")
    is_own = direction is Direction.OUT
    return Message(
        conversation=f"thread {row['thread_id']}",
        locator=Locator(name, f"{table}#{row['_id']}"),
        raw=raw_of(row),
        ts_utc_us=milliseconds_to_us(sent),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(sent if sent is not None else ""),
        # When it was sent, and by whom, is how Signal itself names a message.
        native_id=f"{sent}:{sender}" if table == "message" and sent is not None else f"{table}:{row['_id']}",
        native_seq=int_of(row["_id"]),
        sender_id=name_of(sender),
        sender_name=None if is_own else names.get(sender),
        direction=direction,
        kind=kind,
        native_kind=str(number),
        text=text_of(get("body")) or "",
        reply_to=None if not get("quote_id") else f"{get('quote_id')}:{get('quote_author')}",
        deletion=DeletionState.RECALLED if is_deleted else DeletionState.NONE,
        media=own,
    )
