"""Asking SQLite whether the pages of a plain database hang together: one way for all who ask.

What SQLite says of values that break the rules of their tables, or of a search index whose words only its app can cut, speaks of
no damage and is left out. Source of the words: SQLite's `pragma.c`, and section `integrity_check` of its list of pragmas.
"""

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Final

MOST_COMPLAINTS: Final = 20
"""After so many SQLite stops counting."""

FAILURES: Final = (sqlite3.Error, UnicodeError, OverflowError)
"""What asking a stranger's database may raise: Python decodes the names of a damaged schema itself, strictly."""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY: Final = 0xFF
"""The lower byte of an extended result code is the code itself."""

_NO_DAMAGE: Final = re.compile(
    r"ok$|\*\*\*|NULL value in |CHECK constraint failed in |non-(?!unique)|unable to validate "
)
_OTHER_ORDER: Final = "row not in PRIMARY KEY order"
_NO_COLLATION: Final = re.compile(r"no such collation sequence: (.+)", re.DOTALL)
_NEWER_WORDS: Final = re.compile(r"malformed database schema .* - near .*: syntax error", re.DOTALL)
"""A phone's SQLite may be newer than this one, and its tables told in words that this one does not know."""
_MOST_COLLATIONS: Final = 64
_SECONDS_BETWEEN_LOOKS: Final = 0.05


class Interrupted(Exception):
    """Whoever asked wants no answer any more."""


def complaints(
    connection: sqlite3.Connection, *, thorough: bool = False, stop: Callable[[], bool] = lambda: False
) -> tuple[str, ...] | None:
    """Return what SQLite finds wrong, in its words: nothing for a sound database, 20 lines at the most.

    `thorough` compares every index with its table as well, unless the database sorts as only its app can (`LOCALIZED` on Android).
    None where this SQLite can answer nothing at all: for a function that only the app has, or words that only a newer SQLite knows.

    A large database takes SQLite minutes, all of them in one call, behind which no signal is heard. So another thread asks, and this one
    hears: `connection` must be open to other threads.

    Raises:
        Interrupted: `stop` said yes.
    """
    with ThreadPoolExecutor(1, "soundness") as alone:
        answer = alone.submit(_answer, connection, thorough=thorough)
        try:
            is_wanted = _awaited(answer, stop)
        finally:
            _break_off(connection, answer)
        if not is_wanted:
            raise Interrupted
        return answer.result()


def _awaited(answer: Future[tuple[str, ...] | None], stop: Callable[[], bool]) -> bool:
    while not stop():
        if wait((answer,), _SECONDS_BETWEEN_LOOKS).done:
            return True
    return False


def _break_off(connection: sqlite3.Connection, answer: Future[tuple[str, ...] | None]) -> None:
    """End a question that is still going on."""
    while not answer.done():
        # Again and again: between two questions there is nothing to interrupt.
        connection.interrupt()
        wait((answer,), _SECONDS_BETWEEN_LOOKS)


def _answer(connection: sqlite3.Connection, *, thorough: bool) -> tuple[str, ...] | None:
    # A rule of a table may cost any time, and says nothing of pages.
    connection.execute("pragma ignore_check_constraints = on")
    answer = _ask(connection, "integrity_check") if thorough else None
    return _ask(connection, "quick_check") if answer is None else answer


def _ask(connection: sqlite3.Connection, question: str) -> tuple[str, ...] | None:
    """None where this question needs what only the app has."""
    stand_ins: set[str] = set()
    while True:
        try:
            with closing(connection.execute(f"pragma {question}({MOST_COMPLAINTS})")) as rows:
                said = [line for (text,) in rows for line in str(text).split("\n")]
        except FAILURES as error:
            name = _missing_collation(error)
            if question == "quick_check" and name is not None and len(stand_ins) < _MOST_COLLATIONS:
                # This question compares no order but that of tables without row numbers.
                stand_ins.add(name)
                connection.create_collation(name, _as_bytes)
                continue
            return _answer_of(error)
        return tuple(line for line in said if not _says_nothing(line, is_other_order=bool(stand_ins)))


def _says_nothing(line: str, *, is_other_order: bool) -> bool:
    return _NO_DAMAGE.match(line) is not None or (is_other_order and line.startswith(_OTHER_ORDER))


def _answer_of(error: BaseException) -> tuple[str, ...] | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
    if code == sqlite3.SQLITE_INTERRUPT:
        raise Interrupted from error
    is_damage = code in _DAMAGE and _NEWER_WORDS.match(str(error)) is None
    return (str(error),) if is_damage else None


def _missing_collation(error: BaseException) -> str | None:
    found = _NO_COLLATION.match(str(error))
    return None if found is None else found[1]


def _as_bytes(one: str, other: str) -> int:
    return (one > other) - (one < other)
