"""JSON of any length, one value at a time.

The standard decoder reads each value out of a sliding window of text, so a list of a million messages costs the memory
of its longest message. The caller says at each place whether to enter, take or skip what is there.

A damage inside a list costs the records that it hit: reading goes on at the next one that looks like those before, and
`finish` tells the damage.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.records.json_brackets import depths_in
from backupkit.chats.records.json_shapes import Shapes, Tries
from backupkit.chats.records.json_window import WINDOW_BYTES, JsonWindow

MAX_VALUE_CHARACTERS = 16 * 2**20
MAX_FACT_CHARACTERS = 8 * 2**20
MAX_KEY_CHARACTERS = 1 << 16
MAX_DEPTH = 200
MAX_DAMAGES = 1000
_MAX_TRIED_VALUE = 2**20
# How a record begins, with the space before it, may lie across two windows.
_OVERLAP = 1024
_USUAL_FOLLOWERS = (",{", ", {", "]")

_COMMA = re.compile(r"\s{0,200},\s{0,200}")


class JsonStream(JsonWindow):
    """Reads one JSON text from a stream of bytes in UTF-8. With `goes_on`, also behind a damage inside a list."""

    def __init__(self, stream: BinaryIO, file: str, *, window_bytes: int = WINDOW_BYTES, goes_on: bool = True) -> None:
        super().__init__(stream, file, window_bytes)
        self._goes_on = goes_on
        self._open: list[bool] = []
        self._resume_at: int | None = None
        self._shapes = Shapes()
        self._damages = 0
        self._tries = Tries()

    def peek(self) -> str:
        """Return the first character of the next value, empty at the end of the text, and in what a damage ended."""
        return "" if self._resume_at is not None else super().peek()

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
        found = self.peek()
        if found != '"':
            self._wrong("key-expected", cut=not found)
        key, _raw = self._value(MAX_KEY_CHARACTERS)
        found = self.peek()
        if found != ":":
            self._wrong("colon-expected", cut=not found)
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

    def take_small(self) -> Any:
        """Read the whole next value where it is a fact of moderate size, else pass over it; None then."""
        self.peek()
        try:
            value, self._at = self._decoded(MAX_FACT_CHARACTERS)
        except MalformedExport as error:
            if error.reason != "value-too-long":
                self._go_on_behind(error)
            else:
                self.skip()
            return None
        return value

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
        if self._damage is not None or self._failure is not None:
            raise self._damage or self._failure  # type: ignore[misc]  # one of both is an error here

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
