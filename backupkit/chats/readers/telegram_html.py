"""Telegram Desktop's HTML export: pages `messages.html`, `messages2.html` and so on, of one chat or a whole account.

Only classes and ids are looked at, never words. Lines with a small negative number are the export's own (the dates) and no
messages; what a group brought along when it became a supergroup has large negative ones. A joined message has no name of its own
and belongs to the sender before it.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
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
from backupkit.chats.readers.telegram_json import is_telegram_json
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import within_time
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.holes import has_hole, without_origin
from backupkit.chats.texts.html_pieces import Elements, Piece, pieces_of

_LOOKED_AT = 16 * 1024
_PAGE = re.compile(rb"class=[\"'][^\"'>]*\bchat_page\b")
_HISTORY = re.compile(rb"class=[\"']history[\"']")
_MARK = re.compile(rb"<div\s[^>]{0,200}?class=[\"']message\s")
_TITLE = re.compile(rb"class=[\"']page_header[\"'].{0,2000}?class=[\"']text bold[\"'][^>]*>([^<]{0,4000})<", re.DOTALL)
_PAGINATION = re.compile(rb"class=[\"'][^\"'>]*\bpagination\b[^\"'>]*[\"']\s+href=[\"']([^\"'>#]{1,300})[\"'#]")
_END = re.compile(rb"</html>\s*\Z", re.IGNORECASE)
_NUMBERED = re.compile(r"^messages(\d*)\.html$")
_MOMENT = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d):(\d\d)(?: UTC([+-])(\d\d):?(\d\d))?")
_GO_TO = re.compile(r"(?:go_to_message|GoToMessage\()(-?\d{1,19})")
_DECLARED = re.compile(
    rb"href=[\"'](?:\.\./)?(chats/[^\"'>]{1,200}/)messages\.html[^>]*>.{0,4000}?class=[\"']details_entry details[\"'][^>]*>\s*(\d{1,12})\s",
    re.DOTALL,
)
_MAX_LIST_BYTES = 32 * 2**20
# Messages from before a group became a supergroup are numbered from a thousand million below zero, the export's own lines from -1 on.
_BROUGHT_ALONG = -100_000_000

_WRAPS = {
    "photo_wrap": MessageKind.IMAGE,
    "sticker_wrap": MessageKind.STICKER,
    "animated_wrap": MessageKind.VIDEO,
    "video_file_wrap": MessageKind.VIDEO,
}
_MEDIA = {
    "media_photo": MessageKind.IMAGE,
    "media_video": MessageKind.VIDEO,
    "media_voice_message": MessageKind.VOICE,
    "media_audio_file": MessageKind.FILE,
    "media_file": MessageKind.FILE,
    "media_contact": MessageKind.CONTACT,
    "media_location": MessageKind.LOCATION,
    "media_live_location": MessageKind.LOCATION,
    "media_venue": MessageKind.LOCATION,
    "media_call": MessageKind.CALL,
    "media_invoice": MessageKind.PAYMENT,
    "media_poll": MessageKind.POLL,
    "media_game": MessageKind.OTHER,
    "media_giveaway": MessageKind.OTHER,
}
# What a card that is no file says in words, by its parts. The titles of calls and places are the program's.
_TOLD = {
    MessageKind.CALL: ("status",),
    MessageKind.LOCATION: ("title", "description", "status"),
    MessageKind.CONTACT: ("title", "status"),
    MessageKind.PAYMENT: ("title", "description", "status"),
    MessageKind.OTHER: ("title", "description", "status"),
}
_PLACES = {"media_location", "media_live_location"}
# A bot by whose help somebody wrote is no part of the name.
_VIA = re.compile(r" via @\w{3,40}$", re.ASCII)
_FILES = {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.VOICE, MessageKind.FILE, MessageKind.STICKER}
_SPACE = " \t\r\n"
_Field: TypeAlias = Callable[[str], str]


class TelegramHtml:
    """Reads the pages of Telegram Desktop."""

    format = "telegram-html"
    app = "telegram"
    package = "org.telegram.messenger"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the classes of a chat's page. Where the same export lies beside it as JSON, that is read instead."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = source.head(name, _LOOKED_AT)
            if _PAGE.search(head) and _HISTORY.search(head):
                claims[name] = 95
        if claims:
            twins = {posixpath.dirname(name) for name in source.called("result.json") if is_telegram_json(source, name)}
            claims = {name: sure for name, sure in claims.items() if not _is_twin(name, twins)}
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats, folder by folder, and the pages of each in their order."""
        chats: dict[str, list[str]] = {}
        for name in recognition.files:
            chats.setdefault(posixpath.dirname(name), []).append(name)
        titles = {folder: _title_of(source, min(pages, key=_page_order)) for folder, pages in chats.items()}
        declared = _declared_counts(source)
        shared = Counter(titles.values())
        for folder, pages in chats.items():
            title = titles[folder]
            key = title if shared[title] == 1 else f"{title} ({folder})"
            chat = _Chat(source, key, title, declared.get(posixpath.basename(folder)))
            pages.sort(key=_page_order)
            yield chat.conversation(pages[0])
            yield from read_each(pages, chat.read_page)
            yield chat.conversation(pages[0])
            yield from _missing_pages(source, folder, pages, chat.linked)


def _is_twin(name: str, folders: set[str]) -> bool:
    """Say whether a page belongs to an export that the program wrote in both of its formats: beside it, or in its folder of chats."""
    folder = posixpath.dirname(name)
    account, chats = posixpath.split(posixpath.dirname(folder))
    return folder in folders or (chats == "chats" and account in folders)


def _page_order(name: str) -> tuple[int, str]:
    numbered = _NUMBERED.match(posixpath.basename(name))
    return (int(numbered[1][:9] or 1) if numbered else 0), name


def _title_of(source: SourceFiles, name: str) -> str:
    found = _TITLE.search(source.head(name, _LOOKED_AT))
    words = _Words()
    if found is not None:
        words.take(b"<p>" + found[1] + b"</p>", name, 0)
    return words.fields.get("p", "").strip(_SPACE) or posixpath.dirname(name) or name


def _declared_counts(source: SourceFiles) -> dict[str, int]:
    """Read how many messages the list of chats says each folder holds."""
    found: dict[str, int] = {}
    for name in source.called("chats.html", "left_chats.html"):
        if "lists/" in name:
            for folder, count in _DECLARED.findall(source.head(name, _MAX_LIST_BYTES)):
                found[posixpath.basename(folder.decode("utf-8", "replace").rstrip("/"))] = int(count)
    return found


def _missing_pages(source: SourceFiles, folder: str, pages: list[str], linked: set[str]) -> Iterator[Finding]:
    numbers = {number for number, _name in map(_page_order, pages) if number}
    absent = {
        f"messages{number if number > 1 else ''}.html"
        # A hostile name may carry any number: what is far apart is no row of pages.
        for number in (range(1, max(numbers)) if numbers and max(numbers) <= 100_000 else ())
        if number not in numbers
    }
    absent = {name for name in absent | linked if source.size(posixpath.join(folder, name)) is None}
    if absent:
        first = min(absent, key=_page_order)
        yield Finding(
            "shard-missing",
            Severity.ERROR,
            Locator(folder or source.label),
            {"name": first, "count": len(absent)},
        )


class _Chat:
    """One chat while its pages are read."""

    def __init__(self, source: SourceFiles, key: str, title: str, declared: int | None) -> None:
        self._source = source
        self._key = key
        self._title = title
        self._declared = declared
        self._people = People()
        self._parser = _MessageElements()
        self._sender: str | None = None
        self._forward: str | None = None
        self._last_page = 0
        self.linked: set[str] = set()

    def conversation(self, name: str) -> Conversation:
        """Return what is known of the chat so far."""
        return Conversation(
            self._key,
            self._title,
            participants=self._people.participants(),
            declared_messages=self._declared,
            locator=Locator(name),
        )

    def read_page(self, name: str) -> Iterator[Told]:
        """Stream the messages of a page."""
        number = _page_order(name)[0]
        if number != self._last_page + 1:
            # Whoever wrote before a missing page is nobody's guess.
            self._sender = self._forward = None
        self._last_page = number
        with self._source.open(name) as stream:
            for piece in pieces_of(stream, name, _MARK):
                yield from self._piece(name, piece)
                if piece.is_last:
                    yield from self._parser.damage(name)
                if piece.is_last and not _END.search(piece.data[-200:]):
                    raise TruncatedExport(Locator(name, f"byte {piece.offset}"), "page-unclosed")

    def _piece(self, name: str, piece: Piece) -> Iterator[Told]:
        if b"pagination" in piece.data and len(self.linked) < 1000:
            self.linked.update(
                posixpath.basename(link.decode("utf-8", "replace")) for link in _PAGINATION.findall(piece.data)
            )
        if not _MARK.match(piece.data):
            return
        locator = Locator(name, f"byte {piece.offset}")
        found = self._parser
        try:
            found.take(piece.data, name, piece.offset)
        except MalformedExport as error:
            yield Finding("record-not-understood", Severity.WARNING, locator, {"reason": error.reason})
            return
        if found.number is None or not (found.is_closed or piece.is_last):
            yield Finding("record-not-understood", Severity.WARNING, locator)
        elif not found.is_own_line and found.is_closed:
            message = self._message(name, locator, piece, found)
            yield without_origin(message) if found.is_torn else message
            is_timeless = not message.ts_raw and not found.is_service
            has_more = not piece.is_last and piece.data[len(message.raw) :].strip()
            if found.has_run_on or found.is_torn or has_more or is_timeless:
                yield Finding("record-not-understood", Severity.WARNING, locator)
        if found.is_torn or has_hole(piece.data):
            # Another may have spoken in what is gone.
            self._sender = self._forward = None

    def _message(self, name: str, locator: Locator, piece: Piece, found: "_MessageElements") -> Message:
        def text(field: str) -> str:
            return found.fields.get(field, "").strip(_SPACE)

        sender, forward = self._who(found, text)
        self._people.saw(None, sender)
        ts_us, zone = _moment(found.when)
        media = () if found.kind not in _FILES else (self._media(name, found, text),)
        kind = media[0].role if media else found.kind or MessageKind.TEXT
        if found.is_service:
            kind = MessageKind.SYSTEM
        return Message(
            conversation=self._key,
            locator=locator,
            raw=piece.data[: found.raw_length(piece.data)],
            ts_utc_us=ts_us,
            ts_precision=Precision.SECOND,
            ts_zone=zone,
            ts_raw=found.when,
            native_id=str(found.number),
            native_seq=found.number,
            sender_name=sender,
            direction=Direction.SYSTEM if found.is_service else Direction.UNKNOWN,
            kind=kind,
            native_kind=found.native_kind,
            text=text("service") if found.is_service else "\n".join(_words(found, text)),
            reply_to=found.reply_to,
            forward_of=forward,
            edits=_edits(found.when),
            reactions=tuple(found.reactions()),
            media=media,
        )

    def _who(self, found: "_MessageElements", text: _Field) -> tuple[str | None, str | None]:
        """Return the sender and from whom it was forwarded: a joined message has those of the one before."""
        if found.is_service:
            self._sender = self._forward = None
            return None, None
        if not found.is_joined:
            self._sender = _VIA.sub("", text("from_name")) or text("signature") or None
            self._forward = None
        forward = _VIA.sub("", text("forwarded"))
        if found.is_forwarded:
            self._forward = forward or self._forward or self._sender
        else:
            self._forward = None
        return self._sender, self._forward

    def _media(self, name: str, found: "_MessageElements", text: _Field) -> Media:
        role = found.kind or MessageKind.FILE
        title, description, status = text("media_title"), text("media_description"), text("media_status")
        if found.link and not is_link(found.link):
            place, state = find_media(self._source, name, found.link)
            if role is MessageKind.FILE:
                role = role_of_name(place) if found.native_kind == "media_file" else role
            elif posixpath.dirname(found.link).endswith("stickers"):
                role = MessageKind.STICKER
            return Media(place, state, role)
        if status.lower() == "expired":
            state = MediaState.EXPIRED
        else:
            state = MediaState.MISSING if "available" in description.lower() else MediaState.OMITTED
        if title == "Sticker":
            role = MessageKind.STICKER
        return Media(title or role.value, state, role)


def _words(found: "_MessageElements", text: _Field) -> Iterator[str]:
    """Tell what a message says: its card, if that is no file, and its text."""
    parts = _TOLD.get(found.kind, ()) if found.kind else ()
    for part in ("status",) if found.native_kind in _PLACES else parts:
        if text(f"media_{part}"):
            yield text(f"media_{part}")
    answers = [f"answer {number}" for number in range(1, found.answers + 1)]
    for field in ("question", *answers, "giveaway", "text"):
        if text(field):
            yield " ".join(text(field).split()) if field == "giveaway" else text(field)


def _moment(when: str) -> tuple[int | None, str]:
    # Only at the very beginning: two times that ran together are none.
    found = _MOMENT.match(when.strip(_SPACE))
    if found is None:
        return None, UNKNOWN_ZONE
    day, month, year, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None, UNKNOWN_ZONE
    ts_us = int(moment.timestamp()) * 1_000_000
    if found[7] is None:
        return within_time(ts_us), UNKNOWN_ZONE
    offset = (int(found[8]) * 60 + int(found[9])) * 60_000_000
    return within_time(ts_us - offset if found[7] == "+" else ts_us + offset), OFFSET_ZONE


def _edits(when: str) -> tuple[Edit, ...]:
    """Take a second time in the tip of the clock for the last change."""
    return tuple(Edit(_moment(found[0])[0]) for found in list(_MOMENT.finditer(when))[1:2])


class _Words(Elements):
    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        del classes, attributes
        return tag


class _MessageElements(Elements):
    """What one message's piece of a page holds."""

    single = frozenset({"from_name"})

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.number: int | None = None
        self.is_service = self.is_joined = self.is_forwarded = self.is_closed = False
        self.when = ""
        self.kind: MessageKind | None = None
        self.native_kind = ""
        self.link = ""
        self.reply_to: str | None = None
        self._end: tuple[int, int] = (0, 0)
        self._reactions = self.answers = 0
        self._named: dict[int, list[str]] = {}
        super().take(data, file, offset)

    @property
    def is_own_line(self) -> bool:
        """Whether it is a line of the export itself, such as a date, and no message."""
        return self.is_service and self.number is not None and _BROUGHT_ALONG < self.number < 0

    def raw_length(self, data: bytes) -> int:
        """Return how many bytes of the piece are the message itself, without what follows it on the page."""
        line, column = self._end
        at = 0
        for _line in range(line - 1):
            at = data.find(b"\n", at) + 1
        end_of_line = data.find(b"\n", at)
        text = data[at : end_of_line if end_of_line >= 0 else len(data)].decode("utf-8", "replace")
        return at + len(text[:column].encode("utf-8", "replace")) + len(b"</div>")

    def reactions(self) -> Iterator[Reaction]:
        """Tell the reactions: of those who are shown with them each by name, of the others how many."""
        for place in range(1, self._reactions + 1):
            symbol = self.fields.get(f"emoji {place}", "").strip(_SPACE)
            written = self.fields.get(f"count {place}", "").strip(_SPACE)
            known = self._named.get(place, [])
            count = int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else not known
            if symbol:
                yield from (Reaction(symbol, name) for name in known)
                if count > len(known):
                    yield Reaction(symbol, count=count - len(known))

    def handle_endtag(self, tag: str) -> None:
        was_open = self.depth
        super().handle_endtag(tag)
        if was_open and not self.depth and not self.is_closed:
            self.is_closed = True
            self._end = self.getpos()

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if self.is_closed:
            return ""
        if not self.depth:
            return self._outermost(classes, attributes)
        if self._reactions and "initials" in classes and attributes.get("title"):
            self._named.setdefault(self._reactions, []).append(attributes["title"])
        if "userpic" in classes or "userpic_wrap" in classes:
            return ""
        if "date" in classes:
            if "pull_right" in classes and not self.when:
                self.when = attributes.get("title", "")
            return ""
        if "forwarded" in classes and "body" in classes:
            self.is_forwarded = True
        elif "from_name" in classes:
            return "forwarded" if self.is_forwarded else "from_name"
        elif "reply_to" in classes:
            return "reply"
        elif "signature" in classes:
            return "signature"
        elif "reaction" in classes:
            self._reactions += 1
            return ""
        elif self._reactions and ("emoji" in classes or "count" in classes):
            return f"{'emoji' if 'emoji' in classes else 'count'} {self._reactions}"
        elif "reactions" in classes:
            return ""
        elif tag == "div" and "text" in classes:
            return "text"
        elif self.is_service and "body" in classes:
            return "service"
        elif tag == "a" and self._open[-1][1] == "reply":
            # Links in a message's own words may lead to other messages too; only the line above it is a reply.
            found = _GO_TO.search(attributes.get("href", "")) or _GO_TO.search(attributes.get("onclick", ""))
            self.reply_to = found[1] if found else None
        return self._media_field(classes, attributes)

    def _outermost(self, classes: frozenset[str], attributes: dict[str, str]) -> str:
        number = attributes.get("id", "").removeprefix("message")
        if number.removeprefix("-").isdecimal() and number.isascii() and len(number) < 20:
            self.number = int(number)
        self.is_service = "service" in classes
        self.is_joined = "joined" in classes
        return ""

    def _media_field(self, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        for known in (_WRAPS, _MEDIA):
            for name in classes & known.keys():
                if self.kind is None:
                    self.kind, self.native_kind = known[name], name
                    self.link = attributes.get("href", "")
                return ""
        if "answer" in classes and self.native_kind == "media_poll":
            self.answers += 1
            return f"answer {self.answers}"
        if self.answers and "details" in classes:
            return ""
        if self.native_kind == "media_giveaway" and classes & {"section_title", "section_body"}:
            self.put("giveaway", " ")
            return "giveaway"
        if self.kind is not None:
            for part in ("title", "description", "status", "question"):
                if part in classes:
                    return part if part == "question" else f"media_{part}"
        return None
