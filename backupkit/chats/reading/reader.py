"""The seam between an export and its messages.

A reader says with certainty whether a source is its format, then streams what is in it. What lies before a damage is
always delivered, and what lies behind it where the format shows where the next message begins. A cut is a finding; hostile or
broken content is one `MalformedExport`, raised when all else was read.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Conversation, Finding, Locator, Message, MessageKind, Severity
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.head import text_head
from backupkit.chats.texts.holes import placed_by_holes

SURPRISES = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    OSError,
    EOFError,
    RecursionError,
    struct.error,
)
"""What a reader that is too trusting may raise over a stranger's file."""

_TIMED_TO_ONE = 20

Told: TypeAlias = Conversation | Message | Finding
"""What a reader streams. A conversation comes before its messages, and may come again with more known."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """A reader's claims on files of a source: how certain it is of each, from 1 to 100. Only the owner's own mapping is above."""

    claims: Mapping[str, int]

    @property
    def files(self) -> tuple[str, ...]:
        """The claimed names, in the order in which they are read."""
        return tuple(self.claims)


class ChatReader(Protocol):
    """Turns one format into messages."""

    @property
    def format(self) -> str:
        """The format's name, which never changes."""
        ...

    @property
    def app(self) -> str | None:
        """The app, None where the format does not tell."""
        ...

    @property
    def package(self) -> str | None:
        """The app's Android package name, None where the format does not tell the app."""
        ...

    def recognise(self, source: SourceFiles) -> Recognition:
        """Say which files are this format (none, as a rule), judged by their content and never by their names alone."""
        ...

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream what the claimed files hold.

        Raises:
            MalformedExport: after everything that could be read was delivered.
        """
        ...


def claim_text(
    source: SourceFiles, kinds: Iterable[Content], size_bytes: int, certainty_of: Callable[[str], int]
) -> Recognition:
    """Claim the files of which a reader is certain by the first `size_bytes` of their text."""
    scores = {name: certainty_of(text_head(source.head(name, size_bytes))) for name in source.of(*kinds)}
    return Recognition({name: score for name, score in scores.items() if score})


def read_each(
    names: Iterable[str], read_one: Callable[[str], Iterator[Told]], *, is_foreign: bool = False
) -> Iterator[Told]:
    """Read file after file, so that one damaged file never hides the others. In `is_foreign` ones records may be in another encoding than UTF-8.

    Raises:
        MalformedExport: the first that any file raised, at the very end.
    """
    first: MalformedExport | None = None
    for name in names:
        try:
            yield from _only_malformed(name, read_one, is_foreign=is_foreign)
        except TruncatedExport as error:
            yield Finding("export-cut", Severity.ERROR, error.locator, {"reason": error.reason})
        except MalformedExport as error:
            if first is None:
                first = error
            else:
                yield Finding("export-damaged", Severity.ERROR, error.locator, {"reason": error.reason})
    if first is not None:
        raise first


def _says_nothing(message: Message) -> bool:
    """Say whether nobody said nothing at no time: what such a record was, it was no message."""
    return (
        message.ts_utc_us is None
        and not (message.text or message.media or message.native_id or message.sender_name or message.sender_id)
        and message.kind is MessageKind.TEXT
    )


def _without_lost_names(message: Message) -> Message:
    """Name nobody where a name has zeros in it, which a disk gives for what it lost, or bytes that were no text."""
    who = f"{message.sender_name}{message.sender_id}"
    if "\0" in who or ("\ufffd" in who and "\ufffd".encode() not in message.raw):
        return replace(message, sender_name=None, sender_id=None)
    return message


def _only_malformed(name: str, read_one: Callable[[str], Iterator[Told]], *, is_foreign: bool) -> Iterator[Told]:
    timed = untimed = 0
    only: str | None = None
    is_mixed = False
    try:
        for told in read_one(name):
            if not isinstance(told, Message):
                yield told
            elif _says_nothing(told):
                yield Finding("record-not-understood", Severity.WARNING, told.locator)
            else:
                timed += told.ts_utc_us is not None
                untimed += told.ts_utc_us is None
                # Where many times are not understood, they are written in a way that is not known here.
                is_time_lost = told.ts_utc_us is None and untimed * _TIMED_TO_ONE <= timed
                only = only or told.conversation
                is_mixed = is_mixed or told.conversation != only
                placed = told if is_foreign else placed_by_holes(told, is_time_lost=is_time_lost, is_mixed=is_mixed)
                if placed is not None:
                    yield _without_lost_names(placed)
                if placed is None or (is_time_lost and placed != told):
                    yield Finding("record-not-understood", Severity.WARNING, told.locator)
    except SURPRISES as error:
        # The last line of defence: whatever a stranger's file does to a reader is the file's fault, not a crash.
        raise MalformedExport(Locator(name), "unexpected-shape") from error
