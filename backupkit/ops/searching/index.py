"""The sealed search index of one domain: built from snapshots as they come, thrown away without a loss.

It lies in the cache, sealed under a key that only the keyring leads to: a machine that saves without a passphrase cannot read
it. Each snapshot adds the messages that are new in it; a message that many snapshots hold is kept once, with the first and
the last that have it. What is damaged here is made anew.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from backupkit.chats.search.document import Document
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.derive import derive
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import open_blob, seal_blob
from backupkit.home import make_private
from backupkit.ids import RepositoryId
from backupkit.ops.places import write_private
from backupkit.ops.searching.segment import Filling, Place, Segment, merged, open_segment, write_segment

STATE = "state"
_VERSION = 4
_WHAT = "search-index"
_SMALL = 1 << 14
_MOST_SMALL = 8
UNUSABLE = (OSError, MalformedObject, OpenFailed)
"""What reading an index may raise that is damaged, of another version, or sealed with another key."""

Sender: TypeAlias = tuple[str | None, str | None, bool]
"""Who sent a message: the app's id and a name where it has them, and whether it was the owner."""


@dataclass(slots=True)
class IndexedSource:
    """A source as far as it was indexed. `present` are the numbers of the snapshots that have it, `tree` its newest bytes.

    `unopened` are marks of the owner's keys with which sealed backups in it were tried and stayed sealed; empty for none.
    """

    name: str
    path: str
    tree: str = ""
    present: list[int] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)


@dataclass(slots=True)
class IndexedConversation:
    """A conversation that documents are in."""

    source: int
    format: str
    key: str
    title: str | None
    app: str | None


@dataclass(slots=True)
class IndexState:
    """All that is known of an index but the documents. Lists are referred to by number and only ever grow.

    `ended` holds documents that newer snapshots lack, by file and number: the last snapshot that has them, and whether a newer
    version of the message took their place. `incomplete` are snapshots of which a part could not be read.
    """

    segments: dict[str, int] = field(default_factory=dict)
    snapshots: list[str] = field(default_factory=list)
    sources: list[IndexedSource] = field(default_factory=list)
    conversations: list[IndexedConversation] = field(default_factory=list)
    senders: list[Sender] = field(default_factory=list)
    ended: dict[str, dict[int, tuple[int, bool]]] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)

    def end_of(self, place: Place) -> tuple[int, bool] | None:
        """Return the last snapshot that has a document and whether it was replaced; None where the newest has it."""
        return self.ended.get(place.segment, {}).get(place.number)


class SearchIndex:
    """The index of one domain on this machine. Made by `open_index`, which holds its lock."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self.key = key
        self.state = IndexState()

    def load(self) -> bool:
        """Read what is there; return whether it could be used. Nothing at all is a good beginning."""
        path = self.folder / STATE
        try:
            if path.exists():
                self.state = _decode_state(open_blob(self.key, path.read_bytes(), purpose=_WHAT))
                for name in self.state.segments:
                    if not (self.folder / name).is_file():
                        raise MalformedObject(what=_WHAT, reason="segment-missing")
        except UNUSABLE:
            self.discard()
            return False
        for stray in self.folder.glob("*"):
            # A killed process may have left files that no state names.
            if stray.name not in {STATE, *self.state.segments}:
                stray.unlink(missing_ok=True)
        return True

    def discard(self) -> None:
        """Throw everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make_private(self.folder)
        self.state = IndexState()

    def save(self) -> None:
        """Make the state what counts from now on."""
        write_private(self.folder / STATE, seal_blob(self.key, _encode_state(self.state), purpose=_WHAT))

    @contextmanager
    def open_segments(self) -> Iterator[dict[str, Segment]]:
        """Open every file.

        Raises:
            OSError, MalformedObject, OpenFailed: one of them cannot be used.
        """
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(open_segment(self.folder / name, self.key)) for name in self.state.segments
            }

    def write(self, filling: Filling) -> Iterator[tuple[Document, Place]]:
        """Write documents; give where each went. The state is not saved yet."""
        if not filling.documents:
            return
        name = f"{secrets.token_hex(8)}.segment"
        documents = write_segment(self.folder / name, self.key, filling)
        self.state.segments[name] = len(documents)
        for number, document in enumerate(documents):
            yield document, Place(name, number)

    def tidy(self) -> Iterator[tuple[Document, Place]]:
        """Make few files of many small ones, and save the state; give the new places. The old files go afterwards."""
        small = [name for name, count in self.state.segments.items() if count < _SMALL]
        if len(small) <= _MOST_SMALL:
            self.save()
            return
        ended = {name: self.state.ended.pop(name, {}) for name in small}
        for name in small:
            del self.state.segments[name]
        with ExitStack() as stack:
            opened = {name: stack.enter_context(open_segment(self.folder / name, self.key)) for name in small}
            yield from self._rewritten(opened, ended)
        self.save()
        for name in small:
            (self.folder / name).unlink(missing_ok=True)

    def _rewritten(
        self, segments: dict[str, Segment], ended: dict[str, dict[int, tuple[int, bool]]]
    ) -> Iterator[tuple[Document, Place]]:
        filling, ends = Filling(), dict[int, tuple[int, bool]]()
        for place, document in merged(segments):
            if filling.is_full:
                yield from self._write_with(filling, ends)
                filling, ends = Filling(), {}
            filling.add(document)
            if (end := ended[place.segment].get(place.number)) is not None:
                ends[id(document)] = end
        yield from self._write_with(filling, ends)

    def _write_with(self, filling: Filling, ends: dict[int, tuple[int, bool]]) -> Iterator[tuple[Document, Place]]:
        # By the object and not by what it says: a message may have said this, then that, then this again.
        for document, place in self.write(filling):
            if (end := ends.get(id(document))) is not None:
                self.state.ended.setdefault(place.segment, {})[place.number] = end
            yield document, place


def index_key(secrets_of_domain: DomainSecrets, repository: RepositoryId) -> bytes:
    """Return the key of a domain's index. It hangs on what only the keyring opens, and is gone with the domain's key."""
    context = bytes(repository) + bytes(secrets_of_domain.id)
    return derive(secrets_of_domain.identity.seed, _WHAT, context=context)


def _encode_state(state: IndexState) -> bytes:
    fields = {
        "v": _VERSION,
        "segments": state.segments,
        "snapshots": state.snapshots,
        "sources": [[one.name, one.path, one.tree, one.present, one.unopened] for one in state.sources],
        "conversations": [[one.source, one.format, one.key, one.title, one.app] for one in state.conversations],
        "senders": state.senders,
        "ended": {
            name: [[number, last, replaced] for number, (last, replaced) in rows.items()]
            for name, rows in state.ended.items()
        },
        "incomplete": state.incomplete,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def _decode_state(data: bytes) -> IndexState:
    try:
        fields: dict[str, Any] = json.loads(data)
        if fields["v"] != _VERSION:
            raise MalformedObject(what=_WHAT, reason="another-version")
        return IndexState(
            segments={str(name): int(count) for name, count in fields["segments"].items()},
            snapshots=[str(one) for one in fields["snapshots"]],
            sources=[IndexedSource(*row) for row in fields["sources"]],
            conversations=[IndexedConversation(*row) for row in fields["conversations"]],
            senders=[(row[0], row[1], row[2]) for row in fields["senders"]],
            ended={
                name: {number: (last, replaced) for number, last, replaced in rows}
                for name, rows in fields["ended"].items()
            },
            incomplete=[str(one) for one in fields.get("incomplete", ())],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, IndexError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-state") from error
