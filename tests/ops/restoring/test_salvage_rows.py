"""What can be saved of a database that SQLite no longer opens."""

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.chats.carve.filling import LABELS
from backupkit.chats.carve.leaf import leaf_rowids
from backupkit.chats.carve.table import create_statement, table_from
from backupkit.ops.events import tell_nobody
from backupkit.ops.failures import TargetNotEmpty
from backupkit.ops.restoring.salvage import NothingToSalvage, Salvaged, salvage

PAGE = 1024


def make(path: Path, rows: int = 12_000, *, indexed: bool = True) -> None:
    """A chat database with long and short messages, in the order in which an app writes them."""
    dice = random.Random(5)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        connection.executescript(
            "create table chat (_id integer primary key, subject text not null, kind integer);"
            "create table message (_id integer primary key autoincrement, chat integer not null, key_id text not null,"
            " at integer, text_data text, score real, thumb blob, unique (chat, key_id));"
            if indexed
            else "create table chat (_id integer primary key, subject text not null, kind integer);"
            "create table message (_id integer primary key, chat integer not null, key_id text not null,"
            " at integer, text_data text, score real, thumb blob);"
        )
        connection.executemany("insert into chat values (?,?,?)", ((n, f"chat {n}", n % 3) for n in range(1, 200)))
        connection.executemany(
            "insert into message values (?,?,?,?,?,?,?)",
            (
                (
                    n, n % 199 + 1, f"{n:08X}", 1_700_000_000_000 + n, text_of(n), n / 3 if n % 5 == 0 else None,
                    dice.randbytes(20) if n % 7 == 0 else None,
                )
                for n in range(1, rows + 1)
            ),
        )  # fmt: skip
        connection.commit()


def text_of(number: int) -> str:
    return f"消息 {number} " + "ha" * (900 if number % 400 == 0 else number % 60)


def rescue(path: Path, to: Path, **more: object) -> Salvaged:
    return salvage(path, to, tell=tell_nobody, **more)  # type: ignore[arg-type]


def texts(path: Path) -> dict[int, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("select _id, text_data from message"))


def test_nine_rows_in_ten_come_back_from_a_cut_database_with_forty_zeroed_pages(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    make(path)
    data = bytearray(path.read_bytes())
    pages = len(data) // PAGE
    keep = pages * 9 // 10
    dice = random.Random(3)
    zeroed = set(dice.sample(range(1, keep), 40))
    holding = [
        (number, set(leaf_rowids(bytes(data[number * PAGE : (number + 1) * PAGE]), number + 1)))
        for number in range(pages)
    ]
    for number in zeroed:
        data[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
    path.write_bytes(data[: keep * PAGE])
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("select count(*) from message").fetchone()

    found = rescue(path, tmp_path / "new.db")

    rescued = texts(tmp_path / "new.db")
    still_there = {rowid for number, rowids in holding if number < keep and number not in zeroed for rowid in rowids}
    message_rows = {rowid for rowid in still_there if rowid > 200} | set(rescued)
    assert len(rescued) >= 0.99 * len(message_rows)
    whole = [number for number, text in rescued.items() if text == text_of(number)]
    assert len(whole) >= 0.99 * len(rescued)
    assert len(rescued) >= 0.85 * 12_000
    assert found.is_damaged
    assert found.pages_lost >= 40
    assert found.rows == len(rescued) + next(table.rows for table in found.tables if table.name == "chat")


@pytest.mark.parametrize("filler", [b"\xa5", b"\x0d", b"\x00"])
def test_a_page_of_noise_where_a_tables_page_was_is_a_loss(tmp_path: Path, filler: bytes) -> None:
    """A zeroed page was told; one full of noise was passed over, and the result was "nothing was missing"."""
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE message (_id INTEGER PRIMARY KEY, text_data TEXT)")
        rows = [(f"hello {n} " * 20,) for n in range(3000)]
        connection.executemany("INSERT INTO message (text_data) VALUES (?)", rows)
    data = bytearray(path.read_bytes())
    data[49 * 4096 : 51 * 4096] = filler * 8192
    path.write_bytes(data)

    found = rescue(path, tmp_path / "new.db")

    assert found.pages_lost == 2
    assert found.is_damaged
    assert 2950 < found.rows < 3000


def test_pages_that_were_freed_and_zeroed_are_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("CREATE TABLE message (_id INTEGER PRIMARY KEY, text_data TEXT)")
        connection.executemany("INSERT INTO message (text_data) VALUES (?)", [("ha" * 500,) for _ in range(1000)])
        connection.execute("DELETE FROM message WHERE _id > 100")
        connection.commit()

    found = rescue(path, tmp_path / "new.db")

    assert (found.pages_lost, found.is_damaged, found.rows) == (0, False, 100)


def test_a_database_whose_indexes_lie_at_the_end_gives_nearly_everything_back(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    make(path, rows=20_000, indexed=False)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create index by_key on message (key_id, text_data)")
        connection.commit()
    data = bytearray(path.read_bytes())
    keep = len(data) // PAGE * 9 // 10
    for number in random.Random(4).sample(range(2, keep), 40):
        data[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
    path.write_bytes(data[: keep * PAGE])

    rescue(path, tmp_path / "new.db")

    rescued = texts(tmp_path / "new.db")
    assert len(rescued) >= 0.9 * 20_000
    assert sum(text == text_of(number) for number, text in rescued.items()) >= 0.9 * 20_000


def test_a_sound_database_comes_back_whole_and_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "sound.db"
    make(path, rows=2000)

    found = rescue(path, tmp_path / "new.db")

    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(tmp_path / "new.db")) as other:
        for table in ("chat", "message"):
            query = f"select * from {table} order by 1"
            assert one.execute(query).fetchall() == other.execute(query).fetchall()
        assert other.execute(f"select count(*) from {LABELS}").fetchone() == (0,)
    assert (found.is_damaged, found.pages_lost, found.conflicts) == (False, 0, 0)


def test_rows_that_no_tree_leads_to_are_labelled(tmp_path: Path) -> None:
    path = tmp_path / "orphans.db"
    make(path, rows=3000)
    data = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("select rootpage from sqlite_master where name = 'message'").fetchone()
    data[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    path.write_bytes(data)

    found = rescue(path, tmp_path / "new.db")

    assert len(texts(tmp_path / "new.db")) == 3000
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        labels = connection.execute(
            f"select how, count(*) from {LABELS} where in_table = 'message' group by how"
        ).fetchall()
    assert labels == [("page", 3000)]
    assert found.is_damaged


def test_a_lost_header_and_schema_are_taken_from_an_older_copy(tmp_path: Path) -> None:
    path = tmp_path / "headless.db"
    make(path, rows=3000)
    older = tmp_path / "older.db"
    make(older, rows=100)
    data = bytearray(path.read_bytes())
    data[:PAGE] = bytes(PAGE)
    path.write_bytes(data)

    alone = rescue(path, tmp_path / "alone.db")
    helped = rescue(path, tmp_path / "helped.db", older=older)

    assert sum(table.rows for table in alone.tables if table.name.startswith("backupkit_lost")) >= 3000
    assert len(texts(tmp_path / "helped.db")) == 3000
    assert (helped.older_differs, helped.page_size) == (True, PAGE)


def test_pages_are_borrowed_only_from_a_copy_of_the_same_state(tmp_path: Path) -> None:
    path, same, other = tmp_path / "damaged.db", tmp_path / "same.db", tmp_path / "other.db"
    make(path, rows=3000)
    whole = path.read_bytes()
    same.write_bytes(whole)
    other.write_bytes(whole)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("update message set text_data = 'changed' where _id = 1500")
        connection.commit()
    data = bytearray(whole)
    for number in range(20, 60):
        data[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
    path.write_bytes(data)

    borrowed = rescue(path, tmp_path / "new.db", older=same)
    refused = rescue(path, tmp_path / "new2.db", older=other)

    assert (borrowed.pages_borrowed, borrowed.is_damaged) == (40, False)
    assert len(texts(tmp_path / "new.db")) == 3000
    assert (refused.pages_borrowed, refused.older_differs) == (0, True)


def test_committed_pages_in_the_log_are_newer(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    make(path, rows=500)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("update message set text_data = 'newer' where _id = 7")
        connection.commit()
        for name in ("live.db", "live.db-wal"):
            (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())

    rescue(tmp_path / "copy-live.db", tmp_path / "new.db")

    assert texts(tmp_path / "new.db")[7] == "newer"


def test_deleted_rows_come_only_where_they_are_asked_for_and_are_labelled(tmp_path: Path) -> None:
    path = tmp_path / "deleted.db"
    make(path, rows=3000)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma secure_delete = off")
        connection.execute("delete from message where _id between 1000 and 2000")
        connection.commit()

    rescue(path, tmp_path / "new.db")
    found = rescue(path, tmp_path / "all.db", deleted=True)

    assert len(texts(tmp_path / "new.db")) == 3000 - 1001
    assert len(texts(tmp_path / "all.db")) > 2500
    assert next(table.deleted for table in found.tables if table.name == "message") > 500


def test_nothing_is_written_over_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    make(path, rows=10)
    (tmp_path / "there").write_text("mine")
    (tmp_path / "noise").write_bytes(os.urandom(50_000))

    with pytest.raises(TargetNotEmpty):
        rescue(path, tmp_path / "there")
    with pytest.raises(NothingToSalvage):
        rescue(tmp_path / "noise", tmp_path / "new.db")
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "new.db").exists()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "small.db"
    make(path, rows=150)
    return path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32), hits=st.integers(1, 60), cut=st.integers(0, 20_000), insert=st.booleans())
def test_hostile_pages_never_crash_or_hang(
    small: bytes, tmp_path_factory: pytest.TempPathFactory, seed: int, hits: int, cut: int, insert: bool
) -> None:
    dice = random.Random(seed)
    data = bytearray(small)
    for _ in range(hits):
        place = dice.randrange(len(data))
        # Page heads, cell pointers and chains are worth more to a hostile hand than the words in between.
        place = place // PAGE * PAGE + dice.choice([0, 1, 3, 5, 8, 12, place % PAGE])
        data[place] = dice.choice([0, 1, 2, 5, 10, 13, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    if insert:
        data[: dice.randrange(200)] = b""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "bad.db").write_bytes(data[: len(data) - cut] if cut < len(data) else data)

    try:
        found = rescue(folder / "bad.db", folder / "new.db", deleted=dice.random() < 0.5)
    except NothingToSalvage:
        assert not (folder / "new.db").exists()
    else:
        assert found.rows <= 20 * len(small) // 8


@pytest.mark.parametrize(
    ("sql", "columns", "rowid"),
    [
        ("CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT)", ["x", "y"], 0),
        ("create table if not exists \"a b\" ('x' int, [y z] text default (1, 2), PRIMARY KEY (x))", ["x", "y z"], 0),
        ("CREATE TABLE a (x INTEGER PRIMARY KEY DESC, y, CHECK (y > 1), FOREIGN KEY (y) REFERENCES b (c))", ["x", "y"], None),
        ("CREATE TABLE a (x TEXT, y AS (x || 'a'), z INT GENERATED ALWAYS AS (1) STORED)", ["x", "z"], None),
        ('CREATE TABLE main.a (-- , comment\n x TEXT /* ) */, "check" blob)', ["x", "check"], None),
    ],
)  # fmt: skip
def test_a_table_is_understood_without_running_its_statement(sql: str, columns: list[str], rowid: int | None) -> None:
    table = table_from(sql)

    assert table is not None
    assert [column.name for column in table.columns] == columns
    assert table.rowid_column == rowid
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(create_statement(table))


@pytest.mark.parametrize(
    "sql",
    ["", "create view a as select 1", "create table a", "create table a (x text) without rowid", "create table a ("],
)
def test_what_is_no_table_with_row_numbers_is_none(sql: str) -> None:
    assert table_from(sql) is None


def test_a_full_disk_is_the_disks_fault_and_no_row_is_taken_for_a_conflict(tmp_path: Path) -> None:
    make(tmp_path / "chat.db")
    # A limit on file size makes the kernel refuse the write as a full disk does, without needing a disk to fill.
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from backupkit.ops.events import tell_nobody; from backupkit.ops.restoring.salvage import salvage\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: salvage(Path(sys.argv[1]), Path(sys.argv[2]), tell=tell_nobody)\n"
        "except OSError as error: sys.exit(7)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "chat.db"), str(tmp_path / "rescued.db")], check=False
    )

    assert done.returncode == 7
    assert not (tmp_path / "rescued.db").exists()
