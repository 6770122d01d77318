"""WhatsApp chats as WhatsApp Chat Exporter writes them to pages, in its present look and in its older one.

Each message is an element with the app's own number. The day stands above its first message, the clock in each, both as the computer of
the export showed them.
"""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    Conversation,
    DeletionState,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.reading.media_files import find_media_above, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import DayInHeading
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.holes import has_hole, without_origin
from backupkit.chats.texts.html_pieces import Elements, Piece, pieces_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_LOOKED_AT = 64 * 1024
_MARK = re.compile(
    rb'<div class="(?:flex justify-(?:start|end)(?: items-center group)?|w3-row w3-padding-small w3-margin-bottom)" id="[^"<>]{1,200}">'
)
_TITLE = re.compile(r"<title>\s*Whatsapp - (.{1,500}?)\s*</title>", re.DOTALL | re.IGNORECASE)
_PAGE = re.compile(r"(.+)-(\d{1,6})$")
_NEXT = re.compile(rb'<a href="\./([^"<>]{1,500})"')
_END = re.compile(rb"</footer>|</html>", re.IGNORECASE)
_DAY = re.compile(r"\s*(\d{4})-(\d{2})-(\d{2})\s*$")
_CLOCK = re.compile(r"\s*(\d{1,2}):(\d{2})")
_SHOWN_ELSEWHERE = "The file cannot be displayed here, however it should be located at"
_DELETED, _NO_MEDIA = "Message deleted", "The media is missing"
_OWN = "You"


class WhatsAppExporterHtml:
    """Reads the pages of WhatsApp Chat Exporter."""

    format = "whatsapp-exporter-html"
    app = "whatsapp"
    package = "com.whatsapp"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's title, and for a message in one of its two looks."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = source.head(name, _LOOKED_AT)
            if _TITLE.search(text_head(head)) and _MARK.search(head):
                claims[name] = 93
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chat of every claimed page."""
        return read_each(sorted(recognition.files, key=_place), lambda name: _Page(source, name).read())


def _place(name: str) -> tuple[str, int]:
    """Return what sorts the pages of a chat by their numbers."""
    page = _PAGE.match(posixpath.splitext(name)[0])
    return (page[1], int(page[2])) if page else (posixpath.splitext(name)[0], 0)


class _Page:
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        self._source = source
        self._name = name
        self._people = People()
        self._parser = _Parser()
        self._day = DayInHeading()
        self._days: int | None = None
        found = _TITLE.search(text_head(source.head(name, _LOOKED_AT)))
        self._title = found[1].strip() if found else None
        self._key = posixpath.splitext(posixpath.basename(name))[0]

    def read(self) -> Iterator[Told]:
        with self._source.open(self._name) as stream:
            for number, piece in enumerate(pieces_of(stream, self._name, _MARK)):
                if number == 0 and not _MARK.match(piece.data):
                    self._begin(piece)
                    yield from self._next_page(piece)
                    yield self._conversation()
                else:
                    yield from self._piece(piece)
                if piece.is_last:
                    yield self._conversation()
                    yield from self._parser.damage(self._name)
                    if not _END.search(piece.data):
                        raise TruncatedExport(Locator(self._name, f"byte {piece.offset}"), "page-unclosed")

    def _begin(self, piece: Piece) -> None:
        try:
            self._parser.take(piece.data, self._name, piece.offset)
        except MalformedExport:
            return
        self._enter_day()

    def _next_page(self, piece: Piece) -> Iterator[Finding]:
        """Know a chat of several pages by what their names have in common, and tell a page that is not there."""
        page = _PAGE.match(self._key)
        folder = posixpath.dirname(self._name)
        for link in (found.decode("utf-8", "replace") for found in _NEXT.findall(piece.data)[:8]):
            other = _PAGE.match(posixpath.splitext(link)[0])
            if page is None or other is None or page[1] != other[1]:
                continue
            self._key = page[1]
            if int(other[2]) == int(page[2]) + 1 and self._source.size(posixpath.join(folder, link)) is None:
                yield Finding("shard-missing", Severity.ERROR, Locator(self._name), {"count": 1, "name": link})

    def _enter_day(self) -> None:
        found = _DAY.match(self._parser.fields.get("day", ""))
        if found is not None:
            self._day.begins()
            self._days = DateOrder.YEAR_MONTH_DAY.day_number((int(found[1]), int(found[2]), int(found[3])))

    def _conversation(self) -> Conversation:
        return Conversation(
            self._key, self._title, participants=self._people.participants(), locator=Locator(self._name)
        )

    def _piece(self, piece: Piece) -> Iterator[Told]:
        locator = Locator(self._name, f"byte {piece.offset}")
        found = self._parser
        try:
            # The older page's foot leaves elements open.
            found.take(piece.data.partition(b"<footer")[0] if piece.is_last else piece.data, self._name, piece.offset)
        except MalformedExport as error:
            yield Finding("record-not-understood", Severity.WARNING, locator, {"reason": error.reason})
            self._day.has_hole()
            return
        if found.is_older:
            self._enter_day()
        is_damaged = found.is_torn or has_hole(piece.data)
        if is_damaged:
            self._day.has_hole()
        if found.is_closed:
            message = self._message(locator, piece, found)
            yield without_origin(message) if found.is_torn else message
        if found.is_torn or not found.is_closed:
            yield Finding("record-not-understood", Severity.WARNING, locator)
        if not found.is_older:
            self._enter_day()

    def _message(self, locator: Locator, piece: Piece, found: "_Parser") -> Message:
        fields = found.fields
        clock = _CLOCK.match(fields.get("when", ""))
        second = seconds_of_day(int(clock[1]), int(clock[2]), 0, None) if clock else None
        is_known = self._day.is_known_at(second) and second is not None and self._days is not None
        about, said = _lines(fields.get("meta", "")), _lines(fields.get("text", ""))
        media = tuple(self._media(reference) for reference in dict.fromkeys(found.files))
        if about == _NO_MEDIA:
            media = (Media(about, MediaState.MISSING, MessageKind.OTHER),)
        if said.startswith(_SHOWN_ELSEWHERE):
            said = said.removeprefix(_SHOWN_ELSEWHERE).strip().removeprefix("here").strip()
        is_deleted = about == _DELETED
        kind = media[0].role if media else MessageKind.TEXT
        if about and not media:
            kind = (
                MessageKind.RECALL
                if is_deleted
                else MessageKind.LOCATION
                if about.startswith("Location shared: ")
                else MessageKind.SYSTEM
            )
        sender = _lines(fields.get("sender", "")) or None
        is_own = found.is_own or (found.is_older and sender == _OWN)
        is_apps_own = kind is MessageKind.SYSTEM
        name = None if is_own or is_apps_own else sender or self._title
        self._people.saw(None, name)
        side = Direction.OUT if is_own else Direction.IN
        return Message(
            conversation=self._key,
            locator=locator,
            raw=piece.data,
            ts_utc_us=((self._days or 0) * 86400 + (second or 0)) * 1_000_000 if is_known else None,
            ts_precision=Precision.MINUTE,
            ts_raw=" ".join(fields.get("when", "").split()),
            native_id=found.number,
            sender_name=name,
            direction=Direction.SYSTEM if is_apps_own else side,
            kind=kind,
            text="" if about == _NO_MEDIA else about or said,
            reply_to=found.reply_to,
            deletion=DeletionState.RECALLED if is_deleted else DeletionState.NONE,
            reactions=tuple(
                Reaction(symbol, who or None)
                for place, who in enumerate(found.reactors)
                if (symbol := _lines(fields.get(f"reaction {place}", "")))
            ),
            media=media,
        )

    def _media(self, reference: str) -> Media:
        name, state = find_media_above(self._source, self._name, reference.removeprefix("./"))
        return Media(name, state, role_of_name(reference))


class _Parser(Elements):
    """What one piece holds: a message, and in the present look the day of the next behind it."""

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.number: str | None = None
        self.is_closed = self.is_own = self.is_older = False
        self.files: list[str] = []
        self.reactors: list[str] = []
        self.reply_to: str | None = None
        self._spans = 0
        self._link = ""
        self._is_line_end = False
        super().take(data, file, offset)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_line_end = tag == "br"
        super().handle_starttag(tag, attrs)
        self._is_line_end = False

    def handle_endtag(self, tag: str) -> None:
        was_open = self.depth
        super().handle_endtag(tag)
        if was_open and not self.depth and self.number is not None:
            self.is_closed = True

    def handle_data(self, data: str) -> None:
        # The page's own line ends are none of the message's.
        super().handle_data(data if self._is_line_end else data.replace("\n", " "))

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        is_message = {"w3-row", "w3-padding-small"} <= classes or classes & {"justify-start", "justify-end"}
        if self.number is None and not self.is_closed and is_message and attributes.get("id"):
            self.number = attributes["id"]
            self.is_own, self.is_older = "justify-end" in classes, "w3-row" in classes
            return ""
        if self.number is None or self.is_closed:
            return "day" if "bg-[#e1f2fb]" in classes else ""
        return self._older(tag, classes, attributes) if self.is_older else self._newer(tag, classes, attributes)

    def _newer(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if tag == "a" and attributes.get("target") == "_self":
            self.reply_to = attributes.get("href", "").removeprefix("#") or None
            return ""
        if "opacity-0" in classes or "status-indicator" in classes:
            return ""
        if "bg-[#FFF3C5]" in classes:
            return "meta"
        if "text-[10px]" in classes:
            return "when" if tag == "p" else ""
        if tag == "span" and "flex-shrink-0" in classes:
            self._spans += 1
            return "sender" if self._spans == 1 else "when"
        if "cursor-help" in classes:
            self.reactors.append(attributes.get("title", ""))
            return f"reaction {len(self.reactors) - 1}"
        if tag == "p" and "text-sm" in classes:
            return "text"
        return self._inside(tag, attributes)

    def _older(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if "reply" in classes:
            return ""
        if tag == "a" and "reply_link" in classes:
            self.reply_to = attributes.get("href", "").removeprefix("#") or None
            return ""
        if "w3-padding-16" in classes:
            return "day"
        if "name" in classes:
            return "sender"
        if "blue" in classes:
            return "when"
        if "w3-panel" in classes:
            return "meta"
        if classes & {"w3-left-align", "w3-right-align"}:
            return "text"
        return self._inside(tag, attributes)

    def _inside(self, tag: str, attributes: dict[str, str]) -> str | None:
        field = next((field for _tag, field in reversed(self._open) if field), None)
        if field not in {"text", "meta"}:
            return None
        if tag == "a":
            self._link = attributes.get("href", "")
            if self._link.startswith("./"):
                self.files.append(self._link)
        elif tag == "img" and (self._link or attributes.get("src")):
            self.files.append(self._link or attributes["src"])
        elif tag == "source" and (reference := attributes.get("src") or attributes.get("data-src")):
            self.files.append(reference)
        return None


def _lines(text: str) -> str:
    """Return the lines of a text without the spaces of the page around them."""
    return "\n".join(line.strip() for line in text.split("\n")).strip("\n")
