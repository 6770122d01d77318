"""What an app store knows of the device: the `device` object of a hook-request.

Every fact may be left out. What is not said is not judged, and the verdict names it; what is said must be right in form, because a shop that is
misunderstood is worse off than one that is refused. Sources of the rules that use it: `candidate_rules.py`, `update_rules.py`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from backupkit.guard.facts import SignerView
from backupkit.ids import AppPackage, CertificateDigest

MOST_ITEMS = 20_000
"""Permissions or providers on one device. A phone has some two thousand of each."""
_MOST_TEXT = 1024
_MOST_SIGNERS = 10
_HEX = frozenset("0123456789abcdef")


class Owner(NamedTuple):
    """The app that a permission, a group or a provider belongs to. `signers` None: not said."""

    package: AppPackage
    signers: SignerView | None = None


class Device(NamedTuple):
    """The device that the update is for. `sdk` None: not known, so every level is judged; any other None: not known, so not judged."""

    sdk: int | None = None
    abis: frozenset[str] | None = None
    permissions: Mapping[str, Owner] | None = None
    permission_groups: Mapping[str, Owner] | None = None
    providers: Mapping[str, Owner] | None = None
    shared_user: Mapping[str, Owner] | None = None
    """The apps that share the installed app's user id, by package name."""
    required_version: int | None = None
    """The installed version that the shop insists on (AOSP `SessionParams.setRequiredInstalledVersionCode`)."""
    is_instant: bool = False
    """Whether the shop would install the package as an instant app."""
    is_debuggable_build: bool = False
    """Whether the system itself is a build for developers, which lets downgrades through that were asked for."""


class DeviceMalformed(ValueError):
    """A field of the object is wrong. `field` is its name, `reason` as in `RequestMalformed`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason


def decode_device(value: Any) -> Device:
    """Read the object.

    Raises:
        DeviceMalformed: a field is of the wrong type or out of its range.
    """
    if not isinstance(value, dict):
        raise DeviceMalformed("device", "wrong-type")
    return Device(
        sdk=_number(value, "sdk", 1, 10_000),
        abis=_field(value, "abis", lambda found: frozenset(_texts(found, "abis"))),
        permissions=_owners(value, "permissions"),
        permission_groups=_owners(value, "permission_groups"),
        providers=_owners(value, "providers"),
        shared_user=_owners(value, "shared_user"),
        required_version=_number(value, "required_version", 0, (1 << 63) - 1),
        is_instant=_flag(value, "instant"),
        is_debuggable_build=_flag(value, "debuggable_build"),
    )


_Read = TypeVar("_Read")


def _field(value: dict[str, Any], name: str, read: Callable[[Any], _Read]) -> _Read | None:
    return None if value.get(name) is None else read(value[name])


def _number(value: dict[str, Any], name: str, least: int, most: int) -> int | None:
    number = value.get(name)
    if number is None:
        return None
    if type(number) is not int:
        raise DeviceMalformed(name, "wrong-type")
    if not least <= number <= most:
        raise DeviceMalformed(name, "out-of-range")
    return number


def _flag(value: dict[str, Any], name: str) -> bool:
    flag = value.get(name)
    if flag is not None and type(flag) is not bool:
        raise DeviceMalformed(name, "wrong-type")
    return bool(flag)


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list):
        raise DeviceMalformed(name, "wrong-type")
    return [_text(one, name) for one in _bounded(value, name)]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise DeviceMalformed(name, "wrong-type")
    if not 0 < len(value) <= _MOST_TEXT:
        raise DeviceMalformed(name, "out-of-range")
    return value


def _bounded(value: Any, name: str) -> Any:
    if len(value) > MOST_ITEMS:
        raise DeviceMalformed(name, "too-large")
    return value


def _owners(value: dict[str, Any], name: str) -> Mapping[str, Owner] | None:
    """Read who owns what: `{"<name>": "<package>"}` or `{"<name>": {"package", "signers": [sha256]}}`."""
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise DeviceMalformed(name, "wrong-type")
    return MappingProxyType({_text(key, name): _owner(one, name) for key, one in _bounded(found, name).items()})


def _owner(value: Any, name: str) -> Owner:
    if isinstance(value, str):
        return Owner(AppPackage(_text(value, name)))
    if not isinstance(value, dict):
        raise DeviceMalformed(name, "wrong-type")
    package, signers = AppPackage(_text(value.get("package"), name)), value.get("signers")
    if signers is None:
        return Owner(package)
    digests = tuple(CertificateDigest(one) for one in _texts(signers, name))
    if not 0 < len(digests) <= _MOST_SIGNERS or any(len(one) != 64 or not _HEX.issuperset(one) for one in digests):
        raise DeviceMalformed(name, "unknown-value")
    return Owner(package, SignerView(digests))
