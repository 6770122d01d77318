"""A part of the bytes today, or the structure only: neither passes for a verification."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from backup_scene import Scene, some_chats
from hypothesis import given, strategies as st

from backupkit.ids import DomainId, PackName
from backupkit.ops.checking.verify import Verified
from backupkit.ops.checking.verify_part import oldest_first, verify_quickly, verify_sample
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack, read_pack_list

DAY = timedelta(days=1)
JUNE = datetime(2018, 6, 1, tzinfo=UTC)


def sample(scene: Scene, share: float = 0.01, max_age: timedelta = DAY) -> Verified:
    return verify_sample(scene.places, share=share, clock=scene.clock, tell=scene.tell, max_age=max_age)


def packs(scene: Scene) -> list[str]:
    """The packs that the newest snapshot needs."""
    digest = known_snapshots(scene.repository)[-1].statement.packs.digest
    return [pack.ref.name for pack in read_pack_list(scene.repository.backend, digest)]


@pytest.fixture
def saved(scene: Scene) -> Scene:
    """A snapshot in three packs that nobody has read back."""
    for seed in range(2):
        some_chats(scene, seed)
        scene.take()
    assert len(packs(scene)) == 3
    return scene


def entries(scene: Scene) -> int:
    return len(scene.repository.log.read().entries)


def test_samples_add_up_to_a_verification_when_every_pack_was_read(saved: Scene) -> None:
    before = entries(saved)
    first, second = sample(saved), sample(saved)

    assert [(one.state, one.packs, one.oldest_read, one.coverage) for one in (first, second)] == [
        ("saved", 1, None, ())
    ] * 2
    assert [line.state for line in list_snapshots(saved.places)][-1] == "saved"
    assert entries(saved) == before

    second_read = sorted(saved.repository.pack_reads.known(saved.clock.at).values())[1]
    last = sample(saved)

    assert (last.state, last.packs, last.packs_total) == ("verified", 1, 3)
    known = known_snapshots(saved.repository)[-1]
    assert (known.state, known.verified_at) == ("verified", last.oldest_read), "it counts from the pack read first"
    assert entries(saved) == before + 1
    following = sample(saved)
    assert following.state == "verified"
    assert following.oldest_read == second_read, "and goes on from the one that is the oldest now"
    saved.verify()
    size = entries(saved)
    assert sample(saved).state == "verified"
    assert entries(saved) == size, "where more is on record already nothing is said"


def test_packs_that_were_read_too_long_ago_do_not_count(saved: Scene) -> None:
    sample(saved)
    saved.clock.at += 2 * DAY
    sample(saved)
    done = sample(saved)

    assert (done.state, done.packs) == ("saved", 1)
    assert done.oldest_read is not None
    assert saved.clock.at - done.oldest_read > DAY
    assert sample(saved).state == "verified", "the oldest is read first"


def test_what_was_read_before_the_snapshot_was_taken_does_not_count_for_it(saved: Scene) -> None:
    saved.verify()
    saved.write("of 4", "4" * 900)
    saved.take()

    done = sample(saved)

    assert (done.state, done.packs) == ("saved", 1)


def test_a_clock_that_was_ahead_leaves_no_pack_unread(saved: Scene) -> None:
    saved.clock.at += 300 * DAY
    sample(saved, share=1)
    saved.clock.at -= 290 * DAY

    assert sample(saved).oldest_read is None


def test_a_second_copy_is_read_in_parts_as_well_and_nothing_is_said_of_the_original(saved: Scene) -> None:
    second = replace(saved.places, repository=saved.folder / "usb")
    shutil.copytree(saved.places.repository, second.repository)
    before = entries(saved)

    done = [verify_sample(second, share=0.01, clock=saved.clock, tell=saved.tell) for _ in range(3)]

    assert [(one.state, one.packs) for one in done] == [("saved", 1), ("saved", 1), ("verified", 1)]
    assert sample(saved).state == "saved"
    assert entries(saved) == before


def test_damage_in_a_sample_is_on_record_like_any_other(saved: Scene) -> None:
    for name in packs(saved):
        with (saved.places.repository / name).open("r+b") as file:
            file.seek(3000)
            file.write(b"rotten")

    done = sample(saved)

    assert (done.state, [one.code for one in done.findings]) == ("damaged", ["pack-damaged"])
    assert [line.state for line in list_snapshots(saved.places)][-1] == "damaged"


def test_a_quick_look_reads_no_content_and_never_counts(saved: Scene) -> None:
    before = entries(saved)

    done = verify_quickly(saved.places, tell=saved.tell)

    assert (done.state, done.method, done.bytes_read, done.packs_total) == ("saved", "quick", 0, 3)
    assert entries(saved) == before
    assert [line.state for line in list_snapshots(saved.places)][-1] == "saved"


@pytest.mark.parametrize("how", ["gone", "cut", "longer", "garbage", "another's head", "no footer"])
def test_a_quick_look_names_a_pack_that_is_not_what_it_must_be(saved: Scene, how: str) -> None:
    name = packs(saved)[1]
    path = saved.places.repository / name
    data = path.read_bytes()
    match how:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(data[:-1])
        case "longer":
            path.write_bytes(data + b"\0")
        case "garbage":
            path.write_bytes(b"x" * len(data))
        case "another's head":
            path.write_bytes(data[:12] + bytes([data[12] ^ 0xFF]) + data[13:])
        case _:
            path.write_bytes(data[:-32] + bytes(32))

    done = verify_quickly(saved.places, tell=saved.tell)

    assert (done.state, [one.facts["name"] for one in done.findings]) == ("damaged", [name])


@given(st.lists(st.integers(1, 1000), max_size=20), st.floats(0.001, 1))
def test_rolling_samples_reach_every_pack(sizes: list[int], share: float) -> None:
    listed = [ListedPack(PackRef(DomainId(bytes(16)), PackName(f"{n:064x}")), size) for n, size in enumerate(sizes)]
    reads: dict[PackName, datetime] = {}
    rounds = 0
    while len(reads) < len(listed):
        chosen = oldest_first(listed, reads, share)
        assert chosen
        assert not {one.ref.pack for one in chosen} & set(reads) or len(reads) + len(chosen) > len(listed)
        reads |= {one.ref.pack: JUNE + rounds * DAY for one in chosen}
        rounds += 1

    assert rounds <= len(listed)
    assert rounds <= 1 / share + 1
