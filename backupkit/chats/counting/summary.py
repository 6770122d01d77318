"""What is in an export, in numbers.

Reading it for the summary never fails: a damage is a finding, and the numbers are those of what could be read.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from backupkit.chats.backups.opened_backups import require_right_keys
from backupkit.chats.counting.completeness import Completeness
from backupkit.chats.counting.headings import LostHeadings
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
    Finding,
    MediaState,
    Message,
    Severity,
)
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.readers.registry import Recognised, read_all, recognise
from backupkit.chats.sources.source import SourceFiles, open_source
from backupkit.codec.canonical import encode_canonical

MAX_FINDINGS_PER_CODE = 50
MAX_PEOPLE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MIXED = "mixed"
"""The format of a source in which several readers found chats."""


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One conversation in numbers. `people` are at most the first fifty."""

    key: str
    title: str | None
    kind: ConversationKind
    people: tuple[str, ...]
    messages: int
    media: int
    media_missing: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """An export in numbers.

    `media` counts files that messages name, `media_missing` those of them whose bytes are not in the source.
    `times_are_local` says that some times are wall time without a zone. `high_water` changes whenever the number of
    messages or the newest of them does. Counts are None where a sealed source does not tell them;
    `waits_for_a_key`: a part of it would open with a key that its owner has.
    """

    format: str
    app: str | None
    package: str | None
    messages: int | None
    conversations: int | None
    media: int | None
    media_missing: int | None
    oldest: datetime | None
    newest: datetime | None
    high_water: str | None
    times_are_local: bool = False
    sealed: bool = False
    waits_for_a_key: bool = False
    findings: tuple[Finding, ...] = ()
    by_conversation: tuple[ConversationSummary, ...] = ()

    @property
    def is_damaged(self) -> bool:
        """Whether something that should be in the export cannot be read."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


Notice: TypeAlias = Callable[[str, Message], None]


def _pass(_app: str, _message: Message) -> None:
    """Nobody wants to know."""


def summarise(
    path: Path, *, mapping: Path | None = None, keys: OwnerKeys = NO_KEYS, now: datetime | None = None
) -> ChatSummary | None:
    """Count what an export holds. None where it is no chat export known here, or nothing can be opened.

    With `now`, the messages are also asked whether they are whole and right, as far as they can tell.

    Raises:
        ChatKeyWrong: a sealed backup in it is opened by none of the `keys` of its kind.
    """
    try:
        with open_source(path, mapping=mapping, keys=keys) as source:
            require_right_keys(source.findings)
            return summarise_source(source, now=now)
    except MalformedExport:
        return None


def first_messages(path: Path, *, mapping: Path | None = None, count: int = 3) -> tuple[Message, ...]:
    """Return the first messages of an export, for whoever wants to see how it is understood."""
    found: list[Message] = []
    # What came before a damage is shown.
    with suppress(MalformedExport), open_source(path, mapping=mapping) as source:
        told = (one for _reader, one in read_all(source, recognise(source)) if isinstance(one, Message))
        for message in islice(told, count):
            found.append(message)  # noqa: PERF402  what came before a failure must stay
    return tuple(found)


def summarise_source(
    source: SourceFiles,
    recognised: Recognised | None = None,
    notice: Notice = _pass,
    *,
    now: datetime | None = None,
) -> ChatSummary | None:
    """Count what an opened source holds; None where no reader knows it. `notice` is shown every message and its app."""
    recognised = recognise(source) if recognised is None else recognised
    if not recognised.parts:
        return None
    counting = _Counting()
    completeness = None if now is None else Completeness(int(now.timestamp() * 1_000_000))
    headings = LostHeadings()
    for finding in (*source.findings, *recognised.findings):
        counting.found(finding)
    try:
        for reader, told in read_all(source, recognised):
            match told:
                case Message():
                    counting.message(reader.format, told)
                    headings.message(reader.format, told)
                    if completeness is not None:
                        completeness.message(reader.format, told)
                    notice(reader.app or reader.format, told)
                case Conversation():
                    counting.conversation(reader.format, told)
                    headings.conversation(reader.format, told)
                case Finding():
                    counting.found(told)
    except MalformedExport as error:
        counting.found(Finding("export-damaged", Severity.ERROR, error.locator, {"reason": error.reason}))
    for finding in headings.findings():
        counting.found(finding)
    if completeness is not None and not recognised.is_all_sealed:
        for finding in completeness.findings():
            counting.found(finding)
    return counting.summary(recognised)


@dataclass(slots=True)
class _Tally:
    told: Conversation
    messages: int = 0
    media: int = 0
    media_missing: int = 0
    oldest_us: int | None = None
    newest_us: int | None = None
    newest_id: str | None = None
    declared: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Counting:
    tallies: dict[tuple[str, str], _Tally] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    found_by_code: dict[str, int] = field(default_factory=dict)
    times_are_local: bool = False

    def conversation(self, format_name: str, told: Conversation) -> None:
        tally = self.tallies.get((format_name, told.key))
        if tally is None:
            tally = self.tallies[format_name, told.key] = _Tally(told)
        else:
            tally.told = told
        if told.declared_messages is not None:
            # A conversation in several files is declared part by part.
            tally.declared[told.locator.file if told.locator else ""] = told.declared_messages

    def message(self, format_name: str, message: Message) -> None:
        tally = self.tallies.get((format_name, message.conversation))
        if tally is None:
            tally = self.tallies[format_name, message.conversation] = _Tally(Conversation(message.conversation))
        tally.messages += 1
        for media in message.media:
            tally.media += 1
            tally.media_missing += media.state is not MediaState.PRESENT
        ts_us = message.ts_utc_us
        if ts_us is None:
            return
        self.times_are_local = self.times_are_local or message.ts_zone == UNKNOWN_ZONE
        if tally.oldest_us is None or ts_us < tally.oldest_us:
            tally.oldest_us = ts_us
        if tally.newest_us is None or ts_us >= tally.newest_us:
            tally.newest_us = ts_us
            tally.newest_id = message.native_id

    def found(self, finding: Finding) -> None:
        # A hostile file may cause a million findings: some of each kind show what is wrong, and the rest is a number.
        number = self.found_by_code.get(finding.code, 0) + 1
        self.found_by_code[finding.code] = number
        if number <= MAX_FINDINGS_PER_CODE:
            self.findings.append(finding)

    def summary(self, recognised: Recognised) -> ChatSummary:
        self._compare_with_declared()
        for code, number in self.found_by_code.items():
            if number > MAX_FINDINGS_PER_CODE:
                self.findings.append(
                    Finding(
                        "more-of-the-same", Severity.INFO, None, {"code": code, "count": number - MAX_FINDINGS_PER_CODE}
                    )
                )
        self._name_conversations()
        tallies = self.tallies.values()
        readers = [reader for reader, _recognition in recognised.parts]
        apps = {(reader.app, reader.package) for reader in readers}
        app, package = apps.pop() if len(apps) == 1 else (None, None)
        is_counted = not recognised.is_all_sealed
        newest = max(tallies, key=lambda tally: tally.newest_us or 0, default=None)
        return ChatSummary(
            format=readers[0].format if len(readers) == 1 else MIXED,
            app=app,
            package=package,
            messages=sum(tally.messages for tally in tallies) if is_counted else None,
            conversations=len(self.tallies) if is_counted else None,
            media=sum(tally.media for tally in tallies) if is_counted else None,
            media_missing=sum(tally.media_missing for tally in tallies) if is_counted else None,
            oldest=_moment(min((tally.oldest_us for tally in tallies if tally.oldest_us is not None), default=None)),
            newest=_moment(None if newest is None else newest.newest_us),
            high_water=self._high_water(newest) if is_counted else None,
            times_are_local=self.times_are_local,
            sealed=recognised.is_sealed,
            waits_for_a_key=recognised.waits_for_a_key,
            findings=tuple(self.findings),
            by_conversation=tuple(_summary_of(tally) for tally in tallies),
        )

    def _name_conversations(self) -> None:
        """Say the title of each conversation that a finding is about; its key stays beside it."""
        titles = {told.key: told.title for told in (tally.told for tally in self.tallies.values()) if told.title}
        for place, finding in enumerate(self.findings):
            key = finding.facts.get("conversation")
            if isinstance(key, str):
                facts = {**finding.facts, "conversation": titles.get(key, key), "key": key}
                self.findings[place] = replace(finding, facts=facts)

    def _compare_with_declared(self) -> None:
        for tally in list(self.tallies.values()):
            declared = sum(tally.declared.values())
            if tally.declared and declared != tally.messages:
                severity = Severity.WARNING if declared > tally.messages else Severity.INFO
                self.found(
                    Finding(
                        "declared-differs",
                        severity,
                        tally.told.locator,
                        {
                            "conversation": tally.told.key,
                            "declared": declared,
                            "counted": tally.messages,
                        },
                    )
                )

    def _high_water(self, newest: _Tally | None) -> str:
        value = {
            "messages": sum(tally.messages for tally in self.tallies.values()),
            "conversations": len(self.tallies),
            "newest_us": None if newest is None or newest.newest_us is None else str(newest.newest_us),
            "newest_id": None if newest is None or newest.newest_id is None else ascii(newest.newest_id),
        }
        return hashlib.sha256(encode_canonical(value)).hexdigest()


def _summary_of(tally: _Tally) -> ConversationSummary:
    return ConversationSummary(
        key=tally.told.key,
        title=tally.told.title,
        kind=tally.told.kind,
        people=tuple(person.name or person.id or "" for person in tally.told.participants[:MAX_PEOPLE]),
        messages=tally.messages,
        media=tally.media,
        media_missing=tally.media_missing,
        oldest=_moment(tally.oldest_us),
        newest=_moment(tally.newest_us),
    )


def _moment(ts_us: int | None) -> datetime | None:
    return None if ts_us is None else _EPOCH + timedelta(microseconds=ts_us)
