"""WeChat's plain databases on the iPhone: `MM.sqlite` and `message_N.sqlite`, as an opened iOS backup holds them.

Each conversation is a table whose name is the MD5 of its id, so the id and the name are known only with the contacts'
database beside it. One conversation may go on in several files.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
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
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of
from backupkit.chats.reading.database import (
    Database,
    claim_databases,
    database_in,
    databases_in,
    mentions,
    raw_of,
    read_databases,
)
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.records.json_fields import int_of, seconds_to_us, text_of
from backupkit.chats.records.protobuf import bytes_fields
from backupkit.chats.sequence import SequenceGaps
from backupkit.chats.sources.source import SourceFiles

_WORDS = ((b"MesLocalID", b"CreateTime"),)
_CHAT = re.compile(r"Chat_([0-9a-f]{32})")
_SHARD = re.compile(r"message_(\d{1,4})\.sqlite")
_SENDER = re.compile(r"([\w@.-]{1,80}):\n", re.ASCII)
_CARD_TYPE = re.compile(r"<appmsg\b.{0,20000}?<type>\s*(?:<!\[CDATA\[)?(\d{1,9})", re.DOTALL)
_CARD_TITLE = re.compile(r"<title>(?:<!\[CDATA\[(.{0,4000}?)\]\]>|([^<]{0,4000}))</title>", re.DOTALL)
_PLACE = re.compile(r"\b(?:poiname|label)=\"([^\"]{1,1000})\"")
# Where the app keeps the file of a message, by kind; the thumbnail is what is left when the file was never loaded.
_FOLDERS = {
    MessageKind.IMAGE: ("Img", (".pic_hd", ".pic"), ".pic_thum"),
    MessageKind.VOICE: ("Audio", (".aud",), None),
    MessageKind.VIDEO: ("Video", (".mp4",), ".video_thum"),
}


class WechatIphoneDatabase:
    """Reads WeChat's plain databases."""

    format = "wechat-iphone-db"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the app's tables of conversations."""
        return claim_databases(source, _WORDS, _is_it)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversations of every claimed database."""
        accounts: dict[str, _Account] = {}
        for name in recognition.files:
            folder = posixpath.dirname(name)
            accounts.setdefault(folder, _Account(source, folder))
        yield from read_databases(
            source, recognition.files, lambda name: accounts[posixpath.dirname(name)].read_file(name)
        )
        for folder, account in accounts.items():
            yield from account.findings([name for name in recognition.files if posixpath.dirname(name) == folder])


def _is_it(database: Database) -> bool:
    return any(_is_chat(database, table) for table in database.tables)


def _is_chat(database: Database, table: str) -> bool:
    return _CHAT.fullmatch(table) is not None and database.has(
        table, "MesLocalID", "CreateTime", "Des", "Message", "Type"
    )


class _Account:
    """One account: the databases of one folder."""

    def __init__(self, source: SourceFiles, folder: str) -> None:
        self._source = source
        self._folder = folder
        self._names = dict(_contacts(source, folder))
        self._ids = {hashlib.md5(one.encode(), usedforsecurity=False).hexdigest(): one for one in self._names}
        self._nameless: set[str] = set()

    def read_file(self, name: str) -> Iterator[Told]:
        """Stream the conversations of one database."""
        database = database_in(self._source, name)
        done: set[str] = set()
        # Where a damage is met, conversations come to light whose names are lost.
        while todo := sorted(database.tables - done):
            done.update(todo)
            for table in todo:
                if _is_chat(database, table):
                    yield from self._conversation(database, name, table)

    def _conversation(self, database: Database, name: str, table: str) -> Iterator[Told]:
        digest = table.removeprefix("Chat_")
        key = self._ids.get(digest)
        if key is None:
            self._nameless.add(digest)
        is_group = None if key is None else key.endswith("@chatroom")
        kind = {None: ConversationKind.UNKNOWN, True: ConversationKind.GROUP, False: ConversationKind.PRIVATE}[is_group]
        yield Conversation(key or f"md5:{digest}", self._names.get(key or ""), kind, locator=Locator(name, table))
        gaps = SequenceGaps()
        for row in database.rows(f"select * from {table} order by MesLocalID"):  # noqa: S608  the name has one shape
            message = self._message(name, table, key or f"md5:{digest}", row)
            if message.native_seq is not None:
                gaps.saw(message.native_seq)
            yield message
        if database.damage is None:
            yield from gaps.finding(key or f"md5:{digest}", Locator(name, table), database.last_number(table))

    def _message(self, name: str, table: str, key: str, row: Mapping[str, Any]) -> Message:
        text = text_of(row["Message"]) or ""
        is_own = row["Des"] == 0
        sender = None if is_own or key.endswith("@chatroom") or key.startswith("md5:") else key
        if not is_own and (found := _SENDER.match(text)) and not key.startswith("gh_"):
            sender, text = found[1], text[found.end() :]
        number = int_of(row["Type"])
        card = _CARD_TYPE.search(text[:60_000]) if number == 49 else None
        kind = kind_of(number, int(card[1]) if card else None)
        is_taken_back = kind is MessageKind.SYSTEM and is_recall(text)
        local, server = int_of(row["MesLocalID"]), int_of(row["MesSvrID"]) if "MesSvrID" in row.keys() else None  # noqa: SIM118  sqlite3.Row iterates over values
        direction = Direction.OUT if is_own else Direction.IN
        return Message(
            conversation=key,
            locator=Locator(name, f"{table}#{local}"),
            raw=raw_of(row),
            ts_utc_us=seconds_to_us(row["CreateTime"]),
            ts_precision=Precision.SECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(row["CreateTime"]),
            native_id=str(server) if server else f"local:{posixpath.basename(name)}:{local}",
            native_seq=local,
            sender_id=sender,
            sender_name=None if sender is None else self._names.get(sender),
            direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
            kind=MessageKind.RECALL if is_taken_back else kind,
            native_kind=f"{number}/{card[1]}" if card else str(number),
            text=_shown(kind, text),
            deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
            media=self._media(kind, table.removeprefix("Chat_"), local),
        )

    def _media(self, kind: MessageKind, digest: str, local: int | None) -> tuple[Media, ...]:
        if kind not in HAS_FILE:
            return ()
        folder, endings, thumbnail = _FOLDERS.get(kind, ("OpenData", ("",), None))
        base = posixpath.join(posixpath.dirname(self._folder), folder, digest, str(local))
        for ending in endings:
            size_bytes = self._source.size(base + ending)
            if size_bytes is not None:
                return (Media(base + ending, MediaState.PRESENT if size_bytes else MediaState.CORRUPT, kind),)
        if thumbnail is not None and self._source.size(base + thumbnail):
            return (Media(base + thumbnail, MediaState.PLACEHOLDER, kind),)
        return (Media(base + endings[-1], MediaState.MISSING, kind),)

    def findings(self, names: list[str]) -> Iterator[Finding]:
        """Tell conversations without a name, and files that are missing between others."""
        where = Locator(self._folder or self._source.label)
        if self._nameless:
            yield Finding("names-lost", Severity.INFO, where, {"count": len(self._nameless)})
        numbers = sorted(int(found[1]) for name in names if (found := _SHARD.fullmatch(posixpath.basename(name))))
        absent = sorted(set(range(1, numbers[-1] if numbers else 0)) - set(numbers))
        if absent:
            yield Finding(
                "shard-missing", Severity.ERROR, where, {"name": f"message_{absent[0]}.sqlite", "count": len(absent)}
            )


def _shown(kind: MessageKind, text: str) -> str:
    if kind in {MessageKind.TEXT, MessageKind.SYSTEM} and not text.lstrip().startswith(("<msg", "<?xml", "<appmsg")):
        return text
    title = _CARD_TITLE.search(text[:200_000])
    if title is not None:
        return (title[1] if title[1] is not None else _unescaped(title[2])).strip()
    place = _PLACE.search(text[:200_000]) if kind is MessageKind.LOCATION else None
    return _unescaped(place[1]) if place else ""


def _unescaped(text: str) -> str:
    for name, mark in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(name, mark)
    return text


def _contacts(source: SourceFiles, folder: str) -> Iterator[tuple[str, str | None]]:
    """Tell the ids and names of an account's contacts, from whichever database beside the messages knows them."""
    for name in databases_in(source):
        if posixpath.dirname(name) != folder:
            continue
        # Damage in the contacts costs names, and is no reason to lose messages.
        with suppress(MalformedExport):
            if mentions(source, name, b"dbContactRemark"):
                database = database_in(source, name)
                if database.has("Friend", "userName", "dbContactRemark"):
                    for row in database.rows("select userName, dbContactRemark from Friend"):
                        if isinstance(row["userName"], str):
                            yield row["userName"], _name_in(row["dbContactRemark"])


def _name_in(remark: Any) -> str | None:
    """Return what the owner calls a contact, else what the contact calls itself."""
    fields = dict(bytes_fields(remark)) if isinstance(remark, bytes) else {}
    for number in (3, 1):
        name = fields.get(number, b"").decode("utf-8", "replace")
        if name and "\ufffd" not in name:
            return name
    return None
