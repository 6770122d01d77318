"""A small copy of the head of a JSON file, enough to tell what kind of file it is.

Lists keep their first few elements and strings their first characters, so the sample of a 2 GB export is a few
kilobytes and shows its structure as the file itself does.
"""

from contextlib import suppress
from typing import Any, BinaryIO

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.records.json_stream import JsonStream

MAX_ELEMENTS = 3
MAX_KEYS = 80
MAX_DEPTH = 6
MAX_TEXT = 300


def sample_json(stream: BinaryIO, file: str, *, budget: int = 8 * 2**20) -> Any:
    """Return the sample of a JSON text, or None where it does not begin as JSON.

    Reading stops after `budget` characters or at the first damage; what was seen until then is returned.
    """
    sampler = _Sampler(JsonStream(stream, file, goes_on=False), budget)
    root: list[Any] = []
    with suppress(MalformedExport, _Enough):
        sampler.sample(root.append, 0)
    return root[0] if root else None


class _Enough(Exception):
    """The budget is spent."""


class _Sampler:
    def __init__(self, stream: JsonStream, budget: int) -> None:
        self._stream = stream
        self._budget = budget

    def sample(self, keep: Any, depth: int) -> None:
        """Hand a container over before it is filled, so that what was seen survives a damage further on."""
        if self._stream.position > self._budget:
            raise _Enough
        first = self._stream.peek()
        if first == "{" and depth < MAX_DEPTH:
            self._object(keep, depth)
        elif first == "[" and depth < MAX_DEPTH:
            self._array(keep, depth)
        elif first in {"{", "["}:
            keep({} if first == "{" else [])
            self._stream.skip()
        else:
            value = self._stream.take()
            keep(value[:MAX_TEXT] if isinstance(value, str) else value)

    def _object(self, keep: Any, depth: int) -> None:
        found: dict[str, Any] = {}
        keep(found)
        for key in self._stream.members():
            if len(found) < MAX_KEYS:

                def keep_under(value: Any, key: str = key) -> None:
                    found[key] = value

                self.sample(keep_under, depth + 1)
            elif self._stream.position > self._budget:
                raise _Enough

    def _array(self, keep: Any, depth: int) -> None:
        found: list[Any] = []
        keep(found)
        for number in self._stream.elements():
            if number < MAX_ELEMENTS:
                self.sample(found.append, depth + 1)
            elif self._stream.pass_over_rest(self._budget):
                return
            else:
                raise _Enough
