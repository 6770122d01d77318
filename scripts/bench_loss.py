"""How long the loss preview takes after a small change, in CPU seconds of this process, by format.

python scripts/bench_loss.py [--messages 1000000] [--formats text,database,telegram,zip] [--folder DIR]

For each format: the reading that a snapshot does anyway, with and without the ledger that it writes; the preview of an
untouched source, of one with 50 new messages in a newly exported file, and of the same without the ledger's help.
"""

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupkit.capture.cuts import text_cuts
from backupkit.chats.counting.summary import summarise_source
from backupkit.chats.losing.ledger import Ledger
from backupkit.chats.losing.ledger_build import LedgerBuilder
from backupkit.chats.losing.loss import preview_loss
from backupkit.chats.readers.registry import recognise
from backupkit.chats.sources.source import open_source

KEY = bytes(32)
START = datetime(2015, 1, 1, tzinfo=UTC)
WORDS = ("在吗", "ok", "on my way, ten minutes", "哈哈哈", "see the receipt I sent you yesterday", "周末回来吃饭吗")
NEW = 50


def write_text(folder: Path, messages: int) -> None:
    """Write a text export as an Android phone does."""
    with (folder / "WhatsApp Chat with Family.txt").open("w", encoding="utf-8") as file:
        for number in range(messages):
            at = START + timedelta(minutes=number * 3 // 2)
            file.write(f"{at:%d/%m/%Y, %H:%M} - {'Li' if number % 3 else 'Wang'}: {WORDS[number % 6]} {number}\n")


def write_zip(folder: Path, messages: int) -> None:
    """Write the same export in a zip."""
    write_text(folder, messages)
    text = folder / "WhatsApp Chat with Family.txt"
    with zipfile.ZipFile(
        folder / "WhatsApp Chat with Family.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as archive:
        archive.write(text, text.name)
    text.unlink()


def write_telegram(folder: Path, messages: int) -> None:
    """Write one chat as Telegram Desktop does."""
    with (folder / "result.json").open("w", encoding="utf-8") as file:
        file.write('{\n "name": "Family",\n "type": "private_supergroup",\n "id": 7001,\n "messages": [\n')
        for number in range(1, messages + 1):
            at = START + timedelta(seconds=number * 90)
            text = f"{WORDS[number % 6]} {number}"
            record = {
                "id": number, "type": "message", "date": at.strftime("%Y-%m-%dT%H:%M:%S"),
                "date_unixtime": str(int(at.timestamp())), "from": "Li" if number % 3 else "Wang",
                "from_id": f"user{number % 3}", "text": text, "text_entities": [{"type": "plain", "text": text}],
            }  # fmt: skip
            file.write(("" if number == 1 else ",\n") + json.dumps(record, ensure_ascii=False, indent=1))
        file.write("\n ]\n}")


def write_database(folder: Path, messages: int) -> None:
    """Write or extend a database in the shape of WhatsApp's own."""
    connection = sqlite3.connect(folder / "msgstore.db")
    connection.executescript(
        "create table if not exists jid (_id integer primary key, raw_string text);"
        "create table if not exists chat (_id integer primary key, jid_row_id integer unique, subject text);"
        "create table if not exists message (_id integer primary key autoincrement, chat_row_id integer, from_me integer, key_id text,"
        " sender_jid_row_id integer, timestamp integer, message_type integer, text_data text, sort_id integer);"
        "create unique index if not exists by_key on message (chat_row_id, from_me, key_id);"
        "create index if not exists by_sort on message (chat_row_id, sort_id);"
        "insert or ignore into jid values (1, 'g1@g.us'), (2, '8613800000001@s.whatsapp.net');"
        "insert or ignore into chat values (1, 1, 'Family'), (2, 2, null);"
    )
    (known,) = connection.execute("select coalesce(max(_id), 0) from message").fetchone()
    start_ms = int(START.timestamp() * 1000)
    connection.executemany(
        "insert into message values (?,?,?,?,?,?,?,?,?)",
        (
            (n, 1 + n % 2, n % 3 == 0, f"3EB0{n * 2654435761 % (1 << 32):08X}{n:08X}", 2, start_ms + n * 90_000, 0, f"{WORDS[n % 6]} {n}", n)
            for n in range(known + 1, messages + 1)
        ),
    )  # fmt: skip
    connection.commit()
    connection.close()


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "text": write_text,
    "zip": write_zip,
    "telegram": write_telegram,
    "database": write_database,
}


def cut(pieces: object) -> object:
    """Cut as a snapshot does."""
    return text_cuts(pieces, 5)  # type: ignore[arg-type]


def spent(work: Callable[[], object]) -> tuple[float, object]:
    """Return the CPU seconds of this process that some work took, and what came of it."""
    before = time.process_time()
    came = work()
    return time.process_time() - before, came


def summarise(folder: Path) -> None:
    """Read everything, as a snapshot does."""
    with open_source(folder) as source:
        summarise_source(source)


def remember(folder: Path) -> bytes:
    """Read everything and write the ledger."""
    with open_source(folder) as source:
        recognised = recognise(source)
        builder = LedgerBuilder(source, KEY, cut, started_ns=time.time_ns() + 10**12)  # type: ignore[arg-type]
        summarise_source(source, recognised, builder.message)
        return builder.finish(recognised).encode(KEY)


def preview(folder: Path, ledger: bytes | None) -> tuple[object, int]:
    """Look what would be lost; the ledger is read from its bytes as from the cache."""
    known = None if ledger is None else Ledger.decode(ledger, KEY)
    with open_source(folder) as source:
        found = preview_loss(source, known, KEY, cut)  # type: ignore[arg-type]
    assert found is not None
    return found.uncovered, found.read


def main() -> None:
    """Measure every format that was asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--messages", type=int, default=1_000_000)
    asked.add_argument("--formats", default="text,zip,telegram,database")
    asked.add_argument("--folder", type=Path)
    options = asked.parse_args()
    print(f"{options.messages:,} messages, {NEW} new; CPU seconds")
    for form in options.formats.split(","):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name, "chats")
            folder.mkdir()
            WRITERS[form](folder, options.messages)
            size = sum(path.stat().st_size for path in folder.iterdir())
            plain, _ = spent(lambda: summarise(folder))  # noqa: B023
            with_ledger, ledger = spent(lambda: remember(folder))  # noqa: B023
            assert isinstance(ledger, bytes)
            untouched, _ = spent(lambda: preview(folder, ledger))  # noqa: B023
            if form != "database":
                shutil.rmtree(folder)
                folder.mkdir()
            WRITERS[form](folder, options.messages + NEW)
            changed, found = spent(lambda: preview(folder, ledger))  # noqa: B023
            print(
                f"{form:9} {size / 1e6:6.0f} MB  read {plain:6.2f}  read+ledger {with_ledger:6.2f} ({len(ledger) / 1e6:.1f} MB)  "
                f"untouched {untouched:5.2f}  changed {changed:5.2f}  (uncovered, read) = {found}"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
