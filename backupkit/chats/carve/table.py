"""What a table looks like, told from its CREATE TABLE. Nothing of a stranger's statement is ever run: only names are taken from it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_SQL_CHARACTERS = 1 << 20
_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|("(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*')|([A-Za-z_\u0080-\U0010ffff][\w$]*)|(\d[\w.]*)|(.)""",
    re.DOTALL,
)
_CONSTRAINTS = frozenset({"constraint", "primary", "unique", "check", "foreign"})
_COLUMN_WORDS = frozenset({
    "constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what kind of values it prefers, and whether it may be null."""

    name: str
    affinity: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `rowid_column` is the place of the column that only repeats the row's number.

    `stored_order` is of a table without row numbers: the places of its columns as its records have them, the key first. `least` is
    how many values a record of it has at the least. `is_one_of_many`: there is a table like it for each tree.
    """

    name: str
    columns: tuple[Column, ...]
    rowid_column: int | None = None
    root: int = 0
    stored_order: tuple[int, ...] = ()
    least: int = 0
    is_one_of_many: bool = False


def table_from(sql: str, root: int = 0) -> Table | None:
    """Read a CREATE TABLE; None where it is something else."""
    tokens = _tokens(sql[:MAX_SQL_CHARACTERS])
    words = [token.lower() for token in tokens[:8]]
    if words[:1] != ["create"] or "table" not in words[:3]:
        return None
    at = words.index("table") + 1
    if words[at : at + 3] == ["if", "not", "exists"]:
        at += 3
    if len(tokens) > at + 1 and tokens[at + 1] == ".":
        at += 2
    if len(tokens) <= at + 1 or tokens[at + 1] != "(":
        return None
    name, parts, rest = _unquoted(tokens[at]), *_parts(tokens, at + 2)
    has_rows = "without" not in {token.lower() for token in rest}
    columns: list[Column] = []
    rowid_column = None
    key: list[str] = []
    for part in parts:
        first = part[0].lower()
        if first in _CONSTRAINTS and len(part) > 1 and (first != part[0] or part[0].islower() or part[0].isupper()):
            rowid_column = _keyed_column(part, columns, rowid_column)
            key = key or _key_names(part)
            continue
        kind, behind = _kind_and_constraints(part[1:])
        lowered = [token.lower() for token in behind]
        if "as" in lowered and "stored" not in lowered:
            # A column that is only computed is not in the record.
            continue
        if (
            kind.lower() == "integer"
            and _has(lowered, "primary", "key")
            and not _has(lowered, "primary", "key", "desc")
        ):
            rowid_column = len(columns)
        if _has(lowered, "primary", "key"):
            key = [_unquoted(part[0])]
        columns.append(Column(_unquoted(part[0]), affinity_of(kind), _has(lowered, "not", "null")))
    if not name or not columns:
        return None
    if has_rows:
        return Table(name, tuple(columns), rowid_column, root)
    order = _stored_order(columns, key)
    return Table(name, tuple(columns), None, root, order) if order else None


def _stored_order(columns: Sequence[Column], key: Sequence[str]) -> tuple[int, ...]:
    """Return the columns as records of a table without row numbers have them; nothing where its key is not understood."""
    places = {column.name.lower(): place for place, column in enumerate(columns)}
    first = [places.get(name.lower(), -1) for name in dict.fromkeys(key)]
    if not first or -1 in first:
        return ()
    return (*first, *(place for place in range(len(columns)) if place not in first))


def _key_names(part: Sequence[str]) -> list[str]:
    lowered = [token.lower() for token in part]
    if not _has(lowered, "primary", "key", "("):
        return []
    inner = part[lowered.index("key") + 2 :]
    inner = inner[: inner.index(")")] if ")" in inner else inner
    names: list[list[str]] = [[]]
    for token in inner:
        if token == ",":  # noqa: S105  a comma is no password
            names.append([])
        else:
            names[-1].append(token)
    # What follows a name is its collation or its direction.
    return [_unquoted(one[0]) for one in names if one]


def affinity_of(kind: str) -> str:
    """Return the affinity of a declared type, by SQLite's rules."""
    kind = kind.upper()
    if "INT" in kind:
        return "integer"
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if "BLOB" in kind or not kind:
        return "blob"
    return "real" if any(word in kind for word in ("REAL", "FLOA", "DOUB")) else "numeric"


def create_statement(table: Table) -> str:
    """Return a statement of our own that makes a table of the same columns, without any of its rules."""
    columns = [
        f"{quoted(column.name)} integer primary key"
        if place == table.rowid_column
        else f"{quoted(column.name)} {'' if column.affinity == 'blob' else column.affinity}".rstrip()
        for place, column in enumerate(table.columns)
    ]
    return f"create table {quoted(table.name)} ({', '.join(columns)})"


def quoted(name: str) -> str:
    """Return a name as it stands in a statement."""
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _tokens(sql: str) -> list[str]:
    return [match.group() for match in _TOKEN.finditer(sql) if match.lastindex is not None]


def _parts(tokens: Sequence[str], at: int) -> tuple[list[list[str]], list[str]]:
    """Return what stands between the outermost parentheses, cut at its commas, and what follows them."""
    parts: list[list[str]] = [[]]
    depth = 1
    while at < len(tokens):
        token = tokens[at]
        at += 1
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            break
        if token == "," and depth == 1:  # noqa: S105  a comma is no password
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part], list(tokens[at:])


def _kind_and_constraints(tokens: Sequence[str]) -> tuple[str, Sequence[str]]:
    for place, token in enumerate(tokens):
        if token.lower() in _COLUMN_WORDS:
            return " ".join(_unquoted(one) for one in tokens[:place]), tokens[place:]
    return " ".join(_unquoted(one) for one in tokens), ()


def _keyed_column(part: Sequence[str], columns: Sequence[Column], known: int | None) -> int | None:
    lowered = [token.lower() for token in part]
    if not _has(lowered, "primary", "key", "("):
        return known
    at = lowered.index("key") + 2
    names = [_unquoted(token) for token in part[at:] if token not in {")", ","}]
    for place, column in enumerate(columns):
        # The type's exact word decides, and only the affinity is kept: a column that repeats the number holds nothing but nulls.
        if names == [column.name] and column.affinity == "integer":
            return place
    return known


def _has(tokens: Sequence[str], *wanted: str) -> bool:
    size = len(wanted)
    return any(tuple(tokens[at : at + size]) == wanted for at in range(len(tokens) - size + 1))


def _unquoted(token: str) -> str:
    if len(token) >= 2 and token[0] in "\"'`[":
        return token[1:-1].replace(token[0] * 2, token[0])
    return token
