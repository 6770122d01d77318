"""What would be lost if the messages on a device were gone now.

The machine that takes backups cannot read them. It keeps a ledger of what the newest verified snapshot holds; a live message
that is not in it would be lost. What did not change since is not read again: files by their stamps, stretches of text
and pages of databases by their digests. Where the ledger is lost, the answer is `unknown`, never a guess.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from backupkit.chats.archives.members import Member
from backupkit.chats.losing.eliding import ElidedMember, Elision, elisions, runs_of, witnesses
from backupkit.chats.losing.ledger import (
    ID_BYTES,
    ROW_BYTES,
    Ledger,
    LedgerFile,
    Stretch,
    find_sorted,
    name_digest,
    stretch_digest,
)
from backupkit.chats.losing.ledger_build import candidates, conversation_digest, stamp_of
from backupkit.chats.losing.ledger_rows import LedgerRows
from backupkit.chats.losing.page_digests import UNIT_BYTES, changed_units, logged_pages, page_size_of, rowids_on
from backupkit.chats.losing.placing import Cutter, pieces
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, Finding, Message
from backupkit.chats.readers.registry import READERS, Recognised, read_all, recognise
from backupkit.chats.readers.sealed import Sealed
from backupkit.chats.reading.database import database_in
from backupkit.chats.reading.reader import Recognition
from backupkit.chats.sources.source import Content, SourceFiles, content_of

_DAY_US = 86_400_000_000
_UNREAD = frozenset({"export-cut", "export-damaged", "archive-damaged", "place-unread"})
"""Findings behind which messages may lie that nobody could read: nothing is "covered" then, however much was recognised."""


class CoverageLevel(Enum):
    """How far a verified backup covers what is on the device."""

    COVERED = "covered"
    COVERED_WITH_GAP = "covered-with-gap"
    UNKNOWN = "unknown"
    NOT_COVERED = "not-covered"


@dataclass(frozen=True, slots=True)
class ConversationLoss:
    """What one conversation would lose. `uncovered_by_day` counts by days since 1970; None is "no time"."""

    app: str
    conversation: str
    title: str | None
    level: CoverageLevel
    messages: int
    uncovered: int
    changed: int
    uncovered_by_day: Mapping[int | None, int]
    newest_uncovered_us: int | None


@dataclass(frozen=True, slots=True)
class SealedLoss:
    """What changed in files that cannot be read, in pages of 4 KiB. Their messages are never counted."""

    files: int = 0
    pages: int = 0
    pages_changed: int = 0
    commits: int = 0


@dataclass(frozen=True, slots=True)
class LossPreview:
    """What all conversations together would lose. `changed` counts edits that the snapshot does not hold yet.

    `conversations` are those with a loss or a change; `read` is how many messages had to be read to know it. Numbers are
    None where they are not known.
    """

    level: CoverageLevel
    messages: int | None
    conversation_count: int | None
    uncovered: int | None
    changed: int | None
    conversations: tuple[ConversationLoss, ...] = ()
    newest_uncovered_us: int | None = None
    sealed: SealedLoss = SealedLoss()
    read: int = 0


def preview_loss(source: SourceFiles, ledger: Ledger | None, key: bytes, cut: Cutter) -> LossPreview | None:
    """Compare what is on the device with what a verified snapshot holds.

    `ledger` is None where that is not known. None comes back where the source is no chat export known here.
    """
    if ledger is not None:
        found = _Preview(source, ledger, key, cut).run()
        if found is not None:
            return found
    # Without a ledger, or where a shortened export does not read as the whole one did: everything is read.
    return _Preview(source, ledger, key, cut, whole=True).run()


@dataclass(frozen=True, slots=True)
class _Met:
    """One message that was read."""

    row: bytes
    place: tuple[str, str]
    ts_us: int | None


@dataclass(slots=True)
class _Tally:
    messages: int = 0
    uncovered: int = 0
    changed: int = 0
    by_day: Counter[int | None] = field(default_factory=Counter)
    newest_us: int | None = None


@dataclass(slots=True)
class _Preview:
    source: SourceFiles
    ledger: Ledger | None
    key: bytes
    cut: Cutter
    whole: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)
    rows_shown: dict[str, tuple[str, list[int]]] = field(default_factory=dict)
    messages: int = 0
    remaining: list[memoryview] = field(default_factory=list)
    sorted_rows: list[memoryview] = field(default_factory=list)
    needed: list[bytes] = field(default_factory=list)
    sealed: SealedLoss = SealedLoss()
    unsettled: bool = False
    pages: int = 0

    def run(self) -> LossPreview | None:
        """Return the preview; None where no reader knows the source, or where only reading everything can tell."""
        saved = {} if self.ledger is None else {one.name: one for one in self.ledger.files}
        names = {name: saved.get(name_digest(name, self.key)) for name in candidates(self.source)}
        for name, file in names.items():
            if file is not None:
                self._plan(name, file)
        missing = set(saved) - {file.name for file in names.values() if file is not None}
        moved = [saved[name] for name in missing if saved[name].messages]
        for name in [name for name, file in names.items() if file is None]:
            self._plan_stranger(name, moved)
        for file in moved:
            self.remaining.append(file.rows)
        view = self.source.with_members(self.members)
        recognised = self._recognised(view, names)
        if not recognised.parts:
            return None
        return self._compare(view, recognised)

    def _plan(self, name: str, file: LedgerFile) -> None:
        """Decide how much of a known file must be read."""
        self.unsettled = self.unsettled or not file.settled
        is_same = bool(file.stamp) and stamp_of(self.source, name) == file.stamp
        if file.sealed:
            self._count_sealed(name, file, is_same=is_same)
        elif is_same and not self.whole:
            self.passed_over.add(name)
            self.messages += file.messages
        elif not file.messages or self.whole:
            self.remaining.append(file.rows)
        elif content_of(self.source.head(name)) is Content.SQLITE:
            if not self._plan_database(name, file):
                self.remaining.append(file.rows)
        else:
            self._plan_stretches(name, [file])

    def _plan_stranger(self, name: str, moved: list[LedgerFile]) -> None:
        """A file whose name is new may be an old one that was renamed: its stretches tell."""
        placed = [file for file in moved if file.placed]
        if self.whole or not placed or content_of(self.source.head(name)) is Content.SQLITE:
            return
        used = self._plan_stretches(name, placed)
        if used is not None:
            moved.remove(used)

    def _plan_stretches(self, name: str, files: Sequence[LedgerFile]) -> LedgerFile | None:
        """Leave out what the first fitting file is known to hold; return that file."""
        with self.source.open(name) as stream:
            live = [(stretch_digest(chunk, self.key), len(chunk)) for chunk in self.cut(pieces(stream))]
        digests = {digest for digest, _size in live}
        for file in files:
            stretches = file.stretches()
            if [(one.digest, one.size) for one in stretches] == live and not self.whole:
                self.passed_over.add(name)
                self.messages += file.messages
                return file
            if file.placed and not digests.isdisjoint(one.digest for one in stretches):
                self._leave_out(name, file, stretches, live)
                return file
        if len(files) == 1:
            self.remaining.append(files[0].rows)
            return files[0]
        return None

    def _leave_out(
        self, name: str, file: LedgerFile, stretches: Sequence[Stretch], live: Sequence[tuple[bytes, int]]
    ) -> None:
        places = {stretch.digest: place for place, stretch in enumerate(stretches)}
        runs = list(runs_of(live, places, stretches))
        left_out = sorted(elisions(stretches, file.gaps(), runs), key=lambda one: one.start)
        member = self.source.member(name)
        if left_out and member is not None:
            self.members[name] = ElidedMember(member, tuple(left_out))
        self.messages += sum(one.after - one.first for one in left_out)
        self.needed += [file.row(number) for number in witnesses(stretches, runs)]
        self.remaining += _rows_outside(file, left_out)

    def _plan_database(self, name: str, file: LedgerFile) -> bool:
        """Look only at rows on pages that changed; say whether that is possible here."""
        page_size = page_size_of(self.source.head(name))
        if file.table is None or page_size > UNIT_BYTES or page_size < 512:
            return False
        before = {
            page - 1
            for page in (
                int.from_bytes(file.log_pages[at : at + 4], "little") for at in range(0, len(file.log_pages), 4)
            )
        }
        units = {page * page_size // UNIT_BYTES for page in before}
        with self.source.open(name) as stream:
            changed = changed_units(stream, file, self.key, also=units)
        touched = [
            (unit * UNIT_BYTES // page_size + at // page_size + 1, data[at : at + page_size])
            for unit, data in changed.items()
            for at in range(0, len(data), page_size)
        ]
        if self.source.size(name + "-wal"):
            with self.source.open(name + "-wal") as log:
                touched += [(page.number, page.data) for page in logged_pages(log)]
        rowids = rowids_on(touched)
        if len(rowids) > max(file.messages // 4, 10_000):
            return False
        try:
            rows = database_in(self.source, name).count(file.table)
        except MalformedExport:
            return False
        self.rows_shown[name] = (file.table, sorted(rowids))
        # What is shown is counted when it is read; of the rest it is known how many there are.
        self.messages += file.messages + rows - file.table_rows
        self.sorted_rows.append(file.rows)
        return True

    def _count_sealed(self, name: str, file: LedgerFile, *, is_same: bool) -> None:
        pages = -(-(self.source.size(name) or 0) // UNIT_BYTES)
        changed = commits = 0
        if not is_same:
            with self.source.open(name) as stream:
                changed = len(changed_units(stream, file, self.key))
            if self.source.size(name + "-wal"):
                with self.source.open(name + "-wal") as log:
                    commits = sum(page.ends_commit for page in logged_pages(log))
        self.sealed = SealedLoss(
            self.sealed.files + 1,
            self.sealed.pages + pages,
            self.sealed.pages_changed + changed,
            self.sealed.commits + commits,
        )

    def _recognised(self, view: SourceFiles, names: Mapping[str, LedgerFile | None]) -> Recognised:
        """Say which readers read what is left. Where no file is new, it was decided when the ledger was written."""
        built_in = {reader.format for reader in READERS}
        is_decided = all(
            file is not None and (file.format in built_in or (not file.format and name in self.passed_over))
            for name, file in names.items()
        )
        if self.whole or not is_decided:
            return recognise(view)
        formats: dict[str, dict[str, int]] = {}
        for name, file in names.items():
            if file is not None and file.format:
                formats.setdefault(file.format, {})[name] = file.certainty
        return Recognised(tuple((one, Recognition(formats[one.format])) for one in READERS if one.format in formats))

    def _compare(self, view: SourceFiles, recognised: Recognised) -> LossPreview | None:
        is_all_sealed = recognised.is_all_sealed
        parts = tuple(
            (reader, Recognition({name: sure for name, sure in claims.claims.items() if name not in self.passed_over}))
            for reader, claims in recognised.parts
            if not isinstance(reader, Sealed)
        )
        for name, (table, rowids) in self.rows_shown.items():
            database_in(view, name).show_only(table, rowids)
        met: list[_Met] = []
        titles: dict[tuple[str, str], str | None] = {}
        tallies: dict[tuple[str, str], _Tally] = {}
        rows = LedgerRows(self.key)
        shown = 0
        is_read = all(finding.code not in _UNREAD for finding in self.source.findings)
        try:
            for reader, told in read_all(view, Recognised(tuple(part for part in parts if part[1].claims))):
                if isinstance(told, Finding):
                    is_read = is_read and told.code not in _UNREAD
                app = reader.app or reader.format
                if isinstance(told, Conversation):
                    titles[app, told.key] = told.title
                if not isinstance(told, Message):
                    continue
                place = (app, told.conversation)
                tallies.setdefault(place, _Tally()).messages += 1
                met.append(_Met(rows.row(app, told), place, told.ts_utc_us))
                shown += told.locator.file in self.rows_shown
        except MalformedExport:
            is_read = False
        if not self.whole and not is_read:
            return None
        if not self._knows_again(met):
            return None
        self.messages += len(met) - shown
        if is_all_sealed or self.ledger is None or self.unsettled or not is_read:
            messages = None if is_all_sealed else self.messages
            conversations = None if is_all_sealed else len(tallies)
            return LossPreview(
                CoverageLevel.UNKNOWN, messages, conversations, None, None, sealed=self._sealed(recognised)
            )
        self._cross_off(met, tallies)
        return self._told(tallies, titles, len(met), recognised)

    def _sealed(self, recognised: Recognised) -> SealedLoss:
        return self.sealed if recognised.is_sealed else SealedLoss()

    def _knows_again(self, met: Sequence[_Met]) -> bool:
        """Say whether what is left reads as it did when it was saved: a shortened export may read otherwise."""
        there = Counter(one.row for one in met)
        there.subtract(self.needed)
        return min(there.values(), default=0) >= 0

    def _cross_off(self, met: Sequence[_Met], tallies: Mapping[tuple[str, str], _Tally]) -> None:
        """Match what was read with what the snapshot holds, equals one by one; what stays is not covered."""
        open_by_id: dict[bytes, list[_Met]] = {}
        for one in reversed(met):
            if not self._is_in_database(one, tallies):
                open_by_id.setdefault(one.row[:ID_BYTES], []).append(one)
        for rows in self.remaining:
            for at in range(0, len(rows), ROW_BYTES):
                row = bytes(rows[at : at + ROW_BYTES])
                waiting = open_by_id.get(row[:ID_BYTES])
                if waiting:
                    one = waiting.pop()
                    tallies[one.place].changed += one.row != row
        for waiting in open_by_id.values():
            for one in waiting:
                tally = tallies[one.place]
                tally.uncovered += 1
                tally.by_day[None if one.ts_us is None else one.ts_us // _DAY_US] += 1
                if one.ts_us is not None and (tally.newest_us is None or one.ts_us > tally.newest_us):
                    tally.newest_us = one.ts_us

    def _is_in_database(self, one: _Met, tallies: Mapping[tuple[str, str], _Tally]) -> bool:
        for rows in self.sorted_rows:
            row = find_sorted(rows, one.row[:ID_BYTES])
            if row is not None:
                tallies[one.place].changed += row != one.row
                return True
        return False

    def _told(
        self,
        tallies: Mapping[tuple[str, str], _Tally],
        titles: Mapping[tuple[str, str], str | None],
        read: int,
        recognised: Recognised,
    ) -> LossPreview:
        assert self.ledger is not None
        known = self.ledger.conversations
        lost = []
        conversations = len(known)
        for (app, conversation), tally in tallies.items():
            before = known.get(conversation_digest(app, conversation, self.key), 0)
            conversations += not before
            if not (tally.uncovered or tally.changed):
                continue
            messages = max(tally.messages, before + tally.uncovered)
            level = _level(messages, tally.uncovered)
            lost.append(
                ConversationLoss(
                    app, conversation, titles.get((app, conversation)), level, messages, tally.uncovered, tally.changed,
                    dict(tally.by_day), tally.newest_us,
                )
            )  # fmt: skip
        uncovered = sum(one.uncovered for one in lost)
        newest = max((one.newest_uncovered_us for one in lost if one.newest_uncovered_us is not None), default=None)
        level = _level(self.messages, uncovered)
        sealed = self._sealed(recognised)
        if sealed.pages_changed or sealed.commits:
            level = CoverageLevel.UNKNOWN if level is CoverageLevel.COVERED else level
        changed = sum(one.changed for one in lost)
        return LossPreview(level, self.messages, conversations, uncovered, changed, tuple(lost), newest, sealed, read)


def _rows_outside(file: LedgerFile, left_out: Sequence[Elision]) -> Iterator[memoryview]:
    """Give the rows of a file that are not left out."""
    at = 0
    for first, after in sorted((one.first, one.after) for one in left_out):
        if first > at:
            yield file.rows[at * ROW_BYTES : first * ROW_BYTES]
        at = max(at, after)
    yield file.rows[at * ROW_BYTES :]


def _level(messages: int, uncovered: int) -> CoverageLevel:
    if uncovered == 0:
        return CoverageLevel.COVERED
    return CoverageLevel.NOT_COVERED if uncovered >= messages else CoverageLevel.COVERED_WITH_GAP
