"""Deletes packs that were condemned, with what only served them: their parity, their index files.

The caller has made sure, under a signature, that nothing needs them and that nothing ever will. Each step may be cut off and
done again; until a pack's last byte is gone its parity is there or was made anew without it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import OpenFailed
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError, ObjectMissing
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.packs.index import packs_named_by
from backupkit.store.packs.pack_format import Address
from backupkit.store.parity.parity import ParityFile, protect, read_parity_files
from backupkit.store.upkeep.repair import protected_packs


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object that is gone now, and how many bytes it had."""

    name: str
    size: int


def delete_packs(
    backend: Backend, domain: DomainId, dead: Collection[PackName], keep: Collection[PackName] = ()
) -> Iterator[Deleted | Finding]:
    """Delete the packs of a domain that are `dead`, but none of `keep`.

    Parity first: the groups with a dead pack are made anew without it, so that the living are protected at every moment. Where a
    living pack is damaged or gone, the old group is what can bring it back, and for that it needs the dead: they stay this time.
    """
    going = set(dead) - set(keep)
    if going & protected_packs(backend, domain):
        yield from (one for one in protect(backend, domain, dead=going) if isinstance(one, Finding))
    groups = {file.group.packs for file in read_parity_files(backend, domain) if isinstance(file, ParityFile)}
    held_back = frozenset[PackName]().union(*(packs for packs in groups if packs - going))
    for pack in sorted(going - held_back):
        deleted = _delete(backend, PackRef(domain, pack).name)
        if deleted is not None:
            yield deleted


def delete_index_files(
    backend: Backend, address: Address, index_key: bytes, dead: Collection[PackName]
) -> Iterator[Deleted]:
    """Delete the index files that name nothing but dead packs. One that cannot be read stays: it is only a hint."""
    for name in list(backend.names(layout.indexes(address.domain))):
        try:
            named = packs_named_by(backend, name, address, index_key)
        except (MalformedObject, NewerFormat, OpenFailed, BackendError):
            continue
        if named <= set(dead):
            deleted = _delete(backend, name)
            if deleted is not None:
                yield deleted


def _delete(backend: Backend, name: str) -> Deleted | None:
    try:
        size = backend.size(name)
    except ObjectMissing:
        return None
    backend.delete(name)
    return Deleted(name, size)
