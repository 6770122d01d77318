"""Bytes from one open file to another, and an older copy made equal again."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.capture import copying
from backupkit.capture.copying import copy_descriptor, mend_copy

MIB = 1 << 20


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Path, int]:
    """Return a file of some MiB, and a descriptor that reads it."""
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3 * MIB + 17))
    return path, os.open(path, os.O_RDONLY)


def test_a_copy_is_private_and_holds_all_or_the_most_that_is_asked_for(
    tmp_path: Path, opened: tuple[Path, int]
) -> None:
    path, descriptor = opened

    assert copy_descriptor(descriptor, tmp_path / "copy") == path.stat().st_size
    assert copy_descriptor(descriptor, tmp_path / "part", most=100) == 100

    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert (tmp_path / "part").read_bytes() == path.read_bytes()[:100]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_mending_writes_only_what_changed(tmp_path: Path, opened: tuple[Path, int]) -> None:
    path, descriptor = opened
    copy_descriptor(descriptor, tmp_path / "copy")

    assert mend_copy(descriptor, tmp_path / "copy") == 0
    with path.open("r+b") as file:
        file.seek(MIB + 5)
        file.write(b"changed")

    assert mend_copy(descriptor, tmp_path / "copy") == MIB
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(before=st.binary(max_size=300), now=st.binary(max_size=300), piece=st.integers(1, 64))
def test_a_mended_copy_is_the_file_whatever_it_was_before(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, now: bytes, piece: int
) -> None:
    folder = tmp_path_factory.mktemp("mending")
    (folder / "copy").write_bytes(before)
    (folder / "source").write_bytes(now)
    descriptor = os.open(folder / "source", os.O_RDONLY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_PIECE", piece)
        mend_copy(descriptor, folder / "copy")

    os.close(descriptor)
    assert (folder / "copy").read_bytes() == now
