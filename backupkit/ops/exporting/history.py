"""All snapshots as one history: each conversation once, with every message that any export of it ever held.

What changed between exports is told with each message: its earlier words, and whether it was deleted, left out of a smaller
export, or lost with a wiped app. Nothing here is ever left out because a later export lacks it.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.chats.export.record import (
    ConversationRecord,
    HistoryRecord,
    MessageRecord,
    conversation_record,
    time_text,
)
from backupkit.chats.export.shown import file_name
from backupkit.chats.history.diff import WIPED_SHARE, ChangeKind, Seen
from backupkit.chats.history.history import ConversationHistory, Gone, Overlap, Remembered
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, DeletionState, MediaState, Message
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.chats.readers.registry import read_all
from backupkit.clock import Clock
from backupkit.errors import Fact
from backupkit.ids import SnapshotId
from backupkit.ops.chats.chat_facts import chat_finding, export_damaged
from backupkit.ops.chats.snapshot_chats import OpenedChats, open_chats
from backupkit.ops.events import Found, Losses, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.exporting.export import (
    ChatsLost,
    Exported,
    NothingToExport,
    is_called,
    partial_folder,
    require_place,
    size_below,
)
from backupkit.ops.exporting.forms import Wish, first_file, open_form
from backupkit.ops.exporting.history_rows import ExportRead, HistoryRows, history_rows
from backupkit.ops.exporting.order import OrderedMessages, ordered_messages
from backupkit.ops.failures import ConversationNotFound, NoSnapshotYet
from backupkit.ops.places import Places
from backupkit.ops.restoring.lookup import open_lookup
from backupkit.ops.unlock import AskSecret
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import Source

APP_WIPED = "app-wiped"
_LEAST_SHARED = 3


@dataclass(frozen=True, slots=True)
class HistoryCounts:
    """What happened to the messages of all snapshots. Only `present` ones are in the newest export of a source."""

    snapshots: int
    present: int
    edited: int
    recalled: int
    deleted: int
    out_of_scope: int
    app_wiped: int


def export_history(
    places: Places,
    to: Path,
    wish: Wish,
    *,
    secret: AskSecret,
    clock: Clock,
    tell: Tell,
    stop: Callable[[], bool] = lambda: False,
    keys: KeysOf = no_keys,
) -> tuple[Exported, HistoryCounts]:
    """Export every conversation of every kept snapshot below `to`, each as one history.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to export from.
        CannotUnlock: the secret opens nothing.
        TargetInRepository, TargetNotEmpty: the target lies in the repository, or something lies there already.
        NothingToExport, ChatsLost, ConversationNotFound: there are no messages to write.
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    lookup = open_lookup(places, secret, tell)
    chosen = lookup.every()
    kept = chosen.snapshots
    if not kept:
        raise NoSnapshotYet
    require_place(places, to)
    lookup.unlock()
    scratch = lookup.repository.cache / "export"
    discard_leftovers(scratch)
    with private_folder(scratch) as folder, partial_folder(to) as partial, ExitStack() as stack:
        rows = stack.enter_context(history_rows(folder))
        ordered = stack.enter_context(ordered_messages(folder))
        run = _Run(rows, ordered, folder, partial, Losses(tell), stop, with_raw=wish.with_raw, keys=keys)
        run.losses.found += chosen.lost
        for known in kept:
            for reader, source in lookup.sources(chosen, known, run.tell):
                run.take(known.id, reader, source)
        run.settle(wish.only, kept[-1].id)
        if wish.with_media:
            run.copy_media()
        with open_form(wish.form, partial, wish.voice) as out:
            for number, record in run.records.items():
                for _count in out.write(record, _Messages(run, number)):
                    run.require_wanted()
            notes = [wish.voice.say("export.history.note", snapshots=len(kept))]
            notes += [wish.voice.say("export.damaged", count=len(run.damaged))] if run.damaged else []
            out.finish(clock.now(), kept[-1].id, notes)
        size = size_below(partial)
        counts = run.counts(len(kept))
    exported = Exported(
        snapshot=kept[-1].id,
        format=wish.form,
        path=first_file(wish.form, to),
        conversations=len(run.records),
        messages=sum(record["messages"] for record in run.records.values()),
        media=run.media,
        media_missing=run.media_missing,
        bytes=size,
        skipped=tuple(dict.fromkeys(run.skipped)),
        damaged=tuple(run.damaged),
        distrust=chosen.distrust,
    )
    return exported, counts


@dataclass(slots=True)
class _Thread:
    """One conversation of one source, as its exports name it."""

    number: int
    source: int
    app: str
    record: ConversationRecord


@dataclass(slots=True)
class _Shrinking:
    """What one export of a source lacks of what the source had, over all conversations."""

    before: int = 0
    gone: int = 0
    conversations: int = 0
    emptied: int = 0
    is_empty: bool = True

    @property
    def is_wipe(self) -> bool:
        """Whether most of everything is gone at once, by the rule of a comparison."""
        return (
            self.before > 0
            and self.gone > self.before * WIPED_SHARE
            and (self.emptied > self.conversations * WIPED_SHARE or self.is_empty)
        )


@dataclass(slots=True)
class _Run:
    """One export of all snapshots: what was read, and what it became."""

    rows: HistoryRows
    ordered: OrderedMessages
    folder: Path
    target: Path
    losses: Losses
    stop: Callable[[], bool]
    with_raw: bool
    keys: KeysOf
    exports: list[ExportRead] = field(default_factory=list)
    records: dict[int, ConversationRecord] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    media: int = 0
    media_missing: int = 0
    _from: list[tuple[SnapshotId, DomainReader, Source]] = field(default_factory=list)
    _sources: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _trees: dict[int, bytes] = field(default_factory=dict)
    _last_with: dict[int, SnapshotId] = field(default_factory=dict)
    _threads: dict[tuple[int, str, str, str], _Thread] = field(default_factory=dict)
    _shrinking: dict[tuple[str, int], _Shrinking] = field(default_factory=dict)
    _tally: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    @property
    def tell(self) -> Tell:
        """Where events go."""
        return self.losses.tell

    @property
    def damaged(self) -> list[Found]:
        """What was lost so far."""
        return self.losses.found

    def require_wanted(self) -> None:
        """Stop where somebody asked to."""
        if self.stop():
            raise KeyboardInterrupt

    def take(self, snapshot: SnapshotId, reader: DomainReader, source: Source) -> None:
        """Read one source of one snapshot, if it is not what it was in the one before."""
        number = self._sources.setdefault((source.name, source.path), len(self._sources))
        if self._trees.get(number) == source.tree:
            self._last_with[self._newest_of(number)] = snapshot
            return
        self._trees[number] = source.tree
        lost = len(self.damaged)
        try:
            with open_chats(reader, source, self.folder / "archives", self.tell, self.keys(source.name)) as opened:
                if not opened.recognised.parts or opened.recognised.is_all_sealed:
                    self.skipped.append(source.name)
                    code = "sealed-left-out" if opened.recognised.parts else "no-chat-left-out"
                    self.tell(Notice(code, {"name": source.name}))
                    return
                self._from.append((snapshot, reader, source))
                self.exports.append(ExportRead(len(self.exports), number, is_whole=False))
                self._last_with[len(self.exports) - 1] = snapshot
                self._read(opened, len(self.exports) - 1, number)
        except MalformedExport as error:
            self.tell(export_damaged(error))
        if len(self.damaged) == lost:
            self.exports[-1] = ExportRead(len(self.exports) - 1, number, is_whole=True)

    def _newest_of(self, source: int) -> int:
        return max((one.number for one in self.exports if one.source == source), default=-1)

    def _read(self, opened: OpenedChats, export: int, source: int) -> None:
        self.rows.begin()
        for finding in (*opened.files.findings, *opened.recognised.findings):
            self.tell(chat_finding(finding))
        for seen, (reader, told) in enumerate(read_all(opened.files, opened.recognised)):
            if seen % 1000 == 0:
                self.require_wanted()
                self.tell(Progress(Phase.READ))
            app = reader.app or reader.format
            match told:
                case Message():
                    thread = self._thread(source, reader.format, app, opened.source, Conversation(told.conversation))
                    self.rows.take(thread.number, export, app, told, with_raw=self.with_raw)
                case Conversation():
                    self._thread(source, reader.format, app, opened.source, told, is_told=True)
                case _:
                    self.tell(chat_finding(told))

    def _thread(
        self, source: int, form: str, app: str, saved: Source, told: Conversation, *, is_told: bool = False
    ) -> _Thread:
        key = (source, form, app, told.key)
        known = self._threads.get(key)
        if known is not None and not is_told:
            return known
        number = len(self._threads) + 1 if known is None else known.number
        record = conversation_record(
            told, "", app=app if app != form else saved.app, format_name=form, source=saved.name
        )
        if known is None:
            known = self._threads[key] = _Thread(number, source, app, record)
        elif told.title or told.participants:
            known.record = record
        return known

    def settle(self, only: tuple[str, ...], snapshot: SnapshotId) -> None:
        """Merge every conversation that is wanted."""
        if not self._threads:
            raise ChatsLost(snapshot=snapshot) if self.damaged else NothingToExport(snapshot=snapshot)
        for name in only:
            if not any(is_called(thread.record, name) for thread in self._threads.values()):
                raise ConversationNotFound(conversation=name)
        groups: dict[tuple[str, str], list[_Thread]] = {}
        for (_source, _form, app, key), thread in self._threads.items():
            if not only or any(is_called(thread.record, name) for name in only):
                groups.setdefault((app, key), []).append(thread)
        for threads in groups.values():
            self._merge(threads)
        self.ordered.place()

    def _merge(self, threads: list[_Thread]) -> None:
        """Make one history of a conversation, of several where two sources have nothing in common but its name."""
        known: dict[int, Seen] = {}
        numbers: dict[int, int] = {}
        held = {thread.number: set(self.rows.exports_of(thread.number)) for thread in threads}
        histories: list[tuple[ConversationHistory, list[_Thread]]] = []
        for export in self.exports:
            for thread in threads:
                if thread.source != export.source:
                    continue
                self.require_wanted()
                here = (
                    self.rows.seen_in(thread.number, export.number, known, numbers)
                    if export.number in held[thread.number]
                    else []
                )
                self._add(histories, thread, export, here)
        for history, merged in histories:
            if history.messages:
                self._write_down(history, merged, numbers)

    def _add(
        self,
        histories: list[tuple[ConversationHistory, list[_Thread]]],
        thread: _Thread,
        export: ExportRead,
        here: list[Seen],
    ) -> None:
        own = next((one for one in histories if any(member.source == thread.source for member in one[1])), None)
        if own is None and not here:
            return
        if own is None:
            own = next((one for one in histories if _belongs(one[0], here)), None)
            if own is None:
                own = (ConversationHistory(), [])
                histories.append(own)
        history, members = own
        if thread not in members:
            members.append(thread)
        overlap = history.add(here, source=export.source, number=export.number, is_whole=export.is_whole)
        self._note(thread, export, history)
        if overlap.only_before or overlap.only_now:
            self._disagree(thread, overlap)

    def _note(self, thread: _Thread, export: ExportRead, history: ConversationHistory) -> None:
        gone = sum(1 for one in history.messages if _went(one, export))
        left = sum(1 for one in history.messages if one.held.get(export.source) == export.number)
        new = sum(1 for one in history.messages if one.first == export.number)
        shrinking = self._shrinking.setdefault((thread.app, export.number), _Shrinking())
        before = gone + left - new
        shrinking.before += before
        shrinking.gone += gone
        shrinking.conversations += before > 0
        shrinking.emptied += before > 0 and not left
        shrinking.is_empty = shrinking.is_empty and not left

    def _disagree(self, thread: _Thread, overlap: Overlap) -> None:
        facts: dict[str, Fact] = {
            "conversation": thread.record["title"] or thread.record["key"],
            "shared": overlap.shared,
            "before": overlap.only_before,
            "now": overlap.only_now,
        }
        self.tell(Found("exports-disagree", Severity.WARNING, facts))

    def _write_down(self, history: ConversationHistory, threads: list[_Thread], numbers: dict[int, int]) -> None:
        number = len(self.records) + 1
        record = self.records[number] = {**threads[-1].record, "id": f"c{number:04d}", "declared_messages": None}
        ends: list[tuple[int, str]] = []
        for place, remembered in enumerate(history.messages):
            export, message = self._merged(remembered, numbers, f"c{number:04d}")
            record["messages"] += 1
            self._tally[self._fate_key(threads[0].app, remembered)] += 1
            self._tally["edited", "", 0] += bool(len(remembered.versions) > 1 and not remembered.is_recalled)
            self._tally["recalled", "", 0] += remembered.is_recalled
            for media in message["media"]:
                self.media += 1
                if media["state"] == MediaState.PRESENT.value:
                    self.rows.want_file(export, media["name"])
                    media["file"] = str(export)
                else:
                    self.media_missing += 1
            if (at := message["time_us"]) is not None:
                ends.append((at, message["time_zone"]))
            self.ordered.add(number, message, at=place)
        record["oldest"] = time_text(*min(ends)) if ends else None
        record["newest"] = time_text(*max(ends)) if ends else None

    def _fate_key(self, app: str, remembered: Remembered) -> tuple[str, str, int]:
        fate = remembered.fate
        return ("present", "", 0) if fate is None else (fate.kind.value, app, fate.export)

    def _merged(self, remembered: Remembered, numbers: dict[int, int], conversation: str) -> tuple[int, MessageRecord]:
        """Return a message as its newest version has it, with the words of those before."""
        export, message = self.rows.record(numbers[id(remembered.newest)])
        message["conversation"] = conversation
        earlier: list[dict[str, object]] = []
        for _export, seen in remembered.versions[:-1]:
            _, before = self.rows.record(numbers[id(seen)])
            if before["text"] and before["deletion"] == DeletionState.NONE.value:
                earlier.append({"time": None, "text": before["text"]})
        told = {edit["text"] for edit in message["edits"]}
        message["edits"] = [*(one for one in earlier if one["text"] not in told), *message["edits"]]
        message["history"] = self._history(remembered)
        return export, message

    def _history(self, remembered: Remembered) -> HistoryRecord:
        fate: Gone | None = remembered.fate
        last = max(remembered.held.values())
        return {
            "state": "present" if fate is None else fate.kind.value,
            "first_seen": self._from[remembered.first][0],
            "last_seen": self._last_with[last],
            "gone_in": None if fate is None else self._from[fate.export][0],
            "versions": len(remembered.versions),
            "export": None if fate is None else fate.export,
        }

    def is_wiped(self, app: str, export: int) -> bool:
        """Say whether an app was wiped before an export."""
        shrinking = self._shrinking.get((app, export))
        return shrinking is not None and shrinking.is_wipe

    def counts(self, snapshots: int) -> HistoryCounts:
        """Return what happened, in numbers."""
        fates: Counter[str] = Counter()
        for (kind, app, export), count in self._tally.items():
            fates[APP_WIPED if app and self.is_wiped(app, export) else kind] += count
        return HistoryCounts(
            snapshots, fates["present"], fates["edited"], fates["recalled"], fates[ChangeKind.DELETED.value],
            fates[ChangeKind.OUT_OF_SCOPE.value], fates[APP_WIPED],
        )  # fmt: skip

    def copy_media(self) -> None:
        """Copy the files that messages name, one source of one snapshot after the other."""
        count = 0
        for export, (_snapshot, reader, source) in enumerate(self._from):
            wanted = self.rows.wanted_files(export)
            if not wanted:
                continue
            folder = self.target / "media"
            folder.mkdir(mode=0o700, exist_ok=True)
            with open_chats(reader, source, self.folder / "archives", self.tell, self.keys(source.name)) as opened:
                for name in wanted:
                    self.require_wanted()
                    count += 1
                    given = file_name(name, count)
                    descriptor = os.open(folder / given, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                    try:
                        with os.fdopen(descriptor, "wb") as out, opened.files.open(name) as stream:
                            shutil.copyfileobj(stream, out, 1 << 20)
                    except MalformedExport:
                        # Told by whoever opened it.
                        (folder / given).unlink()
                        continue
                    self.rows.put_file(export, name, f"media/{given}")

    def finished(self, number: int, message: MessageRecord) -> MessageRecord:
        """Return a message with all that only the whole run could tell."""
        for media in message["media"]:
            if media["file"] is not None:
                media["file"] = self.rows.file(int(media["file"]), media["name"])
        history = message["history"]
        export = history.pop("export")
        app = self.records[number]["app"] or self.records[number]["format"]
        if export is not None and self.is_wiped(app, export):
            history["state"] = APP_WIPED
        return message


@dataclass(frozen=True, slots=True)
class _Messages:
    """The messages of one merged conversation, in order."""

    run: _Run
    number: int

    def between(self, first: int = 1, last: int | None = None) -> Iterator[MessageRecord]:
        """Give messages in order."""
        for message in self.run.ordered.of(self.number, first, last):
            yield self.run.finished(self.number, message)

    def find(self, native: str) -> MessageRecord | None:
        """Return the message with an id of the app's own."""
        found = self.run.ordered.find(self.number, native)
        return None if found is None else self.run.finished(self.number, found)


def _belongs(history: ConversationHistory, here: list[Seen]) -> bool:
    """Say whether an export of another source is of the same conversation: some of it must have been said in both.

    Two people may each have a chat called "Mum".
    """
    known = {(one.newest.sender, one.newest.content) for one in history.messages}
    shared = sum((one.sender, one.content) in known for one in here)
    return shared >= min(_LEAST_SHARED, len(here), len(history.messages))


def _went(remembered: Remembered, export: ExportRead) -> bool:
    gone = remembered.gone.get(export.source)
    return gone is not None and gone.export == export.number
