"""One small database or sealed backup of every format that is not text, generated, for tests that hold for all of them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from chat_factory import write_chat_database
from chat_schemas import CHAT_DB, CHAT_STORAGE
from damaged_database import chat_storage, msgstore, wechat
from sealing import IPHONE_PASSWORD, SIGNAL_PASSPHRASE, WHATSAPP_KEY, seal_iphone, seal_signal, seal_whatsapp

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
