"""The resident server's door on a Unix socket: one question a line, one answer a line, in their order.

Who may ask is what the kernel says of the other side (SO_PEERCRED): the user whose chats these are, and root. Anybody
else learns nothing, not even whether a file or an app is there.
"""

import asyncio
import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

from backupkit.home import make_private
from backupkit.hooks.counter import Answer, Counter, undecided
from backupkit.hooks.protocol import DEFAULT_DEADLINE_SECONDS, MAX_REQUEST_BYTES

MOST_CONNECTIONS = 128
_IDLE_SECONDS = 60.0
_BACKLOG = 512
"""More than are served: the others are told that there are too many."""
_PARTING_SECONDS = 2.0


class SocketInTheWay(OSError):
    """The path of the socket names something else, which is not ours to replace."""


class FolderOpenToAll(OSError):
    """Anybody could put a socket of their own in the place of this one, and answer in its name."""


def bind(path: Path) -> socket.socket:
    """Listen at a path. A server that listened there before gets no new callers from this moment on.

    Raises:
        SocketInTheWay: there is something there that is no socket.
        FolderOpenToAll: everybody may replace files in its folder.
        OSError: it cannot be made.
    """
    make_private(path.parent)
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise FolderOpenToAll(errno.EPERM, os.strerror(errno.EPERM), str(path.parent))
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketInTheWay(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        door.bind(os.fspath(fresh))
        door.listen(_BACKLOG)
        # Under the new name only once it listens: there is no moment at which a caller meets a closed door.
        fresh.replace(path)
    except BaseException:
        door.close()
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.umask(old)
    return door


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def withdraw(path: Path, own: tuple[int, int] | None) -> None:
    """Remove a server's socket, unless another server's is there by now."""
    if identity(path) == own:
        path.unlink(missing_ok=True)


def is_welcome(door: socket.socket) -> bool:
    """Whether the other side is the user this server runs as, or root."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in {os.geteuid(), 0}


class UnixDoor:
    """Serves one listening socket."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self, door: socket.socket) -> asyncio.Server:
        """Begin to take callers."""
        return await asyncio.start_unix_server(self._welcome, sock=door, limit=MAX_REQUEST_BYTES, backlog=_BACKLOG)

    async def close(self, within: float) -> None:
        """Let every caller hear the answer that is under way, then hang up."""
        for talk in self._talks:
            # Only who waits for a question is interrupted by this; see `_talk`.
            talk.cancel()
        if self._talks:
            await asyncio.wait(self._talks, timeout=within)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            if not is_welcome(writer.get_extra_info("socket")):
                await _say(writer, undecided("not-permitted"))
            elif len(self._talks) > MOST_CONNECTIONS:
                await _say(writer, undecided("overloaded"))
            else:
                await self._talk(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            # An answer that nobody hears is a hold, by the contract.
            pass
        finally:
            await _part(writer)
            self._talks.discard(talk)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            question = await _read_question(reader)
            if question is None:
                return
            if isinstance(question, Answer):
                await _say(writer, question)
                return
            # Shielded: who stops the server hangs up on those who have not asked, not on those who wait for an answer.
            answering = asyncio.ensure_future(self._answer(writer, question))
            try:
                await asyncio.shield(answering)
            except asyncio.CancelledError:
                await answering
                return

    async def _answer(self, writer: asyncio.StreamWriter, question: bytes) -> None:
        await _say(writer, await self._counter.ask(question))


async def _read_question(reader: asyncio.StreamReader) -> bytes | Answer | None:
    """Return the next question, the answer to what is none, or None where nothing more comes."""
    async with asyncio.timeout(_IDLE_SECONDS):
        first = await reader.read(1)
    if not first:
        return None
    if first == b"\n":
        return b""
    try:
        async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS):
            return first + await reader.readuntil(b"\n")
    except TimeoutError:
        return undecided("timed-out")
    except asyncio.LimitOverrunError:
        return undecided("request-malformed")
    except asyncio.IncompleteReadError as end:
        # The last question of a caller who ends it by ending its side.
        return first + end.partial


async def _part(writer: asyncio.StreamWriter) -> None:
    """Hang up once the last answer went out. Who does not take it keeps no place for ever."""
    writer.close()
    try:
        async with asyncio.timeout(_PARTING_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
    except asyncio.CancelledError:
        # The server goes, and what is under way goes out until then.
        pass


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(answer.line)
    async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS):
        await writer.drain()
