"""Brings damaged and lost packs back from parity or from a copy, byte for byte, and writes them back.

Damage is found block by block, so a group survives more than two damaged packs as long as no more than two are damaged at the same
place. A pack is written back only if its SHA-256 is its name: a repair either gives the very same file or changes nothing.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName
from backupkit.store.backend import Backend, BackendError, Written, pieces_of
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.packs.pack_format import MAX_PACK
from backupkit.store.parity import gf256
from backupkit.store.parity.parity import ParityFile, read_parity_files
from backupkit.store.parity.parity_format import Member, Parity, ParityGroup, blocks_in


@dataclass(frozen=True, slots=True)
class PackRepaired:
    """A pack that is again what it was. `blocks` of its 64 KiB blocks had to be computed, none where a copy had it."""

    ref: PackRef
    blocks: int
    size: int


def repair_packs(backend: Backend, domain: DomainId, damaged: Iterable[PackName]) -> Iterator[PackRepaired | Finding]:
    """Repair packs that `check_sealed` found damaged or gone. Gives one outcome for each."""
    files = [item for item in read_parity_files(backend, domain) if isinstance(item, ParityFile)]
    for pack in damaged:
        ref = PackRef(domain, pack)
        reason = "no-parity"
        for group, parities in _groups_with(files, pack):
            rebuilt = _Rebuild(backend, group, parities, pack).run()
            if isinstance(rebuilt, str):
                reason = rebuilt
                continue
            _write_back(backend, ref, rebuilt.data)
            yield PackRepaired(ref, rebuilt.blocks, len(rebuilt.data))
            break
        else:
            yield Finding("pack-beyond-repair", ref.name, reason)


def bring_back(backend: Backend, copy: Backend, damaged: Iterable[PackRef]) -> Iterator[PackRepaired]:
    """Write back the damaged packs that a copy of the repository holds whole; the others are passed over."""
    for ref in damaged:
        try:
            if copy.size(ref.name) > MAX_PACK:
                continue
            data = bytearray(copy.read(ref.name))
        except BackendError:
            continue
        if hashlib.sha256(data).hexdigest() == ref.pack:
            _write_back(backend, ref, data)
            yield PackRepaired(ref, 0, len(data))


def protected_packs(backend: Backend, domain: DomainId) -> set[PackName]:
    """Return every pack that some parity file names: those that are not there were lost, or deleted on purpose."""
    files = [item for item in read_parity_files(backend, domain) if isinstance(item, ParityFile)]
    return {pack for file in files for pack in file.group.packs}


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    data: bytearray
    blocks: int


class _Rebuild:
    """The work of computing one pack of a group."""

    def __init__(self, backend: Backend, group: ParityGroup, parities: Sequence[ParityFile], pack: PackName) -> None:
        self._backend = backend
        self._group = group
        self._parities = {file.which: file for file in parities}
        self._at = next(at for at, member in enumerate(group.members) if member.pack == pack)

    def run(self) -> _Rebuilt | str:
        """Return the pack, or the reason why it cannot be computed."""
        member = self._group.members[self._at]
        data, computed = bytearray(), 0
        for number in range(blocks_in(member.size, self._group.block_size)):
            block = self._block(member, number)
            if block is None:
                try:
                    block = self._solve(number)[: len(self._range(member.size, number))]
                except gf256.TooManyLost:
                    return "too-many-lost"
                computed += 1
            data += block
        if hashlib.sha256(data).hexdigest() != member.pack:
            return "wrong-sha256"
        return _Rebuilt(data, computed)

    def _solve(self, number: int) -> bytes:
        """Compute this pack's block from those of the others."""
        blocks = [self._block(member, number) for member in self._group.members]
        lost = [at for at, block in enumerate(blocks) if block is None]
        p, q = (self._parity_block(which, number) for which in Parity)
        size = len(self._range(self._group.data_size, number))
        return gf256.solve(blocks, size, p, q)[lost.index(self._at)]

    def _block(self, member: Member, number: int) -> bytes | None:
        """Return a pack's block if it is what it was; empty past the pack's end."""
        place = self._range(member.size, number)
        if not place:
            return b""
        return self._checked(PackRef(self._group.domain, member.pack).name, place, member.crcs[number])

    def _parity_block(self, which: Parity, number: int) -> bytes | None:
        file = self._parities.get(which)
        if file is None:
            return None
        place = self._range(self._group.data_size, number)
        shifted = range(place.start + file.offset, place.stop + file.offset)
        return self._checked(file.name, shifted, self._group.crcs[which][number])

    def _checked(self, name: str, place: range, crc: int) -> bytes | None:
        try:
            data = self._backend.read(name, place.start, len(place))
        except BackendError:
            return None
        return data if zlib.crc32(data) == crc else None

    def _range(self, size: int, number: int) -> range:
        start = number * self._group.block_size
        return range(start, max(start, min(start + self._group.block_size, size)))


def _groups_with(files: Sequence[ParityFile], pack: PackName) -> Iterator[tuple[ParityGroup, list[ParityFile]]]:
    """Give the groups that a pack is in, each with its parity files."""
    groups: dict[ParityGroup, list[ParityFile]] = {}
    for file in files:
        if pack in file.group.packs:
            groups.setdefault(file.group, []).append(file)
    yield from groups.items()


def _write_back(backend: Backend, ref: PackRef, data: bytearray) -> None:
    # What is there is damaged, but its readable rest may be all there is until the whole one has its name.
    backend.overwrite(ref.name, data, check=lambda back: _require_name(back, ref))


def _require_name(written: Written, ref: PackRef) -> None:
    found = hashlib.sha256()
    for piece in pieces_of(written):
        found.update(piece)
    if found.hexdigest() != ref.pack:
        raise MalformedObject(what=ref.name, reason="read-back-differs")
