"""Which erasure domain a source belongs to, and making it when it is met for the first time."""

from collections.abc import Iterator
from contextlib import contextmanager

from backupkit.clock import Clock
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.writer import DomainLabel, decode_writer_state
from backupkit.ids import DomainId
from backupkit.ops.places import held
from backupkit.ops.repository.repository import WRITER_FILE, Repository
from backupkit.ops.repository.statements import record_keys
from backupkit.store import layout

OWN_EXPORT = "own-export"
"""The basis on which a person keeps their own chats: they exported them themselves."""


def ensure_domain(repository: Repository, account: str, clock: Clock) -> tuple[Repository, DomainId]:
    """Return the domain of an account, made now if need be, and the repository that knows its writing keys.

    The domain's private key is sealed to the keyring and never kept here: this machine will not read what it writes.
    """
    wanted = DomainLabel.of(account, OWN_EXPORT)
    with _writing_keys(repository) as current:
        state = current.require_writer()
        for domain, keys in state.domains.items():
            if (keys.label.account, keys.label.basis) == (wanted.account, wanted.basis):
                return current, domain
        made = DomainSecrets.generate(account, OWN_EXPORT)
        at = clock.now()
        file = made.wrap(state.root_recipient, created=at)
        # The file before the keys: a crash in between leaves an unused domain, never packs that nobody can open.
        current.objects.create(layout.domain_file(made.id), file)
        updated = current.with_writer(state.with_domain(made.id, made.writer_keys()))
    record_keys(updated, "domain-added", file, at)
    return updated, made.id


@contextmanager
def _writing_keys(repository: Repository) -> Iterator[Repository]:
    """Hold this machine's keys for a change: two processes must not each add a domain and lose the other's."""
    repository.require_writer()
    with held(repository.memory / "writer.lock"):
        state = decode_writer_state((repository.memory / WRITER_FILE).read_bytes())
        yield repository.with_writer(state)
