"""What this machine remembers: the journal, counted chats, and how files were stored. All of it may be damaged at any time."""

import dataclasses
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backup_scene import Scene, bytes_of, some_chats
from hypothesis import given, settings, strategies as st

from backupkit import __version__
from backupkit.capture.pages import PageHashes
from backupkit.ids import ChunkId
from backupkit.ops.chats import chat_facts
from backupkit.ops.chats.chat_facts import ChatFactsCache
from backupkit.ops.events import Notice
from backupkit.ops.failures import NotAWriter
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.memory.journal import Journal, SourceFacts, TakenFacts
from backupkit.ops.saving.remembered_file import RememberedFile, decode_file, decode_pages
from backupkit.store.trees.manifest import ChatFacts

FACTS = SourceFacts("chats", "/home/me/chats", "telegram", "org.telegram.messenger", "telegram-json", 3, 1000, 7, 2)
TREE = ChunkId(bytes(range(32)))


def taken(digit: str) -> TakenFacts:
    return TakenFacts(digit * 64, "2018-06-01T12:00:00Z", True, (FACTS,), ("before the update",))


def test_the_journal_remembers_what_was_taken_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for digit in "abc":
        journal.remember(taken(digit))

    assert list(journal.taken().values()) == [taken("a"), taken("b"), taken("c")]


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_torn_line_takes_no_other_line_with_it(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path / "journal")
    journal.remember(taken("a"))
    journal.remember(taken("b"))
    data = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(data[:-cut])

    journal.remember(taken("c"))

    assert {"a" * 64, "c" * 64} <= journal.taken().keys()


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"[]",
        b"7",
        b'{"type":"taken"}',
        b"[" * 5000,
        b'{"type":"taken","v":1,"snapshot":"x","created_at":"","complete":1,"sources":[7]}',
        json.dumps({**dataclasses.asdict(taken("d")), "type": "taken", "sources": [{"messages": "many"}]}).encode(),
        json.dumps({**dataclasses.asdict(taken("d")), "type": "taken", "sources": ["x"]}).encode(),
    ],
)
def test_a_line_that_is_none_is_passed_over(tmp_path: Path, line: bytes) -> None:
    journal = Journal(tmp_path / "journal")
    journal.remember(taken("a"))
    with (tmp_path / "journal").open("ab") as file:
        file.write(line)
    journal.remember(taken("b"))

    assert list(journal.taken()) == ["a" * 64, "b" * 64]


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_no_journal_makes_the_list_of_snapshots_fail(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-journal"
    path.write_bytes(data)

    assert Journal(path).taken() == {}


def test_a_field_of_a_newer_version_in_the_journal_does_no_harm(tmp_path: Path) -> None:
    record = {**dataclasses.asdict(taken("a")), "type": "taken", "v": 1, "mood": "good"}
    (tmp_path / "journal").write_text(json.dumps(record))

    assert Journal(tmp_path / "journal").taken() == {"a" * 64: taken("a")}


def test_a_lost_journal_costs_the_counts_in_the_list_and_nothing_else(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.memory / "journal.jsonl").unlink()

    (line,) = list_snapshots(scene.places)

    assert (line.sources, line.messages, line.state) == (None, None, "saved")


def test_counted_chats_are_remembered_by_their_tree(tmp_path: Path) -> None:
    cache = ChatFactsCache(tmp_path / "facts")
    facts = ChatFacts(format="telegram-json", app="telegram", messages=7, conversations=2)
    assert cache.known(TREE) == (False, None)

    cache.remember(TREE, facts)
    cache.remember(ChunkId(bytes(32)), None)

    assert ChatFactsCache(tmp_path / "facts").known(TREE) == (True, facts)
    assert cache.known(ChunkId(bytes(32))) == (True, None)


def test_what_another_version_counted_is_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ChatFactsCache(tmp_path / "facts")
    cache.remember(TREE, None)

    monkeypatch.setattr(chat_facts, "__version__", "0.2.0")

    assert cache.known(TREE) == (False, None)
    cache.remember(TREE, None)
    assert cache.known(TREE) == (True, None)


def test_only_the_newest_counts_stay(tmp_path: Path) -> None:
    cache = ChatFactsCache(tmp_path / "facts")
    trees = [ChunkId(number.to_bytes(32, "big")) for number in range(230)]
    for tree in trees:
        cache.remember(tree, None)

    assert [cache.known(tree)[0] for tree in trees] == [False] * 30 + [True] * 200


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"v":1,"rows":7}', b'{"v":2,"rows":{}}', b"[" * 5000,
     json.dumps({"v": 1, "by": __version__, "rows": 7}).encode(),
     json.dumps({"v": 1, "by": __version__, "rows": {TREE.hex(): {"format": 7}}}).encode(),
     json.dumps({"v": 1, "by": __version__, "rows": {TREE.hex(): {"format": "x", "messages": "many"}}}).encode(),
     json.dumps({"v": 1, "by": __version__, "rows": {TREE.hex(): {"nonsense": 7}}}).encode()],
)  # fmt: skip
def test_a_damaged_memory_of_counts_is_counted_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "facts"
    path.write_bytes(content)
    cache = ChatFactsCache(path)

    assert cache.known(TREE) == (False, None)
    cache.remember(TREE, None)
    assert cache.known(TREE) == (True, None)


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63),
    st.lists(st.binary(min_size=32, max_size=32), max_size=5),
)
def test_a_remembered_file_comes_back_as_it_was(sha256: bytes, size: int, chunks: list[bytes]) -> None:
    for remembered in (
        RememberedFile(sha256, size, tuple(map(ChunkId, chunks))),
        RememberedFile(sha256, size, None),
    ):
        assert decode_file(remembered.encode()) == remembered


@given(st.binary(max_size=300))
def test_any_bytes_are_a_remembered_file_or_none(data: bytes) -> None:
    found = decode_file(data)
    assert found is None or found.encode() == data


@given(st.one_of(st.none(), st.binary(max_size=300)))
def test_any_bytes_are_remembered_pages_or_none(data: bytes | None) -> None:
    decode_pages(data)


def test_remembered_pages_that_do_not_fit_each_other_are_none() -> None:
    hashes = PageHashes(4096, 8192, bytes(64)).encode() if hasattr(PageHashes, "encode") else b""
    assert decode_pages(len(hashes).to_bytes(4, "big") + hashes + os.urandom(40)) is None


def test_a_memory_that_another_user_closed_keeps_nobody_from_their_chats(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_chats(scene)
    scene.take()
    _close(scene.places.state, monkeypatch)

    assert not scene.restore().damaged
    (line,) = list_snapshots(scene.places)
    with pytest.raises(NotAWriter):
        scene.take()

    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)
    assert (line.state, line.sources) == ("saved", None)
    told = next(event for event in scene.told if isinstance(event, Notice) and event.code == "memory-unreadable")
    assert told.facts == {"path": str(scene.places.state), "reason": "Permission denied"}


def _close(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Answer as the system does where the folder is somebody else's: root, who may run the tests, would be let in."""

    def is_in(path: object) -> bool:
        return isinstance(path, str | Path) and Path(path).is_relative_to(folder)

    def closed(really: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: object, *args: Any, **rest: Any) -> Any:
            if is_in(path) and Path(str(path)) != folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return really(path, *args, **rest)

        return call

    for name in ("open", "stat", "mkdir"):
        patch.setattr(os, name, closed(getattr(os, name)))
    patch.setattr(io, "open", closed(io.open))
    may = os.access
    patch.setattr(os, "access", lambda path, mode: not is_in(path) and may(path, mode))
