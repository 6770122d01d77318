"""WeChat chats as WeChatMsg (MemoTrace) exported them to web pages: one conversation in each.

A page is a viewer around a list in its script, `const chatMessages = [{ type:1, text: '…',is_send:0,…},…]`. Older versions write names and
quotes as JavaScript has them, newer ones as JSON. Texts are HTML of the tool's making; what people typed is escaped in it.
"""

import html
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from backupkit.chats.malformed import TruncatedExport
from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
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
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of
from backupkit.chats.reading.media_files import find_media, is_link
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import int_of, name_of, seconds_to_us, text_of
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import damaged_lines
from backupkit.chats.texts.html_pieces import MAX_PIECE_BYTES, Piece, pieces_of

_LOOKED_AT = 256 * 1024
_LIST = re.compile(rb"\bchatMessages\s{0,4}=\s{0,4}\[")
_MARK = re.compile(rb"\{\s{0,64}(?:type\s{0,4}:|\"type\"\s{0,4}:)\s{0,4}-?\d")
_CLOSED = re.compile(rb"\]\s*;?\s*</script>")
_END = re.compile(rb"</html>\s*\Z", re.IGNORECASE)
_TITLE = re.compile(rb"<title>([^<]{1,1000})</title>")
_NO_TITLE = {"Chat Records", "出错了"}
# A message may hold what looks like the next one: quotes in it are escaped, and so it goes on in the piece behind.
_MOST_JOINED = 8

_NAME = re.compile(r"[\s,]*+(?:([A-Za-z_]\w{0,60}+)|\"([A-Za-z_]\w{0,60}+)\")\s*+:\s*+")
_VALUE = re.compile(
    r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'|\"([^\"\\]*+(?:\\.[^\"\\]*+)*+)\"|(-?\d{1,30}+(?:\.\d{1,30}+)?|[A-Za-z]{1,20}+)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_PICTURE = re.compile(r"<img\b[^<>]*?\b(?:alt|title)=[\"']([^\"'<>]*)[\"'][^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PORTRAIT = re.compile(r"(?:\./)?avatar/(.+)\.(?:png|jpe?g|gif|webp)")
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?")
_SHOWN_BESIDE = ("title", "file_name", "description", "url", "link_url", "feedesc")


class WechatMemotraceHtml:
    """Reads the pages of WeChatMsg, now MemoTrace."""

    format = "wechat-memotrace-html"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the list in the script, and for a message with who sent it."""
        claims = {}
        for name in source.of(Content.MARKUP):
            head = source.head(name, _LOOKED_AT)
            begins = _LIST.search(head)
            if begins is None:
                continue
            first = _MARK.search(head, begins.end())
            if first is None or b"is_send" in head[first.start() :]:
                claims[name] = 94 if first else 80
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversation of every claimed page."""
        return read_each(recognition.files, lambda name: _Page(source, name).read())


class _Page:
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        self._source = source
        self._name = name
        self._key = self._title = posixpath.splitext(posixpath.basename(name))[0]
        self._kind = ConversationKind.UNKNOWN
        self._people = People()
        self._damaged = 0

    def read(self) -> Iterator[Told]:
        """Tell the conversation, its messages, and the conversation with all who took part.

        Raises:
            TruncatedExport: the list has no end.
            MalformedExport: the page cannot be read on.
        """
        waiting: list[Piece] = []
        with self._source.open(self._name) as stream:
            for number, piece in enumerate(pieces_of(stream, self._name, _MARK)):
                self._damaged += damaged_lines(piece.data)
                if number == 0 and not _MARK.match(piece.data):
                    self._begin(piece)
                    yield self._conversation()
                else:
                    waiting.append(piece)
                    yield from self._settle(waiting)
        yield self._conversation()
        if self._damaged:
            yield Finding("text-not-utf-8", Severity.ERROR, Locator(self._name), {"count": self._damaged})
        if not _is_end(piece):
            raise TruncatedExport(Locator(self._name, f"byte {piece.offset}"), "page-unclosed")

    def _begin(self, piece: Piece) -> None:
        found = _TITLE.search(piece.data)
        title = html.unescape(found[1].decode("utf-8", "replace")).strip() if found else ""
        if title and title not in _NO_TITLE:
            self._title = title

    def _settle(self, waiting: list[Piece]) -> Iterator[Told]:
        """Tell the message that the pieces hold together; none is left then, unless it goes on. A piece that can be no beginning of one is told and dropped."""
        text = b"".join(piece.data for piece in waiting).decode("utf-8", "surrogateescape")
        locator = Locator(self._name, f"byte {waiting[0].offset}")
        try:
            fields, end = _object_in(text)
        except _GoesOn:
            if len(waiting) < _MOST_JOINED and len(text) < MAX_PIECE_BYTES and not waiting[-1].is_last:
                return
        except ValueError:
            pass
        else:
            waiting.clear()
            yield from self._message(fields, locator, text[:end].encode("utf-8", "surrogateescape"))
            return
        yield Finding("record-not-understood", Severity.WARNING, locator)
        # What followed was no part of it, and is read again for itself.
        again, waiting[:] = waiting[1:], []
        for piece in again:
            waiting.append(piece)
            yield from self._settle(waiting)

    def _conversation(self) -> Conversation:
        return Conversation(
            self._key, self._title, self._kind, self._people.participants(), locator=Locator(self._name)
        )

    def _message(self, value: dict[str, Any], locator: Locator, raw: bytes) -> Iterator[Told]:
        number, text = int_of(value.get("type")), _shown(text_of(value.get("text")) or "")
        if number == 0 and "displayname" not in value and _CLOCK.fullmatch(text):
            # A line of the clock, which older versions put between messages.
            return
        if number is None or "timestamp" not in value:
            yield Finding("record-not-understood", Severity.WARNING, locator)
            return
        if "is_chatroom" in value:
            is_group = bool(int_of(value["is_chatroom"]))
            self._kind = ConversationKind.GROUP if is_group else ConversationKind.PRIVATE
        kind = MessageKind.SYSTEM if number == 0 else kind_of(number, int_of(value.get("sub_type")))
        is_taken_back = kind is MessageKind.SYSTEM and is_recall(text)
        is_own = bool(int_of(value.get("is_send")))
        direction = Direction.SYSTEM if kind is MessageKind.SYSTEM else Direction.OUT if is_own else Direction.IN
        person = _person(value) if direction is not Direction.SYSTEM else None
        name = _shown(text_of(value.get("displayname")) or "") or None
        if direction is not Direction.SYSTEM:
            self._people.saw(person, name, is_owner=is_own)
        has_file = kind in HAS_FILE
        yield Message(
            conversation=self._key,
            locator=locator,
            raw=raw,
            ts_utc_us=seconds_to_us(value["timestamp"]),
            ts_precision=Precision.SECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(value["timestamp"]),
            native_id=_number(value),
            sender_id=person,
            sender_name=name,
            direction=direction,
            kind=MessageKind.RECALL if is_taken_back else kind,
            native_kind=f"{number}/{value['sub_type']}" if "sub_type" in value else str(number),
            text=_words(value, "" if has_file else text),
            deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
            media=tuple(self._media(text, kind)) if has_file else (),
        )

    def _media(self, reference: str, kind: MessageKind) -> Iterator[Media]:
        if not reference or is_link(reference):
            yield Media(reference or kind.value, MediaState.OMITTED, kind)
        else:
            found, state = find_media(self._source, self._name, reference)
            yield Media(found, state, kind)


def _is_end(piece: Piece) -> bool:
    """Whether the list is closed, and the page behind it."""
    return _CLOSED.search(piece.data) is not None and _END.search(piece.data[-100:]) is not None


def _number(value: dict[str, Any]) -> str | None:
    number = name_of(value.get("MsgSvrID"))
    return None if number in {"", "0", "None"} else number


def _person(value: dict[str, Any]) -> str | None:
    """Return the WeChat id by which the portrait is called. Newer versions number them."""
    portrait = _PORTRAIT.fullmatch(text_of(value.get("avatar_path")) or "")
    return portrait[1] if portrait and not portrait[1].isdigit() else None


def _words(value: dict[str, Any], text: str) -> str:
    """Return what the app would show: the words, what they answer to, and what a card says."""
    quoted = _shown(text_of(value.get("refer_text")) or "")
    spoken = _shown(text_of(value.get("voice_to_text")) or "")
    # What the tool did not find it calls None.
    beside = [_shown(said) for name in _SHOWN_BESIDE if (said := text_of(value.get(name))) != "None" and said]
    return "\n".join(part for part in (text, spoken, *beside, quoted and f"> {quoted}") if part)


def _shown(text: str) -> str:
    """Turn the tool's HTML into the text that a browser shows for it."""
    if "<" in text:
        text = _TAG.sub("", _PICTURE.sub(r"\1", _BREAK.sub("\n", text)))
    return html.unescape(text) if "&" in text else text


class _GoesOn(ValueError):
    """The object is not closed where the piece ends."""


def _object_in(text: str) -> tuple[dict[str, Any], int]:
    """Read the object that a text begins with; return its fields and where it ends.

    Raises:
        _GoesOn: it does not end here. ValueError: it is no object of names and plain values.
    """
    fields: dict[str, Any] = {}
    at = 1
    while True:
        name = _NAME.match(text, at)
        if name is None:
            rest = text[at : at + 4096].lstrip(" \t\r\n,")
            if not rest:
                raise _GoesOn
            if not rest.startswith("}"):
                raise ValueError(rest[:20])
            return fields, text.index("}", at) + 1
        key = name[1] or name[2]
        found = _VALUE.match(text, name.end())
        if found is None:
            at = _behind_list(text, name.end())
            continue
        if key in fields:
            raise ValueError(key)
        quoted = found[1] if found[1] is not None else found[2]
        fields[key] = found[3] if quoted is None else _unquoted(quoted)
        at = found.end()


def _behind_list(text: str, at: int) -> int:
    """Pass over a list or an object, which only JSON has here.

    Raises:
        _GoesOn: nothing closes what was opened. ValueError: it is neither.
    """
    if at >= len(text) or text[at] in "'\"":
        raise _GoesOn
    if text[at] not in "[{":
        raise ValueError(text[at : at + 20])
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except (ValueError, RecursionError) as error:
        raise ValueError(text[at : at + 20]) from error


def _unquoted(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "\\" not in text:
        return text
    # JSON writes a character beyond the first plane as two.
    return _ESCAPE.sub(_unescaped, text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPED.get(code, code)
