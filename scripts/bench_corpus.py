"""Makes the chats that `bench.py` measures with: the same bytes for the same scale and seed.

    bench_corpus.py FOLDER --scale 1.0          lays out FOLDER/source and what is needed for the days
    bench_corpus.py FOLDER --day 1              one day later: 2,000 messages into each database, 60 media

At scale 1.0 there are about 1.8 GB in 21,500 files: a plain message database with two indexes and full-text search, one
whose pages are sealed (each page that changes is noise under a new nonce, as SQLCipher writes it), 20,000 thumbnails,
images, films, voice messages and JSON exports. The last line printed is one JSON object; for a day it says how many
bytes of pages changed, and how many those and the new media are when compressed in extents of 256 pages.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PAGE = 4096
EXTENT_PAGES = 256
MESSAGES = 1_100_000
THUMBNAILS = 20_000
IMAGES = 1_150
VOICES = 250
FILMS = 45
EXPORTS = 55
DAY_MESSAGES = 2_000
DAY_THUMBNAILS = 50
DAY_IMAGES = 10
FIRST_SECOND = 1_700_000_000

_JPEG, _MP4, _AMR = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", b"\x00\x00\x00\x18ftypmp42", b"#!AMR\n"
_SCHEMA = """
CREATE TABLE message (id INTEGER PRIMARY KEY, server_id INTEGER NOT NULL, talker TEXT NOT NULL, sender TEXT NOT NULL,
    kind INTEGER NOT NULL, sent_at INTEGER NOT NULL, content TEXT NOT NULL, extra BLOB);
CREATE INDEX message_by_talker ON message (talker, sent_at);
CREATE INDEX message_by_server_id ON message (server_id);
CREATE VIRTUAL TABLE message_text USING fts5 (content, content = 'message', content_rowid = 'id');
"""

Row = tuple[int, int, str, str, int, int, str, bytes | None]


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", type=int, help="go on by one day; days count from 1")
    asked = parser.parse_args()
    if asked.day is None:
        made: dict[str, int] = lay_out(asked.folder, asked.scale, asked.seed)
    else:
        made = go_on_by_a_day(asked.folder, asked.day, asked.seed)
    print(json.dumps(made))


def lay_out(folder: Path, scale: float, seed: int) -> dict[str, int]:
    """Make the source, and beside it the open twin of the sealed database; return files and bytes."""
    source = folder / "source"
    databases = source / "databases"
    databases.mkdir(parents=True)
    count = max(round(MESSAGES * scale), 50)
    _add_messages(databases / "messages.db", f"{seed}/plain", 0, count)
    _add_messages(folder / "twin.db", f"{seed}/sealed", 0, count)
    _seal_changed(folder / "twin.db", None, databases / "sealed.db", seed, day=0)
    rng = random.Random(f"{seed}/media")
    _put_thumbnails(source, rng, 0, round(THUMBNAILS * scale))
    _put_images(source, rng, 0, round(IMAGES * scale))
    _put(source / "voices", rng, _AMR, round(VOICES * scale), 100_000, 0.6, ".amr")
    _put(source / "films", rng, _MP4, round(FILMS * scale), 9_000_000, 0.5, ".mp4")
    for number in range(max(round(EXPORTS * scale), 1)):
        _put_export(source / "exports" / f"{number:03}.json", f"{seed}/export/{number}")
    files = [path for path in source.rglob("*") if path.is_file()]
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}


def go_on_by_a_day(folder: Path, day: int, seed: int) -> dict[str, int]:
    """Add a day; return bytes of changed pages, of those compressed, and of new media."""
    source, before = folder / "source", folder / "before.db"
    plain, sealed, twin = source / "databases/messages.db", source / "databases/sealed.db", folder / "twin.db"
    shutil.copyfile(plain, before)
    _add_messages(plain, f"{seed}/plain/{day}", day, DAY_MESSAGES)
    changed = list(_changed_pages(before, plain))
    compressed = _compressed(plain, changed)
    shutil.copyfile(twin, before)
    _add_messages(twin, f"{seed}/sealed/{day}", day, DAY_MESSAGES)
    # Noise does not become smaller: the sealed pages count as they are.
    resealed = _seal_changed(twin, before, sealed, seed, day=day)
    before.unlink()
    rng = random.Random(f"{seed}/media/{day}")
    media = _put_thumbnails(source, rng, day, DAY_THUMBNAILS) + _put_images(source, rng, day, DAY_IMAGES)
    return {
        "changed_bytes": (len(changed) + resealed) * PAGE,
        "compressed_bytes": compressed + resealed * PAGE,
        "media_bytes": media,
    }


def _add_messages(path: Path, seed: str, day: int, count: int) -> None:
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        if day == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
        rows = _messages(random.Random(seed), last + 1, count, FIRST_SECOND + day * 86_400)
        connection.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute(
            "INSERT INTO message_text (rowid, content) SELECT id, content FROM message WHERE id > ?", (last,)
        )
        connection.execute("COMMIT")
    connection.close()


def _messages(rng: random.Random, first: int, count: int, start: int) -> Iterator[Row]:
    words, weights = _vocabulary()
    for number in range(first, first + count):
        talker = f"wxid_{int(rng.paretovariate(0.8)) % 400:08x}"
        content = " ".join(rng.choices(words, cum_weights=weights, k=rng.randint(3, 24)))
        extra = rng.randbytes(48) if rng.random() < 0.2 else None
        yield number, rng.getrandbits(62), talker, f"wxid_{rng.randrange(900):08x}", 1, start + number, content, extra


def _vocabulary() -> tuple[list[str], list[float]]:
    rng = random.Random("vocabulary")
    letters = "etaoinshrdlucmfwypvbgk"
    chinese = ["".join(chr(0x4E00 + rng.randrange(3000)) for _ in range(rng.randint(1, 3))) for _ in range(3000)]
    latin = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(3000)]
    words = [word for pair in zip(chinese, latin, strict=True) for word in pair]
    return words, list(accumulate(1 / (rank + 5) for rank in range(len(words))))


def _changed_pages(before: Path, after: Path) -> Iterator[int]:
    """Give the numbers, from 0, of the pages in which two databases differ."""
    with before.open("rb") as old, after.open("rb") as new:
        number = 0
        while page := new.read(PAGE):
            if old.read(PAGE) != page:
                yield number
            number += 1


def _compressed(path: Path, pages: list[int]) -> int:
    compressor = zstandard.ZstdCompressor(level=3)
    size = 0
    with path.open("rb") as file:
        for start in range(0, len(pages), EXTENT_PAGES):
            extent = b"".join(_page(file.fileno(), page) for page in pages[start : start + EXTENT_PAGES])
            size += len(compressor.compress(extent))
    return size


def _seal_changed(twin: Path, before: Path | None, sealed: Path, seed: int, *, day: int) -> int:
    """Write the pages of the twin that changed into the sealed database, under new nonces; return how many."""
    pages = range(twin.stat().st_size // PAGE) if before is None else _changed_pages(before, twin)
    cipher = algorithms.AES(random.Random(f"{seed}/key").randbytes(32))
    count = 0
    with twin.open("rb") as source, sealed.open("r+b" if sealed.exists() else "xb") as target:
        for page in pages:
            nonce = day.to_bytes(4, "big") + page.to_bytes(4, "big") + bytes(8)
            encryptor = Cipher(cipher, modes.CTR(nonce)).encryptor()
            os.pwrite(target.fileno(), encryptor.update(_page(source.fileno(), page)), page * PAGE)
            count += 1
    return count


def _page(descriptor: int, page: int) -> bytes:
    return os.pread(descriptor, PAGE, page * PAGE)


def _put_thumbnails(source: Path, rng: random.Random, day: int, count: int) -> int:
    size = 0
    for number in range(count):
        folder = source / "thumbnails" / f"{day:02}{rng.randrange(64):02x}"
        size += _put_media(folder / f"{number:05}.jpg", rng, _JPEG, 9_000, 0.6)
    return size


def _put_images(source: Path, rng: random.Random, day: int, count: int) -> int:
    return _put(source / f"images-{day:02}", rng, _JPEG, count, 360_000, 0.6, ".jpg")


def _put(folder: Path, rng: random.Random, mark: bytes, count: int, typical: int, spread: float, ending: str) -> int:
    return sum(_put_media(folder / f"{number:05}{ending}", rng, mark, typical, spread) for number in range(count))


def _put_media(path: Path, rng: random.Random, mark: bytes, typical: int, spread: float) -> int:
    """Write a file that looks compressed, of a log-normal size around `typical` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = mark + rng.randbytes(max(round(typical * rng.lognormvariate(0, spread)), 500))
    path.write_bytes(data)
    return len(data)


def _put_export(path: Path, seed: str) -> None:
    """Write about 2 MB of messages as JSON, in no layout of any app: peers do not count messages, and here nobody does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = _messages(random.Random(seed), 1, 9_000, FIRST_SECOND)
    messages = [{"no": row[0], "from": row[3], "at": row[5], "said": row[6]} for row in rows]
    path.write_text(json.dumps({"conversation": seed, "said": messages}, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
