"""The base of every error, and the exit codes.

A leaf: it imports nothing of backupkit. An error carries a stable code and facts, never prose; the sentences live in
the catalogues under `error.<code>.what`, `.why` and `.try`, so that no language is privileged. Subclasses sit beside
the code that raises them.
"""

from enum import IntEnum
from typing import ClassVar, TypeAlias

Fact: TypeAlias = str | int | float | bool | None
"""What an error may carry: plain values that JSON and a sentence can both hold."""


class ExitCode(IntEnum):
    """What a process answers with. The table is `docs/reference/exit-codes.md`."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INCOMPLETE = 3
    STALE = 5
    DIFFERENT = 6
    NO_REPOSITORY = 10
    LOCKED = 11
    CANNOT_UNLOCK = 12
    NEWER_FORMAT = 13
    NO_SPACE = 14
    DAMAGED = 20
    NOT_AUTHENTIC = 21
    NOT_FOUND = 22
    TARGET_NOT_EMPTY = 23
    NOT_UNDERSTOOD = 30
    HOLD = 40
    DENY = 41
    UNDECIDED = 42
    INTERRUPTED = 130
    TERMINATED = 143


class BackupkitError(Exception):
    """Something the caller or the user can react to.

    `code` is kebab-case and never changes; `facts` are the values its sentences are filled with.
    """

    code: ClassVar[str] = "bug"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, **facts: Fact) -> None:
        super().__init__(self.code, facts)
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.code}({facts})"


class Unplugged(Exception):
    """What everything lies on went away meanwhile. `error` is what to tell of it.

    No `BackupkitError`: whoever goes on past the damage of one thing would take all the rest for damaged, too.
    """

    def __init__(self, error: BackupkitError) -> None:
        super().__init__(error)
        self.error = error


def reason_of(problem: Exception) -> str:
    """Return what the `reason` of a sentence is filled with: a code, or what the system said. Never the name of a Python class."""
    if isinstance(problem, Unplugged):
        problem = problem.error
    if isinstance(problem, BackupkitError):
        detail = problem.facts.get("reason")
        return f"{problem.code}/{detail}" if isinstance(detail, str) else problem.code
    return (problem.strerror if isinstance(problem, OSError) else None) or "unusable"
