"""A log that loses nothing to crashes and races. Heads here are the hash chain of their entries: enough to see a wrong one."""

import hashlib
import json
import threading

import pytest
from simulated_backends import PowerCut, PowerCutBackend, damage

from backupkit.codec.malformed import MalformedObject
from backupkit.store import layout
from backupkit.store.backend import Backend
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.objects.log_store import Appended, LogStore


def size_of(head: bytes) -> int:
    try:
        fields = json.loads(head)
        return int(fields["size"])
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedObject(what="head", reason="damaged") from error


def sign(head: bytes | None, sequence: int, entry: bytes) -> bytes:
    before = json.loads(head)["root"] if head else ""
    root = hashlib.sha256(before.encode() + entry).hexdigest()
    return json.dumps({"size": sequence + 1, "root": root}).encode()


def accept(sequence: int, entry: bytes) -> None:
    if not entry.startswith(b"entry %d " % sequence):
        raise MalformedObject(what="entry", reason="not-mine")


def append(backend: Backend, text: str) -> Appended:
    return LogStore(backend).append(
        lambda sequence: b"entry %d %s" % (sequence, text.encode()), sign, size_of=size_of, accept=accept
    )


def entries(backend: Backend) -> list[str]:
    log = LogStore(backend)
    head = log.read_head(size_of)
    if head is None:
        return []
    found = list(log.entries(0, size_of(head)))
    replayed = None
    for sequence, entry in enumerate(found):
        replayed = sign(replayed, sequence, entry)
    assert replayed == head, "the head covers exactly these entries"
    return [entry.split(b" ")[2].decode() for entry in found]


def test_entries_follow_each_other(backend: MemoryBackend) -> None:
    assert LogStore(backend).read_head(size_of) is None

    appended = [append(backend, text) for text in ("a", "b", "c")]

    assert entries(backend) == ["a", "b", "c"]
    assert [one.sequence for one in appended] == [0, 1, 2]
    assert appended[2].head == LogStore(backend).read_head(size_of)


def test_a_crash_anywhere_loses_no_entry_that_was_committed_and_the_log_goes_on() -> None:
    writes = 0
    while True:
        disk = MemoryBackend()
        cut = PowerCutBackend(writes, disk)
        done = []
        try:
            for text in ("a", "b", "c"):
                append(cut, text)
                done.append(text)
        except PowerCut:
            pass

        append(disk, "next")

        found = entries(disk)
        assert found[: len(done)] == done
        assert found[-1] == "next"
        assert found in ([*["a", "b", "c", "next"][: len(found) - 1], "next"], [*done, "next"])
        if len(done) == 3:
            break
        writes += 1
    assert writes > 10


def test_an_entry_left_by_a_dead_writer_is_committed_first(backend: MemoryBackend) -> None:
    append(backend, "a")
    backend.create(layout.log_entry(1), b"entry 1 left")

    appended = append(backend, "b")

    assert entries(backend) == ["a", "left", "b"]
    assert appended.sequence == 2


def test_rubbish_left_past_the_head_is_replaced(backend: MemoryBackend) -> None:
    append(backend, "a")
    for copy in ("", "copies/1/", "copies/2/"):
        backend.create(copy + layout.log_entry(1), b"rubbish")

    append(backend, "b")

    assert entries(backend) == ["a", "b"]


def test_many_writers_at_once_commit_every_entry_once(backend: MemoryBackend) -> None:
    texts = [f"{writer}-{number}" for writer in range(4) for number in range(8)]

    def run(writer: int) -> None:
        for number in range(8):
            append(backend, f"{writer}-{number}")

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(entries(backend)) == sorted(texts)


@pytest.mark.parametrize("name", [layout.LOG_HEAD, layout.log_entry(1)])
@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_a_lost_head_or_entry_is_read_from_its_copies(backend: MemoryBackend, name: str, how: str) -> None:
    for text in ("a", "b", "c"):
        append(backend, text)
    backend.delete(name)
    if how == "damaged" and name == layout.LOG_HEAD:
        backend.create(name, b"{")

    assert entries(backend) == ["a", "b", "c"]


def test_a_damaged_entry_is_passed_over_for_its_copy(backend: MemoryBackend) -> None:
    append(backend, "a")
    damage(backend, layout.log_entry(0), b"rotten")

    assert LogStore(backend).entry(0, lambda data: accept(0, data)) == b"entry 0 a"
