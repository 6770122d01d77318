"""Reading that keeps what came before a failure.

A buffered read of many bytes throws away what it has gathered when the stream fails in the middle. Exports break off, and
what lies before the break is what matters.
"""

from typing import BinaryIO

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator


def read_some(stream: BinaryIO, size_bytes: int, file: str) -> tuple[bytes, MalformedExport | None]:
    """Read up to `size_bytes`. Returns what came, and the failure that ended it; nothing and no failure is the end."""
    blocks: list[bytes] = []
    try:
        while size_bytes > 0 and (block := _next(stream, size_bytes)):
            blocks.append(block)
            size_bytes -= len(block)
    except MalformedExport as error:
        return b"".join(blocks), error
    except OSError:
        return b"".join(blocks), MalformedExport(Locator(file), "unreadable")
    return b"".join(blocks), None


def _next(stream: BinaryIO, size_bytes: int) -> bytes:
    once = getattr(stream, "read1", None)
    block: bytes = stream.read(size_bytes) if once is None else once(size_bytes)
    return block
