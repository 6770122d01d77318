"""Large signed JARs, whose entries two threads digest: the answer is the one that a reader in order would give."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from apk_factory import ZipEntry, build_apk, make_key, make_zip, read_zip, sign_v1

from backupkit.guard.apk import jar_digests
from backupkit.guard.apk.jar_manifest import Section
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.zip_bytes import Archive, Entry

A = make_key("rsa", "A")
ENTRIES, SIZE = 40, 200_000


@pytest.fixture(scope="module")
def entries() -> list[ZipEntry]:
    """What a large package consists of: half compressed, half stored."""
    drawn = random.Random(1)
    words = [drawn.randbytes(9) for _ in range(500)]
    filling = [b"".join(drawn.choices(words, k=SIZE // 9)) for _ in range(ENTRIES)]
    files = [ZipEntry(b"res/%02d" % number, data, method=number % 2 * 8) for number, data in enumerate(filling)]
    return read_zip(sign_v1(make_zip([*read_zip(build_apk(min_sdk=21, target_sdk=29)), *files]), A))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The threads that digested something."""
    seen = set()
    digest = jar_digests.EntryDigests._digest

    def watched(own: jar_digests.EntryDigests, entry: Entry, section: Section) -> dict[str, bytes]:
        seen.add(threading.current_thread().name)
        return digest(own, entry, section)

    monkeypatch.setattr(jar_digests.EntryDigests, "_digest", watched)
    return seen


def written(folder: Path, entries: list[ZipEntry], *changed: tuple[int, ZipEntry]) -> Path:
    changes = {b"res/%02d" % number: entry for number, entry in changed}
    path = folder / "app.apk"
    path.write_bytes(make_zip(changes.get(entry.name, entry) for entry in entries))
    return path


def is_second_at_work() -> bool:
    return any(thread.name == "entry-digests" for thread in threading.enumerate())


def broken_at(number: int) -> tuple[int, ZipEntry]:
    """An entry that does not expand to what it says."""
    return number, ZipEntry(b"res/%02d" % number, b"x" * SIZE, method=8, declared_size=SIZE + 1)


def changed_at(number: int) -> tuple[int, ZipEntry]:
    return number, ZipEntry(b"res/%02d" % number, b"x" * SIZE, method=8)


def test_a_large_package_is_digested_by_two_threads(tmp_path: Path, entries: list[ZipEntry], workers: set[str]) -> None:
    package = read_package(written(tmp_path, entries))

    assert {package.signing_at(level).digests for level in package.levels} == {(A.digest,)}
    assert len(workers) == 2


@pytest.mark.parametrize(
    ("changed", "reason", "named"),
    [
        ([changed_at(21), changed_at(35)], Reason.V1_ENTRY_CHANGED, "res/21"),
        ([changed_at(21), broken_at(3)], Reason.ENTRY_MALFORMED, "res/03"),
        ([changed_at(3), broken_at(21)], Reason.V1_ENTRY_CHANGED, "res/03"),
        ([broken_at(number) for number in range(5, ENTRIES)], Reason.ENTRY_MALFORMED, "res/05"),
        ([changed_at(0)], Reason.V1_ENTRY_CHANGED, "res/00"),
        ([changed_at(ENTRIES - 1)], Reason.V1_ENTRY_CHANGED, "res/39"),
    ],
)
def test_the_first_entry_in_the_file_that_is_wrong_is_named(
    tmp_path: Path, entries: list[ZipEntry], changed: list[tuple[int, ZipEntry]], reason: Reason, named: str
) -> None:
    path = written(tmp_path, entries, *changed)

    for _ in range(3):
        with pytest.raises(PackageNotGenuine) as caught:
            read_package(path)
        assert (caught.value.reason, caught.value.facts["entry"]) == (reason, named)


def test_a_file_that_is_cut_while_it_is_read_is_not_judged(
    tmp_path: Path, entries: list[ZipEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, entries)
    content = Archive.content

    def cutting(archive: Archive, entry: Entry) -> Iterator[bytes]:
        if entry.name == b"res/20":
            with path.open("r+b") as file:
                file.truncate(1_000_000)
        return content(archive, entry)

    monkeypatch.setattr(Archive, "content", cutting)

    with pytest.raises(PackageUndecided):
        read_package(path)
    assert not is_second_at_work()


def test_who_interrupts_is_not_kept_waiting_by_the_second_thread(
    tmp_path: Path, entries: list[ZipEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, entries)
    content, begun = Archive.content, []

    def interrupted(archive: Archive, entry: Entry) -> Iterator[bytes]:
        begun.append(entry.name)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return content(archive, entry)

    monkeypatch.setattr(Archive, "content", interrupted)

    with pytest.raises(KeyboardInterrupt):
        read_package(path)
    assert not is_second_at_work()
    assert len(begun) < ENTRIES // 2
