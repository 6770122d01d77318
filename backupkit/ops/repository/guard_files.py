"""What the hook reads, written by us: pins and coverage passes."""

import time
from datetime import datetime

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.writer import WriterState
from backupkit.guard.desk import save_owner
from backupkit.guard.places import GuardPlaces, clear_unfinished, write_whole
from backupkit.ids import AppPackage
from backupkit.ops.repository.repository import Repository
from backupkit.proof.pass_check import authentic_pass
from backupkit.proof.pins import Pins
from backupkit.proof.witness import held_witness, load


def pins_of(repository: Repository) -> Pins:
    """Return what a guard must know this machine's writer by."""
    return _pins(repository, repository.require_writer())


def _pins(repository: Repository, state: WriterState) -> Pins:
    return Pins(repository.origin, state.writer.log.verify_key, state.writer.attest.verify_key)


def counts_another(repository: Repository) -> bool | None:
    """Say whether the guard of this machine counts another repository's backups; None where it counts nobody's, or cannot be looked at."""
    if repository.writer is None:
        return None
    try:
        return GuardPlaces(repository.places.guard).pins.read_bytes() != _pins(repository, repository.writer).encode()
    except OSError:
        return None


def guard_until(repository: Repository, package: AppPackage, now: datetime) -> datetime | None:
    """Say until when a pass for an app covers it at the guard of this machine; None where none does now."""
    if counts_another(repository) is not False:
        return None
    try:
        data = GuardPlaces(repository.places.guard).pass_of(package).read_bytes()
    except OSError:
        return None
    coverage = authentic_pass(data, pins_of(repository))
    is_ours = coverage is not None and coverage.log.origin == repository.origin
    return coverage.expires if coverage is not None and is_ours and now < coverage.expires else None


def remembers_log(repository: Repository) -> bool:
    """Say whether what the guard of this machine last saw of a log can be read, or is nothing yet."""
    try:
        load(GuardPlaces(repository.places.guard).witness)
    except (MalformedObject, NewerFormat):
        return False
    return True


def asked_after(repository: Repository, now: datetime) -> bool:
    """Say whether the guard of this machine remembers that it was asked later than now: the clock was wrong then, or is now."""
    seen = load(GuardPlaces(repository.places.guard).witness)
    return seen is not None and seen.at is not None and seen.at > now


def forget_when_asked(repository: Repository) -> None:
    """Let the guard forget when it was asked, and nothing else: what it saw of the log stays. The owner says that the clock is right."""
    places = GuardPlaces(repository.places.guard)
    with held_witness(places.witness) as witness:
        if witness.state is not None:
            witness.keep(witness.state._replace(at=None))


def write_pins(repository: Repository) -> bool:
    """Pin this repository for the hook of this machine, unless another one is pinned: then return False.

    A second repository must not quietly take the place of the one that the owner trusts.
    """
    places = GuardPlaces(repository.places.guard)
    if places.pins.exists():
        return not counts_another(repository)
    write_whole(places.pins, pins_of(repository).encode())
    if not places.owner_key.exists():
        # Who can open this repository can also consent without a screen, by a signature.
        save_owner(places, repository.public.owner_key)
    return True


def pin_instead(repository: Repository) -> None:
    """Pin this repository in the place of whichever is pinned. Its owner was asked."""
    places = GuardPlaces(repository.places.guard)
    # First what was seen of the other one's log, which would refuse this one's: after a crash in between this can be done again.
    places.witness.unlink(missing_ok=True)
    save_owner(places, repository.public.owner_key)
    write_whole(places.pins, pins_of(repository).encode())


def write_pass(repository: Repository, package: AppPackage, data: bytes) -> str:
    """Lay a coverage pass where the hook looks for it, and return its path."""
    places = GuardPlaces(repository.places.guard)
    path = places.pass_of(package)
    write_whole(path, data)
    # Here and not in the hook, which has to be fast. The file system's times follow the system's clock, no other.
    clear_unfinished(places, time.time())
    return str(path)
