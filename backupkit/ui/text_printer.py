"""For people: results on the standard output, everything else on the standard error."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from backupkit.errors import BackupkitError, Fact
from backupkit.i18n import Catalogue
from backupkit.ops.events import Event, Found, Notice, Progress, Severity
from backupkit.text import width
from backupkit.ui.columns import wrapped
from backupkit.ui.error_text import error_lines
from backupkit.ui.output import Output
from backupkit.ui.printer import Fields
from backupkit.ui.progress import ProgressView
from backupkit.ui.terminal import Role, Terminal

MOST_ALIKE = 20
"""So many findings of one kind are printed one by one; the rest is counted. JSON lists all."""

_TO_BE_DONE = frozenset({"recovery-not-confirmed"})
"""What is told while the work goes on and to be done after it. It stands below the results, where a person looks last."""

_MARKS: dict[Severity, tuple[str, Role]] = {
    Severity.INFO: ("i", "faint"),
    Severity.WARNING: ("!", "warning"),
    Severity.ERROR: ("x", "bad"),
}

_PAINT = re.compile(r"\x1b\[[0-9]+m")
_REMARK = re.compile(r"((?:\x1b\[[0-9]+m)?[!xi](?:\x1b\[0m)? )(.+)")
"""A sentence behind a mark, which may be in colour."""
_SENTENCE = re.compile(r"(?! )(?!.*  )[^\x1b]+[.。]")
"""What ends with a full stop and has no columns."""


class TextPrinter:
    """Prints sentences. `verbosity` is -1 for quiet, 0, or how often -v was given."""

    def __init__(
        self, out: Output, notes: TextIO, *, catalogue: Catalogue, terminal: Terminal, progress: ProgressView,
        verbosity: int = 0,
    ) -> None:  # fmt: skip
        self._out = out
        self._notes = notes
        self._catalogue = catalogue
        self._terminal = terminal
        self._progress = progress
        self._verbosity = verbosity
        self._seen: Counter[str] = Counter()
        self._to_be_done: dict[str, str] = {}

    def event(self, event: Event) -> None:
        """Show what a use case tells."""
        match event:
            case Progress():
                self._progress.show(event)
            case Found(code, severity, facts):
                self._seen[code] += 1
                if self._seen[code] <= MOST_ALIKE and (severity is not Severity.INFO or self._verbosity >= 0):
                    self._remark(*_MARKS[severity], self._catalogue.say(f"finding.{code}", **facts), code)
            case Notice(code, facts) if code in _TO_BE_DONE:
                self._to_be_done[code] = self._catalogue.say(f"notice.{code}", **facts)
            case Notice(code, facts):
                if self._verbosity >= 0:
                    self._remark("", "faint", self._catalogue.say(f"notice.{code}", **facts), code)

    def note(self, key: str, /, **facts: Fact) -> None:
        """Say a sentence to the person watching, unless they asked for quiet."""
        if self._verbosity >= 0:
            self._write_notes(wrapped(self._catalogue.say(key, **facts), min(self._terminal.columns, 100)))

    def record(self, kind: str, fields: Fields, lines: Sequence[str] = ()) -> None:  # noqa: ARG002  -- fields are for programs
        """Show one result."""
        # Results come when the work is done: a bar drawn below them would look as if it went on.
        self._progress.close()
        if lines:
            shown = [piece for line in lines for piece in self._fitted(line)] if self._terminal.is_tty else lines
            self._out.write("".join(f"{line}\n" for line in shown))

    def _fitted(self, line: str) -> list[str]:
        """Break a sentence that is too long for the screen between words. Rows and commands stay whole: they are copied and compared."""
        columns = min(self._terminal.columns, 100)
        if width(line) > columns and _SENTENCE.fullmatch(line):
            return wrapped(line, columns)
        remark = _REMARK.fullmatch(line)
        if remark is None or width(sentence := _PAINT.sub("", remark[2])) + 2 <= columns:
            return [line]
        # What stands behind the sentence in colour loses it here: a colour that goes on over the edge would paint the margin.
        first, *others = wrapped(sentence, columns, indent=2)
        return [remark[1] + first[2:], *others]

    def summary(self, fields: Fields, lines: Sequence[str] = (), *, kind: str = "summary") -> None:
        """Show the last result."""
        self.close()
        self.record(kind, fields, lines)
        for code, sentence in self._to_be_done.items():
            if self._verbosity >= 0:
                self._remark("!", "warning", sentence, code)
        self._to_be_done.clear()

    def error(self, error: BackupkitError) -> None:
        """Show the four parts of an error."""
        self.close()
        self._write_notes(error_lines(error, self._catalogue, self._terminal))

    def close(self) -> None:
        """Finish the bar, and say how many findings were only counted."""
        self._progress.close()
        for code, count in self._seen.items():
            if count > MOST_ALIKE:
                more = self._catalogue.say("finding-more", count=count - MOST_ALIKE, code=code)
                self._write_notes([f"! {more}"])
        self._seen.clear()

    def _remark(self, mark: str, role: Role, sentence: str, code: str) -> None:
        if self._verbosity > 0:
            sentence += f"  [{code}]"
        front = f"{mark} " if mark else ""
        lines = wrapped(sentence, min(self._terminal.columns, 100), indent=len(front), first="")
        self._write_notes(
            [self._terminal.paint(role, mark) + line[len(mark) :] if n == 0 else line for n, line in enumerate(lines)]
        )

    def _write_notes(self, lines: Sequence[str]) -> None:
        self._progress.step_aside()
        try:
            self._notes.writelines(f"{line}\n" for line in lines)
            self._notes.flush()
        except (OSError, ValueError):
            # Nobody reads the notes any more; results and exit code still count.
            return
