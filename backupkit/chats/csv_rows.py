"""CSV from strangers, row by row with its own bytes."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator
from backupkit.chats.source import SourceFiles
from backupkit.chats.text_lines import lines_of

MAX_FIELD_CHARACTERS = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name. Columns without a value are empty; values without a column are left in `raw`."""

    values: dict[str, str]
    raw: bytes
    locator: Locator


def csv_rows(source: SourceFiles, name: str) -> Iterator[Row]:
    """Stream a CSV file whose first row names the columns.

    Raises:
        MalformedExport: a quote is never closed, or a field is longer than any message.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    taken: list[bytes] = []
    with source.open(name) as stream:

        def lines() -> Iterator[str]:
            for line in lines_of(stream, name):
                taken.append(line.raw)
                yield line.text + "\n"

        reader = csv.reader(lines(), strict=True)
        try:
            columns = [column.strip() for column in next(reader, [])]
            taken.clear()
            for fields in reader:
                raw = b"".join(taken)
                taken.clear()
                if fields:
                    values = dict(zip(columns, fields, strict=False))
                    yield Row({**dict.fromkeys(columns, ""), **values}, raw, Locator(name, f"line {reader.line_num}"))
        except csv.Error as error:
            raise MalformedExport(Locator(name, f"line {reader.line_num}"), "csv-broken") from error


def csv_columns(head: str) -> tuple[str, ...]:
    """Return the columns that the first line names."""
    first = head.lstrip("\ufeff").partition("\n")[0]
    try:
        return tuple(column.strip() for column in next(csv.reader([first]), []))
    except csv.Error:
        return ()
