import pytest
from backup_scene import PASSPHRASE, Scene, bytes_of, some_chats

from backupkit.crypto.failures import CannotUnlock
from backupkit.errors import BackupkitError
from backupkit.ops.checking.verify import verify_snapshot
from backupkit.ops.failures import PacksUnknown, SnapshotAmbiguous, SnapshotNotFound
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.unlock import Secret
from backupkit.store import layout
from backupkit.store.objects.small_objects import COPIES


def packs(scene: Scene) -> list[str]:
    return list(scene.repository.backend.names(layout.PACKS))


def flip(scene: Scene, name: str, at: int) -> None:
    path = scene.places.repository / name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_saved_snapshot_is_verified_by_reading_every_byte_of_its_packs(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    verified = scene.verify()

    assert (verified.state, verified.method) == ("verified", "sealed")
    assert verified.bytes_read == sum(scene.repository.backend.size(name) for name in packs(scene))
    assert [line.state for line in list_snapshots(scene.places)] == ["verified"]


def test_opening_everything_is_said_in_the_statement(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    assert scene.verify(opened=True).method == "open"


def test_damage_is_named_and_stays_on_record_until_it_is_gone(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    name = packs(scene)[0]
    flip(scene, name, 5000)

    verified = scene.verify()
    assert verified.state == "damaged"
    assert [found.facts["name"] for found in verified.findings] == [name]
    assert [line.state for line in list_snapshots(scene.places)] == ["damaged"]
    assert not verified.coverage

    flip(scene, name, 5000)
    assert scene.verify().state == "verified"
    assert [line.state for line in list_snapshots(scene.places)] == ["verified"]


def test_after_damage_was_found_the_next_snapshot_saves_anew_what_was_lost(scene: Scene) -> None:
    """A snapshot that builds on a damaged pack would be damaged itself, for ever."""
    some_chats(scene)
    scene.take()
    for name in packs(scene):
        flip(scene, name, 3000)
    assert scene.verify().state == "damaged"

    scene.take()

    assert scene.verify(opened=True).state == "verified"
    assert not scene.restore().damaged
    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)


def test_a_pack_that_came_back_is_built_on_again(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    name = packs(scene)[0]
    flip(scene, name, 5000)
    scene.verify()
    assert scene.repository.damaged_packs.known()
    flip(scene, name, 5000)
    scene.verify()

    assert not scene.repository.damaged_packs.known()
    assert scene.take().new_bytes < 16_000


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe", b"nonsense\n", b"../../etc/passwd\n"])
def test_a_damaged_list_of_damaged_packs_is_no_list(scene: Scene, garbage: bytes) -> None:
    scene.memory.joinpath("damaged-packs").write_bytes(garbage)

    assert scene.repository.damaged_packs.known() == set()


def test_a_wrong_passphrase_verifies_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(CannotUnlock):
        verify_snapshot(
            scene.places,
            open_with=lambda: Secret(passphrase=PASSPHRASE + "!"),
            clock=scene.clock,
            tell=scene.tell,
        )
    assert [line.state for line in list_snapshots(scene.places)] == ["saved"]


def test_a_machine_without_writing_keys_verifies_and_signs_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.memory / "writer").unlink()

    assert scene.verify().state == "verified"
    assert [line.state for line in list_snapshots(scene.places)] == ["saved"]


def test_a_snapshot_is_named_by_its_first_digits_or_latest(scene: Scene) -> None:
    some_chats(scene)
    first, second = scene.take().snapshot, scene.take().snapshot

    assert scene.verify(first[:10].upper()).snapshot == first
    assert scene.verify().snapshot == second
    for nobody in ("", "abc", "0" * 64, "not hex", "latest2"):
        with pytest.raises(SnapshotNotFound):
            scene.verify(nobody)


def test_digits_that_fit_several_snapshots_are_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from backupkit.ops.repository import snapshots

    some_chats(scene)
    scene.take()
    scene.take()
    known = snapshots.known_snapshots(scene.repository)
    alike = [type(one)(**{**{name: getattr(one, name) for name in one.__slots__}, "id": f"abcd{number}"}) for number, one in enumerate(known)]  # fmt: skip

    with pytest.raises(SnapshotAmbiguous):
        snapshots.find_snapshot(alike, "abcd")


def test_latest_passes_over_a_partial_snapshot_unless_there_is_nothing_else(scene: Scene) -> None:
    for number in range(30):
        scene.write(f"{number}", str(number) * 2000)
    asked = iter(range(1000))
    partial = scene.take(stop=lambda: next(asked) > 20)
    assert scene.verify().snapshot == partial.snapshot
    whole = scene.take()
    asked = iter(range(1000))
    scene.write("0", "changed")
    assert scene.take(stop=lambda: next(asked) > 20).state == "partial"

    assert scene.verify().snapshot == whole.snapshot


@pytest.mark.parametrize("damage", ["gone", "garbage"])
def test_a_latest_snapshot_that_cannot_be_read_never_passes_silently_for_an_older_one(
    scene: Scene, damage: str
) -> None:
    some_chats(scene)
    first = scene.take()
    scene.write("newest", "x")
    second = scene.take()
    for copy in COPIES:
        path = scene.places.repository / (copy + layout.snapshot(second.snapshot))
        path.unlink() if damage == "gone" else path.write_bytes(b"garbage")

    verified = scene.verify()
    restored = scene.restore()

    assert verified.snapshot == restored.snapshot == first.snapshot
    assert verified.state == "damaged"
    assert [found.code for found in restored.damaged] == ["snapshot-unreadable"]
    assert restored.damaged[0].facts["snapshot"] == second.snapshot
    assert restored.files == 4
    with pytest.raises(BackupkitError, match=r"object-missing|malformed"):
        scene.verify(second.snapshot)


def test_a_lost_pack_list_is_damage_and_a_restore_does_not_need_it(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    for folder in ("", "copies/1/", "copies/2/"):
        for name in list(scene.repository.backend.names(folder + layout.PACK_LISTS)):
            scene.repository.backend.delete(name)

    with pytest.raises(PacksUnknown):
        scene.verify()
    assert not scene.restore().damaged
    scene.take()
    assert scene.verify().state == "verified"


def test_a_statement_about_a_verification_that_is_lost_counts_for_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    (entry,) = scene.repository.log.read().subjects("verify")
    scene.repository.objects.delete(layout.statement(entry.subject))

    assert [line.state for line in list_snapshots(scene.places)] == ["saved"]


@pytest.mark.parametrize("damage", ["gone", "garbage"])
def test_packs_whose_keys_are_lost_are_not_verified(scene: Scene, damage: str) -> None:
    """Every byte of the packs was there, and nobody could ever have opened one."""
    some_chats(scene)
    scene.take(app="telegram", package="org.telegram.messenger")
    (domain,) = scene.repository.domains()
    for copy in COPIES:
        path = scene.places.repository / (copy + layout.domain_file(domain))
        path.unlink() if damage == "gone" else path.write_bytes(b"garbage")

    verified = scene.verify()

    assert verified.state == "damaged"
    assert not verified.coverage
    assert [found.code for found in verified.findings] == ["domain-lost"]


def test_a_damaged_copy_of_a_domains_keys_is_mended_by_verifying(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (domain,) = scene.repository.domains()
    path = scene.places.repository / layout.domain_file(domain)
    good = path.read_bytes()
    path.write_bytes(good.replace(good[-60:-40], good[-60:-40].swapcase()))

    assert scene.verify().state == "verified"
    assert path.read_bytes() == good
