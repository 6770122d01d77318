"""Files read as one moment."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backupkit.capture.stable_read import PIECE_SIZE, read_stable
from backupkit.capture.unreadable import SourceUnreadable


@pytest.mark.parametrize("size", [0, 1, 5000, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 3 * PIECE_SIZE + 7])
def test_a_quiet_file_is_read_once_in_full_pieces(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(content)

    done = read_stable(path, list)

    assert b"".join(done.answer) == content
    assert all(len(piece) == PIECE_SIZE for piece in done.answer[:-1])
    assert (done.size, done.attempts, done.changed) == (size, 1, False)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(b"a" * (2 * PIECE_SIZE))
    calls = []

    def read(pieces: Iterator[bytes]) -> bytes:
        calls.append(next(pieces)[:1])
        if len(calls) == 1:
            path.write_bytes(b"b" * (2 * PIECE_SIZE))
        return calls[-1] + b"".join(pieces)[:1]

    done = read_stable(path, read)

    assert (done.answer, done.attempts, done.changed) == (b"bb", 2, False)


def test_a_file_that_never_holds_still_is_read_to_the_last_attempt_and_told(tmp_path: Path) -> None:
    path = tmp_path / "growing.log"
    path.write_bytes(b"line\n")

    def read(pieces: Iterator[bytes]) -> bytes:
        seen = b"".join(pieces)
        with path.open("ab") as file:
            file.write(b"line\n")
        return seen

    done = read_stable(path, read, attempts=4)

    assert (done.attempts, done.changed) == (4, True)
    assert done.answer == b"line\n" * 4


def test_a_reader_that_stops_early_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * PIECE_SIZE))

    done = read_stable(path, lambda pieces: len(next(pieces)))

    assert (done.answer, done.changed) == (PIECE_SIZE, False)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "vanished"),
        (lambda path: path.symlink_to("/etc/hostname"), "became-another-kind"),
        (lambda path: path.mkdir(), "became-another-kind"),
        (os.mkfifo, "became-another-kind"),
    ],
    ids=["nothing", "link", "folder", "pipe"],
)
def test_what_took_the_files_place_is_told_and_not_opened(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "file")

    with pytest.raises(SourceUnreadable) as caught:
        read_stable(tmp_path / "file", list)

    assert caught.value.facts == {"path": str(tmp_path / "file"), "reason": reason}
    assert int(caught.value.exit_code) == 3


def test_reading_leaves_no_trace_in_the_access_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    os.utime(path, ns=(1, path.stat().st_mtime_ns))

    read_stable(path, list)

    assert path.stat().st_atime_ns == 1
