"""iPhone backups and the databases in them: WeChat, WhatsApp, Messages."""

import hashlib
import os
import plistlib
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_schemas import CHAT_DB, CHAT_STORAGE

from backupkit.chats.archives.members import DiskMember
from backupkit.chats.counting.summary import summarise, summarise_source
from backupkit.chats.model import (
    ConversationKind,
    DeletionState,
    Direction,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.wechat_iphone_db import WechatIphoneDatabase
from backupkit.chats.sources.source import open_members, open_source

ACCOUNT = "Documents/0123456789abcdef0123456789abcdef"
XIN = "AppDomain-com.tencent.xin"
COLUMNS = (
    "(TableVer integer default 1, MesLocalID integer primary key autoincrement, MesSvrID bigint default 0, CreateTime integer,"
    " Message text, Status integer, ImgStatus integer, Type integer, Des integer)"
)


def digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def wechat_rows(name: str, rows: list[tuple[int, int, str, int, int]]) -> str:
    """Return the script of one conversation: server id, time, words, kind, and 1 for what came in."""
    table = f"Chat_{digest(name)}"
    values = ", ".join(
        f"({number}, {server}, {when}, '{words}', 2, 1, {kind}, {des})"
        for number, (server, when, words, kind, des) in enumerate(rows, 1)
    )
    return (
        f"create table {table} {COLUMNS}; create table ChatExt2_{digest(name)} (a);"
        f"insert into {table} (MesLocalID, MesSvrID, CreateTime, Message, Status, ImgStatus, Type, Des) values {values};"
    )


CARD = '<msg><appmsg appid="" sdkver="0"><title><![CDATA[报价单 & 合同.pdf]]></title><type>6</type></appmsg></msg>'
PRIVATE = [
    (9001, 1700000000, "早安", 1, 1),
    (9002, 1700000060, "好的", 1, 0),
    (9003, 1700000120, '<msg><img aeskey="x"/></msg>', 3, 1),
    (0, 1700000180, "你撤回了一条消息", 10000, 0),
    (9005, 1700000240, CARD, 49, 1),
]
GROUP = [
    (9101, 1700000300, "wxid_mother:\n饺子包好了", 1, 1),
    (9102, 1700000310, "wxid_tom:\n<msg/>", 34, 1),
    (9103, 1700000320, "来了", 1, 0),
]


def field(number: int, text: str) -> bytes:
    data = text.encode()
    return bytes([number << 3 | 2, len(data)]) + data


def contacts() -> str:
    people = {
        "wxid_li": field(1, "li") + field(3, "林晓雨"),
        "wxid_mother": field(1, "妈妈"),
        "777@chatroom": field(1, "一家人"),
    }
    rows = ", ".join(f"('{person}', x'{blob.hex()}')" for person, blob in people.items())
    return f"create table Friend (userName text primary key, type integer, dbContactRemark blob); insert into Friend (userName, dbContactRemark) values {rows};"


def database(script: str, path: Path) -> bytes:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path.read_bytes()


def wechat_files(tmp_path: Path) -> dict[str, bytes]:
    scratch = tmp_path / "scratch.db"
    return {
        f"{ACCOUNT}/DB/MM.sqlite": database(wechat_rows("wxid_li", PRIVATE), scratch),
        f"{ACCOUNT}/DB/message_1.sqlite": database(wechat_rows("777@chatroom", GROUP), scratch),
        f"{ACCOUNT}/DB/WCDB_Contact.sqlite": database(contacts(), scratch),
        f"{ACCOUNT}/Img/{digest('wxid_li')}/3.pic": b"\xff\xd8picture",
    }


def write_backup(
    folder: Path, files: Mapping[tuple[str, str], bytes], *, encrypted: bool = False, state: str = "finished"
) -> Path:
    """Write a backup as a computer makes it."""
    folder.mkdir(parents=True)
    (folder / "Manifest.plist").write_bytes(
        plistlib.dumps({"IsEncrypted": encrypted, "BackupKeyBag": b"VERS", "Version": "10.0"})
    )
    (folder / "Status.plist").write_bytes(plistlib.dumps({"SnapshotState": state}, fmt=plistlib.FMT_BINARY))
    rows = []
    for (domain, path), data in files.items():
        file_id = hashlib.sha1(f"{domain}-{path}".encode(), usedforsecurity=False).hexdigest()
        stored = folder / file_id[:2] / file_id
        stored.parent.mkdir(exist_ok=True)
        stored.write_bytes(data)
        record = plistlib.dumps({"$objects": ["$null", {"Size": len(data)}]}, fmt=plistlib.FMT_BINARY)
        rows.append((file_id, domain, path, 1, record))
    with closing(sqlite3.connect(folder / "Manifest.db")) as connection:
        connection.execute(
            "create table Files (fileID text primary key, domain text, relativePath text, flags integer, file blob)"
        )
        connection.executemany("insert into Files values (?, ?, ?, ?, ?)", rows)
        connection.execute("insert into Files values ('00', 'AppDomain-com.tencent.xin', 'Documents', 2, null)")
        connection.commit()
    if encrypted:
        (folder / "Manifest.db").write_bytes(os.urandom(8 * 4096))
    return folder


def read(path: Path) -> list[Message]:
    return messages_with(WechatIphoneDatabase(), path)


def lay(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_wechats_conversations_get_their_names_from_the_contacts(tmp_path: Path) -> None:
    lay(tmp_path / "phone", wechat_files(tmp_path))

    summary = summary_of(tmp_path / "phone")

    assert (summary.format, summary.app, summary.package) == ("wechat-iphone-db", "wechat", "com.tencent.mm")
    assert (summary.messages, summary.conversations, summary.findings) == (8, 2, ())
    assert {(one.key, one.title, one.kind, one.messages) for one in summary.by_conversation} == {
        ("wxid_li", "林晓雨", ConversationKind.PRIVATE, 5),
        ("777@chatroom", "一家人", ConversationKind.GROUP, 3),
    }
    # The picture is there; the card's file and the voice are not.
    assert (summary.media, summary.media_missing) == (3, 2)


def test_wechats_messages_have_sides_senders_kinds_and_words(tmp_path: Path) -> None:
    messages = {one.native_id: one for one in read(lay(tmp_path / "phone", wechat_files(tmp_path)))}

    assert (messages["9001"].direction, messages["9001"].sender_id, messages["9001"].sender_name) == (
        Direction.IN,
        "wxid_li",
        "林晓雨",
    )
    assert (messages["9002"].direction, messages["9002"].sender_id) == (Direction.OUT, None)
    assert messages["9003"].media[0].state is MediaState.PRESENT
    recalled = messages["local:MM.sqlite:4"]
    assert (recalled.kind, recalled.deletion, recalled.direction) == (
        MessageKind.RECALL,
        DeletionState.RECALLED,
        Direction.SYSTEM,
    )
    assert (messages["9005"].kind, messages["9005"].text, messages["9005"].native_kind) == (
        MessageKind.FILE,
        "报价单 & 合同.pdf",
        "49/6",
    )
    assert (messages["9101"].sender_id, messages["9101"].sender_name, messages["9101"].text) == (
        "wxid_mother",
        "妈妈",
        "饺子包好了",
    )
    assert (messages["9102"].kind, messages["9102"].text) == (MessageKind.VOICE, "")
    assert messages["9001"].ts_utc_us == 1700000000_000_000


def test_without_contacts_the_names_are_lost_and_a_missing_file_is_told(tmp_path: Path) -> None:
    files = wechat_files(tmp_path)
    del files[f"{ACCOUNT}/DB/WCDB_Contact.sqlite"]
    files[f"{ACCOUNT}/DB/message_3.sqlite"] = files.pop(f"{ACCOUNT}/DB/message_1.sqlite")

    summary = summary_of(lay(tmp_path / "phone", files))

    assert summary.messages == 8
    assert {one.key for one in summary.by_conversation} == {f"md5:{digest('wxid_li')}", f"md5:{digest('777@chatroom')}"}
    assert [(one.code, one.facts["count"]) for one in summary.findings] == [("names-lost", 2), ("shard-missing", 2)]


def test_deleted_messages_leave_a_gap(tmp_path: Path) -> None:
    script = wechat_rows("wxid_li", PRIVATE) + f"delete from Chat_{digest('wxid_li')} where MesLocalID in (2, 3);"
    lay(
        tmp_path / "phone",
        {
            "DB/MM.sqlite": database(script, tmp_path / "s.db"),
            "DB/WCDB_Contact.sqlite": database(contacts(), tmp_path / "s.db"),
        },
    )

    (gap,) = summary_of(tmp_path / "phone").findings

    assert (gap.code, gap.facts["count"], gap.facts["first"]) == ("sequence-gap", 2, 2)


def test_what_only_the_log_holds_is_read_and_the_source_stays_as_it_was(tmp_path: Path) -> None:
    phone = lay(tmp_path / "phone", wechat_files(tmp_path))
    path = phone / ACCOUNT / "DB" / "MM.sqlite"
    with closing(sqlite3.connect(path)) as writing:
        writing.execute("pragma journal_mode = wal")
        writing.execute("pragma wal_autocheckpoint = 0")
        writing.execute(
            f"insert into Chat_{digest('wxid_li')} (MesSvrID, CreateTime, Message, Type, Des) values (9, 1700009999, 'late', 1, 1)"
        )
        writing.commit()
        before = {one.name: one.read_bytes() for one in path.parent.iterdir()}

        counted = summary_of(phone).messages

        after = {one.name: one.read_bytes() for one in path.parent.iterdir()}

    assert counted == 9
    assert after == before


def backup_files(tmp_path: Path) -> dict[tuple[str, str], bytes]:
    return {(XIN, name): data for name, data in wechat_files(tmp_path).items()} | {
        ("CameraRollDomain", "Media/DCIM/1.JPG"): b"photo",
        ("AppDomain-com.example.bank", "Documents/a.sqlite"): b"x",
    }


def test_a_backup_is_read_by_the_names_on_the_phone(tmp_path: Path) -> None:

    scratch = tmp_path / "scratch.db"
    files = backup_files(tmp_path) | {
        ("AppDomainGroup-group.net.whatsapp.WhatsApp.shared", "ChatStorage.sqlite"): database(CHAT_STORAGE, scratch),
        ("HomeDomain", "Library/SMS/sms.db"): database(CHAT_DB, scratch),
        ("MediaDomain", "Library/SMS/Attachments/aa/a.jpg"): b"x",
    }
    backup = write_backup(tmp_path / "Backup" / "00008030-1", files)

    summary = summary_of(tmp_path / "Backup")
    with open_source(backup) as source:
        names = source.names()

    by_format = {"wechat-iphone-db": 8, "whatsapp-iphone-db": 0, "apple-messages-db": 5}
    assert summary.format == "mixed"
    assert summary.messages is not None
    assert summary.messages >= sum(by_format.values())
    assert f"{XIN}/{ACCOUNT}/DB/MM.sqlite" in names
    assert not [name for name in names if "DCIM" in name or "bank" in name]
    assert [one for one in summary.findings if one.code.startswith("backup")] == []


def test_a_backups_log_is_found_although_it_is_stored_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "MM.sqlite"
    path.write_bytes(wechat_files(tmp_path)[f"{ACCOUNT}/DB/MM.sqlite"])
    with closing(sqlite3.connect(path)) as writing:
        writing.execute("pragma journal_mode = wal")
        writing.execute("pragma wal_autocheckpoint = 0")
        writing.execute(
            f"insert into Chat_{digest('wxid_li')} (MesSvrID, CreateTime, Message, Type, Des) values (9, 1700009999, 'late', 1, 1)"
        )
        writing.commit()
        files = {
            (XIN, f"{ACCOUNT}/DB/MM.sqlite{ending}"): Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")
        }

    assert summary_of(write_backup(tmp_path / "b", files)).messages == 6


def test_missing_cut_and_misnamed_files_and_an_unfinished_backup_are_told(tmp_path: Path) -> None:
    files = backup_files(tmp_path)
    backup = write_backup(tmp_path / "b", files, state="uploading")
    ids = {name: hashlib.sha1(f"{domain}-{name}".encode(), usedforsecurity=False).hexdigest() for domain, name in files}
    gone, cut = ids["Media/DCIM/1.JPG"], ids[f"{ACCOUNT}/Img/{digest('wxid_li')}/3.pic"]
    (backup / gone[:2] / gone).unlink()
    (backup / cut[:2] / cut).write_bytes(b"x")
    with closing(sqlite3.connect(backup / "Manifest.db")) as connection:
        connection.execute("update Files set relativePath = '../../evil' where domain = 'AppDomain-com.example.bank'")
        connection.commit()

    summary = summary_of(backup)

    assert summary.messages == 8
    assert {
        (one.code, one.facts.get("count"), one.facts.get("name", one.facts.get("state"))) for one in summary.findings
    } == {
        ("backup-unfinished", None, "uploading"),
        ("backup-files-missing", 1, "CameraRollDomain/Media/DCIM/1.JPG"),
        ("backup-files-cut", 1, f"{XIN}/{ACCOUNT}/Img/{digest('wxid_li')}/3.pic"),
        ("backup-names-wrong", 1, "AppDomain-com.example.bank/../../evil"),
    }


def test_an_encrypted_backup_is_sealed_as_a_whole(tmp_path: Path) -> None:
    backup = write_backup(tmp_path / "b", backup_files(tmp_path), encrypted=True)
    stored = sum(one.stat().st_size for one in backup.rglob("*") if len(one.name) == 40)

    summary = summary_of(backup)

    assert (summary.format, summary.sealed, summary.messages) == ("ios-encrypted-backup", True, None)
    assert [(one.code, one.facts["bytes"]) for one in summary.findings] == [("sealed", stored)]


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_manifest_is_a_finding_and_never_a_traceback(tmp_path: Path, seed: int) -> None:
    backup = write_backup(tmp_path / "b", backup_files(tmp_path))
    name = ("Manifest.db", "Manifest.plist", "Status.plist")[seed % 3]
    data = bytearray((backup / name).read_bytes())
    at = (seed * 977) % len(data)
    data[at : at + 40] = b"\xff" * 40
    (backup / name).write_bytes(bytes(data[: len(data) // 2] if seed > 8 else data))

    summary = summarise(backup)

    assert summary is None or "unexpected-shape" not in {one.facts.get("reason") for one in summary.findings}


def test_a_folder_with_only_the_names_of_a_backup_is_read_as_a_folder(tmp_path: Path) -> None:
    lay(tmp_path / "phone", wechat_files(tmp_path))
    (tmp_path / "phone" / "Manifest.db").write_bytes(b"no database")
    (tmp_path / "phone" / "Manifest.plist").write_bytes(b"<plist><dict/></plist>")
    shutil.copytree(tmp_path / "phone" / ACCOUNT, tmp_path / "phone" / "aa")

    assert summary_of(tmp_path / "phone").messages == 16


def test_a_backup_inside_a_snapshot_is_seen_the_same_way(tmp_path: Path) -> None:
    backup = write_backup(tmp_path / "b", backup_files(tmp_path))
    members = {
        f"phone/{one.relative_to(backup).as_posix()}": DiskMember(str(one), one.stat().st_size)
        for one in backup.rglob("*")
        if one.is_file()
    }

    with open_members("b", members, Path) as source:
        summary = summarise_source(source)

    assert summary is not None
    assert (summary.messages, summary.conversations) == (8, 2)


def test_a_gap_names_the_conversation_by_its_title_and_counts_the_last_ones_too(tmp_path: Path) -> None:
    folder = lay(tmp_path / "phone", wechat_files(tmp_path))
    with closing(sqlite3.connect(folder / f"{ACCOUNT}/DB/MM.sqlite")) as connection:
        connection.execute(f"delete from Chat_{digest('wxid_li')} where MesLocalID in (2, 5)")
        connection.commit()

    gaps = [finding for finding in summary_of(folder).findings if finding.code == "sequence-gap"]

    assert [dict(gap.facts) for gap in gaps] == [{"conversation": "林晓雨", "key": "wxid_li", "count": 2, "first": 2}]
