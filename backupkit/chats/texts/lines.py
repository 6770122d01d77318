"""Lines of a text export, as bytes and as text, bounded in length."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_LINE_BYTES = 8 * 2**20

MOST_LINES_BETWEEN = 500_000
"""How far the next message or day is looked for before a file is read: no message has so many lines, and the reading ends there too."""

_KEPT_BYTES = 200
"""What keeping a line costs beside its bytes: two objects, and their places in two lists."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `raw` keeps every byte, the end of the line included.

    `is_damaged` where bytes are no text or zeros, which a disk gives for what it lost, `is_cut` where the file ends inside a character; half a character is left out of `text`.
    """

    number: int
    text: str
    raw: bytes
    is_damaged: bool = False
    is_cut: bool = False

    @property
    def weight(self) -> int:
        """Bytes of memory that the line takes while the rest of its message is read: a million short lines are no small message."""
        return len(self.raw) + _KEPT_BYTES

    @property
    def is_unfinished(self) -> bool:
        """Say whether the file ends here without a line end."""
        return not self.raw.endswith(b"\n")


def lines_of(stream: BinaryIO) -> Iterator[Line]:
    """Read UTF-8 (or UTF-16 with a mark) line by line. Only line feeds end lines: messages may hold every other kind.

    Of a line that is longer than any message the beginning is given, as a damaged one.
    """
    first = stream.readline(MAX_LINE_BYTES + 1)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _utf_16_lines(first, stream)
        return
    number = 0
    raw = first
    while raw:
        number += 1
        is_too_long = len(raw) > MAX_LINE_BYTES
        data = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        is_damaged, is_cut = is_too_long or b"\0" in raw, False
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            is_cut = not is_too_long and error.reason == "unexpected end of data"
            is_damaged = is_damaged or not is_cut
            text = data[: error.start].decode("utf-8") if is_cut else data.decode("utf-8", "replace")
        goes_on = is_too_long and not raw.endswith(b"\n")
        # The line does not end here, but neither does the file.
        yield Line(number, text.rstrip("\r\n"), raw + b"\n" if goes_on else raw, is_damaged, is_cut)
        while goes_on:
            raw = stream.readline(MAX_LINE_BYTES)
            goes_on = bool(raw) and not raw.endswith(b"\n")
        raw = stream.readline(MAX_LINE_BYTES + 1)


def _utf_16_lines(first: bytes, stream: BinaryIO) -> Iterator[Line]:
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
    pending = decoder.decode(first)
    number = 0
    while True:
        block = stream.read(1 << 16)
        pending += decoder.decode(block, final=not block)
        *whole, pending = pending.split("\n")
        for text in whole:
            number += 1
            raw = (text + "\n").encode("utf-8")
            yield Line(number, text.rstrip("\r").removeprefix("\ufeff"), raw, _has_holes(text))
        if not block and pending:
            raw = pending.encode("utf-8")
            yield Line(number + 1, pending.rstrip("\r").removeprefix("\ufeff"), raw, _has_holes(pending))
        if len(pending) > MAX_LINE_BYTES:
            number += 1
            yield Line(number, pending.removeprefix("\ufeff"), pending.encode("utf-8") + b"\n", is_damaged=True)
            pending = ""
        if not block:
            return


def _has_holes(text: str) -> bool:
    return "\0" in text or "\ufffd" in text
