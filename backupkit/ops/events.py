"""What a use case tells while it runs. Text and JSON printers show the same events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from backupkit.errors import Fact


class Phase(Enum):
    """What is being done now, in the order a snapshot goes through them."""

    SCAN = "scan"
    READ = "read"
    STORE = "store"
    CHECK = "check"
    RESTORE = "restore"
    COMPARE = "compare"
    EXPORT = "export"
    INDEX = "index"
    PROTECT = "protect"


class Severity(Enum):
    """How much a finding matters: `info` is worth knowing, `warning` wants a look, `error` means something was lost."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase has come. Totals are None while they are not known."""

    phase: Phase
    done_bytes: int = 0
    total_bytes: int | None = None
    done_files: int = 0
    total_files: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A finding: a code whose sentence is `finding.<code>` in the catalogues, and the facts that fill it."""

    code: str
    severity: Severity = Severity.WARNING
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something done on the way that the owner should know: `notice.<code>` in the catalogues."""

    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


Event: TypeAlias = Progress | Found | Notice
Tell: TypeAlias = Callable[[Event], None]
"""Where a use case sends its events. It is called often: be quick, and never raise."""


def tell_nobody(_event: Event) -> None:
    """Drop every event."""


class Losses:
    """Passes events on, and remembers what was lost: each loss once, however often it is met."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._met: set[object] = set()
        self.found: list[Found] = []

    def tell(self, event: Event) -> None:
        """Pass an event on; findings that say that something was lost are kept in `found`."""
        if isinstance(event, Found) and event.severity is Severity.ERROR:
            key = (event.code, *event.facts.items())
            if key in self._met:
                return
            self._met.add(key)
            self.found.append(event)
        self._tell(event)
