"""One suite for every backend: what the store relies on."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backupkit.store.backend import (
    AlreadyExists,
    Backend,
    BadName,
    ObjectMissing,
    ObjectTruncated,
    SwapLost,
    Written,
)
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.backends.posix_backend import PosixBackend

if TYPE_CHECKING:
    from collections.abc import Callable


class Refused(Exception):
    pass


@pytest.fixture(params=["memory", "posix", "posix-without-hard-links"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    kinds: dict[str, Callable[[], Backend]] = {
        "memory": MemoryBackend,
        "posix": lambda: PosixBackend(tmp_path),
        "posix-without-hard-links": lambda: PosixBackend(tmp_path, hard_links=False),
    }
    return kinds[request.param]()


def test_what_was_created_is_read_back_whole_and_in_ranges(backend: Backend) -> None:
    backend.create("packs/ab/abcd", bytearray(b"0123456789"))

    assert backend.read("packs/ab/abcd") == b"0123456789"
    assert backend.read("packs/ab/abcd", 3, 4) == b"3456"
    assert backend.read("packs/ab/abcd", 7) == b"789"
    assert backend.read("packs/ab/abcd", 10, 0) == b""
    assert backend.size("packs/ab/abcd") == 10


def test_an_empty_object_is_an_object(backend: Backend) -> None:
    backend.create("empty", b"")

    assert backend.read("empty") == b""
    assert list(backend.names("")) == ["empty"]


def test_a_name_is_created_once(backend: Backend) -> None:
    backend.create("config", b"first")

    with pytest.raises(AlreadyExists):
        backend.create("config", b"second")

    assert backend.read("config") == b"first"


def test_a_range_past_the_end_is_an_error_and_never_short(backend: Backend) -> None:
    backend.create("config", b"0123456789")

    for offset, length in [(8, 3), (11, 0), (11, None), (0, 2**60)]:
        with pytest.raises(ObjectTruncated):
            backend.read("config", offset, length)


def test_what_is_not_there_is_missing(backend: Backend) -> None:
    backend.create("log/checkpoint", b"x")

    for ask in (backend.read, backend.size):
        for name in ("config", "log/other", "log/checkpoint/below"):
            with pytest.raises(ObjectMissing):
                ask(name)


def test_a_check_sees_the_bytes_before_the_name_appears(backend: Backend) -> None:
    seen = []

    def check(written: Written) -> None:
        ends = [bytes(written.read(0, 3)), bytes(written.read(5, 1000)), bytes(written.read(7, 1))]
        seen.append((written.size, ends, list(backend.names(""))))

    backend.create("config", b"content", check=check)

    assert seen == [(7, [b"con", b"nt", b""], [])]


def test_a_refused_object_never_appears(backend: Backend) -> None:
    def refuse(_: Written) -> None:
        raise Refused

    with pytest.raises(Refused):
        backend.create("config", b"content", check=refuse)

    assert list(backend.names("")) == []
    backend.create("config", b"other")
    assert backend.read("config") == b"other"


def test_what_is_written_over_is_there_whole_whether_or_not_anything_was(backend: Backend) -> None:
    backend.create("packs/ab/damaged", b"rotten")

    backend.overwrite("packs/ab/damaged", bytearray(b"whole again"))
    backend.overwrite("packs/cd/missing", memoryview(b"back"))

    assert backend.read("packs/ab/damaged") == b"whole again"
    assert backend.read("packs/cd/missing") == b"back"
    assert list(backend.names("")) == ["packs/ab/damaged", "packs/cd/missing"]
    assert backend.sweep_unfinished(timedelta(0)) == 0


def test_what_is_refused_when_it_is_written_over_changes_nothing(backend: Backend) -> None:
    backend.create("packs/ab/damaged", b"rotten, but some of it can be read")

    def refuse(written: Written) -> None:
        assert bytes(written.read(0, 100)) == b"whole again"
        assert backend.read("packs/ab/damaged") == b"rotten, but some of it can be read"
        raise Refused

    with pytest.raises(Refused):
        backend.overwrite("packs/ab/damaged", b"whole again", check=refuse)

    assert backend.read("packs/ab/damaged") == b"rotten, but some of it can be read"
    assert list(backend.names("")) == ["packs/ab/damaged"]


def test_names_are_sorted_and_begin_with_the_prefix(backend: Backend) -> None:
    for name in ("b/2", "a.b", "a/b", "a/b.c/d", "ab", "b/1", "b/11"):
        backend.create(name, b"")

    assert list(backend.names("")) == ["a.b", "a/b", "a/b.c/d", "ab", "b/1", "b/11", "b/2"]
    assert list(backend.names("a/")) == ["a/b", "a/b.c/d"]
    assert list(backend.names("b/1")) == ["b/1", "b/11"]
    assert list(backend.names("c/")) == []


def test_deleting_is_final_and_may_be_repeated(backend: Backend) -> None:
    backend.create("a/b", b"1")

    backend.delete("a/b")
    backend.delete("a/b")
    backend.delete("never/was")

    assert list(backend.names("")) == []
    backend.create("a/b", b"2")
    assert backend.read("a/b") == b"2"


def test_a_swap_needs_the_bytes_that_it_replaces(backend: Backend) -> None:
    backend.swap("log/checkpoint", None, b"one")
    backend.swap("log/checkpoint", b"one", b"two")

    for expected in (None, b"one", b""):
        with pytest.raises(SwapLost):
            backend.swap("log/checkpoint", expected, b"three")
    with pytest.raises(SwapLost):
        backend.swap("log/other", b"one", b"two")

    assert backend.read("log/checkpoint") == b"two"
    assert list(backend.names("")) == ["log/checkpoint"]


@pytest.mark.parametrize(
    "name",
    ["", "/etc", "a//b", "a/", "../a", "a/../b", "a/.tmp-1", ".lock", "A", "a b", "a\n", "ä", "a\x00", "a" * 241],
)
def test_names_that_could_lead_elsewhere_are_refused(backend: Backend, name: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: backend.create(name, b""),
        lambda: backend.read(name),
        lambda: backend.size(name),
        lambda: backend.delete(name),
        lambda: backend.swap(name, None, b""),
        lambda: backend.overwrite(name, b""),
    ]
    for ask in asks:
        with pytest.raises(BadName):
            ask()


def test_of_many_creators_of_one_name_exactly_one_wins(backend: Backend) -> None:
    outcomes: list[int | None] = []

    def create(number: int) -> None:
        try:
            backend.create("log/entries/0000000001", b"%d" % number * 5000)
            outcomes.append(number)
        except AlreadyExists:
            outcomes.append(None)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [outcome for outcome in outcomes if outcome is not None]
    assert len(outcomes) == 8
    assert len(winners) == 1
    assert backend.read("log/entries/0000000001") == b"%d" % winners[0] * 5000


def test_of_many_swaps_none_is_lost_unseen(backend: Backend) -> None:
    backend.swap("log/checkpoint", None, b"0")

    def count_to_ten() -> None:
        for _ in range(10):
            while True:
                current = backend.read("log/checkpoint")
                try:
                    backend.swap("log/checkpoint", current, b"%d" % (int(current) + 1))
                    break
                except SwapLost:
                    continue

    threads = [threading.Thread(target=count_to_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert backend.read("log/checkpoint") == b"40"


def test_nothing_unfinished_is_left_by_work_that_was_finished(backend: Backend) -> None:
    backend.create("a", b"")
    backend.swap("b", None, b"")

    assert backend.sweep_unfinished(timedelta(0)) == 0
