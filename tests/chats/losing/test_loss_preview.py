"""What would be lost, told without reading again what did not change."""

import json
import os
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_factory import (
    extend_chat_database,
    write_chat_database,
    write_telegram_account,
    write_telegram_chat,
    write_whatsapp_android,
    write_whatsapp_iphone,
)

from backupkit.capture.cuts import text_cuts
from backupkit.chats.counting.summary import summarise_source
from backupkit.chats.losing.ledger import Ledger
from backupkit.chats.losing.ledger_build import LedgerBuilder
from backupkit.chats.losing.loss import CoverageLevel, LossPreview, preview_loss
from backupkit.chats.readers.registry import recognise
from backupkit.chats.sources.source import open_source

KEY = bytes(range(32))
LATER = 1 << 62


def cut(pieces: Any) -> Any:
    return text_cuts(pieces, 7)


def remember(path: Path, started_ns: int = LATER) -> Ledger:
    with open_source(path) as source:
        recognised = recognise(source)
        builder = LedgerBuilder(source, KEY, cut, started_ns=started_ns)
        summarise_source(source, recognised, builder.message)
        data = builder.finish(recognised).encode(KEY)
    return Ledger.decode(data, KEY)


def preview(path: Path, ledger: Ledger | None) -> LossPreview:
    with open_source(path) as source:
        found = preview_loss(source, ledger, KEY, cut)
    assert found is not None
    return found


WAYS: list[tuple[str, Callable[..., Any], str]] = [
    ("telegram", write_telegram_chat, "chat"),
    ("android", write_whatsapp_android, "chat"),
    ("iphone", write_whatsapp_iphone, "chat/WhatsApp Chat - Family.zip"),
]


@pytest.mark.parametrize(("write", "place"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_only_what_is_new_is_read_and_counted_exactly(tmp_path: Path, write: Any, place: str) -> None:
    path = tmp_path / place
    write(path, messages=6000)
    ledger = remember(tmp_path / "chat")
    assert preview(tmp_path / "chat", ledger).uncovered == 0

    shutil.rmtree(tmp_path / "chat")
    write(path, messages=6030)
    found = preview(tmp_path / "chat", ledger)

    assert (found.level, found.messages, found.uncovered) == (CoverageLevel.COVERED_WITH_GAP, 6030, 30)
    (conversation,) = found.conversations
    assert (conversation.messages, sum(conversation.uncovered_by_day.values())) == (6030, 30)
    assert conversation.newest_uncovered_us == found.newest_uncovered_us
    assert found.read < 4500


def test_an_untouched_source_is_not_read_at_all(tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "chat", messages=300)
    ledger = remember(tmp_path / "chat")

    found = preview(tmp_path / "chat", ledger)

    assert (found.level, found.messages, found.conversation_count, found.read) == (CoverageLevel.COVERED, 300, 1, 0)


@pytest.mark.parametrize(
    ("write", "place"), [way[1:] for way in WAYS if way[0] != "android"], ids=["telegram", "iphone"]
)
def test_an_export_that_was_cut_is_unknown_and_never_covered(tmp_path: Path, write: Any, place: str) -> None:
    write(tmp_path / place, messages=300)
    ledger = remember(tmp_path / "chat")
    export = next(path for path in sorted((tmp_path / "chat").rglob("*")) if path.suffix in {".json", ".zip"})
    export.write_bytes(export.read_bytes()[: export.stat().st_size * 2 // 3])

    found = preview(tmp_path / "chat", ledger)

    assert (found.level, found.uncovered) == (CoverageLevel.UNKNOWN, None)


def test_a_renamed_export_is_known_by_its_content(tmp_path: Path) -> None:
    write_whatsapp_android(tmp_path / "one", messages=5000)
    ledger = remember(tmp_path / "one")
    write_whatsapp_android(tmp_path / "two", messages=5010)
    old = next((tmp_path / "two").glob("*.txt"))
    old.rename(old.with_name("WhatsApp Chat with Family table(1).txt"))

    found = preview(tmp_path / "two", ledger)

    assert (found.uncovered, found.messages) == (10, 5010)
    assert found.read < 5010


def test_news_in_several_chats_of_one_file_are_told_by_chat(tmp_path: Path) -> None:
    write_telegram_account(tmp_path / "account", chats=4, messages=1500)
    ledger = remember(tmp_path / "account")
    file = tmp_path / "account" / "result.json"
    exported = json.loads(file.read_text("utf-8"))
    chats = exported["chats"]["list"]
    for number, chat in enumerate(chats[1:3], 1):
        newest = chat["messages"][-1]
        for more in range(number * 5):
            chat["messages"].append({**newest, "id": newest["id"] + 1 + more, "text": f"news {more}"})
    chats[3]["messages"][700]["text"] = "other words"
    del chats[0]["messages"][100]
    file.write_text(json.dumps(exported, ensure_ascii=False, indent=1), "utf-8")

    found = preview(tmp_path / "account", ledger)

    assert (found.uncovered, found.changed) == (15, 1)
    assert sorted((one.uncovered, one.changed) for one in found.conversations) == [(0, 1), (5, 0), (10, 0)]


@pytest.mark.parametrize("seed", range(3))
def test_the_short_way_finds_what_the_long_way_finds(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    write_whatsapp_android(tmp_path / "chat", messages=3000)
    file = next((tmp_path / "chat").glob("*.txt"))
    ledger = remember(tmp_path / "chat")
    lines = file.read_text("utf-8").splitlines(keepends=True)
    for _ in range(5):
        place = dice.randrange(len(lines))
        what = dice.random()
        if what < 0.4:
            # The same words in the same minute once more.
            lines.insert(place, lines[place])
        elif what < 0.7:
            del lines[place]
        else:
            lines[place] = lines[place].rstrip("\n") + " and more\n"
    file.write_text("".join(lines), "utf-8")

    short = preview(tmp_path / "chat", ledger)
    with open_source(tmp_path / "chat") as source:
        from backupkit.chats.losing.loss import _Preview

        long = _Preview(source, ledger, KEY, cut, whole=True).run()

    assert long is not None
    assert (short.level, short.messages, short.uncovered, short.changed) == (
        long.level, long.messages, long.uncovered, long.changed,
    )  # fmt: skip
    assert short.conversations == long.conversations


def test_a_database_is_asked_only_for_rows_on_pages_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "db" / "msgstore.db"
    write_chat_database(path, messages=5000)
    ledger = remember(tmp_path / "db")
    extend_chat_database(path, messages=5040)
    connection = sqlite3.connect(path)
    connection.execute("update message set text_data = 'other words' where _id = 1700")
    connection.execute("delete from message where _id = 40")
    connection.commit()
    connection.close()

    found = preview(tmp_path / "db", ledger)

    assert (found.uncovered, found.changed, found.messages) == (40, 1, 5039)
    assert found.read < 1000


def test_rows_that_lie_only_in_the_log_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "db" / "msgstore.db"
    write_chat_database(path, messages=2000)
    ledger = remember(tmp_path / "db")
    writing = sqlite3.connect(path)
    writing.execute("pragma wal_autocheckpoint = 0")
    writing.execute(
        "insert into message select 9000, chat_row_id, from_me, 'NEW', sender_jid_row_id, timestamp, 0, 0, 'new', 9000 from message where _id = 5"
    )
    writing.commit()
    shutil.copytree(tmp_path / "db", tmp_path / "copy")
    writing.close()

    found = preview(tmp_path / "copy", ledger)

    assert (found.uncovered, found.messages) == (1, 2001)
    assert found.read < 1000


def test_sealed_databases_tell_pages_and_commits_and_no_messages(tmp_path: Path) -> None:
    sealed = tmp_path / "MicroMsg" / "0123456789abcdef0123456789abcdef" / "EnMicroMsg.db"
    sealed.parent.mkdir(parents=True)
    data = bytearray(os.urandom(64 * 4096))
    sealed.write_bytes(data)
    ledger = remember(tmp_path)
    assert preview(tmp_path, ledger).level is CoverageLevel.UNKNOWN
    data[5 * 4096] ^= 1
    data += os.urandom(2 * 4096)
    sealed.write_bytes(data)

    found = preview(tmp_path, ledger)

    assert (found.level, found.messages, found.uncovered) == (CoverageLevel.UNKNOWN, None, None)
    assert (found.sealed.files, found.sealed.pages, found.sealed.pages_changed) == (1, 66, 3)


def test_a_lost_ledger_is_unknown(tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "chat", messages=50)

    found = preview(tmp_path / "chat", None)

    assert (found.level, found.messages, found.uncovered) == (CoverageLevel.UNKNOWN, 50, None)


def test_a_file_that_was_written_to_during_the_snapshot_covers_nothing_for_certain(tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "chat", messages=50)

    ledger = remember(tmp_path / "chat", started_ns=1)

    assert preview(tmp_path / "chat", ledger).level is CoverageLevel.UNKNOWN


def test_a_ledger_says_nothing_readable_and_is_believed_only_whole(tmp_path: Path) -> None:
    write_whatsapp_iphone(tmp_path / "chat" / "WhatsApp Chat - Secret.zip", messages=200)
    with zipfile.ZipFile(tmp_path / "chat" / "WhatsApp Chat - Secret.zip") as archive:
        words = archive.read("_chat.txt")
    data = remember(tmp_path / "chat").encode(KEY)

    assert b"Secret" not in data
    assert not any(word in data for word in words.split() if len(word) > 5)
    for bad in (data[:-1], data[:200] + bytes([data[200] ^ 1]) + data[201:], b"", data[:40]):
        with pytest.raises(ValueError):
            Ledger.decode(bad, KEY)
    with pytest.raises(ValueError):
        Ledger.decode(data, bytes(32))


def test_an_export_that_was_cut_when_it_was_saved_covers_nothing_for_certain_either(tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "chat", messages=200)
    export = tmp_path / "chat/result.json"
    export.write_bytes(export.read_bytes()[: export.stat().st_size // 2])
    ledger = remember(tmp_path / "chat")
    export.write_bytes(export.read_bytes()[:-100])

    found = preview(tmp_path / "chat", ledger)

    assert (found.level, found.uncovered, found.changed) == (CoverageLevel.UNKNOWN, None, None)


@pytest.mark.parametrize("place", ["folder", "folder/WhatsApp Chat - Family.zip", "later/result.json"])
def test_what_cannot_be_looked_into_may_hold_messages_and_covers_nothing_for_certain(
    ordinary_folder: Path, place: str
) -> None:
    write_telegram_chat(ordinary_folder / "chat", messages=50)
    write_whatsapp_iphone(ordinary_folder / "folder" / "WhatsApp Chat - Family.zip", messages=50)
    ledger = remember(ordinary_folder)
    write_telegram_chat(ordinary_folder / "later", messages=20)  # not in the ledger
    (ordinary_folder / place).chmod(0)

    found = preview(ordinary_folder, ledger)

    (ordinary_folder / place).chmod(0o700)
    assert (found.level, found.uncovered) == (CoverageLevel.UNKNOWN, None)
