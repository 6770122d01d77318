"""On which line of a TOML text a key stands. `tomllib` does not say, and people need to know."""

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")
_TRIPLE = re.compile(r'"""|\'\'\'')


def line_of(text: str, where: tuple[str, ...]) -> int:
    """Return the line, counted from 1, of the key or table at `where`; of the nearest table above it; else 0.

    Members of an array of tables are counted: `("source", "0", "path")`.
    """
    best = (0, 0)
    table: tuple[str, ...] = ()
    members: dict[tuple[str, ...], int] = {}
    inside_text = False
    for number, line in enumerate(text.splitlines(), 1):
        if inside_text or (len(_TRIPLE.findall(line)) % 2 and not inside_text):
            # Lines of a text over several lines are no keys; its first line still is one.
            begins = not inside_text
            inside_text ^= len(_TRIPLE.findall(line)) % 2 == 1
            if not begins:
                continue
        header = _HEADER.fullmatch(line)
        if header:
            table = _parts(header[2])
            if header[1] == "[[":
                members[table] = members.get(table, -1) + 1
                table = (*table, str(members[table]))
            found = table
        else:
            assignment = _ASSIGNMENT.match(line)
            if not assignment:
                continue
            found = (*table, *_parts(assignment[1]))
        shared = _shared(found, where)
        # The longest match wins, and a match of the whole `found` only: a neighbour is no answer.
        if shared == len(found) and shared > best[0]:
            best = (shared, number)
    return best[1]


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _shared(found: tuple[str, ...], where: tuple[str, ...]) -> int:
    count = 0
    for one, other in zip(found, where, strict=False):
        if one != other:
            break
        count += 1
    return count
