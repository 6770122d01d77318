"""A web page whose messages are blocks that begin with a mark: a damaged block costs itself, and a page that was cut says so at its end."""

import re
from collections.abc import Iterator
from typing import Final

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Conversation, Finding, Locator, Message, Severity
from backupkit.chats.people import People
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.holes import without_origin
from backupkit.chats.texts.html_pieces import Elements, Piece, pieces_of

_END: Final = re.compile(rb"</html>\s*\Z", re.IGNORECASE)


class MessagePage:
    """One page of one conversation while it is read. What a block says is for a subclass to tell."""

    def __init__(
        self, source: SourceFiles, name: str, mark: re.Pattern[bytes], parser: Elements, key: str, title: str | None
    ) -> None:
        self.source = source
        self.name = name
        self.key = key
        self.people = People()
        self._title = title
        self._mark = mark
        self._elements = parser

    def read(self) -> Iterator[Told]:
        """Tell the conversation, its messages, and the conversation with all who took part.

        Raises:
            TruncatedExport: the page has no end.
            MalformedExport: it cannot be read on.
        """
        yield self._conversation()
        before = b""
        with self.source.open(self.name) as stream:
            for piece in pieces_of(stream, self.name, self._mark):
                if self._mark.match(piece.data) and not self.is_inside(before):
                    yield from self._piece(piece)
                before = piece.data
                if piece.is_last:
                    yield from self._elements.damage(self.name)
                    if not _END.search(piece.data[-100:]):
                        raise TruncatedExport(Locator(self.name, f"byte {piece.offset}"), "page-unclosed")
        yield self._conversation()

    def is_inside(self, before: bytes) -> bool:  # noqa: ARG002 - a subclass looks at it
        """Whether a block stands inside what was read before it, and is no message of its own."""
        return False

    def message(self, locator: Locator, piece: Piece) -> Iterator[Told]:
        """Tell what the parser found in a block."""
        raise NotImplementedError

    def _conversation(self) -> Conversation:
        people = self.people.participants()
        return Conversation(self.key, self._title, participants=people, locator=Locator(self.name))

    def _piece(self, piece: Piece) -> Iterator[Told]:
        locator = Locator(self.name, f"byte {piece.offset}")
        try:
            self._elements.take(piece.data, self.name, piece.offset)
        except MalformedExport as error:
            yield Finding("record-not-understood", Severity.WARNING, locator, {"reason": error.reason})
            return
        is_torn = self._elements.is_torn
        for told in self.message(locator, piece):
            yield without_origin(told) if is_torn and isinstance(told, Message) else told
        if is_torn:
            yield Finding("record-not-understood", Severity.WARNING, locator)
