"""Parity for packs that have none yet: after a snapshot, on the watcher's way, and as the last part of a repair."""

from collections.abc import Callable

from backupkit.ids import DomainId, PackName
from backupkit.ops.events import Phase, Progress, Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.store import layout
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import complete_pack_lists
from backupkit.store.parity.parity import GroupProtected, protect

_DOMAIN_DIGITS = 32


def write_parity(places: Places, *, tell: Tell, stop: Callable[[], bool] = lambda: False) -> int:
    """Write parity for the packs that have none yet, and return how many groups got it. Reads those packs, and no others.

    Pack lists that lack copies, as those of the first repositories do, get them too.

    Raises:
        NoRepository: there is none.
    """
    repository = open_repository(places, tell)
    repository.config.require("write")
    complete_pack_lists(repository.backend, lambda found: tell(store_finding(found)))
    groups = size = 0
    gone = lifecycle_of(repository, repository.log.read().entries).gone
    for domain in domains_of(repository):
        for outcome in protect(repository.backend, domain, dead=dead_in(domain, gone)):
            if isinstance(outcome, GroupProtected):
                groups += 1
                size += outcome.size
                tell(Progress(Phase.PROTECT, size, None, 2 * groups))
            else:
                tell(store_finding(outcome))
            if stop():
                return groups
    return groups


def domains_of(repository: Repository) -> list[DomainId]:
    """Return every domain that has packs or parity, also one whose file is lost."""
    found = set()
    for prefix in (layout.PACKS, layout.PARITY):
        for name in repository.backend.names(prefix):
            digits = name.removeprefix(prefix).partition("/")[0]
            if len(digits) == _DOMAIN_DIGITS and set(digits) <= set("0123456789abcdef"):
                found.add(DomainId(bytes.fromhex(digits)))
    return sorted(found)


def dead_in(domain: DomainId, gone: set[PackRef]) -> set[PackName]:
    """Return the packs of a domain that will be deleted on purpose."""
    return {ref.pack for ref in gone if ref.domain == domain}
