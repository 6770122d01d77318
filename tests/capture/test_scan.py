"""What lies in a source."""

import os
import random
import shutil
import socket
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backupkit.capture.scan import (
    EntryKind,
    ScannedEntry,
    ScannedFolder,
    scan_entry,
    walk,
    walk_children_first,
)
from backupkit.capture.unreadable import SourceMissing, Unreadable


def names(folder: ScannedFolder) -> list[bytes]:
    return [entry.name for entry in folder.entries]


def only(folders: list[ScannedFolder], name: bytes) -> ScannedEntry:
    (found,) = [entry for folder in folders for entry in folder.entries if entry.name == name]
    return found


def test_every_kind_of_name_is_told_and_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/nowhere/聊天")
    (tmp_path / "folder link").symlink_to(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))

    folders = list(walk(tmp_path))

    kinds = {entry.name: entry.kind for entry in folders[0].entries}
    assert kinds == {
        b"file": EntryKind.FILE,
        b"folder": EntryKind.FOLDER,
        b"folder link": EntryKind.LINK,
        b"link": EntryKind.LINK,
        b"pipe": EntryKind.OTHER,
        b"socket": EntryKind.OTHER,
    }
    assert only(folders, b"link").link_target == "/nowhere/聊天".encode()
    assert [folder.relative for folder in folders] == [(), (b"folder",)]


def test_an_entry_says_what_the_file_system_says(tmp_path: Path) -> None:
    file = tmp_path / "语音.amr"
    file.write_bytes(b"#!AMR")
    file.chmod(0o640)
    os.utime(file, ns=(1, 1_527_841_800_123_456_789))
    status = file.stat()

    (entry,) = next(walk(tmp_path)).entries

    assert entry == ScannedEntry(
        "语音.amr".encode(),
        EntryKind.FILE,
        0o640,
        5,
        1_527_841_800_123_456_789,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )
    assert scan_entry(file) == entry


def test_names_come_sorted_by_their_bytes_whatever_they_hold(tmp_path: Path) -> None:
    odd = [b"b", b"a", b"\xff\xfe", "微信".encode(), b"new\nline", b" ", b"B", b"a.b"]
    for name in odd:
        (tmp_path / os.fsdecode(name)).touch()

    assert names(next(walk(tmp_path))) == sorted(odd)


def test_both_orders_visit_each_folder_once_and_agree(tmp_path: Path) -> None:
    for path in ("a/b/c", "a/d", "e", "a/b/f/g"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "a/b/c/file").touch()

    first = list(walk(tmp_path))
    last = list(walk_children_first(tmp_path))

    assert sorted(first) == sorted(last)
    relatives = [b"/".join(folder.relative) for folder in first]
    assert relatives == [b"", b"a", b"a/b", b"a/b/c", b"a/b/f", b"a/b/f/g", b"a/d", b"e"]
    seen: set[tuple[bytes, ...]] = set()
    for folder in last:
        assert {(*folder.relative, e.name) for e in folder.entries if e.kind is EntryKind.FOLDER} <= seen
        seen.add(folder.relative)


def test_a_source_may_be_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "chat.txt").write_text("hello")
    (tmp_path / "other").touch()

    (folder,) = walk(tmp_path / "chat.txt")

    assert (folder.path, folder.relative, names(folder)) == (tmp_path, (), [b"chat.txt"])


def test_the_root_may_be_a_link_for_the_owner_named_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    (tmp_path / "here").symlink_to("there")

    (folder,) = walk(tmp_path / "here")

    assert folder.path == tmp_path / "there"
    assert names(folder) == [b"file"]


def test_a_missing_root_is_an_error_and_not_an_empty_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing) as caught:
        next(walk(tmp_path / "gone"))

    assert (caught.value.code, int(caught.value.exit_code)) == ("source-missing", 2)


def test_a_folder_that_vanishes_while_we_walk_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    walking = walk(tmp_path)
    next(walking)
    shutil.rmtree(tmp_path / "b")

    told = {folder.relative: folder.unreadable for folder in walking}

    assert told == {(b"a",): None, (b"b",): Unreadable.VANISHED}


def test_a_folder_that_is_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "source" / "a").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret").touch()
    walking = walk(tmp_path / "source")
    next(walking)
    (tmp_path / "source" / "a").rmdir()
    (tmp_path / "source" / "a").symlink_to(tmp_path / "private")

    (folder,) = walking

    assert (folder.entries, folder.unreadable) == ((), Unreadable.BECAME_ANOTHER_KIND)


def test_a_folder_without_permission_is_told_and_the_rest_is_walked(ordinary_folder: Path) -> None:
    (ordinary_folder / "closed").mkdir(mode=0)
    (ordinary_folder / "open").mkdir()

    told = {folder.relative: folder.unreadable for folder in walk(ordinary_folder)}
    (ordinary_folder / "closed").chmod(0o700)

    assert told == {(): None, (b"closed",): Unreadable.PERMISSION_DENIED, (b"open",): None}


def test_a_path_longer_than_the_system_takes_is_told(tmp_path: Path) -> None:
    """Each folder is listed by its whole path; the limit is 4,096 bytes on Linux."""
    name = "x" * 250
    start = os.open(tmp_path, os.O_RDONLY)
    folders = [start]
    for _ in range(18):
        os.mkdir(name, dir_fd=folders[-1])
        folders.append(os.open(name, os.O_RDONLY, dir_fd=folders[-1]))
    for folder in folders:
        os.close(folder)

    told = [folder.unreadable for folder in walk(tmp_path)]

    assert told[-1] is Unreadable.NAME_TOO_LONG
    assert set(told[:-1]) == {None}
    # Else the test runner could not remove it either.
    os.system(f"rm -rf {tmp_path}/*")


WALK = """
import sys
from pathlib import Path
from backupkit.capture.scan import walk
for folder in walk(Path(sys.argv[1])):
    print(b"/".join(folder.relative).decode(), folder.unreadable)
"""


def test_a_folder_mounted_inside_itself_is_not_entered_again(tmp_path: Path, system_tool: Callable[[str], str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    mount = f"mount --bind '{tmp_path}' '{tmp_path}/a/b' || exit 77; exec '{sys.executable}' -c \"$1\" '{tmp_path}'"

    answer = subprocess.run(
        [system_tool("unshare"), "-rm", "sh", "-c", mount, "sh", WALK], capture_output=True, text=True, check=False
    )

    if answer.returncode == 77 or "unshare" in answer.stderr:
        pytest.skip("this machine lets nobody mount in a namespace, so no loop could be made")
    assert answer.stdout.splitlines() == [" None", "a None", "a/b folder-loop", "c None"]


def test_random_trees_are_listed_completely(tmp_path: Path) -> None:
    chance = random.Random(20180601)
    expected = set()
    folders = [tmp_path]
    for _ in range(60):
        parent = chance.choice(folders)
        child = parent / "".join(chance.choices(string.ascii_letters, k=6))
        if chance.random() < 0.4:
            child.mkdir()
            folders.append(child)
        else:
            child.write_bytes(bytes(chance.randrange(50)))
        expected.add(child.relative_to(tmp_path))

    found = {
        Path(*map(os.fsdecode, (*folder.relative, entry.name))) for folder in walk(tmp_path) for entry in folder.entries
    }

    assert found == expected
