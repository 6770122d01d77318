import os
import socket
import sqlite3
from pathlib import Path

import pytest
from backup_scene import Scene, bytes_of, some_chats

from backupkit.ops.events import Found, Phase, Progress, Severity
from backupkit.ops.failures import NoRepository, NotAWriter, SourceIsOwn, SourceNotFound
from backupkit.ops.looking.show import show
from backupkit.ops.saving import snapshot as snapshot_module
from backupkit.store import layout


def chat_database(path: Path, rows: int = 500) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE IF NOT EXISTS message (n INTEGER PRIMARY KEY, body TEXT)")
    connection.executemany("INSERT INTO message(body) VALUES (?)", [("在吗 " * 40,)] * rows)
    connection.commit()
    connection.close()


def packs(scene: Scene) -> set[str]:
    return set(scene.repository.backend.names(layout.PACKS))


def test_what_was_saved_comes_back_to_the_byte(scene: Scene) -> None:
    some_chats(scene)
    chat_database(scene.chats / "messages.db")

    taken = scene.take()

    assert (taken.state, taken.complete, taken.files) == ("saved", True, 5)
    assert taken.bytes == sum(map(len, bytes_of(scene.chats).values()))
    restored = scene.restore()
    assert not restored.damaged
    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)


def test_a_second_snapshot_of_the_same_stores_next_to_nothing(scene: Scene) -> None:
    some_chats(scene)
    chat_database(scene.chats / "messages.db")
    first = scene.take()

    second = scene.take()

    assert second.snapshot != first.snapshot
    assert first.new_bytes > 40_000
    assert second.new_bytes < 16_000


def test_a_lost_cache_costs_one_reading_and_no_chunk_twice(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    for path in (scene.places.cache).rglob("files.sqlite*"):
        path.write_bytes(b"garbage that is no database")

    again = scene.take()

    assert again.new_bytes < 16_000
    assert not scene.restore().damaged


def test_a_changed_page_of_a_database_costs_pages_and_not_the_database(scene: Scene) -> None:
    chat_database(scene.chats / "messages.db", 20_000)
    first = scene.take()
    connection = sqlite3.connect(scene.chats / "messages.db")
    connection.execute("UPDATE message SET body = hex(randomblob(80)) WHERE n = 7")
    connection.commit()
    connection.close()

    second = scene.take()

    assert second.bytes > 4_000_000
    assert second.new_bytes < min(first.new_bytes, 40_000)
    scene.restore()
    restored = sqlite3.connect(scene.folder / "back" / "chats" / "messages.db")
    assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    restored.close()
    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)


def test_a_new_database_whose_pages_do_not_hang_together_is_told_once_and_saved_as_it_is(scene: Scene) -> None:
    path = scene.chats / "messages.db"
    chat_database(path, 20_000)
    data = bytearray(path.read_bytes())
    data[20 * 4096 : 21 * 4096], data[30 * 4096 : 31 * 4096] = data[30 * 4096 : 31 * 4096], data[20 * 4096 : 21 * 4096]
    path.write_bytes(data)

    first = scene.take()
    told = unsound(scene)
    scene.told.clear()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    scene.take()

    (found,) = told
    assert (found.severity, found.facts["path"]) == (Severity.ERROR, "messages.db")
    assert unsound(scene) == []
    scene.restore(first.snapshot)
    assert (scene.folder / "back" / "chats" / "messages.db").read_bytes() == data


def unsound(scene: Scene) -> list[Found]:
    return [event for event in scene.told if isinstance(event, Found) and event.code == "pages-not-sound"]


def test_sources_of_two_accounts_lie_in_two_domains_and_of_one_in_one(scene: Scene) -> None:
    for name in ("one", "two", "three"):
        scene.write(f"../{name}/file", name)

    scene.take(scene.folder / "one", scene.folder / "two", app="telegram")
    assert len(scene.repository.domains()) == 1
    scene.take(scene.folder / "three")

    assert len(scene.repository.domains()) == 2
    labels = {keys.label.account for keys in scene.repository.require_writer().domains.values()}
    assert labels == {"telegram", "three"}


def test_two_sources_with_one_folder_name_come_back_beside_each_other(scene: Scene) -> None:
    for place in ("a/export", "b/export"):
        scene.write(f"../{place}/file", place)

    scene.take(scene.folder / "a" / "export", scene.folder / "b" / "export")

    assert not scene.restore().damaged
    assert bytes_of(scene.folder / "back") == {"export/file": b"a/export", "export-2/file": b"b/export"}


def test_a_single_file_is_a_source_too(scene: Scene) -> None:
    file = scene.write("chat.txt", "hello")

    assert scene.take(file).files == 1
    scene.restore()

    assert bytes_of(scene.folder / "back") == {"chat.txt/chat.txt": b"hello"}


def test_a_source_that_is_not_there_saves_nothing(scene: Scene) -> None:
    some_chats(scene)

    with pytest.raises(SourceNotFound):
        scene.take(scene.chats, scene.folder / "no")

    assert [entry.type for entry in scene.repository.log.read().entries] == ["rotate"]


def test_without_keys_for_writing_there_is_no_snapshot_but_a_restore(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.memory / "writer").unlink()

    with pytest.raises(NotAWriter):
        scene.take()
    assert not scene.restore().damaged


def test_without_a_repository_there_is_no_snapshot(bare_scene: Scene) -> None:
    some_chats(bare_scene)

    with pytest.raises(NoRepository):
        bare_scene.take()


def test_what_is_no_file_is_told_and_passed_over(scene: Scene) -> None:
    some_chats(scene)
    os.mkfifo(scene.chats / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(scene.chats)
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
        (scene.chats / "dangling").symlink_to("nowhere/at/all")

        taken = scene.take()

    assert taken.complete
    assert scene.codes().count("special-file") == 2
    assert not scene.restore().damaged
    back = scene.folder / "back" / "chats"
    assert str((back / "dangling").readlink()) == "nowhere/at/all"
    assert not (back / "pipe").exists()


def test_odd_names_times_and_modes_come_back_as_they_were(scene: Scene) -> None:
    names = [
        b"line\nbreak",
        b"escape\x1b[31m",
        b"latin-\xe4\xf6",
        b"\xff\xfe",
        "聊".encode() * 85,
        b"n" * 255,
        b" ",
        b"-rf",
    ]
    for number, name in enumerate(names):
        path = scene.chats / os.fsdecode(name)
        path.write_bytes(name)
        path.chmod(0o600 | (0o040 if number % 2 else 0))
        os.utime(path, ns=(10**18 + number, 10**18 + number * 3 + 1))
    folder = scene.chats / os.fsdecode(b"folder-\xe9")
    folder.mkdir(mode=0o500)
    os.utime(folder, ns=(5, 7))

    assert scene.take().complete
    assert not scene.restore().damaged

    back = scene.folder / "back" / "chats"
    for name in names:
        one, other = scene.chats / os.fsdecode(name), back / os.fsdecode(name)
        assert other.read_bytes() == name
        assert (one.stat().st_mtime_ns, one.stat().st_mode) == (other.stat().st_mtime_ns, other.stat().st_mode)
    assert (back / folder.name).stat().st_mtime_ns == 7
    assert (back / folder.name).stat().st_mode == folder.stat().st_mode


def test_a_source_whose_own_name_is_not_utf_8_can_be_saved_shown_and_restored(scene: Scene) -> None:
    folder = scene.folder / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "file").write_bytes(b"x")

    taken = scene.take(folder)

    assert taken.complete
    assert "caf" in show(scene.places, "latest", secret=scene.secret).sources[0].name
    scene.restore()
    assert (scene.folder / "back" / os.fsdecode(b"caf\xe9") / "file").read_bytes() == b"x"


def test_a_stop_leaves_a_partial_snapshot_that_can_be_restored_and_the_next_run_goes_on(scene: Scene) -> None:
    for number in range(40):
        scene.write(f"{number % 4}/{number:02d}", os.urandom(3000))
    asked = iter(range(1000))

    stopped = scene.take(stop=lambda: next(asked) > 30)

    assert (stopped.state, stopped.complete) == ("partial", False)
    whole = bytes_of(scene.chats)
    scene.restore(stopped.snapshot)
    back = bytes_of(scene.folder / "back" / "chats")
    assert 0 < len(back) < 40
    assert all(whole[path] == data for path, data in back.items())
    completed = scene.take()
    assert completed.complete
    assert completed.new_bytes < (40 - len(back)) * 3000 + 30_000
    scene.restore(to=scene.folder / "again")
    assert bytes_of(scene.folder / "again" / "chats") == whole


def test_a_stop_while_it_is_read_back_leaves_a_whole_snapshot_that_does_not_count_as_verified(scene: Scene) -> None:
    scene.write("words.txt", "words " * 1000)

    def is_read_back() -> bool:
        return any(isinstance(event, Progress) and event.phase is Phase.CHECK for event in scene.told)

    # The first pack that was read tells it; a snapshot this small has two.
    taken = scene.take(verify=True, stop=is_read_back)

    assert is_read_back()
    assert (taken.state, taken.complete, taken.coverage) == ("saved", True, ())
    assert not scene.repository.log.read().subjects("verify")
    assert scene.verify().state == "verified"


def test_a_long_run_leaves_partial_snapshots_on_its_way(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        scene.write(f"folder-{number // 3}/{number}", os.urandom(2000))
    monkeypatch.setattr(snapshot_module, "PARTIAL_EVERY_BYTES", 4000)

    taken = scene.take()

    entries = scene.repository.log.read().subjects("snapshot")
    assert scene.codes().count("partial-saved") == len(entries) - 1 >= 3
    assert entries[-1].subject == taken.snapshot
    scene.restore(entries[1].subject)
    whole = bytes_of(scene.chats)
    back = bytes_of(scene.folder / "back" / "chats")
    assert 0 < len(back) < 10
    assert all(whole[path] == data for path, data in back.items())


def test_packs_of_a_run_that_never_committed_are_harmless(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    some_chats(scene)

    def died(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(snapshot_module, "commit_snapshot", died)
        with pytest.raises(KeyboardInterrupt):
            scene.take()
    left = packs(scene)

    taken = scene.take()

    assert left <= packs(scene)
    assert taken.new_bytes < 20_000
    assert scene.verify(opened=True).state == "verified"
    assert not scene.restore().damaged


def test_a_snapshot_tells_nobody_without_a_key_what_it_holds(scene: Scene) -> None:
    secret = b"a-name-nobody-else-may-read"
    scene.write(secret.decode(), secret * 100)
    scene.take(app="telegram")

    for path in scene.places.repository.rglob("*"):
        assert secret not in os.fsencode(path)
        if path.is_file():
            data = path.read_bytes()
            assert secret not in data
            assert b"telegram" not in data


@pytest.mark.parametrize("name", ["line\nbreak", "n" * 150, "caf\udce9", "\u202eabc"])
def test_a_source_with_an_odd_name_keeps_its_one_domain(scene: Scene, name: str) -> None:
    """The name was kept in a printable form and compared in its own, so that every run made a domain and stored all anew."""
    folder = scene.folder / name
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(50_000))

    scene.take(folder)

    assert scene.take(folder).new_bytes < 16_000
    assert len(scene.repository.domains()) == 1


@pytest.mark.parametrize("special", ["/dev/null", "pipe"])
def test_a_source_that_is_no_file_and_no_folder_is_refused(scene: Scene, special: str) -> None:
    os.mkfifo(scene.folder / "pipe")

    with pytest.raises(SourceNotFound) as refused:
        scene.take(scene.folder / special)

    assert refused.value.facts["reason"] == "special"


@pytest.mark.parametrize("inside", [".", "packs", "config"])
def test_the_repository_is_not_saved_into_itself(scene: Scene, inside: str) -> None:
    some_chats(scene)
    scene.take()
    link = scene.folder / "another-name"
    link.symlink_to(scene.places.repository)

    for source in (scene.places.repository / inside, link / inside):
        with pytest.raises(SourceIsOwn):
            scene.take(source)


def test_a_source_with_nothing_in_it_is_told(scene: Scene) -> None:
    (scene.chats / "empty folder").mkdir()
    (scene.chats / "empty file").touch()

    scene.take()

    assert "source-empty" in scene.codes()


def test_a_source_with_something_in_it_is_not_called_empty(scene: Scene) -> None:
    some_chats(scene)

    scene.take()

    assert "source-empty" not in scene.codes()
