"""Rows of an Excel workbook, streamed: a zip archive of XML, from strangers.

Entities and document types are refused, strings that cells share lie in a scratch file instead of memory, and a cell that
is shown as a date is read as one.
"""

import re
import tempfile
import zipfile
from array import array
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import IO, BinaryIO, cast
from xml.parsers import expat

from backupkit.chats.archives.archive import GuardedStream, open_archive
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.reading.csv_rows import MAX_COLUMNS, Row, column_letters
from backupkit.chats.sources.source import SourceFiles

MAX_MEMBERS = 10_000
MAX_CELL_CHARACTERS = 8 * 2**20
MAX_UNFINISHED_BYTES = 32 * 2**20
MAX_WORKBOOK_BYTES = 2 * 2**30
_MOST_COPIED_BYTES = 64 * 2**20
_BLOCK = 1 << 16
_REMEMBERED = 50_000
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{0,7})")
# Formats that Excel has built in for dates and times, the East Asian ones too.
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')


def xlsx_rows(source: SourceFiles, name: str, sheet: str | None, header: int) -> Iterator[Row]:
    """Stream a sheet (the first where none is named, every one for `*`) whose row `header` names the columns.

    Without a header the columns are called by their letters. Every row has its sheet under `@sheet`.

    Raises:
        MalformedExport: it is no workbook, has no such sheet, or is damaged.
    """
    with ExitStack() as stack:
        archive = stack.enter_context(open_archive(_seekable(source, name, stack), Locator(name), MAX_MEMBERS))
        book = _Workbook(archive, name, stack)
        chosen = [one for one in book.sheets if sheet in {"*", one[0]}] if sheet else book.sheets[:1]
        if not chosen:
            raise MalformedExport(Locator(name), "no-such-sheet")
        for title, member in chosen:
            yield from _named(book, title, member, header)


def xlsx_sheets(source: SourceFiles, name: str) -> list[str]:
    """Return the names of a workbook's sheets, without reading what is in them.

    Raises:
        MalformedExport: it is no workbook, or is damaged.
    """
    with ExitStack() as stack:
        archive = stack.enter_context(open_archive(_seekable(source, name, stack), Locator(name), MAX_MEMBERS))
        return [title for title, _member in _Workbook(archive, name, stack, has_words=False).sheets]


def has_sheet(source: SourceFiles, name: str, sheet: str, *, beside: str, columns: Collection[str]) -> bool:
    """Say whether a file is a workbook with two sheets of these names, and the first row of one has these columns. Of another it says no."""
    if not name.lower().endswith(".xlsx"):
        return False
    # Inside an archive a workbook is copied to be looked at.
    if source.path(name) is None and (source.size(name) or 0) > _MOST_COPIED_BYTES:
        return False
    try:
        if not {sheet, beside} <= set(xlsx_sheets(source, name)):
            return False
        first = next(xlsx_rows(source, name, sheet, 1), None)
    except (MalformedExport, OSError):
        return False
    return first is not None and first.values.keys() >= set(columns)


def _seekable(source: SourceFiles, name: str, stack: ExitStack) -> BinaryIO:
    opened = stack.enter_context(source.open(name))
    if source.path(name) is not None:
        return opened
    # Inside another archive it cannot be sought in; the copy has no name and is gone with the workbook.
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack is its `with`
    total = 0
    while block := opened.read(1 << 20):
        total += len(block)
        if total > MAX_WORKBOOK_BYTES:
            raise MalformedExport(Locator(name), "workbook-too-large")
        copy.write(block)
    copy.seek(0)
    return cast("BinaryIO", copy)


def _named(book: "_Workbook", title: str, member: str, header: int) -> Iterator[Row]:
    columns: dict[int, str] = {}
    for number, cells in book.rows(member):
        if number < header or not cells:
            continue
        if number == header:
            columns = {place: text.strip() for place, text in cells.items()}
            continue
        values = {columns.get(place) or column_letters(place): text for place, text in cells.items()}
        values["@sheet"] = title
        raw = "\t".join(f"{column}={text}" for column, text in values.items()).encode("utf-8", "surrogatepass")
        yield Row({**dict.fromkeys(columns.values(), ""), **values}, raw, Locator(book.name, f"{title}!{number}"))


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


class _Strings:
    """The strings that cells share, in a scratch file: their number is the workbook's, not the memory's."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("Q", [0])
        self._seen: dict[int, str] = {}

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._file.write(data)
        self._ends.append(self._ends[-1] + len(data))

    def get(self, number: int) -> str:
        if not 0 <= number < len(self._ends) - 1:
            return ""
        known = self._seen.get(number)
        if known is not None:
            return known
        self._file.seek(self._ends[number])
        text = self._file.read(self._ends[number + 1] - self._ends[number]).decode("utf-8", "surrogatepass")
        # Names and kinds come again and again, words once: the short ones are worth remembering.
        if len(text) < 64 and len(self._seen) < _REMEMBERED:
            self._seen[number] = text
        return text


class _Workbook:
    """The parts of a workbook that its rows need."""

    def __init__(self, archive: zipfile.ZipFile, name: str, stack: ExitStack, *, has_words: bool = True) -> None:
        self.name = name
        self._archive = archive
        self._members = {info.filename.lstrip("/"): info for info in archive.infolist()}
        self.sheets: list[tuple[str, str]] = []
        self._epoch = datetime(1899, 12, 30, tzinfo=UTC)
        self._date_styles: set[int] = set()
        self._strings = _Strings(stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115  the stack is its `with`
        self._read_sheets()
        if has_words:
            self._read_words()

    def _read_sheets(self) -> None:
        targets = {}
        for tag, attributes, _text in self._elements("xl/_rels/workbook.xml.rels", {"Relationship"}):
            del tag
            targets[attributes.get("Id", "")] = attributes.get("Target", "")
        for tag, attributes, _text in self._elements("xl/workbook.xml", {"sheet", "workbookPr"}):
            if tag == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
                self._epoch = datetime(1904, 1, 1, tzinfo=UTC)
            elif tag == "sheet":
                target = targets.get(attributes.get("id", ""), "")
                member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                if member in self._members:
                    self.sheets.append((attributes.get("name", ""), member))
        if not self.sheets:
            raise MalformedExport(Locator(self.name), "no-sheets")

    def _read_words(self) -> None:
        self._read_styles()
        for _tag, _attributes, text in self._elements("xl/sharedStrings.xml", {"si"}, text_in={"t"}, not_in={"rPh"}):
            self._strings.add(text)

    def _read_styles(self) -> None:
        own: set[int] = set()
        number = 0
        for tag, attributes, _text in self._elements("xl/styles.xml", {"numFmt", "xf"}, inside={"xf": "cellXfs"}):
            form = attributes.get("numFmtId", "")
            code = int(form) if form.isascii() and form.isdecimal() and len(form) < 9 else 0
            if tag == "numFmt":
                if re.search(r"[ymdhs]", _QUOTED.sub("", attributes.get("formatCode", "")).lower()):
                    own.add(code)
                continue
            if code in _DATE_FORMATS or code in own:
                self._date_styles.add(number)
            number += 1

    def rows(self, member: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Stream the rows of a sheet: their numbers, and the texts of their cells by column."""
        number, cells, place = 0, dict[int, str](), -1
        for tag, attributes, text in self._elements(member, {"row", "c"}, text_in={"v", "t"}, not_in={"rPh", "f"}):
            if tag == "row":
                given = attributes.get("r", "")
                number = int(given) if given.isascii() and given.isdecimal() and len(given) < 9 else number + 1
                yield number, cells
                cells, place = {}, -1
                continue
            reference = _REFERENCE.match(attributes.get("r", ""))
            place = _column(reference[1]) if reference else place + 1
            if place < MAX_COLUMNS and text:
                cells[place] = self._shown(attributes, text)

    def _shown(self, attributes: dict[str, str], text: str) -> str:
        kind = attributes.get("t", "n")
        if kind == "s":
            return self._strings.get(int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else ""
        if kind == "b":
            return "true" if text == "1" else "false"
        if kind != "n":
            return text
        try:
            value = float(text)
        except ValueError:
            return text
        style = attributes.get("s", "0")
        if style.isdecimal() and len(style) < 6 and int(style) in self._date_styles and 0 < value < 3_000_000:
            moment = self._epoch + timedelta(milliseconds=round(value * 86_400_000))
            return moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else text

    def _elements(
        self,
        member: str,
        wanted: set[str],
        *,
        text_in: set[str] | frozenset[str] = frozenset(),
        not_in: set[str] | frozenset[str] = frozenset(),
        inside: dict[str, str] | None = None,
    ) -> Iterator[tuple[str, dict[str, str], str]]:
        """Stream the wanted elements as they end, with the text of `text_in` inside them; none where there is no member."""
        info = self._members.get(member)
        if info is None:
            return
        locator = Locator(self.name, member)
        with GuardedStream.over_zip(self._archive, info, locator) as stream:
            parsing = _Parsing(wanted, text_in, not_in, inside or {}, locator)
            while True:
                block = stream.read(_BLOCK) or b""
                yield from parsing.feed(block)
                if not block:
                    return


class _Parsing:
    def __init__(
        self,
        wanted: set[str],
        text_in: set[str] | frozenset[str],
        not_in: set[str] | frozenset[str],
        inside: dict[str, str],
        locator: Locator,
    ) -> None:
        self._wanted, self._text_in, self._not_in, self._inside = wanted, text_in, not_in, inside
        self._locator = locator
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._said
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._path: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._gathered = 0
        self._done: list[tuple[str, dict[str, str], str]] = []
        self._unfinished = 0

    def feed(self, block: bytes) -> list[tuple[str, dict[str, str], str]]:
        self._unfinished += len(block)
        if self._unfinished > MAX_UNFINISHED_BYTES:
            raise MalformedExport(self._locator, "element-too-long")
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            reason = "xml-unclosed" if not block else "xml-broken"
            kind = TruncatedExport if not block else MalformedExport
            raise kind(self._locator, reason) from error
        done, self._done = self._done, []
        if done:
            self._unfinished = 0
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if len(self._path) > 100:
            raise MalformedExport(self._locator, "nested-too-deep")
        if tag in self._wanted and self._inside.get(tag) in {None, *self._path}:
            plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
            self._open.append((tag, plain, []))
            self._gathered = 0
        self._path.append(tag)

    def _end(self, tag: str) -> None:
        del tag
        ended = self._path.pop()
        if self._open and self._open[-1][0] == ended:
            tag, attributes, parts = self._open.pop()
            self._done.append((tag, attributes, "".join(parts)))

    def _said(self, data: str) -> None:
        if self._open and self._path[-1] in self._text_in and not self._not_in & set(self._path):
            self._gathered += len(data)
            if self._gathered > MAX_CELL_CHARACTERS:
                raise MalformedExport(self._locator, "cell-too-long")
            self._open[-1][2].append(data)

    def _refuse(self, *_declared: object) -> None:
        raise MalformedExport(self._locator, "entities-refused")
