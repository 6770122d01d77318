"""JSON of any length, one value at a time.

The standard decoder reads each value out of a sliding window of text, so a list of a million messages costs the memory
of its longest message. The caller says at each place whether to enter, take or skip what is there.

A damage inside a list costs the records that it hit: reading goes on at the next one that looks like those before, and
`finish` tells the damage.
"""

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.partial import read_some
from backupkit.chats.records.json_brackets import depths_in
from backupkit.chats.records.json_shapes import Shapes, Tries

WINDOW_BYTES = 1 << 18
MAX_VALUE_CHARACTERS = 64 * 2**20
MAX_KEY_CHARACTERS = 1 << 16
MAX_DEPTH = 200
MAX_DAMAGES = 1000
_MAX_TRIED_VALUE = 2**20
# How a record begins, with the space before it, may lie across two windows.
_OVERLAP = 1024
_USUAL_FOLLOWERS = (",{", ", {", "]")

_SPACE = re.compile(r"[ \t\n\r]*")
_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_PART = re.compile(r'["\\]')
_HEX_ESCAPE = re.compile(r"\\x[0-9A-Fa-f]{2}")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_COMMA = re.compile(r"\s{0,200},\s{0,200}")
_NUMBER = re.compile(r"[-+.0-9eE]*")
_NO_TEXT = re.compile("[\udc80-\udcff]")


class JsonStream:
    """Reads one JSON text from a stream of bytes in UTF-8. With `goes_on`, also behind a damage inside a list."""

    def __init__(self, stream: BinaryIO, file: str, *, window_bytes: int = WINDOW_BYTES, goes_on: bool = True) -> None:
        self._stream = stream
        self._window_bytes = window_bytes
        self._file = file
        self._goes_on = goes_on
        # Bytes that are no text stay what they are until the value that holds them is handed out.
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._is_finished = False
        self._is_foreign = False
        self._open: list[bool] = []
        self._resume_at: int | None = None
        self._shapes = Shapes()
        self._damage: MalformedExport | None = None
        self._damages = 0
        self._tries = Tries()
        self._failure: MalformedExport | None = None
        self._mended: deque[int] = deque()
        self._decoder = json.JSONDecoder(parse_constant=self._refuse_constant)
        self._lenient = json.JSONDecoder(parse_constant=self._refuse_constant, strict=False)
        self._more()
        if self._text.startswith("\ufeff"):
            self._at = 1

    @property
    def position(self) -> int:
        """How many characters lie before the next value."""
        return self._before + self._at

    def peek(self) -> str:
        """Return the first character of the next value, empty at the end of the text, and in what a damage ended."""
        if self._resume_at is not None:
            return ""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def members(self) -> Iterator[str]:
        """Enter an object and tell each key; the caller then takes, enters or skips the value."""
        depth = len(self._open)
        is_element = depth > 0 and self._open[-1]
        try:
            self._enter("{")
            is_over = self._next_is("}")
        except MalformedExport as error:
            self._go_on_behind(error)
            return
        while not is_over:
            try:
                key = self._key()
            except MalformedExport as error:
                self._go_on_behind(error)
                return
            if is_element:
                self._shapes.at(depth).saw_key(key)
            before = self.position
            yield key
            try:
                if self._resume_at is None:
                    if self.position == before:
                        self._pass_over()
                    is_over = self._next_or_end("}")
            except MalformedExport as error:
                self._go_on_behind(error)
            if self._resume_at is not None:
                return

    def _key(self) -> str:
        if self.peek() != '"':
            self._wrong("key-expected")
        key, _raw = self._value(MAX_KEY_CHARACTERS)
        if self.peek() != ":":
            self._wrong("colon-expected")
        self._at += 1
        self.peek()
        return str(key)

    def elements(self) -> Iterator[int]:
        """Enter an array and tell the number of each element; the caller then takes, enters or skips it."""
        depth = len(self._open) + 1
        shape = self._shapes.at(depth)
        try:
            self._enter("[")
            is_over = self._next_is("]")
        except MalformedExport as error:
            self._go_on_behind(error)
            return
        number = 0
        while not is_over:
            if self.peek() == "{" and not self._text.startswith(shape.usual, self._at):
                self._shapes.begins(depth, self._text, self._at)
            before = self.position
            yield number
            number += 1
            try:
                if self._resume_at is None:
                    if self.position == before:
                        self._pass_over()
                    is_over = self._next_or_end("]") and not self._goes_on_all_the_same(shape.usual)
            except MalformedExport as error:
                self._go_on_behind(error)
            if self._resume_at is not None:
                if self._resume_at < depth:
                    return
                self._resume_at = None

    def _goes_on_all_the_same(self, beginning: str) -> bool:
        """Say whether another element follows what seemed to be the end of a list: then a bracket stands where none should."""
        found = _COMMA.match(self._text, self._at)
        is_in_list = bool(self._open) and self._open[-1]
        if not self._goes_on or is_in_list or found is None or not self._text.startswith(beginning, found.end()):
            return False
        self._damage = self._damage or self._trouble("text-after-the-end", cut=False)
        self._open.append(True)
        self._at = found.end()
        return True

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
        self._open.pop()
        return True

    def _leap(self, depth: int) -> int | None:
        """Pass over the window, up to a string that it cuts, and return how deep that is; do nothing where `depth` ends in it."""
        window = self._text[self._at :]
        depths, cut = depths_in(window, depth)
        if min(depths) <= 0:
            return None
        self._at += len(window) - cut
        return depths[-1]

    def take(self) -> Any:
        """Read the whole next value; None where it is damaged."""
        return self.take_raw()[0]

    def take_raw(self) -> tuple[Any, bytes]:
        """Read the whole next value, and its own bytes; None and no bytes where it is damaged."""
        if self._resume_at is not None:
            return None, b""
        try:
            self.peek()
            value, text = self._value(MAX_VALUE_CHARACTERS)
            if self._open and self._open[-1]:
                self._see_element(value)
        except MalformedExport as error:
            self._go_on_behind(error)
            return None, b""
        return value, text.encode("utf-8", "surrogateescape")

    def _see_element(self, value: Any) -> None:
        if not isinstance(value, dict):
            return
        shape = self._shapes.at(len(self._open))
        if not shape.is_settled or self._is_followed() or shape.has(value):
            shape.saw(tuple(value))
        else:
            # It ends where none of its kind does, so what it says last may be half of what was said.
            self._wrong("comma-expected")

    def _is_followed(self) -> bool:
        """Say whether what stands behind an object is what stands behind one in a list of them."""
        if self._text.startswith(_USUAL_FOLLOWERS, self._at):
            return True
        mark = self.peek()
        return mark in {"]", ""} or (
            mark == "," and self._text[self._at + 1 : self._at + _OVERLAP].lstrip()[:1] in {"{", "]", ""}
        )

    def skip(self) -> None:
        """Pass over the next value, however long, without building it."""
        if self._resume_at is None:
            try:
                self._pass_over()
            except MalformedExport as error:
                self._go_on_behind(error)

    def _pass_over(self) -> None:
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
        """Make sure that nothing but space follows the outermost value.

        Raises:
            MalformedExport: something does, or there was a damage behind which reading went on.
        """
        if self._damage is None and self.peek():
            self._wrong("text-after-the-end")
        if self._damage is not None:
            raise self._damage

    def _go_on_behind(self, error: MalformedExport) -> None:
        """Stand at the next element of a list that is open; the generators of what lies deeper end.

        Raises:
            MalformedExport: `error`, where no such element follows.
        """
        self._damages += 1
        if not self._goes_on or self._damages > MAX_DAMAGES or not self._find_element():
            raise error
        self._damage = self._damage or error

    def _find_element(self) -> bool:
        depths = tuple(depth for depth in range(len(self._open), 0, -1) if self._open[depth - 1])
        pattern = self._shapes.pattern(depths) if depths else None
        if pattern is None:
            return False
        closed: set[int] = set()
        while not self._tries.are_spent:
            found = pattern.search(self._text, self._at)
            if found is None:
                self._at = max(self._at, len(self._text) - _OVERLAP)
                if not self._more():
                    return False
                continue
            self._at = found.start()
            if found.end() + _OVERLAP > len(self._text) and not self._is_finished:
                self._more()
                continue
            self._at = found.start(2)
            depth = next((depth for depth in depths if depth not in closed and self._is_element(depth)), None)
            if depth is not None and found[1] == ",":
                del self._open[depth:]
                self._resume_at = depth
                return True
            if depth is not None:
                # Another list of the same kind has begun, so the one that was damaged is over.
                closed.add(depth)
            self._at += 1
        return False

    def _is_element(self, depth: int) -> bool:
        """Look at what may be an element of the list at a depth, and stay where it begins."""
        shape = self._shapes.at(depth)
        if not shape.is_begun(self._text, self._at):
            return False
        if depth < len(self._open):
            return shape.may_begin(self._text, self._at)
        try:
            value, end = self._decoded(_MAX_TRIED_VALUE)
        except MalformedExport as error:
            cause = error.__cause__
            self._tries.spend(cause.pos - self._at if isinstance(cause, json.JSONDecodeError) else _MAX_TRIED_VALUE)
            return False
        self._tries.spend(end - self._at)
        return shape.has(value)

    def _value(self, limit: int) -> tuple[Any, str]:
        value, end = self._decoded(limit)
        text = self._as_written(self._at, end) if self._mended else self._text[self._at : end]
        self._at = end
        if self._is_foreign and _NO_TEXT.search(text):
            value = self._lenient.decode(_NO_TEXT.sub("\ufffd", text))
            self._damage = self._damage or self._trouble("not-utf-8", cut=False)
        return value, text

    def _decoded(self, limit: int) -> tuple[Any, int]:
        """Return the next value and where it ends, and stay in front of it."""
        # A failure may only mean that the window ends inside the value; a number that reaches the window's end may go on.
        decoder = self._decoder
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._mend(error.pos):
                    continue
                if error.msg.startswith("Invalid control") and decoder is not self._lenient:
                    # Somebody's words with a hole in them are still words.
                    decoder = self._lenient
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
                    if decoder is self._lenient:
                        self._damage = self._damage or self._trouble("json-broken", cut=False)
                    return value, end
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
        if len(self._open) >= MAX_DEPTH:
            self._wrong("nested-too-deeply")
        self._open.append(mark == "[")
        self._at += 1

    def _next_is(self, end: str) -> bool:
        if self.peek() != end:
            return False
        self._leave()
        return True

    def _leave(self) -> None:
        self._open.pop()
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
        text = self._decode(block, final=not block)
        self._is_foreign = self._is_foreign or (not text.isascii() and _NO_TEXT.search(text) is not None)
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
