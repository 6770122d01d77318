import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from backup_scene import Scene, some_chats

from backupkit.crypto.failures import SignatureInvalid
from backupkit.ops.failures import HistoryForked, HistoryRolledBack, LogDamaged
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.ops.repository.statements import record_keys
from backupkit.proof.checkpoint import claimed_checkpoint
from backupkit.proof.log_entry import entry_about
from backupkit.store import layout
from backupkit.store.objects.small_objects import COPIES


def taken_twice(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    scene.take()


def entry_file(scene: Scene, sequence: int, copy: str = "") -> bytes:
    return (scene.places.repository / (copy + layout.log_entry(sequence))).read_bytes()


def change_entry(scene: Scene, sequence: int, copies: tuple[str, ...]) -> None:
    """Change one digit of an entry, so that it still reads as an entry."""
    for copy in copies:
        path = scene.places.repository / (copy + layout.log_entry(sequence))
        text = path.read_bytes()
        start = text.index(b"sha256:") + len(b"sha256:")
        other = b"0" if text[start : start + 1] != b"0" else b"1"
        path.write_bytes(text[:start] + other + text[start + 1 :])


def test_a_history_put_back_is_noticed_by_every_command_that_trusts_it(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    shutil.copytree(scene.places.repository, scene.folder / "older")
    scene.take()
    shutil.rmtree(scene.places.repository)
    (scene.folder / "older").rename(scene.places.repository)

    for trusting in (scene.take, scene.verify, lambda: known_snapshots(scene.repository)):
        with pytest.raises(HistoryRolledBack) as caught:
            trusting()
        facts = {name: int(value or 0) for name, value in caught.value.facts.items()}
        assert facts["seen"] > facts["found"]


def test_what_an_older_copy_holds_is_restored_and_the_rollback_named(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    shutil.copytree(scene.places.repository, scene.folder / "older")
    scene.take()
    shutil.rmtree(scene.places.repository)
    (scene.folder / "older").rename(scene.places.repository)

    restored = scene.restore()

    assert restored.files == 4
    assert not restored.damaged
    assert isinstance(restored.distrust, HistoryRolledBack)


def test_an_emptied_history_is_a_rollback_too(scene: Scene) -> None:
    taken_twice(scene)
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).unlink()

    with pytest.raises(HistoryRolledBack):
        scene.take()
    assert scene.restore().files == 4


def test_on_a_new_computer_a_repository_without_a_head_is_restored_all_the_same(scene: Scene) -> None:
    taken_twice(scene)
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).unlink()
    shutil.rmtree(scene.places.state)

    restored = scene.restore()

    assert restored.files == 4
    assert isinstance(restored.distrust, LogDamaged)


def test_two_computers_that_write_to_two_copies_of_one_repository_have_forked_it(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    other = scene.copy_to(scene.folder.with_name("other"))
    scene.write("only here", "x")
    scene.take()
    some_chats(other, seed=2)
    other.take()
    other.take()
    shutil.rmtree(scene.places.repository)
    shutil.copytree(other.places.repository, scene.places.repository)

    with pytest.raises(HistoryForked):
        scene.take()
    with pytest.raises(HistoryForked):
        scene.verify()
    assert isinstance(scene.restore().distrust, HistoryForked)


def test_a_head_that_no_writer_signed_is_not_believed(scene: Scene, tmp_path: Path) -> None:
    taken_twice(scene)
    stranger = Scene(tmp_path / "stranger")
    stranger.folder.mkdir()
    stranger.initialise()
    forged = (stranger.places.repository / layout.LOG_HEAD).read_bytes().replace(
        stranger.repository.origin.encode(), scene.repository.origin.encode()
    )  # fmt: skip
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).write_bytes(forged)

    with pytest.raises(SignatureInvalid):
        scene.verify()
    assert scene.restore().files == 4


@pytest.mark.parametrize("copies", [(copy,) for copy in COPIES])
def test_one_changed_copy_of_an_entry_is_found_out_and_mended(scene: Scene, copies: tuple[str, ...]) -> None:
    taken_twice(scene)
    good = entry_file(scene, 1)
    change_entry(scene, 1, copies)
    assert entry_file(scene, 1, copies[0]) != good

    for path in scene.memory.glob("log-leaves"):
        path.unlink()
    scene.take()

    assert len(known_snapshots(scene.repository)) == 3
    scene.repository.objects.check_copies(layout.log_entry(1), lambda _: None)
    assert {entry_file(scene, 1, copy) for copy in COPIES} == {good}


def test_an_entry_that_is_changed_in_all_copies_is_damage_and_a_restore_goes_on(scene: Scene) -> None:
    taken_twice(scene)
    change_entry(scene, 2, COPIES)

    with pytest.raises(LogDamaged):
        scene.verify()
    restored = scene.restore()
    assert restored.files == 4
    assert isinstance(restored.distrust, LogDamaged)


def test_an_entry_that_is_gone_is_damage(scene: Scene) -> None:
    taken_twice(scene)
    for copy in COPIES:
        (scene.places.repository / (copy + layout.log_entry(1))).unlink()

    with pytest.raises(LogDamaged):
        known_snapshots(scene.repository)


def test_an_entry_left_by_a_writer_that_died_is_committed_by_the_next_one(scene: Scene) -> None:
    taken_twice(scene)
    repository = scene.repository
    history = repository.log.read()
    third = scene.take()
    # The head goes back to where it was when the third snapshot's writer died between entry and head.
    assert history.head is not None
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).write_bytes(history.head)
    (scene.memory / "seen-checkpoint").write_bytes(history.head)

    fourth = scene.take()

    assert [known.id for known in known_snapshots(scene.repository)][-2:] == [third.snapshot, fourth.snapshot]


def test_an_entry_about_a_statement_that_is_not_there_is_never_committed(scene: Scene) -> None:
    taken_twice(scene)
    size = len(scene.repository.log.read().entries)
    left = entry_about(b"nobody stored this", "snapshot", seq=size, time=scene.clock.now())
    scene.repository.objects.create(layout.log_entry(size), left.encode())

    scene.take()

    history = scene.repository.log.read()
    assert left.subject not in {entry.subject for entry in history.entries}
    assert len(known_snapshots(scene.repository)) == 3


@pytest.mark.parametrize("damage", [b"", b"garbage", b"a\n1\n=\n\n"])
def test_a_damaged_memory_of_the_head_is_replaced_and_forgives_nothing_else(scene: Scene, damage: bytes) -> None:
    taken_twice(scene)
    (scene.memory / "seen-checkpoint").write_bytes(damage)
    (scene.memory / "log-leaves").write_bytes(damage)

    scene.take()

    seen = claimed_checkpoint((scene.memory / "seen-checkpoint").read_bytes())
    assert seen.size == len(scene.repository.log.read().entries)


def test_processes_that_read_while_another_writes_never_cry_rollback(scene: Scene) -> None:
    """A reader that looked at the head before a writer moved it took its own older view for a rollback."""
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        while not done.is_set():
            try:
                open_repository(scene.places).log.read()
            except BaseException as error:  # noqa: BLE001  whatever it is fails the test
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(40):
        record_keys(scene.repository, "domain-added", b"%d" % number, scene.clock.now())
    done.set()
    for reader in readers:
        reader.join()

    assert not failures
    assert len(scene.repository.log.read().entries) == 41


def test_a_reader_that_was_late_does_not_make_this_machine_forget_a_newer_head(scene: Scene) -> None:
    early = scene.repository.log
    history = early.read()
    record_keys(scene.repository, "domain-added", b"later", scene.clock.now())
    newest = (scene.memory / "seen-checkpoint").read_bytes()

    assert history.head is not None
    early._remember(history.head, history.leaves)

    assert (scene.memory / "seen-checkpoint").read_bytes() == newest


def test_two_threads_that_append_at_once_both_get_in(scene: Scene) -> None:
    def append(name: bytes) -> None:
        for number in range(5):
            record_keys(open_repository(scene.places), "domain-added", name + b"%d" % number, scene.clock.now())

    threads = [threading.Thread(target=append, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries = scene.repository.log.read().entries
    assert len(entries) == 16
    assert len({entry.subject for entry in entries}) == 16


def test_without_the_log_the_latest_is_the_one_that_no_other_follows_whatever_the_clock_said(scene: Scene) -> None:
    """Three snapshots of one second came in the order of their ids."""
    at = scene.clock.at
    for number in range(6):
        scene.clock.at = at - timedelta(hours=number % 3)
        scene.write("number", str(number))
        scene.take()
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).unlink()

    scene.restore()

    assert (scene.folder / "back" / "chats" / "number").read_text() == "5"


def test_a_head_alone_that_was_put_back_is_put_right_from_its_copies(scene: Scene) -> None:
    """A sync program or a partial restore put one file back, and every command called the whole repository rolled back."""
    head = scene.places.repository / layout.LOG_HEAD
    taken_twice(scene)
    older = head.read_bytes()
    third = scene.take()
    newest = head.read_bytes()
    head.write_bytes(older)

    found = known_snapshots(open_repository(scene.places, scene.tell))

    assert found[-1].id == third.snapshot
    assert head.read_bytes() == newest
    assert "copy-older" in scene.codes()


def test_a_log_whose_copies_were_all_put_back_is_rolled_back(scene: Scene) -> None:
    taken_twice(scene)
    older = (scene.places.repository / layout.LOG_HEAD).read_bytes()
    scene.take()
    for copy in COPIES:
        (scene.places.repository / (copy + layout.LOG_HEAD)).write_bytes(older)

    with pytest.raises(HistoryRolledBack):
        scene.repository.log.read()
