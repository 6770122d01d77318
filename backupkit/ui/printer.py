"""What every way of printing can do. Commands speak to this and do not know who reads.

Results are for the standard output; progress, notes and errors are for people and go to the standard error.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from backupkit.errors import BackupkitError, Fact
from backupkit.ops.events import Event

Fields: TypeAlias = Mapping[str, object]
"""What JSON shows: plain values, lists and mappings of them. Times are UTC RFC 3339 texts, sizes bytes, ids whole."""


class Printer(Protocol):
    """Shows what a command does and what came of it."""

    def event(self, event: Event) -> None:
        """Show what a use case tells. Quick, and never raises: a lost reader must not stop a snapshot."""
        ...

    def note(self, key: str, /, **facts: Fact) -> None:
        """Say a sentence of the catalogue to the person watching; programs are not told."""
        ...

    def record(self, kind: str, fields: Fields, lines: Sequence[str] = ()) -> None:
        """Show one result: `fields` for programs, `lines` for people."""
        ...

    def summary(self, fields: Fields, lines: Sequence[str] = (), *, kind: str = "summary") -> None:
        """Show the last result. Nothing follows it."""
        ...

    def error(self, error: BackupkitError) -> None:
        """Show why it could not be done. Nothing follows it."""
        ...

    def close(self) -> None:
        """Finish what is half drawn."""
        ...
