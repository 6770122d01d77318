"""For programs: one UTF-8 JSON object per line on the standard output, each with `type` and `v`.

The last object is the summary or the error. Codes stand where people would read sentences, so nothing is translated.
"""

import json
import re
from collections.abc import Callable, Container, Mapping, Sequence

from backupkit.errors import BackupkitError, Fact
from backupkit.ops.events import Event, Found, Notice, Progress
from backupkit.ui.error_text import commands_to_try
from backupkit.ui.output import Output, OutputLost
from backupkit.ui.printer import Fields
from backupkit.ui.progress import Pace

VERSION = 1
SECONDS_BETWEEN_PROGRESS = 0.5

# JSON may hold these as they are, but a terminal would obey them: direction and invisible marks, C1 controls, and
# lone surrogates, which UTF-8 cannot hold at all.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]")


def json_line(fields: Mapping[str, object]) -> str:
    """Write one object on one line, with everything escaped that a terminal would obey."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class JsonPrinter:
    """Prints objects. `progress` False leaves progress out; `commands` are those that advice may name."""

    def __init__(
        self, out: Output, *, now: Callable[[], float], progress: bool = True, commands: Container[str] = ()
    ) -> None:
        self._out = out
        self._now = now
        self._shows_progress = progress
        self._commands = commands
        self._reader_left = False
        self._latest: Progress | None = None
        self._printed: Progress | None = None
        self._printed_at = 0.0
        self._pace: Pace | None = None

    def event(self, event: Event) -> None:
        """Print an event; a reader who left is noticed and told nothing more, and the work goes on."""
        if self._reader_left:
            return
        try:
            match event:
                case Progress():
                    self._progress(event)
                case Found(code, severity, facts):
                    self._print("finding", {"code": code, "severity": severity.value, "params": dict(facts)})
                case Notice(code, facts):
                    self._print("notice", {"code": code, "params": dict(facts)})
        except (OSError, OutputLost):
            self._reader_left = True

    def note(self, key: str, /, **facts: Fact) -> None:
        """Programs are not told what is only for the eye."""

    def record(self, kind: str, fields: Fields, lines: Sequence[str] = ()) -> None:  # noqa: ARG002  -- lines are for people
        """Print one result."""
        self._last_progress()
        self._print(kind, fields)

    def summary(self, fields: Fields, lines: Sequence[str] = (), *, kind: str = "summary") -> None:
        """Print the last object."""
        self.record(kind, fields, lines)

    def error(self, error: BackupkitError) -> None:
        """Print the error as the last object."""
        self._last_progress()
        self._print("error", {
            "code": error.code, "exit_code": int(error.exit_code), "params": dict(error.facts),
            "try": commands_to_try(error, self._commands),
        })  # fmt: skip

    def close(self) -> None:
        """Nothing is ever half drawn."""

    def _print(self, kind: str, fields: Fields) -> None:
        self._out.write(json_line({"type": kind, "v": VERSION, **fields}) + "\n")

    def _progress(self, progress: Progress) -> None:
        if not self._shows_progress:
            return
        now = self._now()
        if self._latest is None or self._latest.phase is not progress.phase:
            self._last_progress()
            self._pace = Pace(progress, now)
        elif now - self._printed_at < SECONDS_BETWEEN_PROGRESS:
            self._latest = progress
            return
        self._latest = progress
        self._print_progress(progress, now)

    def _last_progress(self) -> None:
        if self._latest is not None and self._latest != self._printed:
            self._print_progress(self._latest, self._now())
        self._latest = None

    def _print_progress(self, progress: Progress, now: float) -> None:
        left = self._pace.left(progress, now) if self._pace else None
        self._printed, self._printed_at = progress, now
        self._print("progress", {
            "phase": progress.phase.value, "done_bytes": progress.done_bytes, "total_bytes": progress.total_bytes,
            "done_files": progress.done_files, "total_files": progress.total_files,
            "eta_s": None if left is None else round(left.total_seconds()),
        })  # fmt: skip
