"""The names of a repository's objects. `docs/format/repository.md` shows the whole tree."""

import re
from dataclasses import dataclass

from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.store.backend import BadName

CONFIG = "config"
KEYRING = "keyring"
SLOTS = "slots/"
DOMAINS = "domains/"
PACKS = "packs/"
INDEXES = "index/"
PACK_LISTS = "packlists/"
SNAPSHOTS = "snapshots/"
STATEMENTS = "statements/"
LOG_ENTRIES = "log/entries/"
LOG_HEAD = "log/checkpoint"
PARITY = "parity/"

_PACK = re.compile(r"packs/([0-9a-f]{32})/([0-9a-f]{2})/(\2[0-9a-f]{62})", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class PackRef:
    """A pack and the domain it belongs to: all that is needed to find it."""

    domain: DomainId
    pack: PackName

    @property
    def name(self) -> str:
        """The object's name."""
        return pack(self.domain, self.pack)


def pack(domain: DomainId, name: PackName) -> str:
    """Name a pack."""
    return f"{packs(domain)}{name[:2]}/{name}"


def packs(domain: DomainId) -> str:
    """Prefix of a domain's packs."""
    return f"{PACKS}{domain.hex()}/"


def pack_of(name: str) -> PackRef | None:
    """Read a pack's name back; None for any other object that lies among the packs."""
    match = _PACK.fullmatch(name)
    return PackRef(DomainId(bytes.fromhex(match[1])), PackName(match[3])) if match else None


def indexes(domain: DomainId) -> str:
    """Prefix of a domain's index files."""
    return f"{INDEXES}{domain.hex()}/"


def index(domain: DomainId, digest: str) -> str:
    """Name an index file by the SHA-256 of its bytes."""
    return indexes(domain) + require_digest(digest)


def domain_file(domain: DomainId) -> str:
    """Name the file that holds a domain's wrapped secrets."""
    return DOMAINS + domain.hex()


def slot(slot_id: str) -> str:
    """Name a key slot."""
    return SLOTS + slot_id


def pack_list(digest: str) -> str:
    """Name a pack list by the SHA-256 of its bytes."""
    return PACK_LISTS + require_digest(digest)


def snapshot(snapshot_id: SnapshotId) -> str:
    """Name a snapshot's signed statement."""
    return SNAPSHOTS + require_digest(snapshot_id)


def snapshot_signature(snapshot_id: SnapshotId) -> str:
    """Name the SSHSIG over a snapshot's statement."""
    return f"{SNAPSHOTS}{require_digest(snapshot_id)}.sshsig"


def statement(digest: str) -> str:
    """Name another statement by the SHA-256 of its payload."""
    return STATEMENTS + require_digest(digest)


def parities(domain: DomainId) -> str:
    """Prefix of a domain's parity files."""
    return f"{PARITY}{domain.hex()}/"


def parity(domain: DomainId, digest: str) -> str:
    """Name a parity file by the SHA-256 of its bytes."""
    return parities(domain) + require_digest(digest)


def log_entry(sequence: int) -> str:
    """Name a log entry, so that the names sort as the entries follow each other."""
    return f"{LOG_ENTRIES}{sequence:010d}"


def require_digest(digest: str) -> str:
    """Return `digest` if it is 64 lower-case hex digits.

    Raises:
        BadName: it is anything else.
    """
    if not _DIGEST.fullmatch(digest):
        raise BadName(name=digest[:80])
    return digest
