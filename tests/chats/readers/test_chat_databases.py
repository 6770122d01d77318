"""Plain databases: read from private copies with their logs, and never touched."""

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from chat_factory import extend_chat_database, write_chat_database
from chat_reading import messages_with, read_with, summary_of, tell_all
from chat_schemas import CHAT_DB, CHAT_STORAGE
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.chats.counting.summary import summarise
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Finding,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.apple_db import AppleDatabase, text_of_body
from backupkit.chats.readers.wechat_iphone_db import WechatIphoneDatabase
from backupkit.chats.readers.whatsapp_android_db import WhatsAppAndroidDatabase
from backupkit.chats.readers.whatsapp_iphone_db import WhatsAppIphoneDatabase, apple_to_us
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source

OLD_MSGSTORE = """
create table messages (_id integer primary key, key_remote_jid text, key_from_me integer, key_id text, status integer, data text,
  timestamp integer, media_mime_type text, media_wa_type text, media_size integer, media_name text, media_caption text, remote_resource text);
create table chat_list (_id integer primary key, key_remote_jid text, subject text);
insert into chat_list values (1, '1@s.whatsapp.net', null), (2, 'g@g.us', 'Family');
insert into messages values
  (1, '-1', 0, '-1', 0, null, 0, null, '0', 0, null, null, null),
  (2, '1@s.whatsapp.net', 1, 'K1', 5, 'hello', 1684000000123, null, '0', 0, null, null, null),
  (3, 'g@g.us', 0, 'K2', 0, null, 1684000001123, 'image/jpeg', '1', 5, 'IMG-1.jpg', 'look', '2@s.whatsapp.net'),
  (4, 'g@g.us', 0, 'K3', 6, 'x joined', 1684000002123, null, '0', 0, null, null, null);
"""


def make(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def body_of(text: str) -> bytes:
    data = text.encode()
    length = bytes([len(data)]) if len(data) < 0x80 else b"\x81" + len(data).to_bytes(2, "little")
    return (
        b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+"
        + length
        + data
        + b"\x86"
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_whatsapp_database_is_counted(tmp_path: Path, language: str) -> None:
    written = write_chat_database(tmp_path / "msgstore.db", messages=300, language=language)

    summary = summary_of(written.path)
    found = messages_with(WhatsAppAndroidDatabase(), written.path)

    assert (summary.format, summary.messages, summary.conversations) == ("whatsapp-android-db", 300, 1)
    assert (summary.media, summary.media_missing) == (written.media, written.media_missing)
    assert found[0].native_id in {"0:3EB0000400000001", "1:3EB0000400000001"}
    assert found[0].conversation == "g1@g.us"


def test_messages_that_only_the_log_holds_are_counted_and_the_source_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    write_chat_database(path, messages=100)
    with closing(sqlite3.connect(path)) as holding:
        holding.execute("pragma wal_autocheckpoint = 0")
        holding.execute("select count(*) from message").fetchone()
        extend_chat_database(path, messages=150)
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

        alone = tmp_path / "copy"
        alone.mkdir()
        shutil.copy(path, alone / "msgstore.db")
        counted = summary_of(tmp_path / "msgstore.db").messages
        with_log = summarise(tmp_path)

        after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    assert before.keys() >= {"msgstore.db", "msgstore.db-wal"}
    assert after == before
    assert with_log is not None
    # The folder holds the copy without its log beside the database with it: one chat, seen twice.
    assert with_log.messages == 250
    assert counted == 150
    assert summary_of(alone).messages == 100


def test_a_new_whatsapp_databases_people_media_and_sides(tmp_path: Path) -> None:
    written = write_chat_database(tmp_path / "Databases" / "msgstore.db", messages=200)
    photo = next(message for message in messages_with(WhatsAppAndroidDatabase(), written.path) if message.media)
    file = tmp_path / photo.media[0].name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")

    summary = summary_of(tmp_path)
    sides = {message.direction for message in messages_with(WhatsAppAndroidDatabase(), tmp_path)}

    assert summary.media is not None
    assert summary.media_missing == summary.media - 1
    assert sides == {Direction.IN, Direction.OUT}


def test_the_older_whatsapp_schema_is_read_without_its_stand_in(tmp_path: Path) -> None:
    path = make(tmp_path / "msgstore.db", OLD_MSGSTORE)

    found = messages_with(WhatsAppAndroidDatabase(), path)
    summary = summary_of(path)

    assert (summary.messages, summary.conversations) == (3, 2)
    assert [message.kind for message in found] == [MessageKind.TEXT, MessageKind.IMAGE, MessageKind.SYSTEM]
    assert (found[1].text, found[1].sender_id, found[1].media[0].state) == (
        "look",
        "2@s.whatsapp.net",
        MediaState.MISSING,
    )
    assert found[0].native_id == "1:K1"


def test_an_iphones_whatsapp_database_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "ChatStorage.sqlite", CHAT_STORAGE)
    (tmp_path / "Message" / "Media" / "1").mkdir(parents=True)
    (tmp_path / "Message" / "Media" / "1" / "a.jpg").write_bytes(b"x")

    found = messages_with(WhatsAppIphoneDatabase(), tmp_path)

    assert summary_of(path).conversations == 2
    assert found[0].ts_utc_us == 1684000000_500_000
    assert (found[1].sender_id, found[1].media[0].state) == ("2@s.whatsapp.net", MediaState.PRESENT)
    assert found[2].deletion is DeletionState.TOMBSTONE


def test_apples_messages_are_read_with_tapbacks_retractions_and_orphans(tmp_path: Path) -> None:
    path = make(tmp_path / "chat.db", CHAT_DB)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update message set attributedBody = ? where ROWID = 2", (body_of("早安 from the body"),))
        connection.commit()

    told = read_with(AppleDatabase(), path)
    found = {message.native_id: message for message in messages_with(AppleDatabase(), path)}

    assert [one.kind for one in told if isinstance(one, Conversation)] == [
        ConversationKind.PRIVATE,
        ConversationKind.GROUP,
    ]
    assert len(found) == 5
    assert (found["G2"].text, len(found["G2"].edits), found["G2"].direction) == ("早安 from the body", 1, Direction.OUT)
    assert (found["G2"].conversation, found["G2"].ts_utc_us) == ("iMessage;-;+1732", 1684000001_500_000)
    assert (found["G3"].kind, found["G3"].reply_to, found["G3"].reactions[0].symbol) == (MessageKind.OTHER, "G1", "❤️")
    assert found["G4"].deletion is DeletionState.RECALLED
    assert (found["G5"].ts_utc_us, found["G5"].media[0].state) == (1684000005_000_000, MediaState.MISSING)
    assert [(one.code, one.facts) for one in told if isinstance(one, Finding)] == [("in-no-conversation", {"count": 1})]


@pytest.mark.corpus
def test_a_real_archived_body_gives_its_text(corpus: Path) -> None:
    body = (corpus / "chats" / "imessage" / "imessage-exporter" / "streamtyped" / "AttributedBodyTextOnly").read_bytes()

    assert text_of_body(body) == "Noter test"


@given(text=st.text(min_size=1, max_size=400))
def test_every_text_comes_back_out_of_an_archived_body(text: str) -> None:
    assert text_of_body(body_of(text)) == text


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_body_are_no_text(data: bytes) -> None:
    text_of_body(b"\x04\x0bstreamtyped" + data)
    assert text_of_body(data) is None or data[2:13] == b"streamtyped"


@given(value=st.integers() | st.floats() | st.text() | st.none())
def test_no_number_is_too_odd_for_apples_clock(value: object) -> None:
    apple_to_us(value)


def test_a_database_that_is_shorter_than_it_says_is_cut_and_told(tmp_path: Path) -> None:
    path = write_chat_database(tmp_path / "msgstore.db", messages=2000).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 4096 * 4096])

    summary = summary_of(path)

    assert summary.format == "whatsapp-android-db"
    assert summary.messages is not None
    assert 700 < summary.messages < 2000
    assert [finding.code for finding in summary.findings] == ["export-cut"]


def test_a_database_with_lost_pages_gives_the_messages_around_them(tmp_path: Path) -> None:
    path = write_chat_database(tmp_path / "msgstore.db", messages=3000).path
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    for page in (pages // 3, pages // 2):
        data[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(bytes(data))

    summary = summary_of(path)
    numbers = {message.native_id for message in messages_with_damage(path)}

    assert summary.messages is not None
    assert 2700 < summary.messages < 3000
    assert len(numbers) == summary.messages
    assert [(finding.code, finding.facts["reason"]) for finding in summary.findings] == [
        ("export-damaged", "database-damaged")
    ]


def messages_with_damage(path: Path) -> list[Message]:
    told: list[Told] = []
    with open_source(path) as source, suppress(MalformedExport):
        reader = WhatsAppAndroidDatabase()
        tell_all(reader.read(source, reader.recognise(source)), told)
    return [one for one in told if isinstance(one, Message)]


@pytest.mark.skipif(os.name != "posix", reason="open files keep their names there")
def test_nothing_of_a_database_is_left_when_its_reader_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = write_chat_database(tmp_path / "msgstore.db", messages=300).path
    with open_source(path) as source:
        reader = WhatsAppAndroidDatabase()
        telling = reader.read(source, reader.recognise(source))
        next(telling)

        left = [one for one in (tmp_path / "scratch").rglob("*") if one.is_file()]

        assert len(list(telling)) >= 300
    assert left == []


@pytest.mark.parametrize("before", [0, 3_000_000], ids=["at-the-front", "behind-the-first-mib"])
def test_a_database_is_known_wherever_its_schema_lies(tmp_path: Path, before: int) -> None:
    path = tmp_path / "ChatStorage.sqlite"
    # The schema's first page goes over into pages at the end when there are many tables.
    make(path, f"create table filler (data blob); insert into filler values (zeroblob({before}));")
    make(path, "".join(f"create table t{number} (a, b, c, d, e);" for number in range(200)) + CHAT_STORAGE)

    assert summary_of(path).format == "whatsapp-iphone-db"


def test_a_database_of_another_app_is_nobodys(tmp_path: Path) -> None:
    make(
        tmp_path / "a.db", "create table message (id integer, chat_row_id integer); create table chat_message_join (x)"
    )
    make(
        tmp_path / "view.db",
        "create table t(a); create view message as select 1 as _id, 'chat_row_id' as chat_row_id from t;",
    )

    assert summarise(tmp_path) is None


WECHAT = """
create table Chat_0123456789abcdef0123456789abcdef (TableVer integer, MesLocalID integer primary key, MesSvrID bigint, CreateTime integer,
  Message text, Status integer, ImgStatus integer, Type integer, Des integer);
insert into Chat_0123456789abcdef0123456789abcdef values (1, 1, 9, 1700000000, 'hi', 2, 1, 1, 1), (1, 2, 10, 1700000009, '<msg/>', 2, 1, 49, 0);
create table Friend (userName text, dbContactRemark blob);
insert into Friend values ('wxid_a', x'0a0161');
"""
DATABASES = {"wechat": WECHAT, "android": OLD_MSGSTORE, "iphone": CHAT_STORAGE, "apple": CHAT_DB}


@pytest.mark.parametrize("name", DATABASES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pages_changed_anywhere_are_never_a_traceback(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / "x.db"
    path.unlink(missing_ok=True)
    damaged = bytearray(make(path, DATABASES[name]).read_bytes())
    for _change in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
    path.write_bytes(
        bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) if data.draw(st.booleans()) else bytes(damaged)
    )

    with open_source(path) as source:
        for reader in (WhatsAppAndroidDatabase(), WhatsAppIphoneDatabase(), AppleDatabase(), WechatIphoneDatabase()):
            reader.recognise(source)
    summary = summarise(path)

    reasons = {finding.facts.get("reason") for finding in summary.findings} if summary else set()
    assert "unexpected-shape" not in reasons


def test_messages_that_were_deleted_leave_a_number(tmp_path: Path) -> None:
    path = write_chat_database(tmp_path / "msgstore.db", messages=200).path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("delete from message where _id > 180 or _id = 50")
        connection.commit()

    (finding,) = summary_of(path).findings

    assert (finding.code, dict(finding.facts)) == ("rows-deleted", {"count": 21, "last": 200})


def test_a_log_that_is_damaged_before_its_last_transaction_is_told(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    write_chat_database(path, messages=50)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_autocheckpoint = 0")
        for number in range(100, 140):
            connection.execute(
                "insert into message (_id, chat_row_id, from_me, key_id) values (?, 1, 0, ?)", (number, f"K{number}")
            )
            connection.commit()
        log = path.with_name("msgstore.db-wal").read_bytes()
        whole = path.read_bytes()
    alone = tmp_path / "copy"
    alone.mkdir()
    (alone / "msgstore.db").write_bytes(whole)
    (alone / "msgstore.db-wal").write_bytes(
        log[: len(log) // 2] + bytes([log[len(log) // 2] ^ 1]) + log[len(log) // 2 + 1 :]
    )

    summary = summary_of(alone / "msgstore.db")

    assert summary.messages is not None
    assert 50 < summary.messages < 90
    assert "log-damaged" in {finding.code for finding in summary.findings}
    assert summary.is_damaged


def test_a_hot_rollback_journal_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    write_chat_database(path, messages=300)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = delete")
        connection.execute("pragma cache_size = 2")
        connection.execute("pragma cache_spill = 1")
        connection.execute("delete from message where _id > 100")
        connection.execute("update message set text_data = 'overwritten'")
        connection.execute(
            "insert into message (chat_row_id, from_me, key_id, text_data) select 1, 0, hex(randomblob(9)), hex(randomblob(900)) from message, jid"
        )
        alone = tmp_path / "copy"
        alone.mkdir()
        for file in ("msgstore.db", "msgstore.db-journal"):
            shutil.copy(tmp_path / file, alone / file)
        connection.rollback()
    changed = (alone / "msgstore.db").read_bytes()
    assert changed != path.read_bytes()

    summary = summary_of(alone / "msgstore.db")

    assert (summary.messages, summary.findings) == (300, ())
    assert (alone / "msgstore.db").read_bytes() == changed


def test_a_persisted_journal_that_is_over_changes_nothing(tmp_path: Path) -> None:
    path = write_chat_database(tmp_path / "msgstore.db", messages=100).path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = persist")
        connection.execute("delete from message where _id = 1")
        connection.commit()
    assert path.with_name("msgstore.db-journal").stat().st_size

    assert summary_of(path).messages == 99


def test_a_database_is_read_as_it_was_at_one_moment_while_an_app_writes(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    write_chat_database(path, messages=100)
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma wal_autocheckpoint = 20")
            number = 1000
            while not stop.is_set():
                rows = [(number + at, f"K{number + at}", "x" * 300) for at in range(10)]
                connection.executemany(
                    "insert into message (_id, chat_row_id, from_me, key_id, text_data) values (?, 1, 0, ?, ?)", rows
                )
                connection.commit()
                number += 10
                time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counted = [summary_of(path) for _time in range(15)]
    finally:
        stop.set()
        writer.join()

    for summary in counted:
        if "database-in-use" not in {finding.code for finding in summary.findings}:
            assert not summary.is_damaged
            assert summary.messages is not None
            assert summary.messages % 10 == 0
    assert any("database-in-use" not in {finding.code for finding in summary.findings} for summary in counted)
