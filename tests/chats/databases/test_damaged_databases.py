"""Damaged databases of the apps: every message that is still there is read, and what was out of its place says so."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import count
from pathlib import Path

import pytest
from chat_reading import tell_all
from damaged_database import (
    PAGE,
    Write,
    chat_storage,
    cut_and_zero,
    first_leaf,
    log_of_one_page,
    msgstore,
    schema_pages,
    text_of,
    wechat,
    zero,
)
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.chats.carve.carving import Carving, How
from backupkit.chats.carve.filling import fill
from backupkit.chats.carve.leaf import leaf_rowids
from backupkit.chats.carve.pages import Pages, shape_of
from backupkit.chats.carve.table import table_from
from backupkit.chats.counting.summary import summarise
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Message
from backupkit.chats.readers.registry import read_all, recognise
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source

APPS = {
    "whatsapp-android-db": ("msgstore.db", msgstore),
    "whatsapp-iphone-db": ("ChatStorage.sqlite", chat_storage),
    "wechat-iphone-db": ("MM.sqlite", wechat),
}
apps = pytest.mark.parametrize(("form", "name", "write"), [(form, *one) for form, one in APPS.items()])


def read(path: Path) -> list[Message]:
    told: list[Told] = []
    with open_source(path) as source, suppress(MalformedExport):
        tell_all((one for _reader, one in read_all(source, recognise(source))), told)
    return [one for one in told if isinstance(one, Message)]


def texts(messages: list[Message]) -> set[str]:
    return {one.text for one in messages}


@apps
def test_a_database_that_lost_its_list_of_tables_is_known_by_its_rows(
    tmp_path: Path, form: str, name: str, write: Write
) -> None:
    path = tmp_path / name
    counted = write(path, 4000)
    zero(path, schema_pages(path))

    summary = summarise(path)
    messages = read(path)

    assert summary is not None
    assert (summary.format, summary.messages, summary.is_damaged) == (form, counted, True)
    assert texts(messages) == {text_of(number) for number in range(1, (401 if "wechat" in form else 4001))}
    assert all(message.recovered for message in messages)


@apps
def test_nine_in_ten_of_what_is_left_come_back_and_each_once(
    tmp_path: Path, form: str, name: str, write: Write
) -> None:
    path = tmp_path / name
    counted = write(path, 20_000)
    # The indexes lie between the rows, so that a tenth of the file is a tenth of the messages.
    cut_and_zero(path)

    summary = summarise(path)
    messages = read(path)

    assert summary is not None
    assert summary.format == form
    assert summary.messages == len(messages) >= 0.8 * counted
    places = [(one.conversation, one.native_id) for one in messages]
    assert len(places) == len(set(places))


def test_only_what_was_out_of_its_place_is_called_recovered(tmp_path: Path) -> None:
    path = tmp_path / "msgstore.db"
    msgstore(path, 6000)
    cell, leaf = first_leaf(path, "message")
    data = bytearray(path.read_bytes())
    # The first leaf is where it was, and nothing leads to it any more.
    data[cell : cell + 4] = bytes(4)
    path.write_bytes(bytes(data))

    messages = read(path)

    expected = set(leaf_rowids(bytes(data[(leaf - 1) * PAGE : leaf * PAGE]), leaf))
    assert len(messages) == 6000
    assert {one.native_seq for one in messages if one.recovered} == expected


def test_a_sound_database_has_no_recovered_messages(tmp_path: Path) -> None:
    msgstore(tmp_path / "msgstore.db", 500)

    assert not any(one.recovered for one in read(tmp_path / "msgstore.db"))


@pytest.mark.parametrize("part", ["header", "log"])
def test_pages_that_are_only_spoken_of_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A header of four bytes once had five million pages of zeros looked through."""
    path = tmp_path / "msgstore.db"
    counted = msgstore(path, 500)
    zero(path, {first_leaf(path, "message")[1]})
    data = bytearray(path.read_bytes())
    data[28:32] = (16_000_000).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    if part == "log":
        path.with_name("msgstore.db-wal").write_bytes(log_of_one_page(1, 16_000_000, bytes(data[:PAGE])))
    looks, look = count(), Pages.read

    def look_a_while(pages: Pages, number: int) -> bytes:
        assert next(looks) < 20_000
        return look(pages, number)

    monkeypatch.setattr(Pages, "read", look_a_while)

    messages = read(path)

    assert 0.7 * counted < len(messages) < counted


def test_of_wechats_conversations_only_the_lost_ones_have_no_name(tmp_path: Path) -> None:
    path = tmp_path / "MM.sqlite"
    wechat(path, 30_000)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "select name, rootpage from sqlite_master where name like 'Chat_%' and type = 'table'"
        ).fetchall()
    zero(path, {rows[2][1], rows[5][1]})

    messages = read(path)

    assert len(messages) == 30_000
    known = {one.conversation for one in messages if not one.recovered}
    assert len(known) == 8
    # Two trees have lost their roots, so nothing tells whose their leaves are.
    assert {one.conversation for one in messages if one.recovered}.isdisjoint(known)


def test_one_lost_conversation_is_told_apart_because_it_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "MM.sqlite"
    wechat(path, 30_000)
    with closing(sqlite3.connect(path)) as connection:
        (name, root), *_rest = connection.execute(
            "select name, rootpage from sqlite_master where name like 'Chat_%' and type = 'table'"
        )
    zero(path, {root})

    messages = read(path)

    assert len(messages) == 30_000
    assert {one.conversation for one in messages if one.recovered} == {"md5:" + name.removeprefix("Chat_")}


@apps
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_noise_anywhere_is_never_a_traceback(tmp_path: Path, form: str, name: str, write: Write, seed: int) -> None:
    path = tmp_path / name
    path.unlink(missing_ok=True)
    write(path, 300)
    dice = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _place in range(dice.randrange(1, 30)):
        at = dice.randrange(len(data))
        size = dice.choice([1, 4, 100, PAGE])
        data[at : at + size] = dice.randbytes(size)
    path.write_bytes(bytes(data[: dice.randrange(len(data))] if seed % 3 == 0 else data))

    summary = summarise(path)

    assert summary is None or summary.format in {form, "mixed", "sealed-database"}
    assert summary is None or "unexpected-shape" not in {one.facts.get("reason") for one in summary.findings}


@pytest.fixture
def carving_of() -> Iterator[Callable[[Path], Carving]]:
    with ExitStack() as stack:

        def carve(path: Path) -> Carving:
            shape = shape_of(path.read_bytes()[:100], path.stat().st_size)
            assert shape is not None
            return Carving(Pages(stack.enter_context(path.open("rb")).fileno(), shape))

        yield carve


def test_a_table_without_row_numbers_is_carved_too(tmp_path: Path, carving_of: Callable[[Path], Carving]) -> None:
    path = tmp_path / "keyed.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        connection.execute(
            "create table seen (said text, chat integer, at integer, who text not null, primary key (who, at desc)) without rowid"
        )
        connection.executemany(
            "insert into seen values (?,?,?,?)",
            ((text_of(n), n % 7, n, f"somebody {n % 50}") for n in range(1, 5001)),
        )
        connection.commit()
        before = sorted(connection.execute("select said, chat, at, who from seen"))

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        filled = fill(new, carving_of(path))
        after = sorted(new.execute("select said, chat, at, who from seen"))

    assert after == before
    assert [(table.name, table.rows, table.by_tree) for table in filled.tables] == [("seen", 5000, 5000)]


@pytest.mark.parametrize(
    ("sql", "order"),
    [
        ("create table t (a integer primary key, b text) without rowid", (0, 1)),
        ("create table t (a, b text, c, primary key (c, a)) without rowid", (2, 0, 1)),
        ("create table t (a, [b c] text primary key, d) without rowid", (1, 0, 2)),
        ("create table t (a, b, primary key (b collate nocase desc, a)) without rowid, strict", (1, 0)),
    ],
)
def test_the_key_of_a_table_without_row_numbers_comes_first(sql: str, order: tuple[int, ...]) -> None:
    table = table_from(sql)

    assert table is not None
    assert (table.stored_order, table.rowid_column) == (order, None)


def test_a_row_whose_overflow_is_lost_is_kept_as_far_as_it_goes(
    tmp_path: Path, carving_of: Callable[[Path], Carving]
) -> None:
    path = tmp_path / "msgstore.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma page_size = {PAGE}")
        connection.execute("create table message (_id integer primary key, text_data text)")
        connection.execute("insert into message values (1, ?)", ("long " * 5000,))
        connection.commit()
    data = path.read_bytes()
    last = len(data) // PAGE
    zero(path, {last})

    rows = list(carving_of(path).rows())

    assert [(row.rowid, row.how, row.is_whole) for row in rows] == [(1, How.TREE, False)]
    assert str(rows[0].values[1]).startswith("long long")


def test_free_pages_are_only_told_where_deleted_rows_are_asked_for(
    tmp_path: Path, carving_of: Callable[[Path], Carving]
) -> None:
    path = tmp_path / "msgstore.db"
    msgstore(path, 3000)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma secure_delete = off")
        connection.execute("delete from message where _id > 1500")
        connection.commit()

    kept = {row.rowid for row in carving_of(path).rows() if row.table.name == "message"}
    all_rows = {row.rowid for row in carving_of(path).rows(deleted=True) if row.table.name == "message"}

    assert kept == set(range(1, 1501))
    assert len(all_rows) > 2500


COUNT_AND_PEAK = """
import sys
from pathlib import Path
from backupkit.chats.counting.summary import summarise
print(summarise(Path(sys.argv[1])).messages)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc, which only Linux has"
)
def test_counting_a_large_database_sorts_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "ChatStorage.sqlite"
    count = chat_storage(path, 200_000)

    told = subprocess.run([sys.executable, "-c", COUNT_AND_PEAK, path], check=True, capture_output=True, text=True)
    messages, peak = map(int, told.stdout.split())

    assert messages == count
    assert peak < 70_000, "kilobytes"
