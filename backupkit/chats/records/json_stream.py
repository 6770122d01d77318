"""JSON of any length, one value at a time.

The standard decoder reads each value out of a sliding window of text, so a list of a million messages costs the memory
of its longest message. The caller says at each place whether to enter, take or skip what is there.
"""

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO, NoReturn

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.partial import read_some

WINDOW_BYTES = 1 << 18
MAX_VALUE_CHARACTERS = 64 * 2**20
MAX_KEY_CHARACTERS = 1 << 16
MAX_DEPTH = 200

_SPACE = re.compile(r"[ \t\n\r]*")
_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_PART = re.compile(r'["\\]')
_OPENING, _CLOSING = b"[{", b"]}"
_NO_BRACKET = bytes(sorted(set(range(256)) - set(_OPENING + _CLOSING)))
_ROUND = bytes.maketrans(_OPENING + _CLOSING, b"(())")
_OPEN = ord("(")
_USUAL_DEPTH = 4
_HEX_ESCAPE = re.compile(r"\\x[0-9A-Fa-f]{2}")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_NUMBER = re.compile(r"[-+.0-9eE]*")


class JsonStream:
    """Reads one JSON text from a stream of bytes in UTF-8."""

    def __init__(self, stream: BinaryIO, file: str, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._stream = stream
        self._window_bytes = window_bytes
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._is_finished = False
        self._depth = 0
        self._failure: MalformedExport | None = None
        self._mended: deque[int] = deque()
        self._decoder = json.JSONDecoder(parse_constant=self._refuse_constant)
        self._more()
        if self._text.startswith("\ufeff"):
            self._at = 1

    @property
    def position(self) -> int:
        """How many characters lie before the next value."""
        return self._before + self._at

    def peek(self) -> str:
        """Return the first character of the next value, empty at the end of the text."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def members(self) -> Iterator[str]:
        """Enter an object and tell each key; the caller then takes, enters or skips the value."""
        self._enter("{")
        if self.peek() == "}":
            self._leave()
            return
        while True:
            if self.peek() != '"':
                self._wrong("key-expected")
            key, _raw = self._value(MAX_KEY_CHARACTERS)
            if self.peek() != ":":
                self._wrong("colon-expected")
            self._at += 1
            self.peek()
            before = self.position
            yield str(key)
            if self.position == before:
                self.skip()
            if self._next_or_end("}"):
                return

    def elements(self) -> Iterator[int]:
        """Enter an array and tell the number of each element; the caller then takes, enters or skips it."""
        self._enter("[")
        if self.peek() == "]":
            self._leave()
            return
        number = 0
        while True:
            self.peek()
            before = self.position
            yield number
            if self.position == before:
                self.skip()
            if self._next_or_end("]"):
                return
            number += 1

    def pass_over_rest(self, budget: int) -> bool:
        """Leave the array that was entered last without looking at what is left in it; do not go on with `elements` then.

        Return whether its end was found within the first `budget` characters of the text.
        """
        depth = 1
        while depth:
            if self.position > budget:
                return False
            leapt = self._leap(depth)
            if leapt is None:
                self._skip_nested(depth)
                break
            depth = leapt
            # The window ends here, or inside the string that begins here, which is never held beyond the budget.
            if self._before + len(self._text) > budget:
                return False
            self._more_or_cut()
        self._depth -= 1
        return True

    def _leap(self, depth: int) -> int | None:
        """Pass over the window, up to a string that it cuts, and return how deep that is; do nothing where `depth` ends in it.

        By whole windows, because a search for each bracket costs as much as hundreds of characters here.
        """
        window = self._text[self._at :]
        plain = window.replace("\\\\", "  ").replace('\\"', "  ") if "\\" in window else window
        between = plain.split('"')
        # Of an odd number of quotation marks the last one opens a string that goes on.
        cut = len(between.pop()) + 1 if len(between) % 2 == 0 else 0
        brackets = "".join(between[::2]).encode("utf-8", "surrogatepass").translate(_ROUND, _NO_BRACKET)
        for _level in range(_USUAL_DEPTH):
            brackets = brackets.replace(b"()", b"")
        depths = list(accumulate((1 if bracket == _OPEN else -1 for bracket in brackets), initial=depth))
        if min(depths) <= 0:
            return None
        self._at += len(window) - cut
        return depths[-1]

    def take(self) -> Any:
        """Read the whole next value."""
        return self.take_raw()[0]

    def take_raw(self) -> tuple[Any, bytes]:
        """Read the whole next value, and its own bytes."""
        self.peek()
        value, text = self._value(MAX_VALUE_CHARACTERS)
        return value, text.encode("utf-8", "surrogatepass")

    def skip(self) -> None:
        """Pass over the next value, however long, without building it."""
        first = self.peek()
        if first in {'"', "[", "{"} and self._skip_in_window():
            return
        if first == '"':
            self._at += 1
            self._skip_string()
        elif first in {"[", "{"}:
            self._skip_nested()
        else:
            self._value(MAX_KEY_CHARACTERS)

    def finish(self) -> None:
        """Make sure that nothing but space follows the outermost value."""
        if self.peek():
            self._wrong("text-after-the-end")

    def _value(self, limit: int) -> tuple[Any, str]:
        # A failure may only mean that the window ends inside the value; a number that reaches the window's end may go on.
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._mend(error.pos):
                    continue
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - 16
                if self._is_finished:
                    self._wrong("json-broken", cut=is_cut, cause=error)
                if not is_cut:
                    self._wrong("json-broken", cause=error)
            except RecursionError as error:
                self._wrong("nested-too-deeply", cause=error)
            except ValueError as error:
                self._wrong("number-not-understood", cause=error)
            else:
                reach = self._reach(end)
                if self._is_finished and end < reach == len(self._text):
                    self._wrong("json-broken", cut=True)
                if self._is_finished or reach < len(self._text):
                    text = self._as_written(self._at, end) if self._mended else self._text[self._at : end]
                    self._at = end
                    return value, text
            if len(self._text) - self._at > limit:
                self._wrong("value-too-long")
            self._more()

    def _mend(self, place: int) -> bool:
        r"""Turn escapes like `\x0B` into `\u000B`. Telegram Desktop writes control characters so, which is no JSON."""
        if not _HEX_ESCAPE.match(self._text, place):
            return False
        parts = [self._text[:place]]
        length = at = place
        # All of the window at once: a hostile value holds a million of them.
        for found in _ESCAPE.finditer(self._text, place):
            if found[1]:
                parts += [self._text[at : found.start()], f"\\u00{found[1]}"]
                length += found.start() - at
                self._mended.append(self._before + length)
                length += 6
                at = found.end()
        self._text = "".join([*parts, self._text[at:]])
        return True

    def _as_written(self, start: int, end: int) -> str:
        """Return a stretch of the window as the file has it."""
        parts: list[str] = []
        at = start
        while self._mended and self._mended[0] < self._before + end:
            place = self._mended.popleft() - self._before
            if place >= start:
                parts += [self._text[at:place], "\\x"]
                at = place + len("\\u00")
        return "".join([*parts, self._text[at:end]])

    def _reach(self, end: int) -> int:
        """Return how far a value may go on beyond where the decoder stopped: `1` may become `1.5e3`."""
        number = _NUMBER.match(self._text, self._at)
        return max(end, number.end() if number else end)

    def _skip_in_window(self) -> bool:
        # What lies in the window already is passed over faster by the decoder, and costs no more than the window.
        try:
            _value, self._at = self._decoder.raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            return False
        return True

    def _skip_nested(self, depth: int = 0) -> None:
        """Pass over brackets until they are balanced, `depth` of them open already."""
        while True:
            match = _STRUCTURE.search(self._text, self._at)
            if match is None:
                self._at = len(self._text)
                self._more_or_cut()
                continue
            self._at = match.end()
            character = match.group()
            if character == '"':
                self._skip_string()
            elif character in "[{":
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    return

    def _skip_string(self) -> None:
        while True:
            match = _STRING_PART.search(self._text, self._at)
            if match is None:
                self._at = len(self._text)
                self._more_or_cut()
            elif match.group() == '"':
                self._at = match.end()
                return
            elif match.end() < len(self._text):
                self._at = match.end() + 1
            else:
                self._at = match.start()
                self._more_or_cut()

    def _enter(self, mark: str) -> None:
        found = self.peek()
        if found != mark:
            self._wrong("object-expected" if mark == "{" else "array-expected", cut=not found)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._wrong("nested-too-deeply")
        self._at += 1

    def _leave(self) -> None:
        self._depth -= 1
        self._at += 1

    def _next_or_end(self, end: str) -> bool:
        found = self.peek()
        if found == end:
            self._leave()
            return True
        if found != ",":
            self._wrong("comma-expected", cut=not found)
        self._at += 1
        if self.peek() == end:
            self._wrong("value-expected")
        return False

    def _more_or_cut(self) -> None:
        if not self._more():
            self._wrong("json-broken", cut=True)

    def _more(self) -> bool:
        """Slide the window on; the unread part stays. Say whether anything came."""
        if self._is_finished:
            return False
        unread = len(self._text) - self._at
        # Doubling keeps the cost of a value that is larger than the window linear.
        block, self._failure = read_some(self._stream, max(self._window_bytes, unread), self._file)
        try:
            text = self._decode(block, final=not block)
        except UnicodeDecodeError as error:
            # What lies before the damage is still good, so the failure waits until it was read.
            text = error.object[: error.start].decode("utf-8")
            if self._failure is None:
                self._failure = self._trouble("not-utf-8", cut=not block)
        self._is_finished = not block or self._failure is not None
        self._before += self._at
        self._text = self._text[self._at :] + text
        self._at = 0
        return bool(text) or not self._is_finished

    def _refuse_constant(self, _name: str) -> NoReturn:
        raise ValueError("not a number")

    def _wrong(self, reason: str, *, cut: bool = False, cause: Exception | None = None) -> NoReturn:
        if cut and self._failure is not None:
            raise self._failure
        raise self._trouble(reason, cut=cut) from cause

    def _trouble(self, reason: str, *, cut: bool) -> MalformedExport:
        kind = TruncatedExport if cut else MalformedExport
        return kind(Locator(self._file, f"character {self.position}"), reason)
