"""The web pages of Facebook's and Instagram's downloads, which is what both hand out where nobody asks for JSON.

All their pages share one layout, whose classes are short codes. A message is a block with a sender, words and a time; a page of
messages is told from one of posts by the block above them that names who takes part, or by its name and folder. Times are in the
words of the account's language.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.model import Finding, Locator, Media, Message, MessageKind, Precision, Reaction, Severity
from backupkit.chats.readers.meta_json import missing_pages
from backupkit.chats.reading.media_files import find_media_above, is_link, role_of_name
from backupkit.chats.reading.message_page import MessagePage
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import within_time
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.html_pieces import Elements, Piece
from backupkit.chats.texts.named_day import day_in
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, seconds_of_day

_LOOKED_AT = 256 * 1024
_PAGE = re.compile(r"(?:^|/)message(?:_\d{1,6})?\.html$")
_FOLDER = re.compile(r"(?:^|/)(?:inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover|broadcast)/")
# Each generation of the layout has its own code for the block; the second of each line is what only blocks carry.
_MARK = re.compile(rb"<(?:div|section)\s[^<>]{0,100}?class=\"(?:[^\"]*\s)?(?:_a6-g|_2lej)(?:\s[^\"]*)?\"")
_TITLE = re.compile(rb"<title>([^<]{1,2000})</title>")
_SENDER, _WORDS, _WHEN = {"_a6-h", "_2lek"}, {"_a6-p", "_2let"}, {"_a6-o", "_2lem"}
_CODES = {
    name: re.compile(rb"class=\"[^\"]*(?:" + "|".join(sorted(codes)).encode() + rb")[\s\"]")
    for name, codes in (("sender", _SENDER), ("words", _WORDS), ("when", _WHEN))
}
_CLOCK = re.compile(
    rf"(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})(?:[:.]|{SPACE}?h{SPACE}?)(?P<minute>\d{{2}})(?:[:.](?P<second>\d{{2}}))?"
    rf"(?:{SPACE}?(?P<after>{HALF_DAY}))?(?!\d)"
)
# Who reacted stands right behind the sign, and newer pages tell when. Signs are no letters.
_REACTION = re.compile(r"(?P<sign>[^\w\s]+)\s*(?P<who>\S.*?)?(?:\s*\([^()]{4,60}\))?", re.DOTALL)
_MOST_OF_REACTION = 400
_NUMBERS = re.compile(r"(\d{1,4})[./-] ?(\d{1,2})[./-] ?(\d{1,4})")
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class MetaHtml:
    """Reads the pages of one of Meta's apps. Where nothing in them tells which app, `app` is None."""

    format: str
    app: str | None
    package: str | None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the layout, in a page that begins with who takes part, or is called and lies as those with messages do."""
        apps = source.keep("meta-html", lambda _stack: dict(_threads(source)))
        return Recognition({name: 88 for name, app in apps.items() if app == self.app})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the threads of all claimed pages."""
        yield from missing_pages(recognition.files)
        yield from read_each(recognition.files, lambda name: _Page(source, name).read())


READERS = (
    MetaHtml("facebook-html", "messenger", "com.facebook.orca"),
    MetaHtml("instagram-html", "instagram", "com.instagram.android"),
    MetaHtml("meta-html", None, None),
)


def _threads(source: SourceFiles) -> Iterator[tuple[str, str | None]]:
    """Tell the pages of messages and their apps."""
    for name in source.of(Content.MARKUP):
        head = source.head(name, _LOOKED_AT)
        is_placed = _PAGE.search(name) is not None or _FOLDER.search(name) is not None
        if _MARK.search(head) and (is_placed or _names_people(head)):
            yield name, _app_of(source, name, head)


def _names_people(head: bytes) -> bool:
    """Say whether the first block has words alone, and the second a sender and a time."""
    blocks = _MARK.split(head, maxsplit=3)[1:3]
    codes = [[name for name, code in _CODES.items() if code.search(block)] for block in blocks]
    return codes == [["words"], ["sender", "words", "when"]]


def _app_of(source: SourceFiles, name: str, head: bytes) -> str | None:
    shown = f"{source.label}/{name}"
    for app, word in (("instagram", "your_instagram_activity"), ("messenger", "your_facebook_activity")):
        if word in shown or word.encode() in head:
            return app
    # Behind the first block people speak, and they send links to either app.
    frame = _MARK.split(head, maxsplit=1)[0]
    if "instagram" in shown or b"instagram.com" in frame:
        return "instagram"
    return "messenger" if "facebook" in shown or b"facebook.com" in frame else None


class _Page(MessagePage):
    """One page while it is read."""

    def __init__(self, source: SourceFiles, name: str) -> None:
        folder = posixpath.dirname(name)
        key = posixpath.basename(folder) or posixpath.splitext(source.label)[0]
        found = _TITLE.search(source.head(name, _LOOKED_AT))
        words = _Words()
        if found is not None:
            words.take(b"<p>" + found[1] + b"</p>", name, 0)
        self._parser = _Block()
        self._has_begun = False
        super().__init__(source, name, _MARK, self._parser, key, words.fields.get("p", "").strip(_SPACE) or None)

    def message(self, locator: Locator, piece: Piece) -> Iterator[Told]:
        """Tell the message of a block."""
        found = self._parser
        written = " ".join(found.fields.get("when", "").split())
        # The block above the messages names who takes part, and has no time. Of one that the page ends in, none is certain.
        if not written or (piece.is_last and found.is_open):
            is_head = not self._has_begun and "words" not in found.fields
            if "sender" in found.fields and not piece.is_last and not is_head:
                yield Finding("record-not-understood", Severity.WARNING, locator)
            return
        self._has_begun = True
        sender = " ".join(found.fields.get("sender", "").split()) or None
        self.people.saw(None, sender)
        media = tuple(
            Media(*find_media_above(self.source, self.name, reference), _role_of(reference))
            for reference in found.files[:1000]
        )
        ts_us, precision = _time_of(written)
        yield Message(
            conversation=self.key,
            locator=locator,
            raw=piece.data,
            ts_utc_us=ts_us,
            ts_precision=precision,
            ts_raw=written,
            sender_name=sender,
            kind=media[0].role if media else MessageKind.TEXT,
            text=found.fields.get("words", "").strip(_SPACE),
            reactions=tuple(
                _reaction(text)
                for number in range(1, found.reactions + 1)
                if (text := found.fields.get(f"reaction {number}", "").strip(_SPACE))
            ),
            media=media,
        )


def _role_of(reference: str) -> MessageKind:
    """Tell what a file is by its folder, else by its name: what was spoken has the name of a video."""
    folder = posixpath.basename(posixpath.dirname(reference))
    return {"audio": MessageKind.VOICE, "stickers_used": MessageKind.STICKER, "gifs": MessageKind.IMAGE}.get(
        folder, role_of_name(reference)
    )


def _reaction(text: str) -> Reaction:
    found = _REACTION.fullmatch(text) if len(text) <= _MOST_OF_REACTION else None
    return Reaction(text) if found is None else Reaction(found["sign"], found["who"] or None)


def _time_of(text: str) -> tuple[int | None, Precision]:
    """Read a time; the part of a date that looks like a clock is none, since no date is left beside it."""
    for clock in _CLOCK.finditer(text):
        hour, minute, second = int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0)
        of_day = seconds_of_day(hour, minute, second, clock["before"] or clock["after"])
        day = _day_of(f"{text[: clock.start()]} {text[clock.end() :]}")
        if day is not None and of_day is not None:
            precision = Precision.SECOND if clock["second"] else Precision.MINUTE
            return within_time((day * 86_400 + of_day) * 1_000_000), precision
    return None, Precision.MINUTE


def _day_of(text: str) -> int | None:
    day = day_in(text)
    if day is not None:
        return day
    numbers = _NUMBERS.search(text)
    if numbers is None:
        return None
    parts = (int(numbers[1]), int(numbers[2]), int(numbers[3]))
    orders = [DateOrder.YEAR_MONTH_DAY] if parts[0] > 31 else [DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR]
    days = [found for order in orders if (found := order.day_number(parts)) is not None]
    # With a point the day comes first everywhere; with another sign only what cannot be otherwise is a date.
    return days[0] if days and ("." in numbers[0] or len(set(days)) == 1) else None


class _Words(Elements):
    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        del classes, attributes
        return tag


class _Block(Elements):
    """What one block holds."""

    def take(self, data: bytes, file: str, offset: int) -> None:
        self.files: list[str] = []
        self.reactions = 0
        super().take(data, file, offset)

    def field_of(self, tag: str, classes: frozenset[str], attributes: dict[str, str]) -> str | None:
        if classes & _SENDER and "words" in self._parts and "when" not in self._parts:
            # The end of this message and the beginning of the next are gone.
            self.has_run_on = True
            return ""
        for known, field in ((_SENDER, "sender"), (_WORDS, "words"), (_WHEN, "when")):
            # Only the first of each: what follows the last block of a page has codes too.
            if classes & known and field not in self._parts:
                return field
        if not self.depth:
            return ""
        is_inside = any(field == "words" for _tag, field in self._open)
        if tag == "li" and is_inside:
            self.reactions += 1
            return f"reaction {self.reactions}"
        if is_inside and tag in {"a", "img", "video", "audio", "source"}:
            self._file(attributes.get("href") or attributes.get("src") or "")
        if is_inside and tag in {"video", "audio"}:
            # What a browser that cannot play them shows.
            return ""
        # Each piece of a message stands in an element of its own.
        if is_inside and tag == "div" and self._parts.get("words"):
            self.put("words", "\n")
        return None

    def _file(self, reference: str) -> None:
        is_file = (
            "/" in reference and "." in reference.rpartition("/")[2] and not reference.startswith(("#", "mailto:"))
        )
        if is_file and not is_link(reference) and reference not in self.files:
            self.files.append(reference)
