"""The forms an export can have, each writing one conversation after the other into a folder."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol, TextIO

from backupkit.chats.export import table
from backupkit.chats.export.html import PAGE_MESSAGES, Answered, PageDays, Pages, page_name
from backupkit.chats.export.moments import Say
from backupkit.chats.export.record import ConversationRecord, MessageRecord, json_line, title_of
from backupkit.chats.export.transcript import transcript

_FIRST_FILES = {"html": "index.html", "jsonl": "messages.jsonl", "csv": "messages.csv"}


@dataclass(frozen=True, slots=True)
class Voice:
    """How an export speaks to people: sentences, the language they are in, and the zone of its times (None: this computer's)."""

    say: Say
    language: str
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to come out: the form, who it speaks to, which conversations (`only` names some by title or key; all where empty), and whether their files."""

    form: str
    voice: Voice
    only: tuple[str, ...] = ()
    with_media: bool = True

    @property
    def with_raw(self) -> bool:
        """Whether each message's raw record is written: only JSON lines have a place for it."""
        return self.form == "jsonl"


class ReadsMessages(Protocol):
    """The messages of one conversation, in order."""

    def between(self, first: int = 1, last: int | None = None) -> Iterator[MessageRecord]:
        """Give the messages from the `first` to the `last`, counted from 1."""
        ...

    def find(self, native: str) -> MessageRecord | None:
        """Return the message with an id of the app's own."""
        ...


class ExportForm(Protocol):
    """Writes conversations into a folder."""

    def write(self, conversation: ConversationRecord, messages: ReadsMessages) -> Iterator[int]:
        """Write one conversation; give how many messages were written with each step."""
        ...

    def finish(self, created: datetime, snapshot: str, notes: list[str]) -> None:
        """Write what belongs to all conversations, after the last one."""
        ...


def first_file(form: str, to: Path) -> Path:
    """Return where to begin reading what was exported to a folder: its first file, or the folder where all are equal."""
    name = _FIRST_FILES.get(form)
    return to / name if name else to


@contextmanager
def open_form(form: str, folder: Path, voice: Voice) -> Iterator[ExportForm]:
    """Begin an export in one of the forms `html`, `jsonl`, `csv`, `text`."""
    with ExitStack() as stack:
        match form:
            case "html":
                yield HtmlForm(folder, Pages(voice.say, voice.language, voice.zone))
            case "jsonl":
                yield JsonForm(stack.enter_context(_new(folder / _FIRST_FILES[form])))
            case "csv":
                yield TableForm(stack.enter_context(_new(folder / _FIRST_FILES[form])))
            case _:
                yield TextForm(folder, voice)


@dataclass(frozen=True, slots=True)
class HtmlForm:
    """Pages: a folder for each conversation below `chats`, and a list of them."""

    folder: Path
    pages: Pages
    written: list[tuple[ConversationRecord, str]] = field(default_factory=list)

    def write(self, conversation: ConversationRecord, messages: ReadsMessages) -> Iterator[int]:
        """Write the pages of one conversation, its days, and the page that searches it."""
        place = self.folder / "chats" / conversation["id"]
        place.mkdir(parents=True, mode=0o700)
        days: list[PageDays] = []
        by_day: dict[str, list[int]] = {}

        def noted() -> Iterator[MessageRecord]:
            last = first = ""
            for message in messages.between():
                page = (message["number"] - 1) // PAGE_MESSAGES + 1
                if page > len(days):
                    days.append(PageDays("", ""))
                    first = ""
                last = self.pages.day_of(message) or last
                first = first or last
                days[-1] = PageDays(first, last)
                if last:
                    by_day.setdefault(last, [0, page])[0] += 1
                yield message

        with _new(place / "search.html") as out:
            out.writelines(self.pages.search_page(conversation, noted()))

        def answered(native: str) -> Answered | None:
            found = messages.find(native)
            return None if found is None else Answered(found["number"], found)

        for page in range(1, len(days) + 1):
            last = page * PAGE_MESSAGES
            rows = list(messages.between(last - PAGE_MESSAGES + 1, last))
            with _new(place / page_name(page)) as out:
                out.write(self.pages.message_page(conversation, rows, number=page, days=days, answered=answered))
            yield len(rows)
        counted = sorted((day, count, page) for day, (count, page) in by_day.items())
        with _new(place / "dates.html") as out:
            out.write(self.pages.dates_page(conversation, counted))
        self.written.append((conversation, f"chats/{conversation['id']}/{page_name(1)}"))

    def finish(self, created: datetime, snapshot: str, notes: list[str]) -> None:
        """Write the list of conversations, the newest first."""
        rows = sorted(self.written, key=lambda row: row[0]["newest"] or "", reverse=True)
        with _new(self.folder / "index.html") as out:
            out.write(self.pages.index_page(rows, created=created, snapshot=snapshot, notes=notes))


@dataclass(frozen=True, slots=True)
class JsonForm:
    """One JSON object per line: each conversation, then its messages."""

    out: TextIO

    def write(self, conversation: ConversationRecord, messages: ReadsMessages) -> Iterator[int]:
        """Write a conversation and its messages."""
        self.out.write(json_line(conversation))
        for message in messages.between():
            self.out.write(json_line(message))
            yield 1

    def finish(self, created: datetime, snapshot: str, notes: list[str]) -> None:
        """There is nothing more to say."""


@dataclass(frozen=True, slots=True)
class TableForm:
    """One table with every message."""

    out: TextIO

    def __post_init__(self) -> None:
        self.out.write(table.BYTE_ORDER_MARK + table.header())

    def write(self, conversation: ConversationRecord, messages: ReadsMessages) -> Iterator[int]:
        """Write the messages of a conversation."""
        for message in messages.between():
            self.out.write(table.row(conversation, message))
            yield 1

    def finish(self, created: datetime, snapshot: str, notes: list[str]) -> None:
        """There is nothing more to say."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """A text file for each conversation."""

    folder: Path
    voice: Voice

    def write(self, conversation: ConversationRecord, messages: ReadsMessages) -> Iterator[int]:
        """Write the transcript of a conversation."""
        kept = re.sub(r"[^\w-]+", "-", title_of(conversation)).strip("-").encode("utf-8", "ignore")[:80]
        name = f"{conversation['id']}-{kept.decode('utf-8', 'ignore')}.txt"
        with _new(self.folder / name) as out:
            for piece in transcript(conversation, messages.between(), self.voice.say, self.voice.zone):
                out.write(piece)
                yield 1

    def finish(self, created: datetime, snapshot: str, notes: list[str]) -> None:
        """There is nothing more to say."""


def _new(path: Path) -> TextIO:
    """Make a file that only its owner may read: it holds chats."""
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
        "w",
        encoding="utf-8",
        newline="",
        errors="backslashreplace",
    )
