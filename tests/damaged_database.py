"""Databases in the shape that the apps really give them, and damage done to them."""

import hashlib
import random
import sqlite3
import struct
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

PAGE = 4096
Write: TypeAlias = Callable[[Path, int], int]
"""Writes a database with so many messages, and returns how many there are by plain SQL."""


def text_of(number: int) -> str:
    return f"消息 {number} said " + "ha " * (number % 40) + ("long " * 1200 if number % 900 == 0 else "")


def msgstore(path: Path, messages: int) -> int:
    """WhatsApp on Android since 2022, columns in their order."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        connection.executescript(
            "create table jid (_id integer primary key autoincrement, user text not null, server text not null, agent integer,"
            " device integer, type integer, raw_string text);"
            "create table chat (_id integer primary key autoincrement, jid_row_id integer unique, hidden integer, subject text,"
            " created_timestamp integer, display_message_row_id integer, last_message_row_id integer, last_read_message_row_id integer,"
            " last_read_receipt_sent_message_row_id integer, last_important_message_row_id integer, archived integer,"
            " sort_timestamp integer, mod_tag integer, gen real, spam_detection integer, unseen_message_count integer);"
            "create table message (_id integer primary key autoincrement, chat_row_id integer not null, from_me integer not null,"
            " key_id text not null, sender_jid_row_id integer, status integer, broadcast integer, recipient_count integer,"
            " participant_hash text, origination_flags integer, origin integer, timestamp integer, received_timestamp integer,"
            " receipt_server_timestamp integer, message_type integer, text_data text, starred integer, lookup_tables integer,"
            " sort_id integer not null default 0, message_add_on_flags integer, view_mode integer, translated_text text);"
            "create unique index message_key on message (chat_row_id, from_me, key_id, sender_jid_row_id);"
            "create index message_sort on message (sort_id);"
            "create table props (_id integer primary key autoincrement, key text unique, value text);"
        )
        connection.executemany(
            "insert into jid values (?, ?, 's.whatsapp.net', 0, 0, 0, ?)",
            ((n, f"49{n}", f"49{n}@s.whatsapp.net") for n in range(1, 41)),
        )
        connection.executemany(
            "insert into chat values (?, ?, 0, ?, 1690000000000, 1, 1, 1, 1, 1, 0, 1690000000000, null, null, 1, 0)",
            ((n, n, f"chat {n}") for n in range(1, 41)),
        )
        connection.executemany(
            "insert into message values (?,?,?,?,?,0,0,0,null,0,0,?,?,-1,0,?,0,0,?,0,0,null)",
            (
                (
                    n, n % 40 + 1, n % 2, f"3EB0{n:012X}", n % 40 + 1, 1_690_000_000_000 + n * 1000, 1_690_000_000_500 + n * 1000,
                    text_of(n), n,
                )
                for n in range(1, messages + 1)
            ),
        )  # fmt: skip
        connection.executemany(
            "insert into props values (?,?,?)", ((n, f"key {n}", f"value {n}") for n in range(1, 50))
        )
        connection.commit()
        return int(connection.execute("select count(*) from message").fetchone()[0])


def chat_storage(path: Path, messages: int) -> int:
    """WhatsApp on the iPhone, columns in their order."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        connection.executescript(
            "create table ZWACHATSESSION (Z_PK integer primary key, Z_ENT integer, Z_OPT integer, ZARCHIVED integer, ZCONTACTABID integer,"
            " ZFLAGS integer, ZHIDDEN integer, ZIDENTITYVERIFICATIONEPOCH integer, ZIDENTITYVERIFICATIONSTATE integer,"
            " ZMESSAGECOUNTER integer, ZREMOVED integer, ZSESSIONTYPE integer, ZSPOTLIGHTSTATUS integer, ZUNREADCOUNT integer,"
            " ZGROUPINFO integer, ZLASTMESSAGE integer, ZPROPERTIES integer, ZLASTMESSAGEDATE timestamp, ZLOCATIONSHARINGENDDATE timestamp,"
            " ZCONTACTIDENTIFIER varchar, ZCONTACTJID varchar, ZETAG varchar, ZLASTMESSAGETEXT varchar, ZPARTNERNAME varchar, ZSAVEDINPUT varchar);"
            "create table ZWAMESSAGE (Z_PK integer primary key, Z_ENT integer, Z_OPT integer, ZCHILDMESSAGESDELIVEREDCOUNT integer,"
            " ZCHILDMESSAGESPLAYEDCOUNT integer, ZCHILDMESSAGESREADCOUNT integer, ZDATAITEMVERSION integer, ZDOCID integer,"
            " ZENCRETRYCOUNT integer, ZFILTEREDRECIPIENTCOUNT integer, ZFLAGS integer, ZGROUPEVENTTYPE integer, ZISFROMME integer,"
            " ZMESSAGEERRORSTATUS integer, ZMESSAGESTATUS integer, ZMESSAGETYPE integer, ZSORT integer, ZSPOTLIGHTSTATUS integer,"
            " ZSTARRED integer, ZCHATSESSION integer, ZGROUPMEMBER integer, ZLASTSESSION integer, ZMEDIAITEM integer, ZMESSAGEINFO integer,"
            " ZPARENTMESSAGE integer, ZMESSAGEDATE timestamp, ZSENTDATE timestamp, ZFROMJID varchar, ZMEDIASECTIONID varchar, ZPHASH varchar,"
            " ZPUSHNAME varchar, ZSTANZAID varchar, ZTEXT varchar, ZTOJID varchar);"
            "create index by_session on ZWAMESSAGE (ZCHATSESSION, ZSORT); create index by_stanza on ZWAMESSAGE (ZSTANZAID);"
        )
        connection.executemany(
            "insert into ZWACHATSESSION (Z_PK, Z_ENT, Z_OPT, ZSESSIONTYPE, ZCONTACTJID, ZPARTNERNAME, ZLASTMESSAGEDATE)"
            " values (?, 4, 1, 0, ?, ?, 7e8)",
            ((n, f"49{n}@s.whatsapp.net", f"chat {n}") for n in range(1, 41)),
        )
        connection.executemany(
            "insert into ZWAMESSAGE (Z_PK, Z_ENT, Z_OPT, ZISFROMME, ZMESSAGETYPE, ZSORT, ZCHATSESSION, ZMESSAGEDATE, ZSENTDATE, ZFROMJID,"
            " ZSTANZAID, ZTEXT) values (?, 9, 1, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    n,
                    n % 2,
                    n,
                    n % 40 + 1,
                    7e8 + n + 0.5,
                    7e8 + n,
                    f"49{n % 40 + 1}@s.whatsapp.net",
                    f"3A{n:014X}",
                    text_of(n),
                )
                for n in range(1, messages + 1)
            ),
        )
        connection.commit()
        return int(connection.execute("select count(*) from ZWAMESSAGE").fetchone()[0])


def wechat(path: Path, messages: int) -> int:
    """WeChat on the iPhone: a table for each of ten conversations."""
    total = 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        for chat in range(10):
            name = "Chat_" + hashlib.md5(f"wxid_{chat}".encode(), usedforsecurity=False).hexdigest()
            connection.executescript(
                f"create table {name} (TableVer integer default 1, MesLocalID integer primary key autoincrement, MesSvrID integer default 0,"
                " CreateTime integer default 0, Message text, Status integer default 0, ImgStatus integer default 0, Type integer, Des integer);"
                f"create index {name}_i on {name} (MesSvrID);"
            )
            connection.executemany(
                f"insert into {name} values (1, ?, ?, ?, ?, 2, 1, 1, ?)",
                ((n, chat * 10**6 + n, 1_690_000_000 + n, text_of(n), n % 2) for n in range(1, messages // 10 + 1)),
            )
            total += int(connection.execute(f"select count(*) from {name}").fetchone()[0])
        connection.commit()
    return total


def zero(path: Path, numbers: Collection[int]) -> None:
    """Write zeros over pages, counted from 1."""
    data = bytearray(path.read_bytes())
    for number in numbers:
        data[(number - 1) * PAGE : number * PAGE] = bytes(PAGE)
    path.write_bytes(bytes(data))


def cut_and_zero(path: Path, *, share: float = 0.9, zeroed: int = 40, seed: int = 3) -> None:
    """Cut a tenth off the end and lose pages of the rest, the first among them never."""
    pages = path.stat().st_size // PAGE
    keep = int(pages * share)
    path.write_bytes(path.read_bytes()[: keep * PAGE])
    zero(path, random.Random(seed).sample(range(2, keep + 1), zeroed))


def schema_pages(path: Path) -> set[int]:
    """Return the first page, and all that the list of tables lies on."""
    data = path.read_bytes()
    found, todo = {1}, [1]
    while todo:
        number = todo.pop()
        page = data[(number - 1) * PAGE : number * PAGE]
        at = 100 if number == 1 else 0
        if page[at] == 5:
            count = int.from_bytes(page[at + 3 : at + 5], "big")
            places = [int.from_bytes(page[p : p + 2], "big") for p in range(at + 12, at + 12 + 2 * count, 2)]
            below = [int.from_bytes(page[p : p + 4], "big") for p in places] + [
                int.from_bytes(page[at + 8 : at + 12], "big")
            ]
            found.update(below)
            todo += below
    return found


def first_leaf(path: Path, table: str) -> tuple[int, int]:
    """Where in the file a table's root names its first leaf, and which page that is."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()
    data = path.read_bytes()
    begin = (root - 1) * PAGE
    cell = begin + int.from_bytes(data[begin + 12 : begin + 14], "big")
    return cell, int.from_bytes(data[cell : cell + 4], "big")


def log_of_one_page(number: int, pages: int, page: bytes) -> bytes:
    """A write-ahead log with one committed page, after which the database is said to have so many."""
    header = struct.pack(">8I", 0x377F0683, 3007000, len(page), 0, 1, 2, 0, 0)[:24]
    sums = _log_sums(header, (0, 0))
    frame = struct.pack(">2I", number, pages)
    return (
        header
        + struct.pack(">2I", *sums)
        + frame
        + header[16:24]
        + struct.pack(">2I", *_log_sums(frame + page, sums))
        + page
    )


def _log_sums(data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    for one, other in struct.iter_unpack(">2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
