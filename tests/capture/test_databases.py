"""Which files are databases."""

import sqlite3
import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies as st

from backupkit.capture.databases import (
    DatabaseKind,
    companions,
    header_page_size,
    recognise_database,
)
from backupkit.capture.unreadable import SourceUnreadable

NOISE = Random(7).randbytes(64 << 10)


def plain(path: Path, page_size: int = 4096) -> Path:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_a_plain_database_is_told_by_its_header_under_any_name(tmp_path: Path, page_size: int) -> None:
    path = plain(tmp_path / "photo.jpg", page_size)

    assert recognise_database(path) == DatabaseKind(sealed=False, page_size=page_size)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite format 3\0",
        b"SQLite format 3\0" + bytes(84),
        b"SQLite format 3\0\x10\x01\x01\x01\x00\x40\x20\x20" + bytes(76),
        b"hello" * 4096,
        b"\xff\xd8\xff" + NOISE[3:],
        NOISE[:4096],
        NOISE[: 40 << 10] + b"x",
        NOISE[: 8 << 10] + bytes(8 << 10),
    ],
    ids=[
        "empty",
        "magic only",
        "no page size",
        "odd page size",
        "text",
        "picture",
        "small",
        "odd size",
        "zeros at the end",
    ],
)
def test_any_other_file_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "EnMicroMsg.db").write_bytes(content)

    assert recognise_database(tmp_path / "EnMicroMsg.db") is None


def test_a_sealed_database_is_told_by_whole_pages_of_noise(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(NOISE)
    (tmp_path / "small").write_bytes(NOISE[: 33 << 10])

    assert recognise_database(tmp_path / "large") == DatabaseKind(sealed=True, page_size=4096, certain=False)
    assert recognise_database(tmp_path / "small") == DatabaseKind(sealed=True, page_size=1024, certain=False)


def test_the_page_size_that_was_found_before_is_kept_while_it_fits(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(NOISE)

    kept = recognise_database(tmp_path / "db", known_page_size=1024)
    dropped = recognise_database(tmp_path / "db", known_page_size=1000)

    assert kept is not None
    assert dropped is not None
    assert (kept.page_size, dropped.page_size) == (1024, 4096)


def test_the_log_beside_a_sealed_database_tells_its_page_size_for_certain(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(NOISE)
    (tmp_path / "db-wal").write_bytes(struct.pack(">III", 0x377F0682, 3007000, 2048) + bytes(20))

    assert recognise_database(tmp_path / "db") == DatabaseKind(sealed=True, page_size=2048)


def test_ntqq_begins_its_pages_after_its_own_words(tmp_path: Path) -> None:
    head = b"SQLite header 3\0" + bytes(16) + b"QQ_NT DB" + bytes(984)
    (tmp_path / "nt_msg.db").write_bytes(head + NOISE)

    kind = recognise_database(tmp_path / "nt_msg.db")

    assert kind == DatabaseKind(sealed=True, page_size=4096, prefix=1024)
    assert kind.grid == 1024


def test_a_clear_header_over_sealed_pages_is_sealed_with_a_certain_page_size(tmp_path: Path) -> None:
    """iOS needs the first 32 bytes clear in files that apps share; SQLCipher can leave them so."""
    path = plain(tmp_path / "signal.sqlite")
    path.write_bytes(path.read_bytes()[:32] + NOISE[32 : 16 << 10])

    assert recognise_database(path) == DatabaseKind(sealed=True, page_size=4096)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        recognise_database(tmp_path / "gone")


def test_companions_are_named_as_sqlite_names_them() -> None:
    assert companions(b"msg.db") == (b"msg.db-wal", b"msg.db-shm", b"msg.db-journal")


@given(st.binary(max_size=200))
def test_any_head_gets_an_answer(head: bytes) -> None:
    assert header_page_size(head) is None or head.startswith(b"SQLite format 3\0")


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "page_size", "prefix"),
    [
        ("sqlcipher/e_wx_android.db", 1024, 0),
        ("sqlcipher/e_wx_mac3.db", 1024, 0),
        ("sqlcipher/e_wx_pc3.db", 4096, 0),
        ("sqlcipher/e_wx_pc4.db", 4096, 0),
        ("sqlcipher/e_ntqq.db", 4096, 0),
        ("sqlcipher/e_ntqq512.db", 4096, 0),
        ("sqlcipher/e_signal_desktop.db", 4096, 0),
        ("sqlcipher/e_compat3.db", 1024, 0),
        ("sqlcipher/live_ckptlock.db", 4096, 0),
        ("qq/nt_msg_wrapped.db", 4096, 1024),
    ],
)
def test_the_corpus_of_sealed_databases_is_recognised(corpus: Path, name: str, page_size: int, prefix: int) -> None:
    kind = recognise_database(corpus / "chats/_synthetic" / name)

    assert kind is not None
    assert (kind.sealed, kind.page_size, kind.prefix) == (True, page_size, prefix)


@pytest.mark.corpus
def test_nothing_else_in_the_corpus_is_taken_for_a_database(corpus: Path) -> None:
    taken = {
        str(path.relative_to(corpus))
        for path in corpus.rglob("*")
        if path.is_file() and recognise_database(path) is not None
    }

    assert {name.split("/")[2] for name in taken} == {"sqlcipher", "qq"}
    assert len(taken) == 10
