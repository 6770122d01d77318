"""A domain of a repository, made once."""

import pytest

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import RepositoryId
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.packs.pack_format import Address

REPOSITORY = RepositoryId(bytes(range(16)))


@pytest.fixture(scope="session")
def secrets() -> DomainSecrets:
    return DomainSecrets.generate("wechat", "own-export")


@pytest.fixture(scope="session")
def address(secrets: DomainSecrets) -> Address:
    return Address(REPOSITORY, secrets.id)


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()
