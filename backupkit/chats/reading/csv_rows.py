"""CSV from strangers, row by row with its own bytes."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import lines_of

MAX_FIELD_CHARACTERS = 8 * 2**20
MAX_COLUMNS = 16_384


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

    `damage` looks at every line.

    Raises:
        TruncatedExport: the file ends inside a quoted field, or in a row with fewer fields than all before it.
        MalformedExport: a quote stands where none may, or a field is longer than any message.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    taken: list[bytes] = []
    is_unfinished: deque[bool] = deque(maxlen=1)
    is_whole = True
    with source.open(name) if encoding is None else source.open_bytes(name) as stream:

        def lines() -> Iterator[str]:
            for line in lines_of(stream, name):
                taken.append(line.raw)
                if damage is not None:
                    damage.saw(line)
                is_unfinished.append(line.is_unfinished)
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
                if not fields:
                    continue
                if not header:
                    columns = [column_letters(place) for place in range(min(len(fields), MAX_COLUMNS))]
                values = dict(zip(columns, fields, strict=False))
                locator = Locator(name, f"line {reader.line_num}")
                yield Row({**dict.fromkeys(columns, ""), **values}, raw, locator)
                if is_whole and is_unfinished[0] and len(fields) < len(columns):
                    raise TruncatedExport(locator, "text-cut")
                is_whole = is_whole and len(fields) >= len(columns)
        except csv.Error as error:
            locator = Locator(name, f"line {reader.line_num}")
            if "end of data" in str(error):
                raise TruncatedExport(locator, "text-cut") from error
            raise MalformedExport(locator, "csv-broken") from error


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
