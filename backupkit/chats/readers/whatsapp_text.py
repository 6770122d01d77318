"""WhatsApp's text exports: Android's `date, time - name: text` and the iPhone's `[date, time] name: text`.

There are no ids, no zone, and on Android no seconds. The order of day and month follows the phone's settings, so it is
settled over the whole file before the first message is told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Edit,
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
from backupkit.chats.readers import whatsapp_words as words
from backupkit.chats.readers.element_signs import is_element
from backupkit.chats.readers.sigexport_signs import is_sigexport
from backupkit.chats.readers.whatsapp_exporter_signs import MEDIA_MISSING, OWNER, media_of_line, unindented
from backupkit.chats.readers.whatsapp_heads import BRACKET, BRACKET_TIME_FIRST, COLON, Head, head_of, style_of
from backupkit.chats.reading.media_files import find_media, find_media_above
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.lines import MOST_LINES_BETWEEN, Line, lines_of
from backupkit.chats.texts.wall_time import DateOrder, OrderEvidence

_SENDER = re.compile(r"(.{1,120}?):(?:\s|$)", re.DOTALL)
_LOG_LEVEL = re.compile(
    r"(?i)(?:[\w.\-]+\.)?(?:debug|info|notice|warn|warning|error|critical|alert|emergency|fatal|trace)$"
)
_IDENTIFIER = re.compile(r"[a-z0-9_.:/\-]+$")
_ATTACHED_IPHONE = re.compile(r"\u200e?<[^<>:：]{1,40}[:：]\s?([^<>/]{1,250})>\s*$")
_ATTACHED_ANDROID = re.compile(r"^[\u200e\u200f]?([^/\n]{1,250}\.\w{1,8}) \(([^()\n]{2,40})\)")
_APPS_OWN_NAME = re.compile(
    r"^(?:(?:IMG|VID|AUD|PTT|STK|DOC|GIF|VN)-\d{8}-WA\d{4,}\.|\d{8}-[\w. \-]+\.)", re.IGNORECASE
)
_FILE_ATTACHED = re.compile(
    r"attached|angehängt|joint|adjunto|anexado|allegato|bijgevoegd|добавлен|附件|附加|添付|첨부|eklendi|załączono|terlampir",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"^(?:WhatsApp[ _-]Chat[ _](?:with|mit|met|-)|WhatsApp-Chat[ _]mit|WhatsApp-chat[ _]met|Chat[ _](?:de[ _])?WhatsApp[ _]con|Chat[ _]do[ _]WhatsApp[ _]com"
    r"|Conversa[ _][nd]o[ _]WhatsApp[ _]com|Discussion[ _]WhatsApp[ _]avec|Чат[ _]WhatsApp[ _]с|与|與|WhatsApp[ _]Chat)[ _-]*"
    r"(.+?)(?:的[ _]?WhatsApp[ _]?(?:聊天|對話|对话|聊天记录|聊天記錄))?$"
)
_ENCRYPTED = re.compile(
    r"end-to-end|end-til-end|ende-zu-ende|ende-til-ende|端到端|端對端|extremo a extremo|extrem a extrem|ponta a ponta|bout en bout|сквозн|наскрізн"
    r"|エンドツーエンド|종단간|uçtan uca|totalsträckskrypt|päästä päähän|végpontok között|koncov|διατερματικ|s kraja na kraj|od početka do kraja"
    r"|mã hóa đầu cuối|เข้ารหัสจากต้นทาง|เข้ารหัสตั้งแต่ต้นทาง|مشفرة تمام|سرتاسر|מקצה לקצה|एंड-टू-एंड|एन्ड-टु-एन्ड",
    re.IGNORECASE,
)

_BRACKETS = {BRACKET, BRACKET_TIME_FIRST}
_LOOKED_AT = 64 * 1024
_CAP_WITH_MEDIA, _CAP_WITHOUT_MEDIA = 10_000, 40_000
_MAX_PEOPLE = 20_000
_LONGEST_NOTICE = 1000
_MOST_IN_PRIVATE = 2
_MAX_MESSAGE_BYTES = 32 * 2**20


def _split_sender(rest: str, known: "set[str] | dict[str, int]") -> tuple[str | None, str]:
    """Split `name: text`. A name without a space behind its colon counts only where that name is known."""
    match = _SENDER.match(rest)
    if match and not _is_within_quotes(match.group(1)):
        return _clean(match.group(1)), rest[match.end() :]
    name, colon, text = rest.partition(":")
    if colon and _clean(name) in known:
        return _clean(name), text
    return None, rest


def _is_within_quotes(begun: str) -> bool:
    """Say whether a quote is still open: the colon is then part of a group's name that the app quotes, and nobody spoke."""
    if begun.count('"') % 2:
        return True
    # German closes with the mark that English opens with.
    curly = "„“" if "„" in begun else "“”"
    return any(begun.count(pair[0]) > begun.count(pair[1]) for pair in ("«»", "「」", "『』", curly))


@lru_cache(maxsize=8192)
def _clean(name: str) -> str:
    return re.sub(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", name).strip()


class WhatsAppText:
    """Reads the text that WhatsApp's own "Export chat" makes."""

    format = "whatsapp-text"
    app = "whatsapp"
    package = "com.whatsapp"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look at the first lines: how messages begin, and what only this app writes."""
        claims = {}
        for name in source.of(Content.TEXT, Content.JSON):
            if _style_of_first_line(source.head(name)):
                head = text_head(source.head(name, _LOOKED_AT))
                certainty = _certainty(head)
                if certainty and not is_element(f"{PurePosixPath(source.label).stem}/{name}", head):
                    claims[name] = certainty
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _style_of_first_line(head: bytes) -> bool:
    first = next((line for line in text_head(head).splitlines() if line.strip("\ufeff\u200e \r")), "")
    return style_of(first) is not None


def _certainty(head: str) -> int:
    lines = head.splitlines()
    style = next((style for style in map(style_of, lines) if style), None)
    if style is None:
        return 0
    heads = [(found, line) for line in lines if (found := head_of(line, style))]
    senders = [sender for found, line in heads if (sender := _split_sender(line[found.end :], set())[0])]
    is_marked = any(map(_is_marked, lines))
    has_seconds = any(found.has_seconds for found, _line in heads)
    if not is_marked:
        if senders and all(map(_LOG_LEVEL.match, senders)):
            return 0
        if len(heads) == 1 and len(lines) > 50:
            return 0
        if is_sigexport(lines):
            return 0
        if style not in _BRACKETS and has_seconds:
            return _certainty_with_seconds(heads, senders, style)
    # Logs and other tools write dates too, but hardly ever a name and a colon behind them.
    if len(senders) * 5 < len(heads) and not is_marked:
        return 0
    certainty = 78 if style not in _BRACKETS or has_seconds else 68
    return certainty + (17 if is_marked else 0)


def _certainty_with_seconds(heads: list[tuple[Head, str]], senders: list[str], style: re.Pattern[str]) -> int:
    """Judge lines without brackets that tell seconds: phones of old wrote them, and logs of all kinds do."""
    head, line = heads[0]
    is_year_last = head.parts[0] <= 31
    written = line[: head.end]
    has_word = any(map(str.isalpha, written))  # such as "klo" or "um" between date and time
    is_written_by_a_phone = is_year_last and (style is COLON or head.has_half_day or has_word or "," in written)
    are_names = not all(map(_IDENTIFIER.match, senders))
    return 66 if is_written_by_a_phone and are_names and len(senders) * 5 >= len(heads) * 4 else 0


def _is_marked(line: str) -> bool:
    if "\u200e" in line or "<Media omitted>" in line:
        return True
    match = _ATTACHED_ANDROID.search(line.rpartition(": ")[2])
    if match and _APPS_OWN_NAME.match(match.group(1)):
        return True
    if _ENCRYPTED.search(line) is None:
        return False
    # The notice that a chat is encrypted is nobody's message, or names the app.
    style = style_of(line)
    found = head_of(line, style) if style else None
    return "WhatsApp" in line or (found is not None and _split_sender(line[found.end :], set())[0] is None)


@dataclass(slots=True)
class _Survey:
    """What only the whole file tells."""

    style: re.Pattern[str]
    order: DateOrder = DateOrder.DAY_MONTH_YEAR
    is_order_certain: bool = True
    has_seconds: bool = False
    people: dict[str, int] = field(default_factory=dict)
    group: str | None = None

    @property
    def is_by_exporter(self) -> bool:
        """Whether WhatsApp Chat Exporter wrote the file: no iPhone leaves the seconds out."""
        return self.style is BRACKET and not self.has_seconds and self.order is DateOrder.YEAR_MONTH_DAY


def _survey(source: SourceFiles, name: str) -> _Survey:
    evidence = OrderEvidence()
    survey: _Survey | None = None
    has_half_day = False
    slashes = since = 0
    with source.open(name) as stream:
        for line in _until_damage(lines_of(stream)):
            if survey is None:
                style = style_of(line.text)
                since += 1
                if since > MOST_LINES_BETWEEN:
                    break
                if style is None:
                    continue
                survey = _Survey(style)
            found = head_of(line.text, survey.style)
            since = since + 1 if found is None else 0
            if since > MOST_LINES_BETWEEN:
                break
            if found is None:
                continue
            evidence.saw(found.parts)
            survey.has_seconds = survey.has_seconds or found.has_seconds
            has_half_day = has_half_day or found.has_half_day
            slashes += "/" in line.text[: found.end]
            sender, text = _split_sender(line.text[found.end :], survey.people)
            if sender is None:
                continue
            if survey.group is None and _may_be_notice(text, survey) and _ENCRYPTED.search(text):
                survey.group = sender
            elif sender in survey.people or len(survey.people) < _MAX_PEOPLE:
                survey.people[sender] = survey.people.get(sender, 0) + 1
    if survey is None:
        raise MalformedExport(Locator(name), "no-message")
    day_first = (DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR, DateOrder.YEAR_MONTH_DAY)
    month_first = (DateOrder.MONTH_DAY_YEAR, DateOrder.DAY_MONTH_YEAR, DateOrder.YEAR_MONTH_DAY)
    # A tie only: of the common settings, slashes with a clock of twelve hours are those of the United States.
    survey.order, survey.is_order_certain = evidence.settle(month_first if has_half_day and slashes else day_first)
    return survey


def _may_be_notice(text: str, survey: _Survey) -> bool:
    """Tell whether the app may have written this under the group's name: marked as its own, or before anybody said a word."""
    return (text.startswith("\u200e") or not survey.people) and len(text) < _LONGEST_NOTICE


def _until_damage(lines: Iterator[Line]) -> Iterator[Line]:
    try:
        yield from lines
    except MalformedExport:
        return  # the second pass meets it again and tells it, after what lies before it


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    survey = _survey(source, name)
    title = _title(source, name) or survey.group or (PurePosixPath(name).stem if survey.is_by_exporter else None)
    key = title or PurePosixPath(name).stem
    yield _conversation(key, title, survey, name)
    if not survey.is_order_certain:
        yield Finding("date-order-assumed", Severity.WARNING, Locator(name), {"order": survey.order.spelt})
    reading = _Reading(source, name, key, survey, _owner(survey, title))
    count = 0
    media_states: set[MediaState] = set()
    with source.open(name) as stream:
        for message in reading.messages(lines_of(stream)):
            count += 1
            media_states.update(media.state for media in message.media)
            yield message
    yield from reading.damage.findings()
    if _is_cap(count, media_states):
        yield Finding("export-cap-suspected", Severity.WARNING, Locator(name), {"count": count})


def _is_cap(count: int, media_states: set[MediaState]) -> bool:
    """Say whether the app stops at such a number: without media it goes on to a higher one than with them."""
    is_without_media = MediaState.OMITTED in media_states
    is_with_media = not media_states <= {MediaState.OMITTED}
    return count == _CAP_WITHOUT_MEDIA or (count == _CAP_WITH_MEDIA and (is_with_media or not is_without_media))


def _conversation(key: str, title: str | None, survey: _Survey, name: str) -> Conversation:
    people = tuple(Participant(None, person) for person in survey.people if person != survey.group)
    kind = ConversationKind.GROUP if len(people) > 2 else ConversationKind.UNKNOWN
    return Conversation(key, title, kind, people, locator=Locator(name))


def _title(source: SourceFiles, name: str) -> str | None:
    path = PurePosixPath(name)
    candidates = [path.stem]
    if path.stem == "_chat":
        candidates = [PurePosixPath(path.parent.name or source.label).stem]
    for candidate in candidates:
        match = _TITLE.match(re.sub(r" ?\(\d{1,2}\)$", "", candidate))
        if match:
            return match.group(1).strip(" _-“”\"'")
    return None


def _owner(survey: _Survey, title: str | None) -> str | None:
    """In a chat of two, of whom one gave it its name, the other exported it."""
    if survey.is_by_exporter:
        return OWNER
    others = [person for person in survey.people if person != title]
    return others[0] if title in survey.people and len(survey.people) == 2 and len(others) == 1 else None


class _Reading:
    """One file while its messages are told."""

    def __init__(self, source: SourceFiles, name: str, key: str, survey: _Survey, owner: str | None) -> None:
        self._source = source
        self._name = name
        self._key = key
        self._survey = survey
        self._owner = owner
        self.damage = TextDamage(name)

    def messages(self, lines: Iterator[Line]) -> Iterator[Message]:
        current: tuple[Head, Line] | None = None
        texts: list[str] = []
        raw: list[bytes] = []
        size_bytes = 0
        try:
            for line in lines:
                self.damage.saw(line)
                found = head_of(line.text, self._survey.style)
                if found is not None:
                    self.damage.head(line.text[: found.end])
                    if current is not None:
                        yield self._message(*current, texts, raw)
                    current, texts, raw, size_bytes = (found, line), [line.text[found.end :]], [line.raw], 0
                elif current is not None and not self.damage.stops_in_head(line):
                    size_bytes += line.weight
                    if size_bytes > _MAX_MESSAGE_BYTES:
                        yield self._message(*current, texts, raw)
                        self.damage.too_long(line)
                        current = None
                        continue
                    texts.append(line.text)
                    raw.append(line.raw)
        except MalformedExport:
            # What lies before the damage is delivered, the message that it cut included.
            if current is not None:
                yield self._message(*current, texts, raw)
            raise
        if current is not None:
            yield self._message(*current, texts, raw)

    def _message(self, found: Head, line: Line, texts: list[str], raw: list[bytes]) -> Message:
        sender, first = _split_sender(texts[0], self._survey.people)
        if self._survey.is_by_exporter:
            texts = unindented(texts, found.end + len(texts[0]) - len(first))
            first = _split_sender(texts[0], self._survey.people)[1]
        text = "\n".join([first, *texts[1:]]) if len(texts) > 1 else first
        edited = words.without_edited(text)
        text = text if edited is None else edited
        media = self._media(text)
        kind, deletion = _kind(sender, text, media, self._survey)
        day = self._survey.order.day_number(found.parts)
        return Message(
            conversation=self._key,
            locator=Locator(self._name, f"line {line.number}"),
            raw=b"".join(raw),
            ts_utc_us=None if day is None or day < 0 else (day * 86400 + found.second) * 1_000_000,
            ts_precision=Precision.SECOND if found.has_seconds else Precision.MINUTE,
            ts_raw=line.text[: found.end].strip("\u200e\u200f\ufeff[]- "),
            sender_name=None if kind is MessageKind.SYSTEM else sender,
            direction=self._direction(sender, kind),
            kind=kind,
            text=text.strip("\u200e\u200f") if kind is not MessageKind.TEXT else text,
            edits=() if edited is None else (Edit(),),
            deletion=deletion,
            media=media,
        )

    def _direction(self, sender: str | None, kind: MessageKind) -> Direction:
        if kind is MessageKind.SYSTEM:
            return Direction.SYSTEM
        if self._owner is None or sender is None:
            return Direction.UNKNOWN
        return Direction.OUT if sender == self._owner else Direction.IN

    def _media(self, text: str) -> tuple[Media, ...]:
        attached = self._attached(text)
        if attached is not None:
            name, state = find_media(self._source, self._name, attached)
            return (Media(name, state, _role_of(attached)),)
        first, _newline, rest = text.partition("\n")
        if self._survey.is_by_exporter and first.startswith("<"):
            if first == MEDIA_MISSING:
                return (Media(first, MediaState.MISSING, MessageKind.OTHER),)
            reference = media_of_line(first)
            if reference is not None:
                name, state = find_media_above(self._source, self._name, reference)
                return (Media(name, state, _role_of(reference)),)
        shown = first.strip("\u200e\u200f ")
        if (shown.startswith("<") and shown.endswith(">")) or (first.startswith("\u200e") and not rest):
            role = words.left_out(first)
            if role is not None:
                return (Media(rest.strip() or shown, MediaState.OMITTED, role),)
        # iPhones write a caption, or a document's name and pages, before the notice.
        before, mark, notice = text.rpartition("\u200e")
        role = words.left_out(notice) if mark and before else None
        if role is None:
            return ()
        name = before.partition("\u200e")[0].strip(" •") if role is MessageKind.FILE else notice
        return (Media(name or notice, MediaState.OMITTED, role),)

    def _attached(self, text: str) -> str | None:
        # Most messages hold neither bracket: two searches for a character spare two for a pattern.
        match = _ATTACHED_IPHONE.search(text) if "<" in text else None
        if match and (_APPS_OWN_NAME.match(match.group(1)) or "\u200e<" in text or self._has(match.group(1))):
            return match.group(1).strip("\u200e ")
        match = _ATTACHED_ANDROID.match(text) if "(" in text else None
        if match:
            name = match.group(1).strip("\u200e ")
            if _APPS_OWN_NAME.match(name) or _FILE_ATTACHED.search(match.group(2)) or self._has(name):
                return name
        return None

    def _has(self, name: str) -> bool:
        return find_media(self._source, self._name, name)[1] is not MediaState.MISSING


def _kind(
    sender: str | None, text: str, media: tuple[Media, ...], survey: _Survey
) -> tuple[MessageKind, DeletionState]:
    if sender is None or (sender == survey.group and sender not in survey.people):
        return MessageKind.SYSTEM, DeletionState.NONE
    if media:
        return media[0].role, DeletionState.NONE
    if words.is_deleted(text):
        return MessageKind.RECALL, DeletionState.RECALLED
    notice = words.kind_of_notice(text)
    if notice is not None:
        return notice, DeletionState.NONE
    if sender == survey.group and (text.startswith("\u200e") or _ENCRYPTED.search(text)):
        return MessageKind.SYSTEM, DeletionState.NONE
    if text.startswith("\u200e"):
        # In a group the app's own lines stand under its name: what it writes for a person stands for that person's message.
        is_somebodys = survey.group is not None or len(survey.people) > _MOST_IN_PRIVATE
        return MessageKind.OTHER if is_somebodys else MessageKind.SYSTEM, DeletionState.NONE
    return MessageKind.TEXT, DeletionState.NONE


_ROLES = {
    MessageKind.IMAGE: ("jpg", "jpeg", "png", "heic", "bmp"),
    MessageKind.STICKER: ("webp",),
    MessageKind.VIDEO: ("mp4", "mov", "3gp", "gif", "m4v"),
    MessageKind.VOICE: ("opus", "ogg", "m4a", "mp3", "aac", "amr", "wav"),
    MessageKind.CONTACT: ("vcf",),
}


def _role_of(name: str) -> MessageKind:
    ending = name.rpartition(".")[2].lower()
    return next((role for role, endings in _ROLES.items() if ending in endings), MessageKind.FILE)
