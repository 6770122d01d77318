"""Snapshots by a machine that lies, repositories on a disk that somebody else prepared: nothing leaves the target or hangs."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from backup_scene import Scene, bytes_of

from backupkit.store.chunk_id import ChunkType
from backupkit.store.trees import tree
from backupkit.store.trees.tree import Chunks, Entry, EntryKind, StoresChunks

Lie = Callable[[StoresChunks, list[Entry]], list[Entry]]


def lie_with(monkeypatch: pytest.MonkeyPatch, lie: Lie) -> None:
    """Store the folder that `lie` makes of the true one, with no check of the writer's own."""

    def write(writer: StoresChunks, entries: Iterable[Entry]) -> Any:
        return raw_tree(writer, lie(writer, list(entries)))

    monkeypatch.setattr(tree, "write_tree", write)


def raw_tree(writer: StoresChunks, entries: list[Entry]) -> Any:
    return tree._store(writer, {"v": 1, "entries": [tree._encode(entry) for entry in entries]})


def a_file(writer: StoresChunks, name: bytes, *, size: int = 4, mode: int = 0o644) -> Entry:
    content = Chunks((writer.store(ChunkType.DATA, b"evil").id,))
    return Entry(name, EntryKind.FILE, mode, 0, size, hashlib.sha256(b"evil").digest(), content)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.initialise()
    scene.write("a.txt", b"hello")
    return scene


def test_a_link_and_a_folder_of_one_name_do_not_lead_out_of_the_target(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)

    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        inner = raw_tree(writer, [a_file(writer, b"planted")])
        link = Entry(b"x", EntryKind.LINK, 0o777, 0, target=os.fsencode(outside))
        return [*entries, link, Entry(b"x", EntryKind.FOLDER, 0o777, 0, tree=inner)]

    lie_with(monkeypatch, lie)
    scene.take()
    restored = scene.restore()
    assert list(outside.iterdir()) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700
    assert restored.damaged


def test_links_come_last(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a file system that ignores case, "A" and "a" are one name as well; there the order is what protects."""
    found: list[bool] = []
    symlink_to = Path.symlink_to

    def noting(link: Path, target: str) -> None:
        found.append((scene.folder / "back" / "chats" / "a" / "b.txt").exists())
        symlink_to(link, target)

    (scene.chats / "A").symlink_to(tmp_path)
    scene.write("a/b.txt", b"deep")
    scene.take()
    monkeypatch.setattr(Path, "symlink_to", noting)
    scene.restore()
    assert found == [True]
    assert (scene.folder / "back" / "chats" / "A").is_symlink()


def test_a_size_that_is_not_true_costs_no_time_and_no_rights_are_given(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie_with(
        monkeypatch,
        lambda writer, entries: [*entries, a_file(writer, b"b", size=1 << 40), a_file(writer, b"c", mode=0o6755)],
    )
    scene.take()
    restored = scene.restore()
    assert [found.facts["reason"] for found in restored.damaged] == ["wrong-size"]
    assert stat.S_IMODE((scene.folder / "back" / "chats" / "c").stat().st_mode) == 0o755
    assert stat.S_IMODE((scene.folder / "back").stat().st_mode) == 0o700
    assert scene.verify(opened=True).state == "damaged"


@pytest.mark.parametrize("name", ["config", "keyring", "log/checkpoint"])
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_pipe_or_a_file_without_end_in_place_of_an_object_is_passed_over(scene: Scene, name: str, kind: str) -> None:
    scene.take()
    path = scene.places.repository / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with path.open("wb") as file:
            file.truncate(1 << 42)
    assert scene.verify().state in {"verified", "damaged"} if name != "log/checkpoint" else scene.restore()
    assert "copy-damaged" in scene.codes()


def test_a_repository_is_not_saved_into_itself(scene: Scene) -> None:
    scene.take(scene.folder)
    assert scene.codes().count("own-folder") == 3
    scene.restore()
    assert {name.rpartition("/")[2] for name in bytes_of(scene.folder / "back")} == {"a.txt"}
