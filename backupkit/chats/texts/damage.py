"""What the lines of a text export say against its being whole: bytes that are no text, and an end in the middle.

A line format has no end mark, so only what cannot be otherwise counts as a cut: the last bytes are half a character, or the last
line stops inside the date and time with which a message begins. A file that merely lacks its last line end is no evidence.
"""

import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.texts.lines import Line
from backupkit.chats.texts.wall_time import HALF_DAY

_NUMBER = re.compile(r"\d+")
_HALF_DAY = re.compile(HALF_DAY)
_HALF_WORD = re.compile(r"(?<= )[^\W\d_]{1,2}$")
_LONGEST_HEAD = 200
_MOST_PASSED_OVER = 64 * 2**20


def damaged_lines(data: bytes) -> int:
    """Count the lines with bytes that are no text, or with zeros."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return sum(map(_is_damaged, data.split(b"\n")))
    return sum(b"\0" in line for line in data.split(b"\n")) if b"\0" in data else 0


def _is_damaged(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in line


class DayInHeading:
    """Doubts the day that a heading gave, where a hole may have taken the next heading: behind it the clock goes back.

    Messages of a wrong day would be made up; without one they keep their words and their order.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._has_hole = self._is_lost = False

    def begins(self) -> None:
        """Note a heading."""
        self._last = None
        self._has_hole = self._is_lost = False

    def has_hole(self) -> None:
        """Note damaged text."""
        self._has_hole = True

    def is_known_at(self, second: int | None) -> bool:
        """Note the clock of a message, in seconds of its day, and say whether its day is the heading's."""
        if self._has_hole and None not in {second, self._last} and (second or 0) < (self._last or 0):
            self._is_lost = True
        self._last = second
        return not self._is_lost


class TextDamage:
    """Looks at the lines of one file while a reader reads them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._damaged = 0
        self._cut_at: int | None = None
        self._heads: dict[str, str] = {}
        self.day = DayInHeading()
        self._passed_over: int | None = None
        self.broken: MalformedExport | None = None

    def saw(self, line: Line) -> None:
        """Note a line.

        Raises:
            MalformedExport: a message that is too long goes on without an end.
        """
        if self._passed_over is not None:
            self._passed_over += line.weight
            if self._passed_over > _MOST_PASSED_OVER:
                raise MalformedExport(Locator(self._file, f"line {line.number}"), "message-too-long")
        if line.is_damaged:
            self._damaged += 1
            self.day.has_hole()
        if line.is_cut:
            self.cut_at(line.number)

    def too_long(self, line: Line) -> None:
        """Note a message that is longer than any. The lines up to the next one are passed over, though not for ever."""
        self.broke(MalformedExport(Locator(self._file, f"line {line.number}"), "message-too-long"))
        self._passed_over = 0

    def broke(self, failure: MalformedExport) -> None:
        """Note something broken behind which reading went on."""
        self.broken = self.broken or failure

    def cut_at(self, number: int) -> None:
        """Note that the file ends in the middle of a line."""
        self._cut_at = number

    def head(self, text: str, kind: str = "message") -> None:
        """Note how a message began: its line up to the sender or the text. A format may have several `kind`s of lines that begin one."""
        self._heads[kind] = text
        self._passed_over = None

    def stops_in_head(self, line: Line) -> bool:
        """Say whether the file stops in a line that begins as messages do: then it is no text of the message before."""
        if not line.is_unfinished:
            return False
        # The end may stand in the middle of a word for morning or evening.
        begun = _HALF_WORD.sub("", _shape(line.text))
        # A number alone may be somebody's last word; with what stands around it in a date, it is none.
        if len(begun) < 2 or not any(_is_part(begun, _shape(head)) for head in self._heads.values()):
            return False
        self.cut_at(line.number)
        return True

    def findings(self) -> Iterator[Finding]:
        """Tell what was found, once everything was read."""
        if self._damaged:
            yield Finding("text-not-utf-8", Severity.ERROR, Locator(self._file), {"count": self._damaged})
        if self.broken is not None:
            yield Finding("export-damaged", Severity.ERROR, self.broken.locator, {"reason": self.broken.reason})
        if self._cut_at is not None:
            place = Locator(self._file, f"line {self._cut_at}")
            yield Finding("export-cut", Severity.ERROR, place, {"reason": "text-cut"})


def _is_part(begun: str, whole: str) -> bool:
    return len(begun) < len(whole) and whole.startswith(begun)


def _shape(text: str) -> str:
    """Return a text in which 9:05 in the morning and 11:59 in the evening look the same."""
    return _HALF_DAY.sub("am", _NUMBER.sub("9", text[:_LONGEST_HEAD]))
