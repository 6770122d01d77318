"""A file's bytes, chunk by chunk, for one pass in which two threads hash them.

Where the system lets nobody else write meanwhile (a Linux file lease), the file is mapped: no byte is copied, which is a third of the time.
Everywhere else it is read into a few buffers; a map would end the process if the file were cut short, or a disk pulled out.
"""

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Protocol, Self

CHUNK = 1 << 20
_BUFFERS = 5
_KEEP_MAPPED = 8 << 20
"""Pages behind this many bytes are given back, so that a large package does not count as memory of this process."""
_WORTH_A_MAP = 1 << 20

Digester = Callable[[int, memoryview], None]
"""Takes a chunk's offset and its bytes, valid during the call only. Chunks may come from two threads and out of order."""
Fill = Callable[[int, memoryview], None]
"""Fills a buffer from an offset of the file."""


class Chunks(Protocol):
    """Gives out chunks in rising order."""

    def take(self, offset: int, size: int) -> memoryview:
        """Return a chunk. It stays as it is until it was handed back."""
        ...

    def done(self, view: memoryview, *, is_shared: bool) -> None:
        """Say that the taker needs the chunk no more; a shared one is handed back by the other thread."""
        ...

    def give_back(self, view: memoryview) -> None:
        """Hand a shared chunk back."""
        ...


@contextmanager
def open_chunks(file: FileIO, size: int, fill: Fill) -> Iterator[Chunks]:
    """Choose the way to read the file."""
    with _lease(file) as is_ours:
        if is_ours and size >= _WORTH_A_MAP:
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            chunks = _Mapped(mapped)
            try:
                yield chunks
            finally:
                chunks.close()
        else:
            yield _Buffered(fill, min(size, CHUNK))


@contextmanager
def _lease(file: FileIO) -> Iterator[bool]:
    """Hold off everybody who would write to the file or cut it, if the system can.

    A read lease is granted only where nobody has the file open for writing; whoever then wants to waits for its end (fcntl(2), F_SETLEASE). The
    signal that tells of them is one that is ignored.
    """
    try:
        import fcntl  # noqa: PLC0415  # not on every system
        import signal  # noqa: PLC0415  # used with it only

        fcntl.fcntl(file.fileno(), fcntl.F_SETSIG, signal.SIGURG)  # type: ignore[attr-defined, unused-ignore]  # Linux
        fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except (ImportError, AttributeError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_UNLCK)


class _Mapped:
    """Chunks that lie in the system's own cache."""

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._view = memoryview(mapped)
        self._kept_from = 0

    def take(self, offset: int, size: int) -> memoryview:
        last = (offset - _KEEP_MAPPED) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        if last - self._kept_from >= _KEEP_MAPPED:
            # Only this process' table entries go; the pages come back if anybody still reads them.
            self._mapped.madvise(mmap.MADV_DONTNEED, self._kept_from, last - self._kept_from)
            self._kept_from = last
        return self._view[offset : offset + size]

    def done(self, view: memoryview, *, is_shared: bool) -> None:
        if not is_shared:
            view.release()

    def give_back(self, view: memoryview) -> None:
        pass

    def close(self) -> None:
        # Chunks that an error left behind keep the map until they are collected.
        with suppress(BufferError):
            self._view.release()
            self._mapped.close()


class _Buffered:
    """Chunks that are read into buffers which go round."""

    def __init__(self, fill: Fill, size: int) -> None:
        self._fill = fill
        self._size = size
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._made = 0
        self._whole: dict[int, memoryview] = {}

    def take(self, offset: int, size: int) -> memoryview:
        if self._free.empty() and self._made < _BUFFERS:
            self._made += 1
            self._free.put(memoryview(bytearray(self._size)))
        whole = self._free.get()
        view = whole[:size]
        self._whole[id(view)] = whole
        self._fill(offset, view)
        return view

    def done(self, view: memoryview, *, is_shared: bool) -> None:
        if not is_shared:
            self.give_back(view)

    def give_back(self, view: memoryview) -> None:
        self._free.put(self._whole.pop(id(view)))


class Helper:
    """A second thread that digests chunks while the first one reads and hashes: `hashlib` lets the other run."""

    def __init__(self, digester: Digester | None, chunks: Chunks) -> None:
        """Start with no thread where there is nothing to digest."""
        self._digester = digester
        self._chunks = chunks
        self._work: SimpleQueue[tuple[int, memoryview] | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if self._digester is not None:
            self._thread = Thread(target=self._run, name="package-digests", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def take(self, offset: int, view: memoryview) -> bool:
        """Hand a chunk to the second thread, unless it is behind or there is none."""
        if self._thread is None or self._work.qsize() > 1:
            return False
        self._work.put((offset, view))
        return True

    def _run(self) -> None:
        assert self._digester is not None
        while (work := self._work.get()) is not None:
            offset, view = work
            try:
                if self._failure is None:
                    self._digester(offset, view)
            except BaseException as error:  # noqa: BLE001  # carried over to the thread that waits
                self._failure = error
            finally:
                self._chunks.give_back(view)
