"""What the hook reads, written by us: pins and coverage passes."""

from backupkit.guard.desk import save_owner
from backupkit.guard.places import GuardPlaces, write_whole
from backupkit.ids import AppPackage
from backupkit.ops.repository.repository import Repository
from backupkit.proof.pins import Pins


def pins_of(repository: Repository) -> Pins:
    """Return what a guard must know this machine's writer by."""
    writer = repository.require_writer().writer
    return Pins(repository.origin, writer.log.verify_key, writer.attest.verify_key)


def write_pins(repository: Repository) -> bool:
    """Pin this repository for the hook of this machine, unless another one is pinned: then return False.

    A second repository must not quietly take the place of the one that the owner trusts.
    """
    places = GuardPlaces(repository.places.guard)
    if places.pins.exists():
        return places.pins.read_bytes() == pins_of(repository).encode()
    write_whole(places.pins, pins_of(repository).encode())
    if not places.owner_key.exists():
        # Who can open this repository can also consent without a screen, by a signature.
        save_owner(places, repository.public.owner_key)
    return True


def write_pass(repository: Repository, package: AppPackage, data: bytes) -> str:
    """Lay a coverage pass where the hook looks for it, and return its path."""
    path = GuardPlaces(repository.places.guard).pass_of(package)
    write_whole(path, data)
    return str(path)
