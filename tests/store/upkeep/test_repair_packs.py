"""Bringing packs back into their place, from a copy or from parity: the very same file, or nothing."""

import hashlib
import random

import pytest
from simulated_backends import BadSectorBackend, LyingBackend, Passing, damage

from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import NoSpace, ObjectUnreadable, ReadBack
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.packs.pack_format import MAX_PACK
from backupkit.store.parity.parity import GroupProtected, protect
from backupkit.store.upkeep.check import PackChecked, check_sealed
from backupkit.store.upkeep.repair import PackRepaired, bring_back, protected_packs, repair_packs

DOMAIN = DomainId(bytes(range(16)))


def store(backend: MemoryBackend, data: bytes) -> PackRef:
    ref = PackRef(DOMAIN, PackName(hashlib.sha256(data).hexdigest()))
    backend.create(ref.name, data)
    return ref


@pytest.fixture
def packs(backend: MemoryBackend) -> list[PackRef]:
    """Three packs of any bytes: whether they open is nobody's question here."""
    return [store(backend, random.Random(number).randbytes(70_000 + number)) for number in range(3)]


def copied(backend: MemoryBackend) -> MemoryBackend:
    copy = MemoryBackend()
    for name in backend.names(layout.PACKS):
        copy.create(name, backend.read(name))
    return copy


def test_a_pack_that_a_copy_holds_whole_comes_back_and_the_others_are_passed_over(
    backend: MemoryBackend, packs: list[PackRef]
) -> None:
    whole, damaged, absent = packs
    copy, kept = copied(backend), backend.read(whole.name)
    damage(copy, damaged.name, b"damaged there, too")
    copy.delete(absent.name)
    for ref in packs:
        damage(backend, ref.name, b"damaged here")

    outcomes = list(bring_back(backend, copy, packs))

    assert outcomes == [PackRepaired(whole, 0, len(kept))]
    assert backend.read(whole.name) == kept
    assert backend.read(damaged.name) == backend.read(absent.name) == b"damaged here"


def test_a_copy_with_a_pack_larger_than_any_is_not_read(backend: MemoryBackend, packs: list[PackRef]) -> None:
    copy, read = copied(backend), []

    class Giant(BadSectorBackend):
        def size(self, name: str) -> int:
            return MAX_PACK + 1 if name == packs[0].name else super().size(name)

        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            read.append(name)
            return super().read(name, offset, length)

    outcomes = list(bring_back(backend, Giant(copy, {packs[1].name}), packs))

    assert [one.ref for one in outcomes] == [packs[2]]
    assert read == [packs[1].name, packs[2].name]


def test_a_pack_that_does_not_read_back_as_it_was_is_not_said_to_be_repaired(
    backend: MemoryBackend, packs: list[PackRef]
) -> None:
    copy = copied(backend)
    list(protect(backend, DOMAIN))
    backend.delete(packs[0].name)
    lying = LyingBackend(backend)

    for repairing in (bring_back(lying, copy, packs[:1]), repair_packs(lying, DOMAIN, [packs[0].pack])):
        with pytest.raises(MalformedObject) as refused:
            list(repairing)
        assert refused.value.facts["reason"] == "read-back-differs"
        assert packs[0].name not in set(backend.names(layout.PACKS))


def test_damaged_parity_files_do_not_keep_the_others_from_helping(backend: MemoryBackend, packs: list[PackRef]) -> None:
    list(protect(backend, DOMAIN))
    kept = backend.read(packs[0].name)
    backend.create(layout.parity(DOMAIN, "00" * 32), b"no parity file")
    damage(backend, packs[0].name, kept[:-1])

    assert protected_packs(backend, DOMAIN) == {ref.pack for ref in packs}
    one_block = list(repair_packs(backend, DOMAIN, [packs[0].pack]))
    backend.delete(packs[0].name)
    both_blocks = list(repair_packs(backend, DOMAIN, [packs[0].pack]))

    assert one_block == [PackRepaired(packs[0], 1, len(kept))]
    assert both_blocks == [PackRepaired(packs[0], 2, len(kept))]
    assert backend.read(packs[0].name) == kept


def test_without_parity_and_beyond_it_the_reason_is_told(backend: MemoryBackend, packs: list[PackRef]) -> None:
    (bare,) = repair_packs(backend, DOMAIN, [packs[0].pack])
    list(protect(backend, DOMAIN))
    for ref in packs:
        backend.delete(ref.name)
    lost = list(repair_packs(backend, DOMAIN, [ref.pack for ref in packs]))

    assert bare == Finding("pack-beyond-repair", packs[0].name, "no-parity")
    assert lost == [Finding("pack-beyond-repair", ref.name, "too-many-lost") for ref in packs]


class Refusing(Passing):
    """Fails every write as a full disk does, and forgets nothing that it was told to delete."""

    def __init__(self, inner: MemoryBackend) -> None:
        super().__init__(inner)
        self.deleted: list[str] = []

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        raise NoSpace(name=name)

    overwrite = create

    def delete(self, name: str) -> None:
        self.deleted.append(name)
        super().delete(name)


def test_where_the_whole_pack_cannot_be_written_the_damaged_one_stays_with_all_that_can_be_read_of_it(
    backend: MemoryBackend, packs: list[PackRef]
) -> None:
    copy = copied(backend)
    list(protect(backend, DOMAIN))
    damage(backend, packs[0].name, b"its rest can be read")
    full = Refusing(backend)

    for repairing in (bring_back(full, copy, packs[:1]), repair_packs(full, DOMAIN, [packs[0].pack])):
        with pytest.raises(NoSpace):
            list(repairing)

    assert backend.read(packs[0].name) == b"its rest can be read"
    assert full.deleted == []


def test_parity_that_cannot_be_read_past_its_header_is_made_anew(backend: MemoryBackend, packs: list[PackRef]) -> None:
    (made,) = [one for one in protect(backend, DOMAIN) if isinstance(one, GroupProtected)]
    bad = made.files[0]
    kept = backend.read(bad)

    class Rotten(Passing):
        """Has a sector in the file's midst that cannot be read until the file is written anew."""

        is_rotten = True

        def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
            if self.is_rotten and name == bad and (length is None or offset + length > len(kept) // 2):
                raise ObjectUnreadable(name=name, reason="EIO")
            return super().read(name, offset, length)

        def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
            super().overwrite(name, data, check=check)
            self.is_rotten = False

    disk = Rotten(backend)
    outcomes = list(protect(disk, DOMAIN, check=True))

    assert Finding("parity-unreadable", bad, "wrong-sha256") in outcomes
    assert disk.read(bad) == kept
    assert list(protect(disk, DOMAIN, check=True)) == []


class Endless(Passing):
    """Holds one object with a hole in it, longer than any pack, that nobody may begin to read."""

    def __init__(self, inner: MemoryBackend, name: str) -> None:
        super().__init__(inner)
        self.name = name

    def size(self, name: str) -> int:
        return 5 << 30 if name == self.name else super().size(name)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        assert name != self.name or (length is not None and length < 1 << 20), "the hole was read"
        return super().read(name, offset, length)


def test_a_pack_that_is_longer_than_any_is_damaged_without_being_read(
    backend: MemoryBackend, packs: list[PackRef]
) -> None:
    endless = Endless(backend, packs[1].name)

    checked = list(check_sealed(endless, packs))
    protected = list(protect(endless, DOMAIN))

    assert [isinstance(one, PackChecked) for one in checked] == [True, False, True]
    assert checked[1] == Finding("pack-damaged", packs[1].name, "wrong-size")
    assert protected[0] == checked[1]
    assert [sorted(one.packs) for one in protected if isinstance(one, GroupProtected)] == [
        sorted([packs[0].pack, packs[2].pack])
    ]


def test_a_parity_file_that_is_longer_than_any_is_made_anew(backend: MemoryBackend, packs: list[PackRef]) -> None:
    (made,) = [one for one in protect(backend, DOMAIN) if isinstance(one, GroupProtected)]

    outcomes = list(protect(Endless(backend, made.files[0]), DOMAIN, check=True))

    assert Finding("parity-unreadable", made.files[0], "wrong-sha256") in outcomes
