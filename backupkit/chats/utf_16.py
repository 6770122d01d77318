"""Text in UTF-16, as some computers save it, read as UTF-8."""

import codecs
import io
from typing import TYPE_CHECKING, BinaryIO, cast

from backupkit.chats.text_head import is_text

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1 << 16


def is_utf_16(head: bytes) -> bool:
    """Say whether a file that begins so is text in UTF-16."""
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and is_text(head)


def in_utf_8(stream: BinaryIO) -> BinaryIO:
    """Return a stream that gives the text of one in UTF-16 in UTF-8."""
    return cast("BinaryIO", io.BufferedReader(_Decoded(stream), _BLOCK))


class _Decoded(io.RawIOBase):
    def __init__(self, inner: BinaryIO) -> None:
        super().__init__()
        self._inner = inner
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        while not self._ready:
            block = self._inner.read(min(_BLOCK, len(view)))
            self._ready = self._decoder.decode(block, final=not block).encode("utf-8")
            if not block:
                break
        given = self._ready[: len(view)]
        self._ready = self._ready[len(given) :]
        view[: len(given)] = given
        return len(given)

    def close(self) -> None:
        self._inner.close()
        super().close()
