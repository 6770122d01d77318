"""Google Voice from Takeout: one HTML page for each stretch of a conversation, and one for each call.

The pages carry the hChatLog microformat. The page of a call tells of a call and holds no message, but that of what was
left on the answering machine is one, with the words that were heard in it and the recording.
"""

import posixpath
import re
from array import array
from collections.abc import Iterator
from html.parser import HTMLParser

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Severity,
)
from backupkit.chats.partial import read_some
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import iso_to_us
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import damaged_lines
from backupkit.chats.texts.holes import without_origin
from backupkit.chats.texts.html_pieces import has_endless_tag

_MARK = re.compile(rb"class=\"(?:hChatLog|haudio)\b")
_LOOKED_AT = 64 * 1024
_MAX_PAGE_BYTES = 16 * 2**20
_PAIRED = ("abbr", "cite", "a", "span", "q")
_NO_TEXT = re.compile("[\udc80-\udcff]")
_ENDINGS = (".jpg", ".jpeg", ".gif", ".png", ".mp4", ".3gp", ".mp3", ".amr", ".vcf", ".pdf", "")


class GoogleVoice:
    """Reads the call and message pages of Google Voice."""

    format = "google-voice"
    app = "google-voice"
    package = "com.google.android.apps.googlevoice"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the microformat's own classes in a page."""
        claims = {}
        for name in source.of(Content.MARKUP):
            if _MARK.search(source.head(name, _LOOKED_AT)):
                claims[name] = 95
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every claimed page."""
        return read_each(recognition.files, lambda name: _read_page(source, name))


def _read_page(source: SourceFiles, name: str) -> Iterator[Told]:
    if (source.size(name) or 0) > _MAX_PAGE_BYTES:
        raise MalformedExport(Locator(name), "page-too-long")
    with source.open(name) as stream:
        data, failure = read_some(stream, _MAX_PAGE_BYTES, name)
    if has_endless_tag(data):
        raise MalformedExport(Locator(name), "page-damaged")
    text = data.decode("utf-8", "surrogateescape")
    page = _Page()
    try:
        page.feed(_NO_TEXT.sub("\ufffd", text))
        if page.is_closed:
            page.close()
    except AssertionError as error:
        # What the parser raises for a declaration that it does not know.
        raise MalformedExport(Locator(name), "page-damaged") from error
    people = {tel: shown for tel, shown in page.people if tel or shown}
    own = page.own()
    others = sorted(tel for tel in people if tel and tel not in own)
    key = "~".join(others) or posixpath.basename(name).partition(" - ")[0] or name
    kind = ConversationKind.GROUP if len(others) > 1 else ConversationKind.PRIVATE
    participants = tuple(Participant(tel, shown or None, tel in own) for tel, shown in people.items())
    yield Conversation(
        key, posixpath.basename(name).partition(" - ")[0] or None, kind, participants, locator=Locator(name)
    )
    said = [one for one in page.messages if not one.is_call or one.files or "".join(one.texts).strip()]
    torn = _torn(said, text)
    for number, found in enumerate(said):
        message = _message(source, name, (key, number), found, text, is_own=found.tel in own or found.name == "Me")
        # Each message has a time and a sender, so one without them is what a hole left of two.
        has_sender = bool(found.tel or found.name) or found.is_call
        is_whole = message.ts_utc_us is not None and has_sender and number not in torn
        yield message if is_whole else without_origin(message)
        if found.is_over or not is_whole:
            yield Finding("record-not-understood", Severity.WARNING, message.locator)
    if damaged := damaged_lines(data):
        yield Finding("text-not-utf-8", Severity.ERROR, Locator(name), {"count": damaged})
    if failure is not None:
        raise failure
    if not page.is_closed:
        raise TruncatedExport(Locator(name), "page-unclosed")


def _torn(messages: list["_Found"], page: str) -> set[int]:
    """Return the numbers of the messages in which elements have no end or no beginning, where nearly all others have both."""
    torn = set()
    for number, found in enumerate(messages):
        said = page[found.start : max(found.end, found.start)]
        if any(len(re.findall(rf"<{tag}\b", said)) != said.count(f"</{tag}>") for tag in _PAIRED):
            torn.add(number)
    return torn if len(torn) * 10 <= len(messages) else set()


class _Found:
    __slots__ = ("end", "files", "is_call", "is_over", "is_recorded", "name", "start", "tel", "texts", "when")

    def __init__(self, start: int, *, is_call: bool) -> None:
        self.start, self.end = start, start
        self.is_call = is_call
        self.when = self.tel = self.name = ""
        self.is_over = self.is_recorded = False
        self.texts: list[str] = []
        self.files: list[str] = []


class _Page(HTMLParser):
    """Collects the messages and people of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.messages: list[_Found] = []
        self.people: list[tuple[str, str]] = []
        self.is_closed = False
        self._abbreviated: set[str] = set()
        self._depth = 0
        self._card_depth: int | None = None
        self._spans = 0
        self._message_depth: int | None = None
        self._in_quote = self._in_name = False
        self._tel = ""
        self._lines = array("Q", [0])

    def own(self) -> set[str]:
        """Return the owner's number, where the page tells it."""
        named = {tel for tel, shown in self.people if shown == "Me"}
        return named or (self._abbreviated if len(self._abbreviated) == 1 else set())

    def feed(self, data: str) -> None:
        self._lines = array("Q", [0])
        while at := data.find("\n", self._lines[-1]) + 1:
            self._lines.append(at)
        super().feed(data)

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[min(line, len(self._lines)) - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        classes = found.get("class", "").split()
        if tag == "div":
            self._depth += 1
            if "vcard" in classes:
                self._card_depth = self._depth
            if "message" in classes or "haudio" in classes:
                # Messages never lie in each other: one that is still open has lost its end.
                self._message_depth = self._depth
                self._in_quote = self._in_name = False
                self.messages.append(_Found(self._offset(), is_call="haudio" in classes))
                self._tel = ""
        message = self.messages[-1] if self._message_depth is not None else None
        if message is not None and message.is_call:
            self._start_in_call(tag, classes, found, message)
        elif "tel" in classes and tag == "a":
            self._tel = found.get("href", "").removeprefix("tel:")
        elif message is not None and (
            message.is_over or ("fn" in classes and message.name) or ("dt" in classes and message.when)
        ):
            # Another message has run into this one.
            message.is_over = True
            self._in_name = self._in_quote = False
        elif "fn" in classes and tag in {"span", "abbr"}:
            self._in_name = True
            # The owner's word for themselves, whatever their language, is an abbreviation of nothing; other names are none.
            if tag == "abbr" and not found.get("title") and self._tel:
                self._abbreviated.add(self._tel)
            self.people.append((self._tel, ""))
        elif message is not None:
            if tag == "abbr" and "dt" in classes:
                message.when = found.get("title", "")
            elif tag == "q":
                self._in_quote = True
            elif tag == "br" and self._in_quote:
                message.texts.append("\n")
            elif tag in {"img", "audio", "video"} or (tag == "a" and {"vcard", "video", "audio"} & set(classes)):
                reference = found.get("src") or found.get("href")
                if reference:
                    message.files.append(reference)

    def _start_in_call(self, tag: str, classes: list[str], found: dict[str, str], message: _Found) -> None:
        if "tel" in classes and tag == "a":
            self._tel = found.get("href", "").removeprefix("tel:")
        elif "fn" in classes and self._card_depth is not None:
            self._in_name = True
            self.people.append((self._tel, ""))
        elif "published" in classes:
            message.when = found.get("title", "")
        elif "full-text" in classes:
            self._in_quote = True
            self._spans = 1
        elif tag == "span" and self._in_quote:
            self._spans += 1
        elif tag == "br" and self._in_quote:
            message.texts.append("\n")
        elif found.get("rel") == "tag":
            # The end of the address is the label's name in every language.
            message.is_recorded = message.is_recorded or found.get("href", "").endswith("#recorded")
        elif tag == "audio" and (reference := found.get("src")):
            message.files.append(reference)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "div":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            if self._message_depth == self._depth:
                self._message_depth = None
                self.messages[-1].end = self._offset() + 6
            if self._card_depth == self._depth:
                self._card_depth = None
            self._depth -= 1
        elif tag == "q":
            self._in_quote = False
        elif tag in {"span", "abbr"}:
            self._in_name = False
            if tag == "span" and self.messages and self.messages[-1].is_call:
                self._spans -= 1
                self._in_quote = self._in_quote and self._spans > 0
        elif tag in {"html", "body"}:
            self.is_closed = True

    def handle_data(self, data: str) -> None:
        if self._in_quote and self._message_depth is not None:
            self.messages[-1].texts.append(data)
        elif self._in_name and self.people:
            tel, shown = self.people[-1]
            self.people[-1] = (tel, shown + data)
            if self._message_depth is not None:
                self.messages[-1].tel = tel
                self.messages[-1].name += data


def _message(
    source: SourceFiles, name: str, place: tuple[str, int], found: _Found, page: str, *, is_own: bool
) -> Message:
    key, number = place
    ts_us, has_zone = iso_to_us(found.when)
    media = tuple(_media(source, name, reference) for reference in found.files)
    return Message(
        conversation=key,
        locator=Locator(name, f"message {number}"),
        raw=page[found.start : max(found.end, found.start)].encode("utf-8", "surrogateescape"),
        ts_utc_us=ts_us,
        ts_precision=Precision.MILLISECOND,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=found.when,
        sender_id=found.tel or None,
        sender_name=found.name or None,
        # In a call that was recorded both are heard.
        direction=Direction.UNKNOWN if found.is_recorded else Direction.OUT if is_own else Direction.IN,
        kind=media[0].role if media else MessageKind.TEXT,
        text="".join(found.texts),
        media=media,
    )


def _media(source: SourceFiles, name: str, reference: str) -> Media:
    """Find a file that the page names without its ending."""
    folder = posixpath.dirname(name)
    for ending in _ENDINGS:
        candidate = posixpath.normpath(posixpath.join(folder, reference + ending))
        size_bytes = source.size(candidate)
        if size_bytes is not None:
            role = MessageKind.CONTACT if ending == ".vcf" else role_of_name(candidate)
            return Media(candidate, MediaState.PRESENT if size_bytes else MediaState.CORRUPT, role)
    return Media(reference, MediaState.MISSING, MessageKind.FILE)
