"""Which pages changed."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.capture.pages import EXTENT_PAGES, PageHashes, PageReading, changed_pages
from backupkit.codec.malformed import MalformedObject


def image(folder: Path, data: bytes | bytearray) -> Path:
    path = folder / "image"
    path.write_bytes(data)
    return path


def test_the_first_reading_gives_every_page_and_the_files_own_hash(tmp_path: Path) -> None:
    data = bytes(range(256)) * 16 * 700 + b"tail"
    reading = PageReading(image(tmp_path, data), 4096, None)

    extents = list(reading.extents())

    assert b"".join(extent.data for extent in extents) == data
    assert [extent.ranges for extent in extents] == [((0, 256),), ((256, 256),), ((512, 189),)]
    assert reading.result.sha256 == hashlib.sha256(data).digest()
    assert (reading.result.size, reading.result.changed_pages, reading.result.hashes.pages) == (len(data), 701, 701)


def test_scattered_changes_come_bundled_in_order(tmp_path: Path) -> None:
    old = bytearray(4096 * 2000)
    known = changed_pages(image(tmp_path, old), 4096, None).read.hashes
    for page in range(0, 2000, 3):
        old[page * 4096] = 1
    reading = PageReading(image(tmp_path, old), 4096, known)

    extents = list(reading.extents())

    assert [len(extent.data) // 4096 for extent in extents] == [256, 256, 155]
    assert [first for extent in extents for first, _ in extent.ranges] == list(range(0, 2000, 3))


def test_nothing_changed_gives_nothing(tmp_path: Path) -> None:
    path = image(tmp_path, bytes(50_000))
    known = changed_pages(path, 4096, None).read.hashes

    changes = changed_pages(path, 4096, known)

    assert (changes.ranges, changes.read.changed_pages) == ((), 0)
    assert changes.read.hashes == known


def test_hashes_for_another_page_size_say_nothing(tmp_path: Path) -> None:
    path = image(tmp_path, bytes(8192))
    known = changed_pages(path, 1024, None).read.hashes

    assert changed_pages(path, 4096, known).ranges == ((0, 2),)


def test_an_empty_image_has_no_pages(tmp_path: Path) -> None:
    changes = changed_pages(image(tmp_path, b""), 4096, None)

    assert (changes.ranges, changes.read.size, changes.read.hashes.pages) == ((), 0, 0)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([512, 1024, 4096, 65536]),
    st.binary(min_size=1, max_size=16),
    st.integers(0, 3_000_000),
    st.integers(0, 3_000_000),
    st.lists(st.integers(0, 3_000_000), max_size=12),
)
def test_old_pages_and_changed_extents_make_the_new_file(
    page_size: int, unit: bytes, old_size: int, new_size: int, touched: list[int]
) -> None:
    old = (unit * (old_size // len(unit) + 1))[:old_size]
    new = bytearray((unit * (new_size // len(unit) + 1))[:new_size])
    for at in touched:
        if at < new_size:
            new[at] ^= 0xFF
    with tempfile.TemporaryDirectory() as folder:
        known = PageHashes.decode(changed_pages(image(Path(folder), old), page_size, None).read.hashes.encode())
        reading = PageReading(image(Path(folder), bytes(new)), page_size, known)
        made = bytearray(old[:new_size].ljust(new_size, b"\0"))
        for extent in reading.extents():
            at = 0
            assert sum(count for _, count in extent.ranges) <= EXTENT_PAGES
            for first, count in extent.ranges:
                size = min(count * page_size, new_size - first * page_size)
                made[first * page_size : first * page_size + size] = extent.data[at : at + size]
                at += size
            assert at == len(extent.data)

    assert made == new
    assert reading.result.sha256 == hashlib.sha256(new).digest()


@given(st.binary(max_size=200))
def test_hostile_page_hashes_are_refused_or_read(data: bytes) -> None:
    try:
        decoded = PageHashes.decode(data)
    except MalformedObject:
        return
    assert decoded.encode() == data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"pgs2" + data[4:],
        lambda data: data[:4] + bytes(4) + data[8:],
    ],
)
def test_page_hashes_that_do_not_fit_their_size_are_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    encoded = changed_pages(image(tmp_path, bytes(5000)), 4096, None).read.hashes.encode()

    with pytest.raises(MalformedObject):
        PageHashes.decode(change(encoded))
