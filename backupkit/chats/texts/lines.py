"""Lines of a text export, as bytes and as text, bounded in length."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator

MAX_LINE_BYTES = 8 * 2**20

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


def lines_of(stream: BinaryIO, file: str) -> Iterator[Line]:
    """Read UTF-8 (or UTF-16 with a mark) line by line. Only line feeds end lines: messages may hold every other kind.

    Raises:
        MalformedExport: a line is longer than any message.
    """
    first = stream.readline(MAX_LINE_BYTES + 1)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _utf_16_lines(first, stream, file)
        return
    number = 0
    raw = first
    while raw:
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise MalformedExport(Locator(file, f"line {number}"), "line-too-long")
        data = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        is_damaged, is_cut = b"\0" in raw, False
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            is_cut = error.reason == "unexpected end of data"
            is_damaged = is_damaged or not is_cut
            text = data[: error.start].decode("utf-8") if is_cut else data.decode("utf-8", "replace")
        yield Line(number, text.rstrip("\r\n"), raw, is_damaged, is_cut)
        raw = stream.readline(MAX_LINE_BYTES + 1)


def _utf_16_lines(first: bytes, stream: BinaryIO, file: str) -> Iterator[Line]:
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
    pending = decoder.decode(first)
    number = 0
    while True:
        block = stream.read(1 << 16)
        pending += decoder.decode(block, final=not block)
        *whole, pending = pending.split("\n")
        for text in whole:
            number += 1
            yield Line(number, text.rstrip("\r").removeprefix("\ufeff"), (text + "\n").encode("utf-8"))
        if not block and pending:
            yield Line(number + 1, pending.rstrip("\r").removeprefix("\ufeff"), pending.encode("utf-8"))
        if len(pending) > MAX_LINE_BYTES:
            raise MalformedExport(Locator(file, f"line {number + 1}"), "line-too-long")
        if not block:
            return
