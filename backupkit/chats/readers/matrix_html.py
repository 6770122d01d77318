"""Element's web pages of a Matrix room: `messages.html`, `messages2.html` and so on, or one `index.html` in older versions.

Only classes and attributes are looked at. The day stands above the messages of a day, and older versions also tell the moment of
each. A message that goes on has no name and belongs to the sender before it. Reactions are not exported.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

from backupkit.chats.model import (
    DeletionState,
    Direction,
    Edit,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.readers.element_heads import element_day, element_head
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.message_page import MessagePage
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.html_pieces import Elements, Piece

_LOOKED_AT = 64 * 1024
_PAGE = re.compile(rb"class=\"mx_RoomView_MessageList\"")
_MARK = re.compile(rb"<div class=\"mx_Export_EventWrapper\"")
_DAY = re.compile(
    rb"<(?:div|h2)\s[^>]{0,200}?class=\"[^\">]{0,200}?mx_(?:Date|Timeline)Separator(?:\s[^\">]*)?\"[^>]{0,100}?aria-label=\"([^\">]{1,100})\""
)
_TITLE = re.compile(rb"class=\"mx_RoomHeader_(?:nametext|info)\"\s+title=\"(.{1,1000}?)\"\s*>", re.DOTALL)
_NEXT = re.compile(rb"href=\"\./(messages\d{0,6}\.html)\"")
_NUMBERED = re.compile(r"messages(\d{0,6})\.html$")
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?![:.\d])")
_USER = re.compile(r"@[^\s:]{1,255}:\S{1,255}$")
_OMITTED = re.compile(r"(?:Media omitted(?: - file size limit exceeded)?|Error fetching file)$")
_SPACE = " \t\r\n"
_YEARS = 31
_MOST_PAGES = 10_000


class MatrixHtml:
    """Reads the web pages of Element."""

    format = "matrix-html"
    app = "element"
    package = "im.vector.app"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the list of messages, and for a message that was exported."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = source.head(name, _LOOKED_AT)
            if _PAGE.search(head) and _MARK.search(head):
                claims[name] = 95
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the rooms, folder by folder, and the pages of each in their order."""
        rooms: dict[str, list[str]] = {}
        for name in sorted(recognition.files, key=_page_order):
            rooms.setdefault(posixpath.dirname(name), []).append(name)
        titles = {folder: _title_of(source, pages[0]) for folder, pages in rooms.items()}
        shared = Counter(titles.values())
        for folder, pages in rooms.items():
            title = titles[folder]
            room = _Room(title if shared[title] == 1 else f"{title} ({folder})", title)
            yield from read_each(pages, lambda name, room=room: _Page(source, name, room).read())  # type: ignore[misc]
            yield from room.findings(source, folder, pages)


def _page_order(name: str) -> tuple[str, int, str]:
    numbered = _NUMBERED.search(name)
    return posixpath.dirname(name), int(numbered[1] or 1) if numbered else 0, name


def _title_of(source: SourceFiles, name: str) -> str:
    found = _TITLE.search(source.head(name, _LOOKED_AT))
    title = unescape(found[1].decode("utf-8", "replace")).strip(_SPACE) if found else ""
    return title or posixpath.basename(posixpath.dirname(name)) or source.label


class _Room:
    """What the pages of one room have in common."""

    def __init__(self, key: str, title: str) -> None:
        self.key = key
        self.title = title
        self.people = People()
        self.linked: set[str] = set()
        self.sealed = 0

    def findings(self, source: SourceFiles, folder: str, pages: list[str]) -> Iterator[Finding]:
        """Tell of pages that are not there, and of what the app itself could not decrypt."""
        absent = sorted(name for name in self.linked if source.size(posixpath.join(folder, name)) is None)
        if absent:
            where = Locator(folder or source.label)
            yield Finding("shard-missing", Severity.ERROR, where, {"name": absent[0], "count": len(absent)})
        if self.sealed:
            where = Locator(pages[0])
            yield Finding("undecryptable", Severity.ERROR, where, {"conversation": self.title, "count": self.sealed})


class _Page(MessagePage):
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str, room: _Room) -> None:
        self._parser = _Parser()
        self._room = room
        self._day = ""
        self._sender: tuple[str | None, str | None] = (None, None)
        super().__init__(source, name, _MARK, self._parser, room.key, room.title)
        self.people = room.people

    def is_inside(self, before: bytes) -> bool:
        """Note the day that was written above a message; messages never stand in each other."""
        for found in _DAY.finditer(before):
            self._day = unescape(found[1].decode("utf-8", "replace"))
        if len(self._room.linked) < _MOST_PAGES:
            self._room.linked.update(link.decode() for link in _NEXT.findall(before))
        return False

    def message(self, locator: Locator, piece: Piece) -> Iterator[Told]:
        """Tell the message of a block."""
        found = self._parser
        if piece.is_last and len(self._room.linked) < _MOST_PAGES:
            self._room.linked.update(link.decode() for link in _NEXT.findall(piece.data))
        sender_id, sender = self._sender_of(found)
        second, precision = self._moment(found)
        media = tuple(_media(self.source, self.name, reference) for reference in found.files[:1000])
        text = found.text()
        if not media and _OMITTED.match(text) and found.is_italic:
            media, text = (Media(MessageKind.FILE.value, MediaState.OMITTED),), ""
        kind = media[0].role if media else MessageKind.TEXT
        if found.is_notice:
            kind = MessageKind.SYSTEM
        elif found.is_sealed:
            self._room.sealed += 1
            kind = MessageKind.OTHER
        direction = Direction.UNKNOWN if found.is_own is None else Direction.OUT if found.is_own else Direction.IN
        yield Message(
            conversation=self.key,
            locator=locator,
            raw=piece.data,
            ts_utc_us=None if second is None else second * 1_000_000,
            ts_precision=precision,
            ts_raw=found.moment or f"{self._day} {found.fields.get('when', '').strip(_SPACE)}".strip(),
            native_id=found.identity,
            sender_id=sender_id,
            sender_name=sender,
            direction=Direction.SYSTEM if found.is_notice else direction,
            kind=MessageKind.RECALL if found.is_redacted else kind,
            text=text,
            reply_to=found.reply_to,
            edits=(Edit(),) if found.is_edited else (),
            deletion=DeletionState.RECALLED if found.is_redacted else DeletionState.NONE,
            media=media,
        )
        is_timeless = "when" not in found.fields and not found.is_notice
        if found.has_run_on or is_timeless:
            yield Finding("record-not-understood", Severity.WARNING, locator)

    def _sender_of(self, found: "_Parser") -> tuple[str | None, str | None]:
        if found.is_notice:
            self._sender = (None, None)
            return self._sender
        sender = found.fields.get("sender", "").strip(_SPACE)
        if sender:
            identity = found.user or (sender if _USER.match(sender) else None)
            self._sender = (identity, sender)
            self.people.saw(identity, sender, is_owner=found.is_own is True)
        elif not found.goes_on:
            self._sender = (None, None)
        return self._sender

    def _moment(self, found: "_Parser") -> tuple[int | None, Precision]:
        """Return the second since 1970: by the moment that older versions tell, else by the day above and the clock."""
        head = element_head(f"{found.moment} - ") if found.moment else None
        if head is not None and head.parts[0] > _YEARS:
            day = element_day("{}-{}-{}".format(*head.parts))
            if day is not None:
                return day * 86_400 + head.second, Precision.SECOND
        clock, day = _CLOCK.search(found.fields.get("when", "")), element_day(self._day)
        if clock is None or day is None or int(clock[1]) > 23 or int(clock[2]) > 59:
            return None, Precision.MINUTE
        return day * 86_400 + int(clock[1]) * 3600 + int(clock[2]) * 60, Precision.MINUTE


def _media(source: SourceFiles, file: str, reference: str) -> Media:
    if is_link(reference) or reference.startswith("mxc:"):
        return Media(reference, MediaState.OMITTED, role_of_name(reference))
    found, state = find_media(source, file, reference)
    return Media(found, state, role_of_name(found))


class _Parser(Elements):
    """What the piece of one message holds."""

    single = frozenset({"when"})
    _NOTICES = frozenset({"mx_EventTile_info", "mx_EventTile_bubbleContainer", "mx_EventTile_leftAlignedBubble"})
    _LEFT_OUT = frozenset(
        {
            "mx_BaseAvatar", "mx_EventTile_avatar", "mx_EventTile_edited", "mx_EventTile_lineNumbers", "mx_EventTile_msgOption",
            "mx_EventTile_button", "mx_EventTile_receiptSent", "mx_ReplyChain", "mx_ReplyChain_Export", "mx_ReplyThread_Export", "mx_ThreadSummary",
            "mx_MFileBody_info", "mx_DisambiguatedProfile_mxid", "mx_EventTile_e2eIcon", "mx_MessageActionBar", "mx_EventTile_copyButton",
        }
    )  # fmt: skip
    _BLOCKS = frozenset({"p", "div", "li", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "tr"})

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.is_notice = self.is_edited = self.is_redacted = self.is_sealed = self.is_italic = self.goes_on = False
        self.is_own: bool | None = None
        self.identity: str | None = None
        self.reply_to: str | None = None
        self.user: str | None = None
        self._has_sender = False
        self.moment = ""
        self.files: list[str] = []
        self._left_out: int | None = None
        self._body: int | None = None
        super().take(data, file, offset)

    def text(self) -> str:
        """Return the words of the message, or what the page says in their place."""
        if self.is_redacted:
            return ""
        said = self.fields.get("text", "").strip(_SPACE)
        if not said and not self.files:
            said = " ".join(self.fields.get("other", "").split())
        return re.sub(r"\n{3,}", "\n\n", said)

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if not self.depth:
            self.identity = attributes.get("id") or None
            return ""
        self._file(tag, attributes)
        if self._left_out is not None:
            if self.depth > self._left_out:
                return self._look_into(classes, attributes)
            self._left_out = None
        if classes & self._LEFT_OUT:
            self._left_out = self.depth
            self.is_edited = self.is_edited or "mx_EventTile_edited" in classes
            return self._look_into(classes, attributes)
        if "mx_EventTile" in classes:
            self.is_notice = bool(classes & self._NOTICES)
            self.goes_on = "mx_EventTile_continuation" in classes
            self.is_own = {"true": True, "false": False}.get(attributes.get("data-self", ""))
        return self._part(tag, classes, attributes)

    def _look_into(self, classes: frozenset[str], attributes: dict[str, str]) -> str:
        """Look for what matters in a part whose words are none of the message's."""
        if "mx_reply_anchor" in classes and self.reply_to is None:
            self.reply_to = attributes.get("href", "").removeprefix("#") or None
        if self.user is None and self._body is None and _USER.match(attributes.get("title", "")):
            self.user = attributes["title"]
        return ""

    def _part(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if "mx_MessageTimestamp" in classes:
            self.moment = attributes.get("title", "")
            return "when"
        if classes & {"mx_DisambiguatedProfile_displayName", "mx_SenderProfile_displayName", "mx_MEmoteBody_sender"}:
            # A deed tells the name in its own line.
            is_first, self._has_sender = not self._has_sender, True
            return "sender" if is_first else ""
        self.is_redacted = self.is_redacted or "mx_RedactedBody" in classes
        self.is_sealed = self.is_sealed or "mx_DecryptionFailureBody" in classes
        if "mx_EventTile_line" in classes:
            return "other"
        if "mx_EventTile_body" in classes:
            self._body = self.depth
            return "text"
        if self._body is not None and self.depth > self._body:
            self.is_italic = self.is_italic or tag == "em"
            if tag in self._BLOCKS:
                self.put("text", "\n")
        return None

    def _file(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in {"a", "img", "video", "audio", "source"}:
            return
        reference = attributes.get("href" if tag == "a" else "src", "")
        if reference.startswith(("images/", "videos/", "audio/", "files/", "mxc:")) and reference not in self.files:
            self.files.append(reference)
