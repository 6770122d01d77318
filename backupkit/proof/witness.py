"""The guard as the witness of a store's log (after C2SP tlog-witness v1.0.0): whoever remembers the head notices rollback.

About 180 bytes are kept per store: the last head that was seen, and about when. A newer head counts only with a proof that
it continues the kept one, and it is kept, durably, before anything is answered on the strength of it.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json, decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.home import make_private
from backupkit.proof.base64_text import to_base64
from backupkit.proof.checkpoint import MAX_SIZE, Checkpoint
from backupkit.proof.coverage_pass import Consistency
from backupkit.proof.fields import Fields
from backupkit.proof.merkle import EMPTY_ROOT, HASH_SIZE, ProofInvalid, verify_consistency
from backupkit.proof.refusals import LogForked, LogProofMissing, LogRolledBack, LogUnknown

VERSION = 1
MAX_WITNESS_BYTES = 4096
_WHAT = "witness"

NOTE_EVERY = timedelta(minutes=5)
"""How far the kept time may lag behind: a busy hook would otherwise write the file, and flush it, with every answer."""


class WitnessState(NamedTuple):
    """The last head seen of the log `origin`: how many entries, and the root over them.

    `at` is the latest time at which a question was answered with it, behind by at most `NOTE_EVERY`; None where an older
    backupkit kept it. It never goes back by itself.
    """

    origin: str
    size: int
    root: bytes
    at: datetime | None = None

    def noted(self, now: datetime) -> "WitnessState":
        """Return the state with the time of a question, where it is later than the kept one by enough."""
        if self.at is not None and now - self.at < NOTE_EVERY:
            return self
        return self._replace(at=now.replace(microsecond=0))

    def encode(self) -> bytes:
        """Write the state as canonical JSON."""
        state: dict[str, Json] = {"v": VERSION, "origin": self.origin, "size": self.size, "root": to_base64(self.root)}
        return encode_canonical(state if self.at is None else {**state, "at": to_rfc3339(self.at)})


def advance(known: WitnessState | None, head: Checkpoint, offers: Sequence[Consistency]) -> WitnessState:
    """Say what to remember after a head whose signature was checked. The first head ever seen is believed.

    The kept time goes along with every newer head.

    Raises:
        LogUnknown: it is another log's.
        LogRolledBack: it is shorter than the known one.
        LogForked: it does not continue the known one.
        LogProofMissing: it is longer, and none of the offers starts at the known size.
    """
    seen = WitnessState(head.origin, head.size, head.root)
    if known is None:
        return seen
    seen = seen._replace(at=known.at)
    if head.origin != known.origin:
        raise LogUnknown(found=head.origin, expected=known.origin)
    if head.size < known.size:
        raise LogRolledBack(seen=known.size, found=head.size)
    if head.size == known.size:
        if head.root != known.root:
            raise LogForked(seen=known.size, found=head.size)
        return known
    if known.size == 0:
        # Every log continues the empty one (tlog-witness); there is no proof of it, and none is needed.
        return seen
    offer = next((offer for offer in offers if offer.from_size == known.size), None)
    if offer is None:
        raise LogProofMissing(seen=known.size, found=head.size)
    try:
        verify_consistency(known.size, known.root, head.size, head.root, offer.proof)
    except ProofInvalid as error:
        raise LogForked(seen=known.size, found=head.size) from error
    return seen


@lru_cache(maxsize=4)
def decode_witness(data: bytes) -> WitnessState:
    """Read a kept head.

    Raises:
        MalformedObject: it is anything else. It must not be taken for a store never seen: then a rollback would pass.
        NewerFormat: a newer backupkit wrote it.
    """
    fields = Fields(decode_json(data, what=_WHAT, max_bytes=MAX_WITNESS_BYTES), what=_WHAT)
    version = fields.count("v")
    if version > VERSION:
        raise NewerFormat(what=_WHAT, version=version, known=VERSION)
    state = WitnessState(
        fields.text("origin"), fields.count("size"), fields.base64("root", size=HASH_SIZE), fields.optional_moment("at")
    )
    if state.size > MAX_SIZE or (state.size == 0) != (state.root == EMPTY_ROOT):
        fields.refuse("bad-size")
    return state


def load(path: Path) -> WitnessState | None:
    """Return the kept head, or None where none was ever kept.

    Raises:
        MalformedObject, NewerFormat: see `decode_witness`; also where it is there and cannot be read.
    """
    try:
        # A pipe in its place would be waited for for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise MalformedObject(what=_WHAT, reason="not-a-file")
            data = file.read(MAX_WITNESS_BYTES + 1)
    except FileNotFoundError as error:
        if path.is_symlink():
            # It names a place that is not there now, such as a disk that is not connected.
            raise MalformedObject(what=_WHAT, reason="unreadable") from error
        return None
    except OSError as error:
        raise MalformedObject(what=_WHAT, reason="unreadable") from error
    return decode_witness(data)


def save(path: Path, state: WitnessState) -> None:
    """Keep a head durably: when this returns, a crash no longer loses it.

    Raises:
        OSError: it could not be kept, and the old one stands.
    """
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(state.encode())
            file.flush()
            os.fsync(handle)
        # Until this rename the old head stands, whole.
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


class KeptWitness:
    """The kept head of one log while nobody else may move it."""

    __slots__ = ("_path", "state")

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = load(path)

    def keep(self, state: WitnessState) -> None:
        """Keep a newer head, if it is one."""
        if state != self.state:
            save(self._path, state)
            self.state = state


@contextmanager
def held_witness(path: Path) -> Iterator[KeptWitness]:
    """Hold a log's kept head from the look at it to the keeping of the next one.

    Two hooks that answer at the same moment could otherwise put each other's head back (tlog-witness, "add-checkpoint").

    Raises:
        MalformedObject, NewerFormat: as `load`.
        OSError: nothing can be written there.
    """
    make_private(path.parent)
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
        yield KeptWitness(path)
    finally:
        # Closing gives the lock back. The file stays: who removes it may remove another's lock.
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:  # pragma: no cover - elsewhere one hook at a time is the host's promise
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # pragma: no cover - folders cannot be opened elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
