"""What this machine remembers of the snapshots it took.

The repository tells nothing about apps, people or message counts to who has no key. So that `status` and `snapshots` can
answer without a passphrase, the machine that has the chats anyway keeps these facts beside its keys. Losing the journal
loses nothing that a key slot cannot show again; a torn or damaged line is passed over.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from backupkit.ops.places import make_private


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was found in one source. Times are RFC 3339 UTC; None where the source's format is not a chat's."""

    name: str
    path: str
    app: str | None
    package: str | None
    format: str
    files: int
    bytes: int
    messages: int | None = None
    conversations: int | None = None
    media: int | None = None
    media_missing: int | None = None
    oldest: str | None = None
    newest: str | None = None
    high_water: str | None = None
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class TakenFacts:
    """One snapshot as this machine took it."""

    snapshot: str
    created_at: str
    complete: bool
    sources: tuple[SourceFacts, ...]
    tags: tuple[str, ...] = ()


class Journal:
    """An append-only file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def remember(self, taken: TakenFacts) -> None:
        """Append one snapshot's facts. One write, so that two processes do not mix their lines."""
        make_private(self._path.parent)
        line = json.dumps({"type": "taken", "v": 1, **asdict(taken)}, ensure_ascii=True) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)

    def taken(self) -> dict[str, TakenFacts]:
        """Return what is remembered, by snapshot id, oldest first."""
        return {facts.snapshot: facts for facts in self._read()}

    def _read(self) -> Iterator[TakenFacts]:
        try:
            lines = self._path.read_text("ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                record = json.loads(line)
                if record["type"] != "taken":
                    continue
                yield TakenFacts(
                    snapshot=str(record["snapshot"]),
                    created_at=str(record["created_at"]),
                    complete=bool(record["complete"]),
                    sources=tuple(_source(source) for source in record["sources"]),
                    tags=tuple(str(tag) for tag in record.get("tags", ())),
                )
            except (ValueError, KeyError, TypeError):
                continue


_SOURCE_FIELDS = frozenset(field.name for field in fields(SourceFacts))


def _source(record: dict[str, Any]) -> SourceFacts:
    return SourceFacts(**{name: value for name, value in record.items() if name in _SOURCE_FIELDS})
