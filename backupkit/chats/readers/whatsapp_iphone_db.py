"""WhatsApp's `ChatStorage.sqlite` of the iPhone. Times count seconds since the beginning of 2001."""

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
from backupkit.chats.reading.media_files import find_media_above
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.records.json_fields import int_of, text_of, within_time
from backupkit.chats.sources.source import SourceFiles

APPLE_EPOCH_SECONDS = 978_307_200

_KINDS = {
    0: MessageKind.TEXT,
    1: MessageKind.IMAGE,
    2: MessageKind.VIDEO,
    3: MessageKind.VOICE,
    4: MessageKind.CONTACT,
    5: MessageKind.LOCATION,
    6: MessageKind.SYSTEM,
    7: MessageKind.LINK,
    8: MessageKind.FILE,
    10: MessageKind.SYSTEM,
    11: MessageKind.VIDEO,
    14: MessageKind.RECALL,
    15: MessageKind.STICKER,
    46: MessageKind.POLL,
    59: MessageKind.CALL,
}
_WORDS = ((b"ZWAMESSAGE", b"ZWACHATSESSION"),)
_HAS_FILE = {MessageKind.IMAGE, MessageKind.VOICE, MessageKind.VIDEO, MessageKind.FILE, MessageKind.STICKER}
_SESSIONS = {
    0: ConversationKind.PRIVATE,
    1: ConversationKind.GROUP,
    2: ConversationKind.BROADCAST,
    3: ConversationKind.BROADCAST,
}


class WhatsAppIphoneDatabase:
    """Reads a plain `ChatStorage.sqlite`."""

    format = "whatsapp-iphone-db"
    app = "whatsapp"
    package = "com.whatsapp"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the app's own tables of Core Data."""
        return claim_databases(source, _WORDS, _is_it)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats of every claimed database."""
        return read_databases(source, recognition.files, lambda name: _read_file(source, name))


def _is_it(database: Database) -> bool:
    return database.has(
        "ZWAMESSAGE", "Z_PK", "ZCHATSESSION", "ZISFROMME", "ZMESSAGEDATE", "ZMESSAGETYPE", "ZTEXT"
    ) and database.has("ZWACHATSESSION", "Z_PK", "ZCONTACTJID")


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    database = database_in(source, name)
    columns = database.columns("ZWACHATSESSION")
    title = "ZPARTNERNAME" if "ZPARTNERNAME" in columns else "null"
    kind = "ZSESSIONTYPE" if "ZSESSIONTYPE" in columns else "null"
    for row in database.rows(
        f"select ZCONTACTJID as jid, {title} as title, {kind} as kind from ZWACHATSESSION order by Z_PK"  # noqa: S608  only names that this file chose
    ):
        found = _SESSIONS.get(int_of(row["kind"]) or 0, ConversationKind.UNKNOWN)
        yield Conversation(text_of(row["jid"]) or "unknown", text_of(row["title"]), found, locator=Locator(name))
    select = ["message.*", "session.ZCONTACTJID as chat_jid"]
    join = ["left join ZWACHATSESSION session on session.Z_PK = message.ZCHATSESSION"]
    if database.has("ZWAGROUPMEMBER", "Z_PK", "ZMEMBERJID") and database.has("ZWAMESSAGE", "ZGROUPMEMBER"):
        select.append("member.ZMEMBERJID as member_jid")
        join.append("left join ZWAGROUPMEMBER member on member.Z_PK = message.ZGROUPMEMBER")
    if database.has("ZWAMEDIAITEM", "Z_PK", "ZMEDIALOCALPATH") and database.has("ZWAMESSAGE", "ZMEDIAITEM"):
        has_size = database.has("ZWAMEDIAITEM", "ZFILESIZE")
        select += [
            "media.ZMEDIALOCALPATH as media_path",
            f"{'media.ZFILESIZE' if has_size else 'null'} as media_size",
        ]
        join.append("left join ZWAMEDIAITEM media on media.Z_PK = message.ZMEDIAITEM")
    query = f"select {', '.join(select)} from ZWAMESSAGE message {' '.join(join)} order by message.ZMESSAGEDATE, message.Z_PK"  # noqa: S608  only names that this file chose
    for row in database.rows(query):
        yield _message(source, name, row)


def apple_to_us(value: Any) -> int | None:
    """Return microseconds since 1970 of a time since 2001 in seconds, or in nanoseconds as newer systems write it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124  NaN is not itself
        return None
    if abs(value) > 1e11:
        return within_time(int(value) // 1000 + APPLE_EPOCH_SECONDS * 1_000_000) if abs(value) < 1e19 else None
    return within_time(round(value * 1_000_000) + APPLE_EPOCH_SECONDS * 1_000_000) if value else None


def _message(source: SourceFiles, name: str, row: Mapping[str, Any]) -> Message:
    keys = set(row.keys())

    def get(column: str) -> Any:
        return row[column] if column in keys else None

    kind = _KINDS.get(int_of(get("ZMESSAGETYPE")) or 0, MessageKind.OTHER)
    is_own = get("ZISFROMME") == 1
    stanza = text_of(get("ZSTANZAID"))
    direction = Direction.OUT if is_own else Direction.IN
    return Message(
        conversation=text_of(get("chat_jid")) or "unknown",
        locator=Locator(name, f"ZWAMESSAGE#{get('Z_PK')}"),
        raw=raw_of(row),
        ts_utc_us=apple_to_us(get("ZMESSAGEDATE")),
        ts_precision=Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(get("ZMESSAGEDATE")),
        native_id=f"{int(is_own)}:{stanza}" if stanza else None,
        native_seq=int_of(get("Z_PK")),
        sender_id=None if is_own else text_of(get("member_jid")) or text_of(get("ZFROMJID")),
        sender_name=None if is_own else text_of(get("ZPUSHNAME")),
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
        kind=kind,
        native_kind=str(get("ZMESSAGETYPE")),
        text=text_of(get("ZTEXT")) or "",
        deletion=DeletionState.TOMBSTONE if kind is MessageKind.RECALL else DeletionState.NONE,
        media=_media(source, name, text_of(get("media_path")), kind),
    )


def _media(source: SourceFiles, name: str, path: str | None, kind: MessageKind) -> tuple[Media, ...]:
    if kind not in _HAS_FILE:
        return ()
    if not path:
        return (Media(kind.value, MediaState.EXPIRED, kind),)
    found, state = find_media_above(source, name, path)
    if state is MediaState.MISSING:
        found, state = find_media_above(source, name, f"Message/{path}")
    return (Media(found, state, kind),)
