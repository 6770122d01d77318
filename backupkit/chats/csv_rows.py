"""CSV from strangers, row by row with its own bytes."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.source import SourceFiles
from backupkit.chats.text_lines import lines_of

MAX_FIELD_CHARACTERS = 8 * 2**20
MAX_COLUMNS = 16_384


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name. Columns without a value are empty; values without a column are left in `raw`."""

    values: dict[str, str]
    raw: bytes
    locator: Locator


@dataclass(slots=True)
class Damage:
    """Lines of a file that were no text, counted while it is read."""

    lines: int = 0

    def findings(self, name: str) -> Iterator[Finding]:
        """Tell of them, once everything was read."""
        if self.lines:
            yield Finding("text-not-utf-8", Severity.ERROR, Locator(name), {"count": self.lines})


def csv_rows(
    source: SourceFiles,
    name: str,
    *,
    header: int = 1,
    separator: str = ",",
    encoding: str | None = None,
    damage: Damage | None = None,
) -> Iterator[Row]:
    """Stream a CSV file whose row `header` names the columns; without one they are called by letters.

    `damage` counts the lines that are not UTF-8.

    Raises:
        MalformedExport: a quote is never closed, or a field is longer than any message.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    taken: list[bytes] = []
    with source.open(name) if encoding is None else source.open_bytes(name) as stream:

        def lines() -> Iterator[str]:
            for line in lines_of(stream, name):
                taken.append(line.raw)
                if damage is not None:
                    damage.lines += line.is_damaged
                text = line.text if encoding is None else line.raw.decode(encoding, "replace").rstrip("\r\n")
                yield text + "\n"

        reader = csv.reader(lines(), strict=True, delimiter=separator)
        try:
            columns: list[str] = []
            for _row in range(header):
                columns = [column.strip() for column in next(reader, [])]
            taken.clear()
            for fields in reader:
                raw = b"".join(taken)
                taken.clear()
                if fields:
                    if not header:
                        columns = [column_letters(place) for place in range(min(len(fields), MAX_COLUMNS))]
                    values = dict(zip(columns, fields, strict=False))
                    yield Row({**dict.fromkeys(columns, ""), **values}, raw, Locator(name, f"line {reader.line_num}"))
        except csv.Error as error:
            raise MalformedExport(Locator(name, f"line {reader.line_num}"), "csv-broken") from error


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
