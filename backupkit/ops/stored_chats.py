"""The chats of a snapshot, laid out so that the readers of exports can look at them.

Only what may be an export is written to a private folder, and only for as long as it is looked at. Media come as
empty space of their length: a reader asks whether they are there, never what is in them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.chats.members import may_hold_an_export
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.repository import store_finding
from backupkit.store.contents import LOST, content_bytes, walk_tree
from backupkit.store.domain_reader import DomainReader
from backupkit.store.finding import cause
from backupkit.store.manifest import Source
from backupkit.store.tree import Entry, EntryKind


@contextmanager
def laid_out(reader: DomainReader, source: Source, scratch: Path, tell: Tell) -> Iterator[Path]:
    """Give a folder or file that reads as the source did when it was saved. What is lost is told and passed over."""
    discard_leftovers(scratch)
    with private_folder(scratch) as folder:
        # A source keeps its own name: some formats tell the conversation by it.
        root = folder / (_own_name(source.path) or "source")
        root.mkdir(mode=0o700)
        files = 0
        only: Path | None = None
        for path, entry in walk_tree(reader, source.tree, lambda found: tell(store_finding(found))):
            target = root.joinpath(*map(os.fsdecode, path.split(b"/")))
            if entry.kind is EntryKind.FOLDER:
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            elif entry.kind is EntryKind.FILE:
                files += 1
                only = target
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _lay_out(reader, entry, target, tell)
        was_a_file = files == 1 and only is not None and only.parent == root and only.name == root.name
        yield only if was_a_file and only is not None else root


def _lay_out(reader: DomainReader, entry: Entry, target: Path, tell: Tell) -> None:
    try:
        with target.open("xb") as file:
            if entry.content is not None and may_hold_an_export(target.name):
                for piece in content_bytes(reader, entry.content):
                    file.write(piece)
            else:
                file.truncate(entry.size)
    except LOST as error:
        tell(Found("file-damaged", Severity.ERROR, {"path": target.name, "reason": cause(error)}))


def _own_name(path: bytes) -> str:
    name = os.fsdecode(path.rstrip(b"/").rpartition(b"/")[2])
    return "" if name in {".", ".."} else name
