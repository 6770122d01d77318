"""The text of a JSON file in a sliding window, and the values that begin where it stands.

Bytes that are no text, control characters and Telegram's escapes, which no JSON may hold, cost no more than themselves.
"""

import codecs
import json
import re
from collections import deque
from typing import Any, BinaryIO, NoReturn

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.partial import read_some

WINDOW_BYTES = 1 << 18
_LARGEST_BLOCK = 4 * 2**20

_SPACE = re.compile(r"[ \t\n\r]*")
_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_PART = re.compile(r'["\\]')
_HEX_ESCAPE = re.compile(r"\\x[0-9A-Fa-f]{2}")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|.)", re.DOTALL)
_NUMBER = re.compile(r"[-+.0-9eE]*")
_NO_TEXT = re.compile("[\udc80-\udcff]")


# Telegram writes such a line with the text of the button and then with its own, which is empty.
_TWO_TEXTS = "send_webview_data"


class SaidTwice(ValueError):
    """An object has two values under one key, as where a hole made one record of two: which is its own nobody knows."""


def said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members.

    Raises:
        SaidTwice: two of them have one key, and differ.
    """
    value = dict(pairs)
    if len(value) != len(pairs) and value.get("action") == _TWO_TEXTS:
        pairs = [pair for pair in pairs if pair != ("text", "")]
        value = dict(pairs)
    if len(value) != len(pairs) and any(value[key] != said for key, said in pairs):
        raise SaidTwice
    return value


class JsonWindow:
    """Reads values out of a stream of bytes in UTF-8. `_damage` keeps the first thing that was wrong without ending the reading."""

    def __init__(self, stream: BinaryIO, file: str, window_bytes: int) -> None:
        self._stream = stream
        self._window_bytes = window_bytes
        self._file = file
        # Bytes that are no text stay what they are until the value that holds them is handed out.
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._is_finished = False
        self._is_foreign = False
        self._damage: MalformedExport | None = None
        self._failure: MalformedExport | None = None
        self._mended: deque[int] = deque()
        self._decoder = json.JSONDecoder(parse_constant=self._refuse_constant, object_pairs_hook=said_once)
        self._lenient = json.JSONDecoder(
            parse_constant=self._refuse_constant, object_pairs_hook=said_once, strict=False
        )
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
            except SaidTwice as error:
                self._wrong("said-twice", cause=error)
            except ValueError as error:
                self._wrong("number-not-understood", cause=error)
            else:
                reach = self._reach(end)
                if self._is_finished and end < reach == len(self._text):
                    self._wrong("json-broken", cut=True)
                if self._is_finished or reach < len(self._text):
                    if end - self._at > limit:
                        self._wrong("value-too-long")
                    if decoder is self._lenient:
                        self._damage = self._damage or self._trouble("json-broken", cut=False)
                    return value, end
            if len(self._text) - self._at >= limit:
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

    def _more_or_cut(self) -> None:
        if not self._more():
            self._wrong("json-broken", cut=True)

    def _more(self) -> bool:
        """Slide the window on; the unread part stays. Say whether anything came."""
        if self._is_finished:
            return False
        unread = len(self._text) - self._at
        # Doubling keeps the cost of a value that is larger than the window linear; a very large one would take too much at once.
        block, self._failure = read_some(self._stream, max(self._window_bytes, min(unread, _LARGEST_BLOCK)), self._file)
        text = self._decode(block, final=not block)
        self._is_foreign = self._is_foreign or (not text.isascii() and _NO_TEXT.search(text) is not None)
        self._is_finished = not block or self._failure is not None
        self._before += self._at
        self._text = self._text[self._at :] + text
        self._at = 0
        return bool(text) or not self._is_finished

    def _refuse_constant(self, _name: str) -> None:
        """Read `NaN` and its like, which some programs write for what they do not know, as nothing, and remember it."""
        self._damage = self._damage or self._trouble("number-not-understood", cut=False)

    def _wrong(self, reason: str, *, cut: bool = False, cause: Exception | None = None) -> NoReturn:
        if cut and self._failure is not None:
            raise self._failure
        raise self._trouble(reason, cut=cut) from cause

    def _trouble(self, reason: str, *, cut: bool) -> MalformedExport:
        kind = TruncatedExport if cut else MalformedExport
        return kind(Locator(self._file, f"character {self.position}"), reason)
