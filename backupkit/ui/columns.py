"""Text in columns, counted as a terminal shows it: Chinese characters take two places."""

import re
from collections.abc import Iterable, Sequence

from backupkit.text import width


def padded(text: str, columns: int) -> str:
    """Fill a text with spaces up to `columns` places; a longer one stays whole."""
    return text + " " * max(columns - width(text), 0)


def aligned(rows: Iterable[Sequence[str]], *, gap: int = 2, indent: int = 0) -> list[str]:
    """Lay rows out as columns; the last column keeps its natural length."""
    table = [list(row) for row in rows]
    count = max((len(row) for row in table), default=0)
    widths = [max((width(row[n]) for row in table if n < len(row)), default=0) for n in range(count)]
    lines = []
    for row in table:
        cells = [padded(cell, widths[n]) if n < len(row) - 1 else cell for n, cell in enumerate(row)]
        lines.append((" " * indent + (" " * gap).join(cells)).rstrip())
    return lines


def wrapped(text: str, columns: int, *, indent: int = 0, first: str = "") -> list[str]:
    """Break a text into lines of at most `columns` places, at spaces or between Chinese characters.

    `first` is put in front of the first line; the others are indented by `indent` places. A line of the text begins a line.
    """
    room = max(columns - indent, 20)
    lines: list[str] = []
    for line in _SIZE.sub(_GLUE, text).split("\n"):
        lines.append("")
        for word in _words(line):
            if width(lines[-1] + word.rstrip()) > room and lines[-1]:
                lines[-1] = lines[-1].rstrip()
                lines.append("")
            lines[-1] += word if lines[-1] else word.lstrip()
    whole = [line.rstrip().replace(_GLUE, " ") for line in lines]
    return [(padded(first, indent) if n == 0 else " " * indent) + line for n, line in enumerate(whole)]


# A number and its unit stay on one line: the space between them is a glue that the text itself never holds.
_GLUE = "\x00"
_SIZE = re.compile(r"(?<=[0-9]) (?=[kMGT]?B\b)", re.ASCII)


# A line never begins with these, nor ends right after an opening one.
_CLOSING = "，。：；！？、）】”’》%"
_OPENING = "（【“‘《"


def _words(text: str) -> list[str]:
    """Cut a text where a line may be broken; each piece keeps the spaces behind it."""
    pieces: list[str] = []
    for character in text:
        previous = pieces[-1][-1] if pieces else " "
        breaks_here = (
            (previous == " " and character != " ")
            or (width(character) == 2 and character not in _CLOSING and previous not in _OPENING)
            or (width(previous) == 2 and character not in _CLOSING and character != " " and previous not in _OPENING)
        )
        if breaks_here or not pieces:
            pieces.append(character)
        else:
            pieces[-1] += character
    return pieces
