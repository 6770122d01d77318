"""CSV from strangers, row by row with its own bytes."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import Line, lines_of

MAX_FIELD_CHARACTERS = 8 * 2**20
MAX_ROW_BYTES = 16 * 2**20
MAX_COLUMNS = 16_384
# Lines that are looked at again to find the next row: a hostile file is nothing else.
MAX_AGAIN_BYTES = 64 * 2**20
MAX_TRIES = 200_000

_NUMBER = re.compile(r"\d+")
_LONGEST_SHAPE = 40
_MOST_SHAPES = 4
_ROWS_LOOKED_AT = 1000
_SETTLED = 20
_COLUMNS_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name. Columns without a value are empty; values without a column are left in `raw`."""

    values: dict[str, str]
    raw: bytes
    locator: Locator


def csv_rows(
    source: SourceFiles,
    name: str,
    *,
    header: int = 1,
    separator: str = ",",
    encoding: str | None = None,
    damage: TextDamage | None = None,
) -> Iterator[Row]:
    """Stream a CSV file whose row `header` names the columns; without one they are called by letters.

    A row that is broken costs itself: reading goes on at the next one that looks like those before. `damage` looks at every line and
    keeps what is broken.

    Raises:
        TruncatedExport: the file ends inside a quoted field, or in a row with fewer fields than all before it.
        MalformedExport: with no `damage`, what was broken, when all else was read.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    looking = TextDamage(name) if damage is None else damage
    with source.open(name) if encoding is None else source.open_bytes(name) as stream:
        reading = _Reading(name, lines_of(stream), separator, encoding, looking)
        yield from reading.rows(header)
    if damage is None and looking.broken is not None:
        raise looking.broken


class _Reading:
    """One file while its lines are gathered into rows."""

    def __init__(
        self, name: str, lines: Iterator[Line], separator: str, encoding: str | None, damage: TextDamage
    ) -> None:
        self._name = name
        self._lines = lines
        self._separator = separator
        self._encoding = encoding
        self._damage = damage
        self._form = _Form()
        self._taken: list[Line] = []
        self._taken_bytes = 0
        self._again: deque[Line] = deque()
        self._again_bytes = self._tries = 0
        self._parser = self._new_parser()

    def rows(self, header: int) -> Iterator[Row]:
        columns: list[str] = []
        for _row in range(header):
            columns = [column.strip() for column in self._next() or []]
        self._taken.clear()
        while (fields := self._next()) is not None:
            lines, self._taken = self._taken, []
            if not fields:
                continue
            locator = Locator(self._name, f"line {lines[-1].number}")
            if not header:
                columns = [column_letters(place) for place in range(min(len(fields), MAX_COLUMNS))]
            if self._form.is_whole and len(fields) < len(columns):
                if lines[-1].is_unfinished:
                    # What stands last may be half of what was written.
                    raise TruncatedExport(locator, "text-cut")
                if not self._form.may_be(fields):
                    self._leave_out(lines, locator)
                    continue
            if self._form.is_settled and self._form.has_never_had(len(fields)) and len(fields) > len(columns):
                # The end of one row and the beginning of the next are gone.
                self._leave_out(lines, locator)
                continue
            if any(b"\0" in line.raw for line in lines) and self._form.is_settled and not self._form.may_be(fields):
                self._leave_out(lines, locator)
                continue
            self._form.saw(fields, len(columns))
            values = dict(zip(columns, fields, strict=False))
            yield Row({**dict.fromkeys(columns, ""), **values}, b"".join(line.raw for line in lines), locator)

    def _next(self) -> list[str] | None:
        """Return the fields of the next row that can be read, None at the end."""
        while True:
            try:
                return next(self._parser, None)
            except csv.Error as error:
                lines, self._taken = self._taken, []
                locator = Locator(self._name, f"line {lines[0].number if lines else 1}")
                is_end = "end of data" in str(error)
                if not self._go_on_behind(lines, locator):
                    kind = TruncatedExport if is_end else MalformedExport
                    raise kind(locator, "text-cut" if is_end else "csv-broken") from error

    def _leave_out(self, lines: list[Line], locator: Locator) -> None:
        if not self._go_on_behind(lines, locator):
            raise MalformedExport(locator, "csv-broken")

    def _go_on_behind(self, lines: list[Line], locator: Locator) -> bool:
        """Stand at the next line that begins a row like those before; say whether there is one."""
        self._again.extendleft(reversed(lines[1:]))
        self._parser = self._new_parser()
        while self._again_bytes < MAX_AGAIN_BYTES and self._tries < MAX_TRIES:
            self._tries += 1
            try:
                fields = next(self._parser, None)
            except csv.Error:
                fields, self._parser = [], self._new_parser()
            taken, self._taken = self._taken, []
            if fields is None:
                return False
            if fields and self._form.fits(fields):
                # It is read once more, as the row that it is.
                self._again.extendleft(reversed(taken))
                self._parser = self._new_parser()
                self._damage.broke(MalformedExport(locator, "csv-broken"))
                return True
            if len(taken) > 1:
                self._again_bytes += sum(line.weight for line in taken[1:])
                self._again.extendleft(reversed(taken[1:]))
                self._parser = self._new_parser()
        return False

    def _new_parser(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), strict=True, delimiter=self._separator)

    def _texts(self) -> Iterator[str]:
        while True:
            if self._again:
                line = self._again.popleft()
            else:
                new = next(self._lines, None)
                if new is None:
                    return
                line = new
                self._damage.saw(line)
            self._taken_bytes = self._taken_bytes + line.weight if self._taken else line.weight
            if self._taken_bytes > MAX_ROW_BYTES:
                raise csv.Error("row too long")
            self._taken.append(line)
            encoding = self._encoding
            yield (line.text if encoding is None else line.raw.decode(encoding, "replace").rstrip("\r\n")) + "\n"


class _Form:
    """What the rows of a file have in common: how many fields, and where numbers stand in them."""

    def __init__(self) -> None:
        self.is_whole = True
        self._counts: set[int] = set()
        self._shapes: dict[int, set[str] | None] = {}
        self._looked_at = 0

    def saw(self, fields: list[str], columns: int) -> None:
        """Note a row."""
        self.is_whole = self.is_whole and len(fields) >= columns
        if self._looked_at >= _ROWS_LOOKED_AT:
            return
        self._looked_at += 1
        self._counts.add(len(fields))
        for place, text in enumerate(fields[:_COLUMNS_LOOKED_AT]):
            known = self._shapes.setdefault(place, set())
            if known is None:
                continue
            known.add(_shape_of(text))
            if len(known) > _MOST_SHAPES:
                self._shapes[place] = None

    @property
    def is_settled(self) -> bool:
        """Whether so many rows were seen that one unlike them all is odd."""
        return self._looked_at >= _SETTLED

    def has_never_had(self, count: int) -> bool:
        """Say whether no row had so many fields."""
        return count not in self._counts

    def may_be(self, fields: list[str]) -> bool:
        """Say whether fields may begin a row, as far as they go."""
        return all(
            known is None or place >= len(fields) or _shape_of(fields[place]) in known
            for place, known in self._shapes.items()
        )

    def fits(self, fields: list[str]) -> bool:
        """Say whether fields are a row like those before. Without a number in a place of its own none is known again."""
        is_known = any(known and any("9" in shape for shape in known) for known in self._shapes.values())
        return is_known and len(fields) in self._counts and self.may_be(fields)


def _shape_of(text: str) -> str:
    return _NUMBER.sub("9", text) if len(text) <= _LONGEST_SHAPE and _NUMBER.search(text) else "" if not text else "x"


def column_letters(place: int) -> str:
    """Return the letters by which spreadsheets call a column: `A` is 0."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(65 + rest) + text
    return text


def csv_columns(head: str) -> tuple[str, ...]:
    """Return the columns that the first line names."""
    first = head.lstrip("\ufeff").partition("\n")[0]
    try:
        return tuple(column.strip() for column in next(csv.reader([first]), []))
    except csv.Error:
        return ()
