"""Web pages of any length, cut into the pieces that hold one message each, without a tree of the page.

A page is cut where a mark begins, so a damaged message costs itself and not its neighbours, and memory is that of one
piece.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import BinaryIO

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.partial import read_some
from backupkit.chats.texts.damage import damaged_lines

MAX_PIECE_BYTES = 4 * 2**20
MAX_DEPTH = 200
_BLOCK = 1 << 18
# A mark may be cut by the end of a block: this much is looked at again.
_OVERLAP = 512
_TAG = re.compile(rb"<[A-Za-z][^>]*")
_LONG_TAG_BYTES = 1 << 14
_MAX_ATTRIBUTES = 4096
_EVEN_ENOUGH = 3
_STRAY = re.compile(rb">[^<>]*>")
# What programs write in pages; two halves of tags that were joined are mostly none of it.
_ATTRIBUTE = re.compile(
    r"(?:(?:data|aria|xlink|xml|v|o)[-:].*|on[a-z]+|accesskey|align|alt|autoplay|background|bgcolor|border|cellpadding|cellspacing|charset|class|clear|color"
    r"|cols|colspan|content|contenteditable|controls|coords|crossorigin|d|datetime|decoding|dir|download|draggable|enctype|face|fill|for|form|frameborder|height"
    r"|hidden|href|hreflang|hspace|http-equiv|id|itemid|itemprop|itemref|itemscope|itemtype|kind|label|lang|language|loading|loop|media|method|muted|name|nowrap"
    r"|open|ping|placeholder|poster|preload|property|rel|role|rows|rowspan|scope|sizes|size|slot|span|spellcheck|src|srcset|start|stroke.*|style|tabindex|target"
    r"|title|transform|translate|type|usemap|valign|value|version|viewbox|vspace|width|xmlns.*|[xy][12]?|cx|cy|r|rx|ry|points)"
)
_TAG_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-:][a-z0-9-]+)*")
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a page. The first one lies before the first mark; `is_last` is the one that the page ends with."""

    offset: int
    data: bytes
    is_last: bool = False


def pieces_of(stream: BinaryIO, file: str, mark: re.Pattern[bytes]) -> Iterator[Piece]:
    """Cut a page where `mark` begins. Of a piece that is longer than any message the beginning is given.

    Raises:
        MalformedExport: the page cannot be read on, or, when all else was read, a piece was longer than any message.
    """
    offset, pending, failure = 0, b"", None
    too_long: MalformedExport | None = None
    passed_over = 0
    while True:
        block, failure = read_some(stream, _BLOCK, file)
        looked_at = max(len(pending) - _OVERLAP, 1)
        pending += block
        starts = [found.start() for found in mark.finditer(pending, looked_at)]
        at = 0
        # A mark that ends with the block may go on in the next one.
        for start in starts:
            yield Piece(offset, pending[at:start])
            offset += start - at + passed_over
            at, passed_over = start, 0
        pending = pending[at:]
        if not block or failure is not None:
            break
        if len(pending) > MAX_PIECE_BYTES + _OVERLAP:
            # Its beginning is a message still, and so is what comes behind it.
            too_long = too_long or MalformedExport(Locator(file, f"byte {offset}"), "element-too-long")
            passed_over += len(pending) - MAX_PIECE_BYTES - _OVERLAP
            pending = pending[:MAX_PIECE_BYTES] + pending[-_OVERLAP:]
    if failure is not None:
        raise failure
    yield Piece(offset, pending, is_last=True)
    if too_long is not None:
        raise too_long


def has_endless_tag(data: bytes) -> bool:
    """Say whether a tag has thousands of attributes: the parser takes two hundred times their bytes. A picture in one is no attribute."""
    return any(
        found.end() - found.start() > _LONG_TAG_BYTES
        and len(found[0].split(maxsplit=_MAX_ATTRIBUTES)) > _MAX_ATTRIBUTES
        for found in _TAG.finditer(data)
    )


class Elements(HTMLParser):
    """Follows the open elements of one piece, and gathers text into the fields that a subclass gives them.

    `field_of` names the field for an element, None for one that only passes its text on, and "" for one to leave out. Where one of
    the `single` fields begins again, another message has run into this one: what follows is left out, and `has_run_on`. Where the tags of a piece
    do not fit together as those of the pieces before it did, it `is_torn`: a stretch is missing, and perhaps another message begins in it.
    """

    single: frozenset[str] = frozenset()

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: dict[str, str] = {}
        self._parts: dict[str, list[str]] = {}
        self._open: list[tuple[str, str | None]] = []
        self._damaged = 0
        self.has_run_on = False
        self._is_uneven = False
        self._taken = self._uneven = 0

    def damage(self, file: str) -> Iterator[Finding]:
        """Tell of damaged text in the pieces that were taken."""
        if self._damaged:
            yield Finding("text-not-utf-8", Severity.ERROR, Locator(file), {"count": self._damaged})

    def take(self, data: bytes, file: str, offset: int) -> None:
        """Read one piece.

        Raises:
            MalformedExport: it is no web page, or nested deeper than any.
        """
        self.reset()
        self._damaged += damaged_lines(data)
        self._parts = {}
        self._open = []
        if has_endless_tag(data):
            raise MalformedExport(Locator(file, f"byte {offset}"), "element-damaged")
        self.has_run_on = False
        # Programs write such a sign as an entity: by itself it is the end of a tag whose beginning is gone.
        self._is_uneven = _STRAY.search(data) is not None
        self._begun: set[str] = set()
        try:
            self.feed(data.decode("utf-8", "replace"))
        except AssertionError as error:
            # What the parser raises for a declaration that it does not know.
            raise MalformedExport(Locator(file, f"byte {offset}"), "element-damaged") from error
        except RecursionError as error:
            raise MalformedExport(Locator(file, f"byte {offset}"), "nested-too-deep") from error
        self.fields = {field: "".join(parts) for field, parts in self._parts.items()}
        self._taken += 1
        self._uneven += self._is_uneven

    @property
    def is_torn(self) -> bool:
        """Whether tags do not fit together here, though they do on the page."""
        others = self._uneven - 1
        return self._is_uneven and self._taken - self._uneven >= _EVEN_ENOUGH and others * 10 <= self._taken

    @property
    def is_open(self) -> bool:
        """Whether the piece ends inside an element."""
        return bool(self._open)

    @property
    def depth(self) -> int:
        """How many elements are open."""
        return len(self._open)

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        """Name the field that the text of an element belongs to."""
        raise NotImplementedError

    def put(self, field: str, text: str) -> None:
        """Add text to a field."""
        # Joined once at the end: a hostile message has a million pieces.
        self._parts.setdefault(field, []).append(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that begins."""
        attributes = {name: value or "" for name, value in attrs}
        if not self._is_uneven:
            self._is_uneven = not (_TAG_NAME.fullmatch(tag) and all(map(_ATTRIBUTE.fullmatch, attributes)))
        classes = frozenset(attributes.get("class", "").split())
        field = "" if self.has_run_on else self.field_of(tag, classes, attributes)
        if field in self.single:
            self.has_run_on = field in self._begun
            self._begun.add(field)
            field = "" if self.has_run_on else field
        if tag == "br":
            self.handle_data("\n")
        if tag in _VOID:
            return
        if len(self._open) >= MAX_DEPTH:
            raise RecursionError
        self._open.append((tag, field))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that is empty."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an element that ends, and whatever was left open inside it."""
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                self._is_uneven = self._is_uneven or place < len(self._open) - 1
                del self._open[place:]
                return
        self._is_uneven = self._is_uneven or bool(self._open)

    def handle_data(self, data: str) -> None:
        """Give text to the nearest element that has a field."""
        for _tag, field in reversed(self._open):
            if field is not None:
                if field:
                    self.put(field, data)
                return
