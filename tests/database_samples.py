"""One small database, sealed backup or workbook of every format that is not text, generated, for tests that hold for all of them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from chat_factory import write_chat_database
from chat_schemas import CHAT_DB, CHAT_STORAGE
from damaged_database import chat_storage, msgstore, wechat
from sealing import IPHONE_PASSWORD, SIGNAL_PASSPHRASE, WHATSAPP_KEY, seal_iphone, seal_signal, seal_whatsapp
from workbooks import workbook, write_workbook

from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys

Make: TypeAlias = Callable[[Path], None]
"""Writes a sample into an empty folder."""

SAMPLES: dict[str, tuple[Make, OwnerKeys]] = {}
"""By format, and what tells several of one format apart."""


def sample(name: str, keys: OwnerKeys = NO_KEYS) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        SAMPLES[name] = make, keys
        return make

    return register


def write(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@sample("whatsapp-android-db")
def android(folder: Path) -> None:
    msgstore(folder / "msgstore.db", 120)


@sample("whatsapp-android-db with a log")
def android_log(folder: Path) -> None:
    made = folder.parent / f"{folder.name}-made"
    write_chat_database(made / "msgstore.db", messages=40)
    with closing(sqlite3.connect(made / "msgstore.db")) as connection:
        connection.execute("pragma wal_autocheckpoint = 0")
        for number in range(100, 110):
            connection.execute(
                "insert into message (_id, chat_row_id, from_me, key_id) values (?, 1, 0, ?)", (number, f"K{number}")
            )
            connection.commit()
        for ending in ("", "-wal"):
            (folder / f"msgstore.db{ending}").write_bytes((made / f"msgstore.db{ending}").read_bytes())


@sample("whatsapp-android-db with a journal")
def android_journal(folder: Path) -> None:
    made = folder.parent / f"{folder.name}-made"
    made.mkdir(exist_ok=True)
    msgstore(made / "msgstore.db", 300)
    with closing(sqlite3.connect(made / "msgstore.db")) as connection:
        connection.execute("pragma cache_size = 2")
        connection.execute("pragma cache_spill = 1")
        connection.execute("update message set text_data = 'overwritten'")
        for ending in ("", "-journal"):
            (folder / f"msgstore.db{ending}").write_bytes((made / f"msgstore.db{ending}").read_bytes())
        connection.rollback()


@sample("whatsapp-iphone-db")
def iphone(folder: Path) -> None:
    chat_storage(folder / "ChatStorage.sqlite", 120)


@sample("apple-messages-db")
def apple(folder: Path) -> None:
    write(folder / "chat.db", CHAT_DB)


@sample("wechat-iphone-db")
def wechat_phone(folder: Path) -> None:
    wechat(folder / "MM.sqlite", 200)


@sample("signal-android-db", OwnerKeys(signal=(SIGNAL_PASSPHRASE,)))
def signal(folder: Path) -> None:
    (folder / "signal.backup").write_bytes(seal_signal(rounds=50))


@sample("whatsapp-android-db sealed", OwnerKeys(whatsapp=(WHATSAPP_KEY,)))
def crypt15(folder: Path) -> None:
    made = folder.parent / f"{folder.name}-made"
    made.mkdir(exist_ok=True)
    msgstore(made / "msgstore.db", 120)
    (folder / "msgstore.db.crypt15").write_bytes(seal_whatsapp((made / "msgstore.db").read_bytes()))


@sample("whatsapp-iphone-db sealed in a backup", OwnerKeys(passwords=(IPHONE_PASSWORD,)))
def iphone_backup(folder: Path) -> None:
    made = folder.parent / f"{folder.name}-made"
    made.mkdir(exist_ok=True)
    write(made / "storage.db", CHAT_STORAGE)
    domain = "AppDomainGroup-group.net.whatsapp.WhatsApp.shared"
    seal_iphone(folder / "backup", {(domain, "ChatStorage.sqlite"): (made / "storage.db").read_bytes()})


@sample("qq-exporter-xlsx")
def qq_workbook(folder: Path) -> None:
    heads = ["序号", "时间", "发送者", "发送者QQ号", "消息类型", "消息内容", "是否撤回", "资源数量"]
    rows = [
        [number, f"2024-11-02 10:{number:02}:00", "外婆", "10001", "文本", f"早安 {number}", "否", 0]
        for number in range(1, 60)
    ]
    write_workbook(folder / "一家人.xlsx", workbook([heads, *rows], sheet="聊天记录", first="统计信息"))


@sample("wechat-memotrace workbook")
def memotrace_workbook(folder: Path) -> None:
    heads = ["消息ID", "类型", "发送人", "时间", "内容", "备注", "昵称", "更多信息"]
    rows = [
        [
            str(7 * 10**18 + number),
            "文本",
            "外婆",
            f"2024-12-01 12:{number:02}:00",
            f"早安 {number}",
            "外婆",
            "b",
            "more",
        ]
        for number in range(60)
    ]
    write_workbook(folder / "外婆.xlsx", workbook([heads, *rows], sheet="聊天记录", first="成员信息"))
