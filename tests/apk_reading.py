"""Reading packages in tests: as bytes in, and either the package out or the reason why it is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, Package, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

Read = Callable[..., Package]
Refusal = Callable[..., Reason]
DEVICES = range(24, NEWEST_KNOWN_SDK + 1)


def reader(path: Path) -> Read:
    """Return what writes a package to a file and reads it."""

    def read(apk: bytes, sdk: int | None = None) -> Package:
        path.write_bytes(apk)
        return read_package(path, device_sdk=sdk)

    return read


def refuser(read: Read) -> Refusal:
    """Return what tells the reason why a package is refused."""

    def refusal(apk: bytes, sdk: int | None = None) -> Reason:
        with pytest.raises(PackageNotGenuine) as caught:
            read(apk, sdk)
        return caught.value.reason

    return refusal


def signer_of(package: Package, level: int) -> str:
    """Return the certificate's digest of the one signer that a level sees."""
    (digest,) = package.signing_at(level).digests
    return digest
