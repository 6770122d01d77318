"""Makes parity files for the packs of a domain: any two packs of a group may be lost, and come back byte for byte.

Groups are of up to 16 packs with two parity files, in a folder of their own, so that reading and restoring never look at
them. It runs after the commit, needs no key, and may be interrupted at any moment: the old parity goes only after the new is
there. No parity is made of a pack that is not what its name says.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists, Backend, BackendError, Written, holds_same
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.packs.pack_format import MAX_PACK
from backupkit.store.parity import gf256
from backupkit.store.parity.parity_format import (
    BLOCK_SIZE,
    MAX_PARITY,
    Member,
    Parity,
    ParityGroup,
    decode_header,
    encode_header,
    header_size,
    header_size_for,
)

GROUP_SIZE = 16
_STRIP = 8 * BLOCK_SIZE
_START = 16


@dataclass(frozen=True, slots=True)
class ParityFile:
    """A parity file that can be read: its name, where its parity begins, and what it holds."""

    name: str
    offset: int
    which: Parity
    group: ParityGroup


@dataclass(frozen=True, slots=True)
class GroupProtected:
    """A group that has both its parity files now: their names, and the bytes they take."""

    packs: frozenset[PackName]
    files: tuple[str, ...]
    size: int


def read_parity_files(backend: Backend, domain: DomainId) -> Iterator[ParityFile | Finding]:
    """Give every parity file of a domain, without its parity, and a finding for each that cannot be read."""
    for name in backend.names(layout.parities(domain)):
        try:
            size = header_size(backend.read(name, 0, _START))
            group, which = decode_header(backend.read(name, 0, size))
        except (MalformedObject, NewerFormat, BackendError) as error:
            yield Finding("parity-unreadable", name, cause(error))
            continue
        if group.domain == domain:
            yield ParityFile(name, size, which, group)


def protect(
    backend: Backend,
    domain: DomainId,
    *,
    dead: Collection[PackName] = (),
    check: bool = False,
    group_size: int = GROUP_SIZE,
) -> Iterator[GroupProtected | Finding]:
    """Make parity for every pack of a domain that has none yet.

    Groups that are not full are made anew with the packs that came since. `dead` names packs that will be deleted on
    purpose: groups with them are made anew without. A group with a pack that is gone for no reason is kept as it is, since
    only it can bring the pack back. `check` reads the parity that is there, and makes it anew where it is damaged.
    """
    present = {ref.pack for name in backend.names(layout.packs(domain)) if (ref := layout.pack_of(name))}
    wanted = present - set(dead)
    unreadable: list[str] = []
    groups: dict[frozenset[PackName], list[ParityFile]] = {}
    whole: dict[frozenset[PackName], set[Parity]] = {}
    for item in read_parity_files(backend, domain):
        if isinstance(item, Finding):
            unreadable.append(item.name)
            yield item
            continue
        groups.setdefault(item.group.packs, []).append(item)
        if check and not _is_whole(backend, item.name):
            yield Finding("parity-unreadable", item.name, "wrong-sha256")
        else:
            whole.setdefault(item.group.packs, set()).add(item.which)
    good = {packs for packs, found in whole.items() if found == set(Parity) and not packs & set(dead)}
    # A run that was cut off may have left a group beside the larger one that was to replace it.
    good = {packs for packs in good if not any(packs < other for other in good)}
    uncovered = wanted.difference(*good)
    # What is not full is opened again, but only when there is something to put in.
    kept = {packs for packs in good if len(packs) >= group_size or not packs <= present or not uncovered}
    uncovered = wanted.difference(*kept)
    made: list[GroupProtected] = []
    for start in range(0, len(uncovered), group_size):
        for outcome in _protect_group(backend, domain, sorted(uncovered)[start : start + group_size]):
            if isinstance(outcome, GroupProtected):
                made.append(outcome)
            yield outcome
    # The old goes last, and only where all that it protects is protected by something else.
    covered = frozenset[PackName]().union(*(group.packs for group in made), *kept)
    for packs in groups.keys() - kept - {group.packs for group in made}:
        if packs - set(dead) <= covered:
            for file in groups[packs]:
                backend.delete(file.name)
    if check and wanted <= covered:
        for name in set(unreadable).difference(*(group.files for group in made)):
            backend.delete(name)


def _is_whole(backend: Backend, name: str) -> bool:
    try:
        return (
            backend.size(name) <= MAX_PARITY
            and hashlib.sha256(backend.read(name)).hexdigest() == name.rpartition("/")[2]
        )
    except BackendError:
        # A bad sector past the header.
        return False


def _protect_group(backend: Backend, domain: DomainId, packs: Sequence[PackName]) -> Iterator[GroupProtected | Finding]:
    sizes: dict[PackName, int] = {}
    for pack in packs:
        name = PackRef(domain, pack).name
        try:
            size = backend.size(name)
        except BackendError as error:
            yield Finding("pack-damaged", name, cause(error))
            continue
        if size > MAX_PACK:
            yield Finding("pack-damaged", name, "wrong-size")
        else:
            sizes[pack] = size
    while sizes:
        encoder = _Encoder(backend, domain, sizes)
        damaged = encoder.run()
        if not damaged:
            yield encoder.publish()
            return
        for pack, reason in damaged.items():
            yield Finding("pack-damaged", PackRef(domain, pack).name, reason)
            del sizes[pack]


class _Encoder:
    """Reads some packs side by side, once, and computes both parities and every checksum on the way."""

    def __init__(self, backend: Backend, domain: DomainId, sizes: dict[PackName, int]) -> None:
        self._backend = backend
        self._domain = domain
        self._sizes = dict(sorted(sizes.items()))
        self._crcs: dict[PackName, list[int]] = {pack: [] for pack in self._sizes}
        self._parity_crcs: tuple[list[int], list[int]] = ([], [])
        # Both files are built where they will be written from: room for the header first, which comes last.
        self._header = header_size_for(sizes.values(), BLOCK_SIZE)
        self._files = (bytearray(self._header), bytearray(self._header))

    def run(self) -> dict[PackName, str]:
        """Encode. Return the packs that are not what their names say, with the reason; the parity is of no use then."""
        hashers = {pack: hashlib.sha256() for pack in self._sizes}
        damaged: dict[PackName, str] = {}
        for offset in range(0, max(self._sizes.values()), _STRIP):
            strips = []
            for pack, size in self._sizes.items():
                strip = b""
                if pack not in damaged and offset < size:
                    try:
                        strip = self._backend.read(PackRef(self._domain, pack).name, offset, min(_STRIP, size - offset))
                    except BackendError as error:
                        damaged[pack] = cause(error)
                hashers[pack].update(strip)
                strips.append((pack, memoryview(strip)))
            self._encode(strips)
        for pack, hasher in hashers.items():
            if pack not in damaged and hasher.hexdigest() != pack:
                damaged[pack] = "wrong-sha256"
        return damaged

    def publish(self) -> GroupProtected:
        """Write both parity files."""
        group = ParityGroup(
            self._domain,
            BLOCK_SIZE,
            tuple(Member(pack, size, tuple(self._crcs[pack])) for pack, size in self._sizes.items()),
            (tuple(self._parity_crcs[Parity.P]), tuple(self._parity_crcs[Parity.Q])),
        )
        names, size = [], 0
        for which, data in zip(Parity, self._files, strict=True):
            data[: self._header] = encode_header(group, which)
            names.append(layout.parity(self._domain, hashlib.sha256(data).hexdigest()))
            _publish(self._backend, names[-1], data)
            size += len(data)
        return GroupProtected(group.packs, tuple(names), size)

    def _encode(self, strips: Sequence[tuple[PackName, memoryview]]) -> None:
        longest = max(len(strip) for _, strip in strips)
        for start in range(0, longest, BLOCK_SIZE):
            blocks = [strip[start : start + BLOCK_SIZE] for _, strip in strips]
            for (pack, _), block in zip(strips, blocks, strict=True):
                if len(block):
                    self._crcs[pack].append(zlib.crc32(block))
            p, q = gf256.encode(blocks, min(BLOCK_SIZE, longest - start))
            for which, data in ((Parity.P, p), (Parity.Q, q)):
                self._files[which].extend(data)
                self._parity_crcs[which].append(zlib.crc32(data))


def _publish(backend: Backend, name: str, data: bytearray) -> None:
    def check(written: Written) -> None:
        if not holds_same(written, data):
            raise MalformedObject(what=name, reason="read-back-differs")

    try:
        backend.create(name, data, check=check)
    except AlreadyExists:
        # The same packs give the same parity, so what lies there is this or a damaged copy of it.
        if not _is_whole(backend, name):
            backend.overwrite(name, data, check=check)
