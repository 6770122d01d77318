"""Apple's Messages as imessage-exporter writes them to web pages.

Replies stand twice: inside what they answer, and at their own place. Only the latter are messages here.
"""

import posixpath
import re
from collections.abc import Iterator

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
from backupkit.chats.readers import imessage_words as words
from backupkit.chats.reading.media_files import find_media, role_of_name
from backupkit.chats.reading.message_page import MessagePage
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.html_pieces import Elements, Piece

_LOOKED_AT = 192 * 1024
_MARK = re.compile(rb"<div class ?=\"(?:message|announcement)\"")
_SHAPE = re.compile(
    rb"<div class=\"message\"[^>]*>\s*<div class=\"(?:sent|received)[^\">]*\">\s*<p>\s*<span class=\"timestamp\">"
    rb"|<div class ?=\"announcement\">\s*<p>\s*<span class=\"timestamp\">"
)
_IN_REPLY = re.compile(rb"<div class=\"reply\"[^>]*>\s*\Z")
_GUID = re.compile(r"message-guid=([\w:.\-]{8,80})")
_TIME = re.compile(words.TIME)
_SPACE = " \t\r\n"


class ImessageHtml:
    """Reads the pages of imessage-exporter."""

    format = "imessage-html"
    app = "imessage"
    package = None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a message that was sent or received, or an announcement, with its time."""
        claims = {}
        for name in source.of(Content.MARKUP):
            if _SHAPE.search(source.head(name, _LOOKED_AT)):
                claims[name] = 93
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversation of every claimed page."""
        return read_each(recognition.files, lambda name: _Page(source, name).read())


class _Page(MessagePage):
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        key = posixpath.splitext(posixpath.basename(name))[0]
        self._parser = _Parser()
        super().__init__(source, name, _MARK, self._parser, key, key)

    def is_inside(self, before: bytes) -> bool:
        """Whether a message stands in the replies to what was read before it."""
        return _IN_REPLY.search(before[-400:]) is not None

    def message(self, locator: Locator, piece: Piece) -> Iterator[Told]:
        """Tell the message of a block."""
        found = self._parser
        if piece.is_last and found.is_open:
            # The page ends in it: its time or its sender may be half of what they were.
            return
        when = _TIME.search(found.fields.get("when", ""))
        if when is None:
            yield Finding("record-not-understood", Severity.WARNING, locator)
            return
        sender = found.fields.get("sender", "").strip(_SPACE) or None
        if sender:
            self.people.saw(None, sender, is_owner=found.is_sent)
        media = tuple(_media(self.source, self.name, reference) for reference in found.files[:1000])
        text = " ".join(found.fields.get("notice", "").split()) if found.is_notice else "\n".join(found.texts())
        text = text or " ".join(found.fields.get("unsent", "").split())
        is_recalled = "unsent" in found.fields or (found.is_notice and words.RECALLED.search(text) is not None)
        kind = MessageKind.SYSTEM if found.is_notice else media[0].role if media else MessageKind.TEXT
        direction = Direction.OUT if found.is_sent else Direction.IN
        yield Message(
            conversation=self.key,
            locator=locator,
            raw=piece.data,
            ts_utc_us=words.time_of(when),
            ts_precision=Precision.SECOND,
            ts_raw=when["time"],
            native_id=found.guid,
            sender_name=sender,
            direction=Direction.SYSTEM if found.is_notice else direction,
            kind=MessageKind.RECALL if is_recalled else kind,
            text=text,
            edits=(Edit(),) if found.is_edited else (),
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=media,
        )
        if found.has_run_on:
            yield Finding("record-not-understood", Severity.WARNING, locator)


def _media(source: SourceFiles, file: str, reference: str) -> Media:
    name = reference.removeprefix("file://")
    found, state = find_media(source, file, name)
    if state is MediaState.MISSING and (name.startswith(("/", "~")) or name[1:3] == ":\\"):
        # Without copies the export names where the computer keeps the file.
        state = MediaState.OMITTED
    return Media(found, state, role_of_name(found))


class _Parser(Elements):
    """What the piece of one message holds."""

    single = frozenset({"sender"})

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.is_sent = self.is_notice = self.is_edited = False
        self.guid: str | None = None
        self.files: list[str] = []
        self._shown = 0
        super().take(data, file, offset)

    def texts(self) -> Iterator[str]:
        """Tell the words of each part."""
        for part in range(self._shown + 1):
            text = self.fields.get(f"text {part}", "").strip(_SPACE)
            if text:
                yield text

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if not self.depth:
            self.is_notice = "announcement" in classes
            return "notice" if self.is_notice else ""
        if self.guid is None and (guid := _GUID.search(attributes.get("href", ""))):
            self.guid = guid[1]
        for name in ("timestamp", "sender", "unsent"):
            if name in classes and (name != "timestamp" or not self.is_edited):
                return "when" if name == "timestamp" else name
        if "sent" in classes:
            self.is_sent = True
        elif classes & {"reactions", "tapbacks", "replies", "reply_context", "reply_anchor", "expressive"}:
            return ""
        elif "edited" in classes:
            self.is_edited = True
        elif "message_part" in classes:
            self._shown += 1
            return f"text {self._shown}"
        elif self._shown and tag in {"img", "source", "audio", "a"}:
            self._file(tag, attributes)
        return None

    def _file(self, tag: str, attributes: dict[str, str]) -> None:
        reference = attributes.get("href" if tag == "a" else "src", "")
        is_file = tag != "a" or reference.startswith(("file://", "attachments/"))
        if (
            reference
            and is_file
            and not reference.startswith(("http:", "https:", "data:"))
            and reference not in self.files
        ):
            self.files.append(reference)
