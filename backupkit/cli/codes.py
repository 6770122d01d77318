"""Every code that backupkit can show: errors, findings, notices, reasons of verdicts, exit codes."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import backupkit
from backupkit.errors import BackupkitError, ExitCode
from backupkit.i18n import Catalogue, placeholders
from backupkit.i18n.catalogue import messages

Kind = Literal["error", "finding", "notice", "reason", "exit"]


class CodeUnknown(BackupkitError):
    """There is no such code. Facts: `code`, `nearest`."""

    code = "code-unknown"
    exit_code = ExitCode.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means, in one language. Facts that are not known stand as `‹name›`."""

    code: str
    kind: Kind
    what: str
    why: str = ""
    attempt: str = ""
    exit_code: int | None = None


def every_code(catalogue: Catalogue) -> dict[str, Meaning]:
    """Return every code with its meaning, errors first; exit codes by their number."""
    found: dict[str, Meaning] = {}
    kinds: tuple[Kind, ...] = ("error", "reason", "finding", "notice", "exit")
    for kind in kinds:
        for key in catalogue.keys():  # noqa: SIM118  -- a catalogue is no dictionary
            if key.startswith(f"{kind}."):
                code = key.removeprefix(f"{kind}.").removesuffix(".what")
                if "." not in code and code not in found and key not in {"error.heading", "error.explain"}:
                    found[code] = _meaning(kind, code, catalogue)
    return found


def meaning_of(code: str, catalogue: Catalogue) -> Meaning | None:
    """Return what a code means, with its exit code where it has one; None for no code of ours."""
    meaning = every_code(catalogue).get(code)
    if meaning is None or meaning.kind != "error":
        return meaning
    # Only an error's class knows its exit code, so every module that may define one is imported, but only here.
    error = every_error().get(code)
    exit_code = None if error is None else int(error.exit_code)
    return Meaning(code, "error", meaning.what, meaning.why, meaning.attempt, exit_code)


def every_error() -> dict[str, type[BackupkitError]]:
    """Return the class of every error by its code; the base class stands for `bug`."""
    for found in pkgutil.walk_packages(backupkit.__path__, "backupkit."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return {error.code: error for error in sorted(set(_below(BackupkitError)), key=lambda one: one.__qualname__)}


def _below(error: type[BackupkitError]) -> Iterator[type[BackupkitError]]:
    for sub in error.__subclasses__():
        if sub.__module__.startswith("backupkit."):
            if "code" in vars(sub):
                yield sub
            yield from _below(sub)


def _meaning(kind: Kind, code: str, catalogue: Catalogue) -> Meaning:
    def part(name: str) -> str:
        key = f"{kind}.{code}{name}"
        if not catalogue.has(key):
            return ""
        facts = {fact: f"‹{fact}›" for fact in placeholders(messages(catalogue.language)[key])}
        return catalogue.say(key, **facts)

    exit_code = int(code) if kind == "exit" else None
    if kind == "exit" and code not in {str(int(known)) for known in ExitCode}:
        exit_code = None
    return Meaning(code, kind, part(".what") or part(""), part(".why"), part(".try"), exit_code)
