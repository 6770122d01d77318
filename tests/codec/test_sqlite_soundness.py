import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from backupkit.codec.sqlite_soundness import Interrupted, complaints

PAGE = 4096


def make(path: Path, *statements: str) -> Path:
    """A database of a hundred pages, made by statements, with what an app has and SQLite has not."""
    with closing(sqlite3.connect(path)) as app:
        app.create_collation("LOCALIZED", lambda one, other: (one < other) - (one > other))
        app.create_function("worth", 1, lambda value: value, deterministic=True)
        app.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, said TEXT)")
        app.executemany("INSERT INTO note (said) VALUES (?)", ((f"{number} " * 100,) for number in range(1000)))
        for statement in statements:
            app.execute(statement)
        app.commit()
    return path


def ask(path: Path, *, thorough: bool) -> tuple[str, ...] | None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)) as connection:
        return complaints(connection, thorough=thorough)


def swap_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20 * PAGE : 21 * PAGE], data[30 * PAGE : 31 * PAGE] = data[30 * PAGE : 31 * PAGE], data[20 * PAGE : 21 * PAGE]
    path.write_bytes(data)


LOCALIZED = (
    "CREATE INDEX by_said ON note (said COLLATE LOCALIZED)",
    "CREATE TABLE name (said TEXT COLLATE LOCALIZED PRIMARY KEY) WITHOUT ROWID",
    "INSERT INTO name SELECT said FROM note",
)
OWN_FUNCTION = ("CREATE INDEX by_worth ON note (worth(said))",)


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("statements", [(), LOCALIZED, OWN_FUNCTION], ids=["plain", "own order", "own function"])
def test_a_sound_database_is_called_sound_and_a_damaged_one_is_not(
    tmp_path: Path, statements: tuple[str, ...], *, thorough: bool
) -> None:
    path = make(tmp_path / "app.db", *statements)
    sound = ask(path, thorough=thorough)
    swap_pages(path)

    assert sound == ()
    assert ask(path, thorough=thorough)


def test_rows_that_break_the_rules_of_their_table_are_no_damage_and_cost_no_time(tmp_path: Path) -> None:
    path = make(
        tmp_path / "app.db",
        "INSERT INTO note (said) VALUES (NULL)",
        "PRAGMA writable_schema = on",
        "UPDATE sqlite_master SET sql = replace(sql, 'said TEXT', 'said TEXT NOT NULL CHECK (length(randomblob(1e8)))')",
    )

    assert [ask(path, thorough=thorough) for thorough in (False, True)] == [(), ()]


def test_a_row_that_its_index_lacks_is_found_by_the_thorough_question_only(tmp_path: Path) -> None:
    path = make(
        tmp_path / "app.db",
        "CREATE UNIQUE INDEX by_said ON note (said)",
        "PRAGMA writable_schema = on",
        "UPDATE sqlite_master SET sql = 'CREATE UNIQUE INDEX by_said ON note (id)' WHERE name = 'by_said'",
    )

    assert ask(path, thorough=False) == ()
    assert ask(path, thorough=True)


def test_where_only_the_app_can_compute_what_a_row_holds_there_is_no_answer(tmp_path: Path) -> None:
    path = make(
        tmp_path / "app.db",
        "CREATE TABLE sum (a, b AS (a + 1) NOT NULL)",
        "INSERT INTO sum VALUES (1)",
        "PRAGMA writable_schema = on",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE sum (a, b AS (worth(a)) NOT NULL)' WHERE name = 'sum'",
    )

    assert [ask(path, thorough=thorough) for thorough in (False, True)] == [None, None]


def test_tables_told_in_words_of_a_newer_sqlite_are_no_damage(tmp_path: Path) -> None:
    path = make(
        tmp_path / "app.db",
        "PRAGMA writable_schema = on",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE note (id INTEGER PRIMARY KEY, said TEXT) STRICTER THAN EVER'",
    )

    assert [ask(path, thorough=thorough) for thorough in (False, True)] == [None, None]


def test_whoever_does_not_wait_for_the_answer_gets_none(tmp_path: Path) -> None:
    path = make(tmp_path / "app.db", "CREATE INDEX by_said ON note (said)")

    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        with pytest.raises(Interrupted):
            complaints(connection, thorough=True, stop=lambda: True)
        assert complaints(connection, thorough=True) == ()


def test_ctrl_c_is_heard_in_the_middle_of_the_question_and_ends_it(tmp_path: Path) -> None:
    path = make(tmp_path / "app.db", *OWN_FUNCTION)
    rows = 0

    def worth(value: str) -> str:
        nonlocal rows
        rows += 1
        if rows == 10:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)
        return value

    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        connection.create_function("worth", 1, worth, deterministic=True)
        with pytest.raises(KeyboardInterrupt):
            complaints(connection, thorough=True)

    # SQLite would have gone on to the last of a thousand.
    assert 10 <= rows < 500


def test_what_is_no_database_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"not a database at all" * 100)

    assert ask(tmp_path / "app.db", thorough=True) == ("file is not a database",)
