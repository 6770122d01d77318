"""Signal conversations as sigexport writes them: `[YYYY-MM-DD HH:MM:SS] name: text`, with Markdown for files.

Older versions write `[YYYY-MM-DD, HH:MM]`. What tells both from WhatsApp's lines is in `sigexport_signs.py`.
"""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.model import (
    Conversation,
    DeletionState,
    Direction,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Reaction,
)
from backupkit.chats.people import People
from backupkit.chats.readers import sigexport_signs as signs
from backupkit.chats.reading.media_files import find_media, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, claim_text, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.lines import lines_of
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_STICKER = re.compile(r"\s*(?:\(\( (.{1,40}) \)\)|\[([^\]\n]{0,40})\]\(\.\./exported_stickers/[^)\n]{1,300}\))\s*$")
_LOOKED_AT = 64 * 1024
_MAX_MESSAGE_BYTES = 16 * 2**20


class SignalText:
    """Reads the text or Markdown of sigexport, and what has its shape."""

    format = "signal-text"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for bracketed ISO dates with the tool's own signs around them."""
        return claim_text(source, (Content.JSON,), _LOOKED_AT, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(head: str) -> int:
    lines = head.splitlines()
    if "\u200e" in head or not signs.is_sigexport(lines):
        return 0
    return 95 if signs.FILE.search(head) else 88


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    stem = posixpath.splitext(posixpath.basename(name))[0]
    title = posixpath.basename(posixpath.dirname(name)) if stem in {"chat", "index"} else stem
    key = title or stem
    people = People()
    yield Conversation(key, title or None, locator=Locator(name))
    head: tuple[re.Match[str], int] | None = None
    texts: list[str] = []
    raw: list[bytes] = []
    size_bytes = 0
    damage = TextDamage(name)
    with source.open(name) as stream:
        for line in lines_of(stream):
            damage.saw(line)
            match = signs.HEAD.match(line.text)
            if match:
                if head:
                    yield _message(source, name, key, (head, texts, raw), people)
                damage.head(line.text[: match.start(8)])
                head, texts, raw, size_bytes = (match, line.number), [line.text[match.end() :]], [line.raw], 0
            elif head and not damage.stops_in_head(line):
                size_bytes += line.weight
                if size_bytes > _MAX_MESSAGE_BYTES:
                    yield _message(source, name, key, (head, texts, raw), people)
                    damage.too_long(line)
                    head = None
                    continue
                texts.append(line.text)
                raw.append(line.raw)
    if head:
        yield _message(source, name, key, (head, texts, raw), people)
    yield Conversation(key, title or None, participants=people.participants(), locator=Locator(name))
    yield from damage.findings()


def _message(
    source: SourceFiles,
    name: str,
    key: str,
    collected: tuple[tuple[re.Match[str], int], list[str], list[bytes]],
    people: People,
) -> Message:
    (match, number), texts, raw = collected
    year, month, day, _comma, hour, minute, second, sender = match.groups()
    days = DateOrder.YEAR_MONTH_DAY.day_number((int(year), int(month), int(day)))
    seconds = seconds_of_day(int(hour), int(minute), int(second or 0), None)
    text = (
        signs.QUOTE.sub("", "\n".join(texts).rstrip(), count=1) if not texts[0].strip() else "\n".join(texts).rstrip()
    )
    files = [find_media(source, name, reference) for reference in signs.FILE.findall(text)]
    media = tuple(Media(found, state, role_of_name(found)) for found, state in files)
    left_out = signs.NOT_EXPORTED.search(text)
    if left_out:
        media = (*media, Media(left_out[1], MediaState.OMITTED))
    is_own = sender == "Me"
    is_deleted = text == signs.DELETED
    text = signs.NOT_EXPORTED.sub("", signs.FILE.sub("", text)).rstrip()
    sticker = _STICKER.search(text)
    text = _STICKER.sub("", text) if sticker else text
    reacted = signs.REACTIONS.search(text)
    text = signs.REACTIONS.sub("", text).strip(" ") or (sticker[1] or sticker[2] if sticker else "")
    people.saw(None, sender, is_owner=is_own)
    return Message(
        conversation=key,
        locator=Locator(name, f"line {number}"),
        raw=b"".join(raw),
        ts_utc_us=None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000,
        ts_precision=Precision.MINUTE if second is None else Precision.SECOND,
        ts_raw=match.group().partition("]")[0].lstrip("["),
        sender_name=sender,
        direction=Direction.OUT if is_own else Direction.IN if people.has_owner else Direction.UNKNOWN,
        kind=MessageKind.CALL
        if signs.CALL.match(text)
        else _kind(media, is_sticker=sticker is not None, is_deleted=is_deleted),
        deletion=DeletionState.RECALLED if is_deleted else DeletionState.NONE,
        text=text,
        reactions=tuple(_reactions(reacted.group(1))) if reacted else (),
        media=media,
    )


def _kind(media: tuple[Media, ...], *, is_sticker: bool, is_deleted: bool) -> MessageKind:
    if is_deleted:
        return MessageKind.RECALL
    if media:
        return media[0].role
    return MessageKind.STICKER if is_sticker else MessageKind.TEXT


def _reactions(written: str) -> Iterator[Reaction]:
    name = ""
    for part in written.split(", "):
        sender, colon, symbol = f"{name}{part}".rpartition(": ")
        # A name may have a comma in it; no sign has.
        name = "" if colon else f"{name}{part}, "
        if colon:
            yield Reaction(symbol, sender or None)
    if name:
        yield Reaction(name.removesuffix(", "))
