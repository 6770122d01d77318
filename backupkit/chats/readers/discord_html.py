"""DiscordChatExporter's pages, of every version and of the programs that copied its layout: one channel in each.

Each message is an element with its number, and the number tells the time to the millisecond, in whatever language the page is.
Messages in a row name their sender once.
"""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Edit,
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
from backupkit.chats.readers.discord_csv import CHANNEL
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import within_time
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.holes import has_hole, without_origin
from backupkit.chats.texts.html_pieces import Elements, Piece, pieces_of

_LOOKED_AT = 256 * 1024
_MARK = re.compile(rb"<div\s[^<>]{0,400}?data-message-id=[\"']?\d{5,20}")
_LAYOUT = re.compile(rb"chatlog__(?:message|content|timestamp)")
_FRAME = re.compile(rb"<div[^<>]{0,200}(?:preamble__entry|class=[\"']?chatlog\b|info__guild-name)")
_WRITTEN = re.compile(rb"postamble__entry[^>]{0,20}>\s*Exported ([\d.,\xc2\xa0\xe2\x80\xaf' ]{1,30}) message")
_END = re.compile(rb"</html>|class=[\"']?postamble\b", re.IGNORECASE)
# What a card or a question says; what else stands in them is pictures, and the program's own words.
_SAID = {
    "embed-author",
    "embed-title",
    "embed-description",
    "embed-field-name",
    "embed-field-value",
    "embed-footer-text",
}
_ASKED = {"poll-question", "poll-answer-text", "poll-answer-count"}
_PARAGRAPHS = {"h1", "h2", "h3", "li"}
_EPOCH_MS = 1_420_070_400_000
_SPACE = " \t\r\n"


class DiscordHtml:
    """Reads what DiscordChatExporter writes as web pages."""

    format = "discord-html"
    app = "discord"
    package = "com.discord"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the layout's classes, and for its frame or a message with its number."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = source.head(name, _LOOKED_AT)
            if _LAYOUT.search(head) and (_FRAME.search(head) or _MARK.search(head)):
                claims[name] = 93
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the channel of every claimed page."""
        return read_each(recognition.files, lambda name: _Page(source, name).read())


class _Page:
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        self._source = source
        self._name = name
        self._people = People()
        self._parser = _Parser()
        self._declared: int | None = None
        self._key = self._title = posixpath.splitext(posixpath.basename(name))[0]
        self._kind = ConversationKind.GROUP

    def read(self) -> Iterator[Told]:
        with self._source.open(self._name) as stream:
            for number, piece in enumerate(pieces_of(stream, self._name, _MARK)):
                if number == 0 and not _MARK.match(piece.data):
                    self._begin(piece)
                    yield self._conversation()
                else:
                    yield from self._piece(piece)
                if piece.is_last:
                    if written := _WRITTEN.search(piece.data):
                        self._declared = int(re.sub(rb"\D", b"", written[1]) or 0)
                    yield self._conversation()
                    yield from self._parser.damage(self._name)
                    if not _END.search(piece.data):
                        raise TruncatedExport(Locator(self._name, f"byte {piece.offset}"), "page-unclosed")

    def _begin(self, piece: Piece) -> None:
        try:
            self._parser.take(piece.data, self._name, piece.offset)
        except MalformedExport:
            return
        places = [
            part for number in (1, 2) if (part := " ".join(self._parser.fields.get(f"place {number}", "").split()))
        ]
        named = CHANNEL.match(self._key)
        self._title = " / ".join(places) or self._title
        self._key = named["id"] if named else self._title
        if places[:1] == ["Direct Messages"]:
            self._kind = ConversationKind.PRIVATE

    def _conversation(self) -> Conversation:
        people = self._people.participants()
        return Conversation(self._key, self._title, self._kind, people, self._declared, Locator(self._name))

    def _piece(self, piece: Piece) -> Iterator[Told]:
        locator = Locator(self._name, f"byte {piece.offset}")
        found = self._parser
        try:
            found.take(piece.data, self._name, piece.offset)
        except MalformedExport as error:
            yield Finding("record-not-understood", Severity.WARNING, locator, {"reason": error.reason})
            return
        if found.number is None or not (found.is_closed or piece.is_last):
            yield Finding("record-not-understood", Severity.WARNING, locator)
        elif found.is_closed:
            message = self._message(locator, piece, found)
            yield without_origin(message) if found.is_torn else message
            if found.is_torn:
                yield Finding("record-not-understood", Severity.WARNING, locator)
        if found.is_torn or has_hole(piece.data):
            # Another may have spoken in what is gone.
            found.sender = (None, None)

    def _message(self, locator: Locator, piece: Piece, found: "_Parser") -> Message:
        person, name = found.sender
        self._people.saw(person, name)
        media = tuple(_media(self._source, self._name, reference) for reference in found.files[:1000])
        media += tuple(
            _media(self._source, self._name, reference, MessageKind.STICKER) for reference in found.stickers[:10]
        )
        is_system = "system" in found.fields
        is_asked = "poll" in found.fields
        said = MessageKind.POLL if is_asked else media[0].role if media else MessageKind.TEXT
        kind = MessageKind.SYSTEM if is_system else said
        return Message(
            conversation=self._key,
            locator=locator,
            raw=piece.data,
            ts_utc_us=within_time(((found.number or 0) >> 22) * 1000 + _EPOCH_MS * 1000),
            ts_precision=Precision.MILLISECOND,
            ts_zone=UTC_ZONE,
            ts_raw=" ".join(found.when.split()),
            native_id=str(found.number),
            sender_id=person,
            sender_name=name,
            direction=Direction.SYSTEM if is_system else Direction.UNKNOWN,
            kind=kind,
            text=" ".join(found.fields["system"].split()) if is_system else found.words(),
            reply_to=found.reply_to,
            edits=(Edit(),) if found.is_edited else (),
            reactions=tuple(found.reactions()),
            media=media,
        )


def _media(source: SourceFiles, file: str, reference: str, role: MessageKind | None = None) -> Media:
    if is_link(reference):
        return Media(reference, MediaState.OMITTED, role or role_of_name(reference))
    found, state = find_media(source, file, reference)
    return Media(found, state, role or role_of_name(found))


class _Parser(Elements):
    """What one piece holds: a message, and in older pages the name of who wrote the next."""

    def __init__(self) -> None:
        super().__init__()
        self.sender: tuple[str | None, str | None] = (None, None)
        self._next: tuple[str | None, str | None] | None = None
        self._next_name: list[str] = []

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.number: int | None = None
        self.is_closed = self.is_edited = False
        self.when = ""
        self.files: list[str] = []
        self.stickers: list[str] = []
        self.reply_to: str | None = None
        self._places = self._reactions = 0
        self._symbols: dict[int, str] = {}
        self._own: str | None = None
        self._is_named = False
        if self._next is not None:
            self.sender, self._next = (self._next[0], "".join(self._next_name).strip(_SPACE) or None), None
        super().take(data, file, offset)
        if self._is_named:
            self.sender = (self._own, self.fields.get("name", "").strip(_SPACE) or None)
        self.when = self.fields.get("when", "")

    def words(self) -> str:
        """Return what was said. Beside a text, cards only preview its links, so they count where there is none."""
        text = self.fields.get("text", "").strip(_SPACE)
        asked = _lines(self.fields.get("poll", ""))
        return "\n".join(filter(None, (text, asked))) or _lines(self.fields.get("card", ""))

    def reactions(self) -> Iterator[Reaction]:
        """Tell the reactions."""
        for place in range(1, self._reactions + 1):
            count = self.fields.get(f"count {place}", "").strip(_SPACE)
            if symbol := self._symbols.get(place):
                is_number = count.isascii() and count.isdecimal() and len(count) < 10
                yield Reaction(symbol, count=int(count) if is_number else 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _PARAGRAPHS and self._nearest() == "text":
            self.put("text", "\n")
        super().handle_starttag(tag, attrs)

    def _nearest(self) -> str | None:
        return next((field for _tag, field in reversed(self._open) if field is not None), None)

    def handle_endtag(self, tag: str) -> None:
        if tag in _PARAGRAPHS - {"li"} and self._nearest() == "text":
            self.put("text", "\n")
        was_open = self.depth
        super().handle_endtag(tag)
        if was_open and not self.depth and self.number is not None:
            self.is_closed = True

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][1] == "next name":
            self._next_name.append(data)
        super().handle_data(data)

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        names = {name.removeprefix("chatlog__") for name in classes if name.startswith("chatlog__")}
        if self.number is None and not self.is_closed:
            number = attributes.get("data-message-id", "")
            if number.isascii() and number.isdecimal() and len(number) < 21:
                self.number = int(number)
                return ""
        if self.number is None or self.is_closed:
            return self._between(names, classes, attributes)
        return self._inside(tag, names, attributes)

    def _between(self, names: set[str], classes: frozenset[str], attributes: dict[str, str]) -> str:
        """Look at what stands around messages: the heading of the page, or who wrote the next ones."""
        if "preamble__entry" in classes or "info__guild-name" in classes or "info__channel-name" in classes:
            self._places += 1
            return f"place {self._places}"
        if names & {"author", "author-name"}:
            self._next, self._next_name = (attributes.get("data-user-id") or None, None), []
            return "next name"
        return ""

    def _inside(self, tag: str, names: set[str], attributes: dict[str, str]) -> str | None:
        if names & {"author", "author-name", "system-notification-author"} and not self._is_named:
            self._is_named, self._own = True, attributes.get("data-user-id") or None
            return "name"
        if any(name.startswith(("reply", "reference")) for name in names):
            if number := re.search(r"\d{15,20}", attributes.get("onclick", "")):
                self.reply_to = number[0]
            return ""
        if names & {"timestamp", "system-notification-timestamp", "short-timestamp"}:
            return "when"
        if "edited-timestamp" in names:
            self.is_edited = True
            return ""
        if "system-notification-content" in names:
            return "system"
        if "content" in names:
            return "text"
        if (
            "attachment" in names
            or "attachment-media" in names
            or any((place[1] or "") == "attachment" for place in self._open)
        ):
            self._file(attributes)
            return "attachment"
        if "reaction" in names:
            self._reactions += 1
            return ""
        if "reaction-count" in names:
            return f"count {self._reactions}"
        if self._reactions and tag == "img" and self._reactions not in self._symbols:
            self._symbols[self._reactions] = attributes.get("alt", "") or attributes.get("title", "")
        return self._beside_text(tag, names, attributes)

    def _beside_text(self, tag: str, names: set[str], attributes: dict[str, str]) -> str | None:
        """Look at what may stand in a message beside plain words."""
        for field, parts in (("card", _SAID), ("poll", _ASKED), ("text", {"forwarded-content"})):
            if names & parts:
                self.put(field, " " if "poll-answer-count" in names else "\n")
                return field
        if "sticker" in names or "sticker--media" in names:
            reference = attributes.get("src") or attributes.get("data-source")
            self.stickers += [reference] if reference else []
            return ""
        if tag == "img" and "emoji" in attributes.get("class", ""):
            shown = attributes.get("alt", "")
            nearest = self._nearest()
            if shown and nearest:
                self.put(nearest, f":{shown.strip(':')}:" if shown.isascii() else shown)
            return ""
        if "forwarded-attachments" in names or "forwarded-attachment" in names:
            self._file(attributes)
            return "attachment"
        if any(name.startswith(("embed", "poll-", "forwarded-")) for name in names):
            return ""
        return None

    def _file(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("href") or attributes.get("src")
        if reference and not reference.startswith("#") and reference not in self.files:
            self.files.append(reference)


def _lines(text: str) -> str:
    """Return the lines of a text that have words, without the spaces of the page around them."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
