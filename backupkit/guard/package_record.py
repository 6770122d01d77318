"""What backupkit remembers of an installed app: who signed it, and which versions were seen.

Trust on first use, and from then on only two ways to another signer: a proof of rotation inside the package, or the
owner's word. So a package that merely claims to be the installed app cannot teach the guard a new signer.

A record is a JSON file, `records/<package>.json`, replaced as a whole. Unknown fields survive a rewrite.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.codec.canonical import MAX_INTEGER, decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.facts import (
    NEWEST_SDK,
    OLDEST_SDK,
    Capability,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
)
from backupkit.guard.outcome import SignerChange, signer_change
from backupkit.guard.places import file_name_of, read_small, write_whole
from backupkit.ids import AppPackage, CertificateDigest

MAX_RECORD_BYTES = 1 << 20
MOST_VERSIONS = 200
MOST_OFFERED = 8


class RecordConflict(BackupkitError):
    """The installed app is signed by someone the record does not know, with no proof of rotation.

    Facts: `package`, `recorded`, `found` (signers, shortened), `sdk` (the first level where they differ).
    """

    code = "record-conflict"
    exit_code = ExitCode.UNDECIDED


class EnrolledBy(Enum):
    """Whose word a record's signer rests on."""

    FIRST_USE = "first-use"
    ROTATION = "rotation"
    OWNER = "owner"


class SeenVersion(NamedTuple):
    """A version of the app that was seen installed."""

    version_code: int | None
    sha256: str | None
    seen_at: datetime


class PackageRecord(NamedTuple):
    """An installed app as last seen. `facts` are what the device rules judge by.

    `offered` are the packages whose installation was allowed since: each of them may be what is installed now.
    """

    facts: PackageFacts
    enrolled_at: datetime
    enrolled_by: EnrolledBy
    label: str | None = None
    versions: tuple[SeenVersion, ...] = ()
    offered: tuple[PackageFacts, ...] = ()
    extra: Mapping[str, Any] = MappingProxyType({})

    @property
    def package(self) -> AppPackage:
        """The app's package name."""
        return self.facts.package


def enrol(facts: PackageFacts, now: datetime, *, by: EnrolledBy, label: str | None = None) -> PackageRecord:
    """Begin a record, or begin it again on the owner's word."""
    facts = facts.as_installed()
    seen = SeenVersion(facts.version_code, facts.sha256, now)
    return PackageRecord(facts=facts, enrolled_at=now, enrolled_by=by, label=label, versions=(seen,))


def observe(record: PackageRecord | None, facts: PackageFacts, now: datetime) -> PackageRecord:
    """Take note of the app as it is installed now; returns the same record where nothing is new.

    Raises:
        RecordConflict: its signer does not continue the recorded one.
    """
    facts = facts.as_installed()
    if record is None:
        return enrol(facts, now, by=EnrolledBy.FIRST_USE)
    by = _continued_by(record, facts)
    if facts == record.facts:
        return record._replace(offered=())
    seen = SeenVersion(facts.version_code, facts.sha256, now)
    versions = (*record.versions, seen)[-MOST_VERSIONS:]
    return record._replace(facts=facts, enrolled_by=by, versions=versions, offered=())


def with_offer(record: PackageRecord, offered: PackageFacts) -> PackageRecord:
    """Remember that this package may be installed from now on; the record's own facts stay what was seen."""
    offered = offered.as_installed()
    if offered in (record.facts, *record.offered):
        return record
    return record._replace(offered=(*record.offered, offered)[-MOST_OFFERED:])


def _continued_by(record: PackageRecord, found: PackageFacts) -> EnrolledBy:
    try:
        changes = _changes(record.facts, found)
    except RecordConflict:
        # The one package of another signer that may follow is the very one whose owner consented to it.
        if found not in record.offered:
            raise
        return EnrolledBy.OWNER
    return EnrolledBy.ROTATION if SignerChange.ROTATED in changes else record.enrolled_by


def _changes(recorded: PackageFacts, found: PackageFacts) -> set[SignerChange]:
    changes: set[SignerChange] = set()
    for sdk in range(OLDEST_SDK, NEWEST_SDK + 1):
        old, new = recorded.signers_at(sdk), found.signers_at(sdk)
        if old is None or new is None:
            continue
        change = signer_change(old, new)
        if change is SignerChange.REPLACED:
            raise _conflict(recorded.package, old, new, sdk)
        changes.add(change)
    if not changes or recorded.package != found.package:
        raise _conflict(recorded.package, None, None, 0)
    return changes


def _conflict(package: AppPackage, old: SignerView | None, new: SignerView | None, sdk: int) -> RecordConflict:
    def short(view: SignerView | None) -> str:
        return ",".join(digest[:8] for digest in view.signers) if view else ""

    return RecordConflict(package=package, recorded=short(old), found=short(new), sdk=sdk)


class Records(NamedTuple):
    """The package records in one folder."""

    folder: Path

    def read(self, package: AppPackage) -> PackageRecord | None:
        """Return an app's record, or None where the app was never seen.

        Raises:
            MalformedObject, NewerFormat: the file is not a record of this app.
            OSError: it cannot be read.
        """
        data = read_small(self._path(package), most=MAX_RECORD_BYTES)
        if data is None:
            return None
        record = decode_record(data)
        if record.package != package:
            raise MalformedObject(what="package-record", reason="another-package")
        return record

    def write(self, record: PackageRecord) -> None:
        """Keep a record.

        Raises:
            MalformedObject: the app's name is none that a file can have, or the record is longer than it could be read again.
            OSError: the folder cannot be written.
        """
        data = encode_record(record)
        if len(data) > MAX_RECORD_BYTES:
            # The record that lies there can be read, and stays.
            raise MalformedObject(what="package-record", reason="too-large")
        write_whole(self._path(record.package), data)

    def packages(self) -> list[AppPackage]:
        """The apps that have a record, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(AppPackage(path.stem) for path in self.folder.glob("*.json") if not path.name.startswith("."))

    def _path(self, package: AppPackage) -> Path:
        return self.folder / f"{file_name_of(package)}.json"


_PLAIN_FACTS = (
    "version_code",
    "min_sdk",
    "target_sdk",
    "shared_user_id",
    "shared_user_max_sdk",
    "target_sandbox",
    "test_only",
    "debuggable",
    "upgrade_keys",
    "stores_data",
    "is_base",
    "sha256",
)
_OWN_FIELDS = {
    "type", "v", "package", "label", "enrolled_at", "enrolled_by", "versions", "signings", "facts", "offered",
}  # fmt: skip


def encode_record(record: PackageRecord) -> bytes:
    """Write a record as canonical JSON."""
    return encode_canonical(
        {
            **record.extra,
            "type": "package-record",
            "v": 1,
            "package": record.package,
            "label": record.label,
            "enrolled_at": to_rfc3339(record.enrolled_at),
            "enrolled_by": record.enrolled_by.value,
            "versions": [
                {
                    "version_code": _version_to_json(seen.version_code),
                    "sha256": seen.sha256,
                    "seen_at": to_rfc3339(seen.seen_at),
                }
                for seen in record.versions
            ],
            **_facts_to_json(record.facts),
            "offered": [_facts_to_json(offered) for offered in record.offered],
        }
    )


def _facts_to_json(facts: PackageFacts) -> dict[str, Any]:
    return {
        "signings": [_span_to_json(span) for span in facts.signings],
        "facts": {
            **{name: getattr(facts, name) for name in _PLAIN_FACTS},
            "version_code": _version_to_json(facts.version_code),
            "revisions": None if facts.revisions is None else dict(facts.revisions),
            "upgrade_key_sets": None
            if facts.upgrade_key_sets is None
            else [list(keys) for keys in facts.upgrade_key_sets],
        },
    }


def _version_to_json(version: int | None) -> int | str | None:
    # Android's versions have 64 bits, and JSON's numbers 53.
    return str(version) if version is not None and abs(version) > MAX_INTEGER else version


def _span_to_json(span: SignerSpan) -> dict[str, Any]:
    view = span.view
    return {
        "first_sdk": span.first_sdk,
        "last_sdk": span.last_sdk,
        "refusal": span.refusal,
        "scheme": view.scheme.label if view and view.scheme else None,
        "signers": list(view.signers) if view else None,
        "lineage": [{"sha256": node.certificate, "capabilities": int(node.capabilities)} for node in view.lineage]
        if view
        else None,
    }


# The same bytes are the same record: a resident hook reads each file again, and understands it once.
@lru_cache(maxsize=32)
def decode_record(data: bytes) -> PackageRecord:
    """Read what `encode_record` wrote.

    Raises:
        MalformedObject, NewerFormat: it is anything else.
    """
    fields = decode_json(data, what="package-record", max_bytes=MAX_RECORD_BYTES)
    try:
        is_record, version = fields["type"] == "package-record", int(fields["v"])
        if is_record and version == 1:
            return _record(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedObject(what="package-record", reason="wrong-field") from error
    if is_record and version > 1:
        raise NewerFormat(what="package-record", version=version, known=1)
    raise MalformedObject(what="package-record", reason="wrong-type")


def _facts(package: AppPackage, fields: dict[str, Any]) -> PackageFacts:
    facts = PackageFacts(
        package=package,
        signings=tuple(_span(span) for span in fields["signings"]),
        upgrade_key_sets=_key_sets(fields["facts"].get("upgrade_key_sets")),
        revisions=_revisions(fields["facts"].get("revisions", {})),
        **{name: _plain(name, fields["facts"].get(name)) for name in _PLAIN_FACTS},
    )
    if not facts.signings:
        raise ValueError("no signer")
    return facts


def _record(fields: dict[str, Any]) -> PackageRecord:
    package = AppPackage(_as_text(fields["package"]))
    return PackageRecord(
        facts=_facts(package, fields),
        enrolled_at=from_rfc3339(fields["enrolled_at"]),
        enrolled_by=EnrolledBy(fields["enrolled_by"]),
        label=None if fields.get("label") is None else _as_text(fields["label"]),
        versions=tuple(
            SeenVersion(
                _plain("version_code", seen["version_code"]),
                _plain("sha256", seen["sha256"]),
                from_rfc3339(seen["seen_at"]),
            )
            for seen in fields["versions"]
        ),
        offered=tuple(_facts(package, offered) for offered in fields.get("offered", ())),
        extra={name: value for name, value in fields.items() if name not in _OWN_FIELDS},
    )


_TEXTS = {"shared_user_id", "sha256"}
_FLAGS = {"test_only", "debuggable", "upgrade_keys", "stores_data", "is_base"}


def _plain(name: str, value: Any) -> Any:
    if name == "version_code" and isinstance(value, str):
        return _long(value)
    kind = str if name in _TEXTS else bool if name in _FLAGS else int
    if value is not None and type(value) is not kind:
        raise TypeError(name)
    return value


def _long(text: str) -> int:
    if (
        len(text) > 20
        or not text.removeprefix("-").isdigit()
        or not text.isascii()
        or not -(1 << 63) <= int(text) < 1 << 63
    ):
        raise ValueError(text)
    return int(text)


def _key_sets(value: Any) -> tuple[tuple[str, ...], ...] | None:
    return None if value is None else tuple(tuple(str(_digest(key)) for key in keys) for keys in value)


def _revisions(value: Any) -> tuple[tuple[str, int], ...] | None:
    if value is None:
        return None
    if any(type(number) is not int for number in value.values()):
        raise TypeError(value)
    return tuple(value.items())


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _digest(value: Any) -> CertificateDigest:
    text = _as_text(value)
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ValueError(text)
    return CertificateDigest(text)


def _span(fields: dict[str, Any]) -> SignerSpan:
    first, last = _plain("sdk", fields["first_sdk"]), _plain("sdk", fields["last_sdk"])
    if first is None or last is None or first > last:
        raise ValueError("span")
    refusal = fields["refusal"]
    if fields["signers"] is None:
        return SignerSpan(first, last, None, _as_text(refusal))
    signers = tuple(_digest(signer) for signer in fields["signers"])
    if not signers:
        raise ValueError("no signer")
    lineage = tuple(
        LineageNode(_digest(node["sha256"]), Capability(_plain("flags", node["capabilities"])))
        for node in fields["lineage"]
    )
    scheme = None if fields["scheme"] is None else Scheme.from_label(fields["scheme"])
    return SignerSpan(first, last, SignerView(signers, lineage, scheme))
