"""What is installed in one go: a base package with its splits, however they were handed over.

People download more than single packages: `.apks` (bundletool, SAI), `.xapk` (APKPure), `.apkm` (APKMirror) are zips with packages in them, and a
split app may lie in a folder. Names and suffixes decide nothing: a zip with an `AndroidManifest.xml` is a package, a zip with packages in it a
container. Members stored as they are are judged where they lie; compressed ones are expanded, bounded, into a file that has no name. A container's
own lists (`manifest.json` and such) are nobody's signature: they are compared, and decide nothing.

Android takes a set only as one app: one package name, one version, one set of signers, every split once (AOSP
`PackageInstallerSession.validateApkInstallLocked`, `assertApkConsistentLocked`).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from backupkit.guard.apk.manifest import Manifest
from backupkit.guard.apk.package import (
    MANIFEST,
    MOST_MANIFEST,
    NEWEST_KNOWN_SDK,
    Finding,
    Judged,
    Judging,
    Package,
    package_manifest,
)
from backupkit.guard.apk.package_file import PackageFile, PackagePart, Stretch
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.signature_v2 import SINCE as V2_SINCE
from backupkit.guard.apk.zip_bytes import MOST_DIRECTORY, MOST_ENTRIES, Archive, Entry, inflate, read_archive, shown

MOST_MEMBERS = 500
"""Packages in one set. The largest real bundles have some two hundred."""
MOST_EXPANDED = 4 << 30
"""Compressed members together may expand to so many bytes."""
_MOST_CLAIMS = 1 << 20
_SUFFIX = b".apk"
_TOOL_LIST = b"toc.pb"
# Where containers say what is in them: file, name of the package's field, names of the version's.
_CLAIMS = (
    (b"manifest.json", "package_name", "version_code"),
    (b"info.json", "pname", "versioncode"),
    (b"meta.sai_v1.json", "package", "version_code"),
    (b"meta.sai_v2.json", "package", "version_code"),
)


class Member(NamedTuple):
    """One package of a set, by the name it has there."""

    name: str
    package: Package


class PackageSet(NamedTuple):
    """A genuine base package with its splits, signed alike.

    `sha256` names what was judged: the one file's, or for several files that of the lines `sha256sum` prints for them, sorted by name.
    """

    sha256: str
    packaging: str
    """`package`, `container` or `folder`."""
    base: Package
    members: tuple[Member, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def splits(self) -> tuple[Package, ...]:
        """The packages beside the base."""
        return tuple(member.package for member in self.members if member.package is not self.base)

    @property
    def missing_splits(self) -> frozenset[str]:
        """What the base or a split asks to come with it and is not there; `any` where it asks for any split at all."""
        every = [member.package.manifest for member in self.members]
        missing = frozenset[str]().union(*(one.required_split_types for one in every))
        missing -= frozenset[str]().union(*(one.split_types for one in every))
        if self.base.manifest.needs_splits and not self.splits:
            missing |= {"any"}
        return missing


class _Part(NamedTuple):
    """A member before it was judged. `sweeper` is the file of its own that must be swept; None: it is swept with the container."""

    name: str
    archive: Archive
    manifest: Manifest
    start: int
    sweeper: PackageFile | None


def files_of(path: Path) -> list[Path]:
    """Name the packages that a path stands for: itself, or the `.apk` files in a folder, sorted.

    Raises:
        PackageUndecided: the folder cannot be listed, or holds too many.
    """
    try:
        if not path.is_dir():
            return [path]
        with os.scandir(path) as found:
            # A pipe or a link to nothing counts as well: who installs the folder may find a package in its place.
            names = [one.name for one in found if one.name.lower().endswith(".apk") and not one.is_dir()]
    except OSError as error:
        raise PackageUndecided(Doubt.UNREADABLE) from error
    if not names:
        raise PackageUndecided(Doubt.NO_PACKAGE)
    if len(names) > MOST_MEMBERS:
        raise PackageUndecided(Doubt.TOO_LARGE)
    return [path / name for name in sorted(names)]


def read_package_set(
    paths: Sequence[Path], *, device_sdk: int | None = None, on_every_level: bool = False
) -> PackageSet:
    """Read and judge what would be installed in one go: one package, a container, the files of a folder, or several files.

    Without `device_sdk` every level from its minSdk counts. A level below 24 that knows none of its schemes is passed over, for its devices install
    nothing and lose nothing; with `on_every_level` the package must be signed for those as well, as apksig asks.

    Raises:
        PackageNotGenuine: a part of it is damaged, altered or wrongly signed, or the parts are not one app.
        PackageUndecided: that cannot be told.
    """
    if device_sdk is not None and not 1 <= device_sdk <= NEWEST_KNOWN_SDK:
        raise PackageUndecided(Doubt.LEVEL_UNKNOWN, level=device_sdk)
    signed_up_to = V2_SINCE if on_every_level and device_sdk is None else 0
    judged = Judged(device_sdk, device_sdk or NEWEST_KNOWN_SDK, strict=device_sdk is None, signed_up_to=signed_up_to)
    every = [file for path in paths for file in files_of(path)]
    is_folder = len(every) != 1 or paths[0].is_dir()
    with ExitStack() as stack:
        files = [stack.enter_context(PackageFile(path)) for path in every]
        archives = list(_bounded(read_archive(file) for file in files))
        if not is_folder and _is_container(archives[0]):
            return _read_container(stack, files[0], archives[0], judged)
        parts = [
            _Part(path.name, archive, package_manifest(archive), 0, file)
            for path, archive, file in zip(every, archives, files, strict=True)
        ]
        members = _settled(parts, _judge(parts, judged, may_repeat=False), {})
        if not is_folder:
            (only,) = members
            return PackageSet(only.package.sha256, "package", only.package, members)
        lines = "".join(f"{one.package.sha256}  {one.name}\n" for one in sorted(members, key=lambda one: one.name))
        whole = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
        return PackageSet(whole, "folder", _base(members), members)


def _is_container(archive: Archive) -> bool:
    return MANIFEST not in archive.by_name and any(_is_package(name) for name in archive.by_name)


def _is_package(name: bytes) -> bool:
    return name.lower().endswith(_SUFFIX)


def _read_container(stack: ExitStack, file: PackageFile, archive: Archive, judged: Judged) -> PackageSet:
    for name in archive.by_name:
        _check_path(name)
    entries = [entry for entry in archive.entries if _is_package(entry.name)]
    if len(entries) > MOST_MEMBERS:
        raise PackageUndecided(Doubt.TOO_LARGE)
    parts, packed = _open_members(stack, file, archive, entries)
    # bundletool writes several members of one name for several kinds of device, and lists them in its table.
    judging = _judge(parts, judged, may_repeat=_TOOL_LIST in archive.by_name)
    own = [index for index, part in enumerate(parts) if part.sweeper is None]
    stretches = [judging[index].stretch(parts[index].start) for index in own]
    stretches += [one.stretch for one in packed]
    order = sorted(range(len(stretches)), key=lambda index: stretches[index].start)
    for before, after in pairwise(order):
        # Two members that share bytes are one for one reader and another for the next.
        if stretches[before].end > stretches[after].start:
            raise PackageNotGenuine(Reason.ZIP_MALFORMED)
    whole, hashes = file.sweep([stretches[index] for index in order])
    by_stretch = dict(zip(order, hashes, strict=True))
    for index, one in enumerate(packed, len(own)):
        if by_stretch[index] != one.sha256:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
    members = _settled(parts, judging, {index: by_stretch[place] for place, index in enumerate(own)})
    base = _base(members)
    return PackageSet(whole, "container", base, members, (*_compared_claims(archive, base), *_unsigned(archive)))


class _Packed(NamedTuple):
    """The compressed bytes of a member that was expanded, with the digest they had."""

    stretch: Stretch
    sha256: str


def _open_members(
    stack: ExitStack, file: PackageFile, archive: Archive, entries: Iterable[Entry]
) -> tuple[list[_Part], list[_Packed]]:
    chosen = list(entries)
    if sum(entry.size for entry in chosen if entry.is_compressed) > MOST_EXPANDED:
        raise PackageUndecided(Doubt.TOO_LARGE)
    packed: list[_Packed] = []
    places: list[tuple[str, int, PackageFile | None]] = []

    def opened() -> Iterator[Archive]:
        for entry in chosen:
            start, length = archive.data_range(entry)
            name = shown(entry.name)
            try:
                if not entry.is_compressed:
                    places.append((name, start, None))
                    yield read_archive(PackagePart(file, start, length))
                    continue
                own, sha256 = _expanded(archive, entry)
                stack.enter_context(own)
                packed.append(_Packed(Stretch(start, start + length), sha256))
                places.append((name, 0, own))
                yield read_archive(own)
            except PackageNotGenuine as error:
                raise error.within(name) from error

    inner = list(_bounded(opened()))
    parts = [
        _Part(name, archive, _manifest_of(archive, name), start, own)
        for archive, (name, start, own) in zip(inner, places, strict=True)
    ]
    return parts, packed


def _manifest_of(archive: Archive, name: str) -> Manifest:
    try:
        return package_manifest(archive)
    except PackageNotGenuine as error:
        raise error.within(name) from error


def _bounded(archives: Iterable[Archive]) -> Iterator[Archive]:
    """Let archives through while all their directories and manifests together are no longer than one package's may be."""
    entries = directories = manifests = 0
    for archive in archives:
        manifest = archive.by_name.get(MANIFEST)
        entries += len(archive.entries)
        directories += len(archive.directory)
        manifests += manifest.size if manifest else 0
        if entries > MOST_ENTRIES or directories > MOST_DIRECTORY or manifests > MOST_MANIFEST:
            raise PackageUndecided(Doubt.TOO_LARGE)
        yield archive


def _expanded(archive: Archive, entry: Entry) -> tuple[PackageFile, str]:
    """Expand a member into a file without a name; return it with the digest of the compressed bytes."""
    import tempfile  # noqa: PLC0415  # much to load, and few containers compress what is compressed already

    start, length = archive.data_range(entry)
    packed = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in archive.file.stream(start, length):
            packed.update(piece)
            yield piece

    archive.check_size(entry, length)
    try:
        # Closed by the package file that takes it over.
        handle = os.dup((unnamed := tempfile.TemporaryFile()).fileno())  # noqa: SIM115
        unnamed.close()
        file = FileIO(handle, "r+b")
        try:
            for piece in inflate(pieces(), entry):
                _write(file, piece)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        # No room on the disk, most likely.
        raise PackageUndecided(Doubt.UNREADABLE) from error
    return PackageFile.unnamed(file), packed.hexdigest()


def _write(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _check_path(name: bytes) -> None:
    """Refuse names that would leave the folder they are unpacked to; whoever installs the container may unpack it."""
    parts = name.replace(b"\\", b"/").split(b"/")
    if name.startswith((b"/", b"\\")) or b".." in parts or b":" in parts[0]:
        raise PackageNotGenuine(Reason.ENTRY_NAME_UNSAFE, entry=shown(name))


def _judge(parts: Sequence[_Part], judged: Judged, *, may_repeat: bool) -> list[Judging]:
    """Check that the parts are one app, and each part's signatures."""
    bases = [part for part in parts if part.manifest.split is None]
    if not bases:
        if len(parts) == 1 and parts[0].sweeper is not None:
            # A single split is judged for itself; the device rules say what becomes of it.
            bases = list(parts)
        else:
            raise PackageNotGenuine(Reason.BASE_MISSING)
    base = min(bases, key=lambda part: part.manifest.min_sdk)
    seen: set[str | None] = set()
    for part in parts:
        manifest = part.manifest
        if manifest.package != base.manifest.package:
            raise PackageNotGenuine(Reason.SPLIT_OF_ANOTHER_APP, entry=part.name)
        if manifest.version_code != base.manifest.version_code:
            raise PackageNotGenuine(Reason.SPLIT_VERSION_DIFFERS, entry=part.name)
        if manifest.split in seen and not may_repeat:
            raise PackageNotGenuine(Reason.SPLIT_REPEATED, entry=part.name)
        seen.add(manifest.split)
    judging = []
    for part in parts:
        try:
            judging.append(Judging(part.archive, _as_part_of(base.manifest, part.manifest), judged))
        except PackageNotGenuine as error:
            raise (error.within(part.name) if len(parts) > 1 else error) from error
    return judging


def _as_part_of(base: Manifest, manifest: Manifest) -> Manifest:
    """A split says little of itself: where and how it must be signed follows from its base."""
    if manifest.split is None:
        return manifest
    return manifest._replace(
        min_sdk=max(manifest.min_sdk, base.min_sdk),
        target_sdk=base.target_sdk,
        target_sandbox_version=base.target_sandbox_version,
    )


def _settled(parts: Sequence[_Part], judging: Sequence[Judging], swept: dict[int, str]) -> tuple[Member, ...]:
    """Sweep what was not swept with its container, compare all content, and check that one signer signed it all."""
    members = []
    for index, part in enumerate(parts):
        if part.sweeper is None:
            sha256 = swept[index]
        else:
            sha256, _ = part.sweeper.sweep([judging[index].stretch()])
        try:
            members.append(Member(part.name, judging[index].settle(sha256)))
        except PackageNotGenuine as error:
            raise (error.within(part.name) if len(parts) > 1 else error) from error
    if len(members) > 1:
        base = _base(members)
        for member in members:
            if not _is_signed_like(member.package, base):
                raise PackageNotGenuine(Reason.SPLIT_SIGNERS_DIFFER, entry=member.name)
    return tuple(members)


def _base(members: Sequence[Member]) -> Package:
    """The base; of several for different devices, the one for the oldest."""
    bases = [member.package for member in members if member.package.manifest.split is None]
    return min(bases, key=lambda package: package.manifest.min_sdk) if bases else members[0].package


def _is_signed_like(one: Package, base: Package) -> bool:
    for level in one.levels:
        if level in base.levels:
            seen = [frozenset(signing.digests) if signing else None for signing in (one.at(level), base.at(level))]
            if seen[0] != seen[1]:
                return False
    return True


def _compared_claims(archive: Archive, base: Package) -> Iterator[Finding]:
    """Compare what the container says of itself with what is in it."""
    for name, package_field, version_field in _CLAIMS:
        entry = archive.by_name.get(name)
        if entry is None:
            continue
        try:
            claims = json.loads(archive.read(entry, most=_MOST_CLAIMS))
            package, version = claims[package_field], int(claims[version_field])
        except (PackageNotGenuine, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            yield Finding("apk-container-list-unreadable", shown(name))
            continue
        if package != base.package or version not in {base.version_code, base.version_code & 0xFFFFFFFF}:
            yield Finding("apk-container-list-differs", shown(name))
        listed = claims.get("split_apks")
        for one in listed[:MOST_MEMBERS] if isinstance(listed, list) else ():
            file = one.get("file") if isinstance(one, dict) else None
            if isinstance(file, str) and file.encode("utf-8", "replace") not in archive.by_name:
                yield Finding("apk-container-member-missing", shown(file.encode("utf-8", "replace")))


def _unsigned(archive: Archive) -> Iterator[Finding]:
    """Tell of files that an installer may unpack beside the app, such as `.obb`: nobody signed them."""
    count = sum(name.lower().endswith(b".obb") for name in archive.by_name)
    if count:
        yield Finding("apk-container-unsigned-files", str(count))
