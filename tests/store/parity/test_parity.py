"""Any two packs of a group come back byte for byte, and nothing is ever made worse."""

import hashlib
import random
import zlib
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings, strategies as st
from simulated_backends import LyingBackend, Passing, PowerCut, PowerCutBackend, damage

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import DomainId, PackName
from backupkit.store import layout
from backupkit.store.backend import Backend, ObjectUnreadable
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.parity.parity import GroupProtected, ParityFile, protect, read_parity_files
from backupkit.store.parity.parity_format import BLOCK_SIZE, decode_header, encode_header, header_size
from backupkit.store.upkeep.repair import PackRepaired, protected_packs, repair_packs

DOMAIN = DomainId(b"d" * 16)


def put(backend: Backend, seed: int, size: int) -> PackName:
    data = random.Random(seed).randbytes(size)
    pack = PackName(hashlib.sha256(data).hexdigest())
    backend.create(layout.pack(DOMAIN, pack), data)
    return pack


def name(pack: PackName) -> str:
    return layout.pack(DOMAIN, pack)


def run(backend: Backend, **options: object) -> tuple[list[GroupProtected], list[Finding]]:
    outcomes = list(protect(backend, DOMAIN, **options))  # type: ignore[arg-type] # passed on as they are
    made = [one for one in outcomes if isinstance(one, GroupProtected)]
    return made, [one for one in outcomes if isinstance(one, Finding)]


def repair(backend: Backend, packs: list[PackName]) -> list[str]:
    outcomes = list(repair_packs(backend, DOMAIN, packs))
    return ["repaired" if isinstance(one, PackRepaired) else f"{one.code}/{one.reason}" for one in outcomes]


def groups(backend: Backend) -> list[frozenset[PackName]]:
    files = [item for item in read_parity_files(backend, DOMAIN) if isinstance(item, ParityFile)]
    packs = {file.group.packs for file in files}
    assert len(files) == 2 * len(packs)
    return sorted(packs, key=len)


SIZES = (200_000, 65_536, 131_071, 1, 70_000, 199_999)


def packs_of(backend: Backend, sizes: tuple[int, ...] = SIZES) -> list[PackName]:
    return [put(backend, seed, size) for seed, size in enumerate(sizes)]


def test_any_two_lost_packs_come_back(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    whole = {pack: backend.read(name(pack)) for pack in packs}
    for lost in [*combinations(packs, 1), *combinations(packs, 2)]:
        for pack in lost:
            backend.delete(name(pack))

        assert repair(backend, list(lost)) == ["repaired"] * len(lost)

        assert {pack: backend.read(name(pack)) for pack in packs} == whole


def test_a_pack_and_a_parity_file_lost_together_come_back(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    parities = list(backend.names(layout.PARITY))
    kept = {parity: backend.read(parity) for parity in parities}
    for parity in parities:
        for pack in packs:
            backend.delete(name(pack))
            backend.delete(parity)

            assert repair(backend, [pack]) == ["repaired"]

            backend.create(parity, kept[parity])


def test_three_lost_packs_are_beyond_repair_and_said_to_be(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    for pack in packs[:3]:
        backend.delete(name(pack))

    assert repair(backend, [packs[0]]) == ["pack-beyond-repair/too-many-lost"]
    assert list(backend.names(name(packs[0]))) == []


def test_many_packs_damaged_in_different_places_all_come_back(backend: MemoryBackend) -> None:
    packs = packs_of(backend, (16 * BLOCK_SIZE,) * 8)
    run(backend)
    whole = {pack: backend.read(name(pack)) for pack in packs}
    for at, pack in enumerate(packs):
        data = bytearray(whole[pack])
        for block in (2 * at, 2 * at + 1, (2 * at + 2) % 16):
            data[block * BLOCK_SIZE + 77] ^= 1
        damage(backend, name(pack), bytes(data))

    outcomes = list(repair_packs(backend, DOMAIN, packs))

    assert {pack: backend.read(name(pack)) for pack in packs} == whole
    assert all(isinstance(one, PackRepaired) for one in outcomes)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 150_000), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
    hits=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["flip", "cut", "gone", "grown", "empty"])), max_size=2),
)
def test_any_damage_to_two_files_is_repaired(sizes: list[int], seed: int, hits: list[tuple[int, str]]) -> None:
    backend = MemoryBackend()
    source = random.Random(seed)
    packs = [put(backend, seed + at, size) for at, size in enumerate(sizes)]
    run(backend)
    names = [*map(name, packs), *backend.names(layout.PARITY)]
    whole = {one: backend.read(one) for one in names}
    for which, how in hits:
        victim = names[which % len(names)]
        data = whole[victim]
        at = source.randrange(len(data))
        changed = {
            "flip": data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :],
            "cut": data[:at],
            "grown": data + b"more",
            "empty": b"",
        }
        backend.delete(victim)
        if how != "gone":
            backend.create(victim, changed[how])

    outcomes = repair(backend, packs)
    run(backend, check=True)

    assert set(outcomes) == {"repaired"}
    assert {one: backend.read(one) for one in backend.names("")} == whole


def test_a_repair_writes_only_the_very_same_file(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    # Parity that was made wrong and has right checksums: it must not be believed.
    (first, _) = [item for item in read_parity_files(backend, DOMAIN) if isinstance(item, ParityFile)]
    wrong = random.Random(99).randbytes(first.group.data_size)
    crcs = tuple(zlib.crc32(wrong[at : at + BLOCK_SIZE]) for at in range(0, len(wrong), BLOCK_SIZE))
    for item in [item for item in read_parity_files(backend, DOMAIN) if isinstance(item, ParityFile)]:
        damage(backend, item.name, encode_header(replace(first.group, crcs=(crcs, crcs)), item.which) + wrong)
    backend.delete(name(packs[0]))

    assert repair(backend, [packs[0]]) == ["pack-beyond-repair/wrong-sha256"]
    assert list(backend.names(name(packs[0]))) == []


def test_a_pack_without_parity_is_beyond_repair(backend: MemoryBackend) -> None:
    pack = put(backend, 1, 100)

    assert repair(backend, [pack]) == ["pack-beyond-repair/no-parity"]


def test_groups_fill_up_and_full_ones_stay(backend: MemoryBackend) -> None:
    for at in range(3):
        put(backend, at, 1000)
    run(backend, group_size=4)
    assert [len(group) for group in groups(backend)] == [3]

    for at in range(3, 9):
        put(backend, at, 1000)
    run(backend, group_size=4)
    full = [group for group in groups(backend) if len(group) == 4]
    assert [len(group) for group in groups(backend)] == [1, 4, 4]

    put(backend, 10, 1000)
    run(backend, group_size=4)
    assert [len(group) for group in groups(backend)] == [2, 4, 4]
    assert set(full) <= set(groups(backend))

    before = list(backend.names(layout.PARITY))
    assert run(backend, group_size=4) == ([], [])
    assert list(backend.names(layout.PARITY)) == before


def test_a_damaged_pack_is_not_protected_as_it_is_and_its_old_parity_stays(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    whole = backend.read(name(packs[0]))
    damage(backend, name(packs[0]), whole[:-1] + b"x")
    put(backend, 100, 5000)

    made, findings = run(backend)

    assert [(finding.code, finding.name) for finding in findings] == [("pack-damaged", name(packs[0]))]
    assert [len(group.packs) for group in made] == [6]
    assert repair(backend, [packs[0]]) == ["repaired"]
    assert backend.read(name(packs[0])) == whole


def test_parity_of_a_lost_pack_stays_until_it_is_repaired(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    backend.delete(name(packs[0]))
    put(backend, 100, 5000)

    run(backend)

    assert packs[0] in protected_packs(backend, DOMAIN)
    assert repair(backend, [packs[0]]) == ["repaired"]


def test_packs_deleted_on_purpose_leave_their_groups(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)

    run(backend, dead=packs[:2])

    assert groups(backend) == [frozenset(packs[2:])]
    for pack in packs[:2]:
        backend.delete(name(pack))
    backend.delete(name(packs[3]))
    assert repair(backend, [packs[3]]) == ["repaired"]


def test_a_power_cut_at_any_write_leaves_every_pack_protected_that_was(backend: MemoryBackend) -> None:
    writes = 0
    while True:
        disk = MemoryBackend()
        packs = packs_of(disk)
        run(disk)
        put(disk, 100, 3000)
        cut = PowerCutBackend(writes, disk)
        try:
            list(protect(cut, DOMAIN))
            finished = True
        except PowerCut:
            finished = False
        disk.delete(name(packs[0]))
        disk.delete(name(packs[4]))

        assert repair(disk, [packs[0], packs[4]]) == ["repaired", "repaired"]
        run(disk)
        assert len(groups(disk)) == 1
        if finished:
            break
        writes += 1
    assert writes >= 4


def test_damaged_parity_is_made_again_when_it_is_checked(backend: MemoryBackend) -> None:
    packs_of(backend)
    run(backend)
    whole = {one: backend.read(one) for one in backend.names("")}
    first, second = backend.names(layout.PARITY)
    damage(backend, first, whole[first][:-1] + b"x")
    damage(backend, second, b"garbage")

    _, findings = run(backend, check=True)

    assert {finding.name for finding in findings} == {first, second}
    assert {one: backend.read(one) for one in backend.names("")} == whole


def test_a_parity_file_that_nobody_can_read_goes_where_it_is_checked_and_everything_is_protected(
    backend: MemoryBackend,
) -> None:
    packs = packs_of(backend)
    run(backend)
    junk = layout.parity(DOMAIN, "00" * 32)
    backend.create(junk, b"no parity")

    made, told = run(backend)
    assert (made, [one.code for one in told]) == ([], ["parity-unreadable"])
    assert junk in set(backend.names(layout.parities(DOMAIN)))
    kept = backend.read(name(packs[0]))
    put(backend, 99, 5000)
    damage(backend, name(packs[0]), b"damaged")
    run(backend, check=True)
    damaged_still = junk in set(backend.names(layout.parities(DOMAIN)))
    damage(backend, name(packs[0]), kept)
    run(backend, check=True)

    assert damaged_still
    assert junk not in set(backend.names(layout.parities(DOMAIN)))
    assert run(backend, check=True) == ([], [])


def test_parity_is_not_read_unless_it_is_to_be_checked(backend: MemoryBackend) -> None:
    packs_of(backend)
    run(backend)
    parity = next(iter(backend.names(layout.parities(DOMAIN))))
    data = bytearray(backend.read(parity))
    data[-1] ^= 1
    damage(backend, parity, bytes(data))

    assert run(backend) == ([], [])
    made, told = run(backend, check=True)
    assert [(one.code, one.name, one.reason) for one in told] == [("parity-unreadable", parity, "wrong-sha256")]
    assert len(made) == 1


def test_parity_that_does_not_read_back_is_none(backend: MemoryBackend) -> None:
    packs_of(backend)

    with pytest.raises(MalformedObject) as refused:
        run(LyingBackend(backend))

    assert refused.value.facts["reason"] == "read-back-differs"
    assert list(backend.names(layout.parities(DOMAIN))) == []


def test_a_pack_whose_size_cannot_be_told_is_named_and_the_others_are_protected(backend: MemoryBackend) -> None:
    packs = packs_of(backend)

    class Sizeless(Passing):
        def size(self, name_: str) -> int:
            if name_ == name(packs[2]):
                raise ObjectUnreadable(name=name_, reason="EIO")
            return super().size(name_)

    made, told = run(Sizeless(backend))

    assert [(one.code, one.name) for one in told] == [("pack-damaged", name(packs[2]))]
    (group,) = made
    assert set(group.packs) == set(packs) - {packs[2]}
    assert group.size == sum(backend.size(file) for file in group.files)


def test_parity_takes_two_sixteenths(backend: MemoryBackend) -> None:
    for at in range(16):
        put(backend, at, 200_000)
    (made,), _ = run(backend)

    assert made.size < 2 * 201_000
    assert len(list(backend.names(layout.PARITY))) == 2


@pytest.fixture(scope="module")
def header() -> bytes:
    backend = MemoryBackend()
    put(backend, 1, 70_000)
    put(backend, 2, 10)
    list(protect(backend, DOMAIN))
    good = backend.read(next(backend.names(layout.PARITY)))
    return good[: header_size(good[:16])]


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 7))
def test_any_bytes_give_a_header_or_a_typed_error(header: bytes, data: bytes, place: int, bit: int) -> None:
    flipped = bytearray(header)
    flipped[place % len(header)] ^= 1 << bit
    for candidate in (data, b"bkitprty\0\1\0\0" + data, header[: place % len(header)], bytes(flipped), header + data):
        try:
            header_size(candidate)
            decode_header(candidate)
        except (MalformedObject, NewerFormat):
            continue
        assert candidate == header


def test_parity_of_another_domain_is_not_used(backend: MemoryBackend) -> None:
    packs = packs_of(backend)
    run(backend)
    other = DomainId(b"o" * 16)
    for one in list(backend.names(layout.PARITY)):
        backend.create(layout.parity(other, one.rpartition("/")[2]), backend.read(one))

    assert list(read_parity_files(backend, other)) == []
    assert [one.code for one in repair_packs(backend, other, packs[:1]) if isinstance(one, Finding)] == [
        "pack-beyond-repair"
    ]
    assert PackRef(other, packs[0]).name not in set(backend.names(""))
