"""Chats out of a snapshot, as files that people and other programs read.

Everything is written under another name inside the target and moved to its own when it is whole, so an interrupted export
leaves nothing that looks like one. A loss is told and never stops the rest.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from backupkit.capture.scratch import discard_if_left, discard_leftovers, kept_folder, private_folder
from backupkit.chats.export.record import (
    ConversationRecord,
    MediaRecord,
    MessageRecord,
    conversation_record,
    message_record,
    time_text,
    title_of,
)
from backupkit.chats.export.shown import file_name
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, Finding, MediaState, Message
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.chats.readers.registry import read_all
from backupkit.chats.reading.reader import ChatReader
from backupkit.chats.sources.source import SourceFiles
from backupkit.clock import Clock
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ids import SnapshotId
from backupkit.ops.chats.chat_facts import chat_finding, export_damaged
from backupkit.ops.chats.snapshot_chats import OpenedChats, open_chats
from backupkit.ops.events import Found, Losses, Notice, Phase, Progress, Tell
from backupkit.ops.exporting.forms import ExportForm, Wish, first_file, open_form
from backupkit.ops.exporting.order import OrderedMessages, ordered_messages
from backupkit.ops.failures import ConversationNotFound, TargetNotEmpty
from backupkit.ops.places import Places, require_new_folder, shown_path
from backupkit.ops.restoring.elsewhere import Elsewhere, beside_latest
from backupkit.ops.restoring.lookup import open_lookup
from backupkit.ops.unlock import AskSecret
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import Source

_PARTIAL = ".backupkit-partial"


class NothingToExport(BackupkitError):
    """No source of the snapshot is a chat whose messages can be read. Facts: `snapshot`."""

    code = "nothing-to-export"
    exit_code = ExitCode.NOT_UNDERSTOOD


class ChatsLost(BackupkitError):
    """The chats of the snapshot are damaged so that no message of them can be read. Facts: `snapshot`."""

    code = "chats-lost"
    exit_code = ExitCode.DAMAGED


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `path` is what to open first; `skipped` names sources without readable messages.

    `distrust` says why the log could not be believed; the snapshot was then chosen without it. `elsewhere` names what the latest
    snapshot does not hold and others do.
    """

    snapshot: SnapshotId
    format: str
    path: Path
    conversations: int
    messages: int
    media: int
    media_missing: int
    bytes: int
    skipped: tuple[str, ...]
    damaged: tuple[Found, ...]
    distrust: BackupkitError | None = None
    elsewhere: tuple[Elsewhere, ...] = ()


@dataclass(slots=True)
class _Wanted:
    """A conversation on its way out, and the source that it is in."""

    record: ConversationRecord
    source: int
    media: int = 0
    media_missing: int = 0
    oldest: tuple[int, str] | None = None
    newest: tuple[int, str] | None = None


def export_snapshot(
    places: Places,
    snapshot: str,
    to: Path,
    wish: Wish,
    *,
    secret: AskSecret,
    clock: Clock,
    tell: Tell,
    stop: Callable[[], bool] = lambda: False,
    keys: KeysOf = no_keys,
) -> Exported:
    """Export the conversations of a snapshot below `to`.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to export from.
        CannotUnlock: the secret opens nothing.
        TargetInRepository, TargetNotEmpty: the target lies in the repository, or something lies there already.
        NothingToExport, ChatsLost, ConversationNotFound: there are no messages to write.
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    lookup = open_lookup(places, secret, tell)
    chosen = lookup.choose(snapshot)
    known = chosen.known
    require_place(places, to)
    lookup.unlock()
    scratch = lookup.repository.cache / "export"
    discard_leftovers(scratch)
    with private_folder(scratch) as folder, partial_folder(to) as partial, ExitStack() as sources:
        messages = sources.enter_context(ordered_messages(folder))
        run = _Run(partial, messages, Losses(tell), stop, with_media=wish.with_media, with_raw=wish.with_raw, keys=keys)
        run.losses.found += chosen.lost
        there = list(lookup.sources(chosen, known, run.tell))
        for reader, source in there:
            run.take(sources, reader, source, folder / "archives")
        run.settle(wish.only, known.id)
        with open_form(wish.form, partial, wish.voice) as out:
            run.write(out)
            notes = [wish.voice.say("export.damaged", count=len(run.damaged))] if run.damaged else []
            out.finish(clock.now(), known.id, notes)
        size = size_below(partial)
    elsewhere: tuple[Elsewhere, ...] = ()
    if not wish.only:
        elsewhere = beside_latest(lookup, snapshot, chosen, [source.path for _, source in there])
    return Exported(
        snapshot=known.id,
        format=wish.form,
        path=first_file(wish.form, to),
        conversations=len(run.wanted),
        messages=sum(one.record["messages"] for one in run.wanted.values()),
        media=sum(one.media for one in run.wanted.values()),
        media_missing=sum(one.media_missing for one in run.wanted.values()),
        bytes=size,
        skipped=tuple(run.skipped),
        damaged=tuple(run.damaged),
        distrust=chosen.distrust,
        elsewhere=elsewhere,
    )


def size_below(folder: Path) -> int:
    """Return how many bytes the files in a folder hold, those in folders inside it too."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def require_place(places: Places, to: Path) -> None:
    """Refuse a target that holds anything but what a killed export left there, which goes.

    Raises:
        TargetInRepository, TargetNotEmpty: so it is.
    """
    # Hidden, and chats in the clear: whoever looks sees an empty folder that is said not to be empty.
    if to.is_dir() and [path.name for path in to.iterdir()] == [_PARTIAL]:
        discard_if_left(to / _PARTIAL)
    require_new_folder(places, to)


@contextmanager
def partial_folder(to: Path) -> Iterator[Path]:
    """Give a folder inside the target whose contents become the target's when all went well, and vanish otherwise.

    Raises:
        TargetNotEmpty: another export writes there, or something came to lie there meanwhile.
    """
    made = not to.exists()
    # Chats are nobody else's to read, also while they come out.
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = to / _PARTIAL
    try:
        partial.mkdir(mode=0o700)
    except FileExistsError:
        raise TargetNotEmpty(path=shown_path(to)) from None
    try:
        with kept_folder(partial):
            yield partial
            # The target was looked at before the passphrase was asked for, and a rename goes over what came since.
            # The page that leads to all others comes last.
            written = sorted(partial.iterdir(), key=lambda path: (path.name == "index.html", path.name))
            if any(os.path.lexists(to / path.name) for path in written):
                raise TargetNotEmpty(path=shown_path(to))  # noqa: TRY301  one place takes everything away again
            for path in written:
                path.rename(to / path.name)
            partial.rmdir()
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if made and not any(to.iterdir()):
            to.rmdir()
        raise


@dataclass(slots=True)
class _Run:
    """One export: what was found, and what was written so far."""

    folder: Path
    messages: OrderedMessages
    losses: Losses
    stop: Callable[[], bool]
    with_media: bool
    with_raw: bool
    keys: KeysOf
    wanted: dict[int, _Wanted] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    _numbers: dict[tuple[int, str, str], int] = field(default_factory=dict)
    _files: list[SourceFiles] = field(default_factory=list)
    _copies: dict[tuple[int, str], str | None] = field(default_factory=dict)
    _bytes: int = 0
    _expected: int = 0
    _seen: int = 0

    @property
    def tell(self) -> Tell:
        """Where events go."""
        return self.losses.tell

    @property
    def damaged(self) -> list[Found]:
        """What was lost so far."""
        return self.losses.found

    def take(self, sources: ExitStack, reader: DomainReader, source: Source, scratch: Path) -> None:
        """Read the messages of one source. It stays open: its media are copied when they are written."""
        self._bytes += source.bytes
        if source.chat is not None:
            self._expected += source.chat.messages or 0
        try:
            opened = sources.enter_context(open_chats(reader, source, scratch, self.tell, self.keys(source.name)))
        except MalformedExport as error:
            self.tell(export_damaged(error))
            return
        if not opened.recognised.parts or opened.recognised.is_all_sealed:
            self.skipped.append(source.name)
            code = "sealed-left-out" if opened.recognised.parts else "no-chat-left-out"
            self.tell(Notice(code, {"name": source.name}))
            return
        self._files.append(opened.files)
        for finding in (*opened.files.findings, *opened.recognised.findings):
            self.tell(chat_finding(finding))
        try:
            self._read(opened, len(self._files) - 1)
        except MalformedExport as error:
            self.tell(export_damaged(error))

    def _read(self, opened: OpenedChats, source: int) -> None:
        for reader, told in read_all(opened.files, opened.recognised):
            match told:
                case Message():
                    number = self._number(source, opened.source, reader, Conversation(told.conversation))
                    self._take_message(number, told)
                case Conversation():
                    self._number(source, opened.source, reader, told, replace=True)
                case _:
                    self.tell(chat_finding(self._titled(told, source, reader)))

    def _titled(self, finding: Finding, source: int, reader: ChatReader) -> Finding:
        """Call the conversation that a finding is about by its title, where that is known already; its key says little to a person."""
        key = finding.facts.get("conversation")
        number = self._numbers.get((source, reader.format, str(key)))
        title = None if number is None else self.wanted[number].record["title"]
        return replace(finding, facts={**finding.facts, "conversation": title, "key": key}) if title else finding

    def _number(
        self, source: int, saved: Source, reader: ChatReader, told: Conversation, *, replace: bool = False
    ) -> int:
        key = (source, reader.format, told.key)
        number = self._numbers.get(key)
        if number is not None and not replace:
            return number
        if number is None:
            number = self._numbers[key] = len(self._numbers) + 1
            self.wanted[number] = _Wanted(self._record(number, saved, reader, told), source)
        else:
            counted = self.wanted[number].record["messages"]
            self.wanted[number].record = self._record(number, saved, reader, told)
            self.wanted[number].record["messages"] = counted
        return number

    def _record(self, number: int, saved: Source, reader: ChatReader, told: Conversation) -> ConversationRecord:
        app = reader.app or saved.app
        return conversation_record(told, f"c{number:04d}", app=app, format_name=reader.format, source=saved.name)

    def _take_message(self, number: int, message: Message) -> None:
        self._require_wanted()
        one = self.wanted[number]
        self.messages.add(number, message_record(message, f"c{number:04d}", with_raw=self.with_raw))
        one.record["messages"] += 1
        one.media += len(message.media)
        one.media_missing += sum(media.state is not MediaState.PRESENT for media in message.media)
        if (ts_us := message.ts_utc_us) is not None:
            if one.oldest is None or ts_us < one.oldest[0]:
                one.oldest = (ts_us, message.ts_zone)
            if one.newest is None or ts_us > one.newest[0]:
                one.newest = (ts_us, message.ts_zone)
        self._seen += 1
        if self._seen % 1000 == 0:
            self._progress(Phase.READ, self._seen, self._expected)

    def settle(self, only: tuple[str, ...], snapshot: SnapshotId) -> None:
        """Put what was read in order, and keep the conversations that are wanted."""
        if not self.wanted:
            raise ChatsLost(snapshot=snapshot) if self.damaged else NothingToExport(snapshot=snapshot)
        for name in only:
            if not any(is_called(one.record, name) for one in self.wanted.values()):
                raise ConversationNotFound(conversation=name)
        self.wanted = {
            number: one
            for number, one in self.wanted.items()
            if not only or any(is_called(one.record, name) for name in only)
        }
        for one in self.wanted.values():
            one.record["oldest"] = time_text(*one.oldest) if one.oldest else None
            one.record["newest"] = time_text(*one.newest) if one.newest else None
        self.messages.place()

    def write(self, form: ExportForm) -> None:
        """Write every conversation that is wanted."""
        total = sum(one.record["messages"] for one in self.wanted.values())
        done = 0
        self._progress(Phase.EXPORT, 0, total)
        for number, one in self.wanted.items():
            for count in form.write(one.record, _Messages(self, number, one.source)):
                self._require_wanted()
                done += count
                if done % 500 == 0 or done == total:
                    self._progress(Phase.EXPORT, done, total)

    def place_media(self, source: int, media: MediaRecord) -> None:
        """Copy a file where its message is written for the first time, and say where it lies."""
        key = (source, media["name"])
        if media["state"] != MediaState.PRESENT.value:
            return
        if self.with_media and key not in self._copies:
            self._require_wanted()
            self._copies[key] = self._copy(source, media["name"])
        media["file"] = self._copies.get(key)

    def _copy(self, source: int, name: str) -> str | None:
        folder = self.folder / "media"
        folder.mkdir(mode=0o700, exist_ok=True)
        given = file_name(name, len(self._copies) + 1)
        descriptor = os.open(folder / given, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out, self._files[source].open(name) as stream:
                shutil.copyfileobj(stream, out, 1 << 20)
        except MalformedExport as error:
            (folder / given).unlink()
            if error.reason != "unreadable":
                self.tell(export_damaged(error))
            return None
        return f"media/{given}"

    def _progress(self, phase: Phase, done: int, total: int) -> None:
        # Bytes of the sources as they were saved, in step with the messages: what is left takes as long as it looks.
        share = min(done / total, 1.0) if total else 0.0
        self.tell(Progress(phase, int(self._bytes * share), self._bytes or None))

    def _require_wanted(self) -> None:
        if self.stop():
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class _Messages:
    """The messages of one conversation, their media copied as they are written."""

    run: _Run
    number: int
    source: int

    def between(self, first: int = 1, last: int | None = None) -> Iterator[MessageRecord]:
        """Give messages in order."""
        for message in self.run.messages.of(self.number, first, last):
            for media in message["media"]:
                self.run.place_media(self.source, media)
            yield message

    def find(self, native: str) -> MessageRecord | None:
        """Return the message with an id of the app's own."""
        return self.run.messages.find(self.number, native)


def is_called(conversation: ConversationRecord, name: str) -> bool:
    """Say whether a person means this conversation: its key, its title, or a part of the title."""
    return name == conversation["key"] or name.casefold() in title_of(conversation).casefold()
