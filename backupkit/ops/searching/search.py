"""Finding messages in all snapshots at once: by their words, and by who, where, when and what.

Whatever is not indexed yet is indexed first. Then a question opens the few blocks that its words lead to, and the messages
that it shows, the newest first.
"""

import heapq
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.chats.export.record import time_text
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.chats.search.document import DELETED, Document, conversation_term, kind_term, sender_term
from backupkit.chats.search.terms import Needed, Part, Way, folded, parts_of, places_in
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ids import DomainId, SnapshotId
from backupkit.ops.chats.snapshot_chats import domain_lost, domain_reader
from backupkit.ops.events import Found, Losses, Notice, Severity, Tell
from backupkit.ops.places import Places, held
from backupkit.ops.restoring.lookup import Chosen, Lookup, open_lookup
from backupkit.ops.searching.build import building
from backupkit.ops.searching.index import UNUSABLE, IndexState, SearchIndex, index_key
from backupkit.ops.searching.segment import Place, Segment
from backupkit.ops.unlock import AskSecret
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import Source, read_manifest

DEFAULT_LIMIT = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PatternInvalid(BackupkitError):
    """The pattern to search for cannot be used. Facts: `reason`."""

    code = "pattern-invalid"
    exit_code = ExitCode.USAGE


class PatternsNotAvailable(BackupkitError):
    """Searching with patterns needs a library that is not installed."""

    code = "patterns-not-available"
    exit_code = ExitCode.USAGE


class NothingAsked(BackupkitError):
    """Neither words nor a filter were given."""

    code = "nothing-asked"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for. `conversations` and `senders` are parts of names; `has` are kinds of messages or media."""

    text: str = ""
    conversations: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    deleted: bool = False
    is_pattern: bool = False
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found. `places` are where the words stand in `text`.

    `state` is `present` in the newest snapshot of its source, `absent` from it, or `replaced` by a newer version there. `own` are
    messages of the export's owner, whom many apps give no name.
    """

    conversation: str
    key: str
    app: str | None
    source: str
    sender: str
    own: bool
    time: str | None
    kind: str
    text: str
    media: tuple[str, ...]
    deletion: str
    state: str
    first_seen: SnapshotId
    last_seen: SnapshotId
    id: str | None
    file: str
    place: str
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found. `matches` is how many there are, at most that many where not `is_exact`.

    `damaged` is what could not be read, now or when it was indexed. `distrust` says why the log could not be believed.
    """

    hits: tuple[Hit, ...]
    matches: int
    is_exact: bool
    messages: int
    snapshots: int
    damaged: tuple[Found, ...]
    distrust: BackupkitError | None = None


def search_messages(
    places: Places,
    question: Question,
    *,
    secret: AskSecret,
    tell: Tell,
    stop: Callable[[], bool] = lambda: False,
    rebuild: bool = False,
    keys: KeysOf = no_keys,
) -> SearchResult:
    """Look for messages in every snapshot that is kept; where the log cannot be believed, in all that are found.

    Raises:
        NoRepository: there is none.
        CannotUnlock: the secret opens nothing.
        NothingAsked, PatternInvalid, PatternsNotAvailable: the question cannot be answered.
        ChatKeyWrong: sealed backups wait for a key, and the `keys` open none of them.
    """
    match = _Matching.of(question)
    lookup = open_lookup(places, secret, tell)
    chosen = lookup.every()
    cache = lookup.repository.cache
    with held(cache / "search.lock"), ExitStack() as stack:
        folder = cache / "search"
        if chosen.distrust is not None:
            # Other snapshots than the log knows, in an order that nobody vouches for: nothing of it may stay in the index.
            discard_leftovers(cache / "search-left")
            folder = stack.enter_context(private_folder(cache / "search-left"))
        asking = _Asking(lookup, chosen, folder, match, Losses(tell), stop, keys)
        try:
            return asking.answer(rebuild=rebuild)
        except UNUSABLE:
            # A block of the index was damaged where the question led.
            tell(Notice("search-index-lost", {}))
            return asking.answer(rebuild=True)


@dataclass(slots=True)
class _Asking:
    """One search: brings the indexes up to date, asks them, and remembers what could not be read."""

    lookup: Lookup
    chosen: Chosen
    folder: Path
    match: "_Matching"
    losses: Losses
    stop: Callable[[], bool]
    keys: KeysOf

    def answer(self, *, rebuild: bool) -> SearchResult:
        """Ask the index of every domain."""
        repository, keyring = self.lookup.repository, self.lookup.keyring
        kept = {one.id for one in self.chosen.snapshots}
        answers: list[_Answer] = []
        with ExitStack() as stack:
            for domain in self._domains():
                try:
                    opened = repository.open_domain(domain, keyring)
                except BackupkitError as error:
                    self.losses.tell(domain_lost(domain, error))
                    continue
                folder = self.folder / domain.hex()
                if rebuild:
                    shutil.rmtree(folder, ignore_errors=True)
                index = SearchIndex(folder, index_key(opened, repository.id))
                self.bring_up_to_date(index, domain_reader(repository, opened, self.losses.tell))
                segments = stack.enter_context(index.open_segments())
                answers.append(_Answer(index.state, segments, self.match, kept))
            lost = (*self.chosen.lost, *self.losses.found)
            found = _collected(answers, self.match.question, self.stop, len(kept), lost)
            return replace(found, distrust=self.chosen.distrust)

    def _domains(self) -> Iterable[DomainId]:
        named = [one.id for known in self.chosen.snapshots for one in known.statement.domains]
        return dict.fromkeys([*named, *(domain for domain, _ in self.chosen.loose)])

    def bring_up_to_date(self, index: SearchIndex, reader: DomainReader) -> None:
        """Index what is not indexed yet; from the beginning where the index cannot be used."""
        if not index.load():
            self.losses.tell(Notice("search-index-lost", {}))
        if self._has_new_keys(index):
            # Messages are indexed by the snapshot that first had them, so what a key opens now belongs between those.
            index.discard()
        kept = {one.id for one in self.chosen.snapshots}
        for snapshot in kept.intersection(index.state.incomplete):
            # What is lost was told when it was met; the index must not pass for whole ever after.
            self.losses.tell(Found("indexed-with-losses", Severity.ERROR, {"snapshot": snapshot}))
        try:
            self._take_new(index, reader)
            with index.open_segments():
                return
        except UNUSABLE:
            self.losses.tell(Notice("search-index-lost", {}))
            index.discard()
            self._take_new(index, reader)

    def _take_new(self, index: SearchIndex, reader: DomainReader) -> None:
        new = list(self._not_indexed(index, reader))
        if not new:
            return
        scratch = self.lookup.repository.cache / "indexing"
        discard_leftovers(scratch)
        with private_folder(scratch) as folder, building(index, folder, self.losses.tell, self.stop, self.keys) as work:
            work.total_bytes = sum(source.bytes for _, sources in new for source in sources)
            for snapshot, sources in new:
                work.take_in(snapshot, reader, sources)
            if work.wrong_key is not None and not work.has_opened:
                index.discard()
                raise work.wrong_key

    def _has_new_keys(self, index: SearchIndex) -> bool:
        """Say whether something stayed sealed that was not yet tried with the keys of today."""
        tried = [(self.keys(source.name).mark(index.key), source.unopened) for source in index.state.sources]
        return any(mark and unopened and mark not in unopened for mark, unopened in tried)

    def _not_indexed(self, index: SearchIndex, reader: DomainReader) -> Iterator[tuple[SnapshotId, tuple[Source, ...]]]:
        indexed = set(index.state.snapshots)
        for known in self.chosen.snapshots:
            for part in known.statement.domains:
                if part.id != reader.address.domain or known.id in indexed:
                    continue
                try:
                    yield known.id, read_manifest(reader, part.root).sources
                except BackupkitError as error:
                    self.losses.tell(domain_lost(part.id, error))
        if loose := tuple(source for domain, source in self.chosen.loose if domain == reader.address.domain):
            yield self.chosen.known.id, loose


@dataclass(frozen=True, slots=True)
class _Matching:
    """A question, made ready to be asked of many documents."""

    question: Question
    parts: tuple[Part, ...]
    pattern: Callable[[str], list[tuple[int, int]]] | None
    since: int | None
    until: int | None

    @classmethod
    def of(cls, question: Question) -> "_Matching":
        parts = () if question.is_pattern else parts_of(question.text)
        filters = (question.conversations, question.senders, question.has, question.since, question.until)
        if not (parts or (question.is_pattern and question.text) or any(filters) or question.deleted):
            raise NothingAsked
        pattern = _pattern(question.text) if question.is_pattern and question.text else None
        return cls(question, parts, pattern, _microseconds(question.since), _microseconds(question.until))

    @property
    def is_exact(self) -> bool:
        """Whether having the terms says that a document matches."""
        question = self.question
        return (
            all(part.is_exact for part in self.parts)
            and self.pattern is None
            and not (question.deleted or question.since or question.until)
        )

    def fits(self, document: Document) -> bool:
        """Say whether a document that has the terms matches altogether."""
        if self.since is not None and (not document.has_time or document.at < self.since):
            return False
        if self.until is not None and (not document.has_time or document.at >= self.until):
            return False
        if self.pattern is not None:
            return bool(self.pattern(document.text))
        flat = folded("\n".join((document.text, *document.names)))
        return all(part.text in flat for part in self.parts)

    def places(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return where to mark a text."""
        if self.pattern is not None:
            return tuple(self.pattern(text)[:100])
        return tuple(list(places_in(text, self.parts))[:100])


@dataclass(frozen=True, slots=True)
class _Answer:
    """A question asked of one index."""

    state: IndexState
    segments: dict[str, Segment]
    match: _Matching
    kept: set[SnapshotId]

    @property
    def is_exact(self) -> bool:
        return self.match.is_exact and self.kept >= set(self.state.snapshots)

    def candidates(self, name: str, segment: Segment) -> list[int]:
        """Return the numbers of the documents of one file that may match, the newest first."""
        question, wanted = self.match.question, list[set[int]]()
        for part in self.match.parts:
            wanted += [segment.numbers(one) for one in part.needed]
            if wanted and not wanted[-1]:
                return []
        for term_of, names, are_called in (
            (conversation_term, question.conversations, self._conversations),
            (sender_term, question.senders, self._senders),
        ):
            if names:
                wanted.append(self._any(segment, map(term_of, are_called(names))))
        wanted += [segment.numbers(Needed(kind_term(kind), Way.WHOLE)) for kind in question.has]
        if question.deleted:
            ended = self.state.ended.get(name, {})
            gone = {number for number, (_, replaced) in ended.items() if not replaced}
            wanted.append(segment.numbers(Needed(DELETED, Way.WHOLE)) | gone)
        in_time = segment.between(self.match.since, self.match.until)
        if not wanted:
            return list(reversed(in_time))
        wanted.sort(key=len)
        found = wanted[0].intersection(*wanted[1:])
        return sorted((number for number in found if number in in_time), reverse=True)

    def _any(self, segment: Segment, terms: Iterator[str]) -> set[int]:
        return set[int]().union(*(segment.numbers(Needed(term, Way.WHOLE)) for term in terms))

    def _conversations(self, names: tuple[str, ...]) -> list[int]:
        wanted = [folded(name) for name in names]
        return [
            number
            for number, one in enumerate(self.state.conversations)
            if one.key in names or any(name in folded(one.title or one.key) for name in wanted)
        ]

    def _senders(self, names: tuple[str, ...]) -> list[int]:
        wanted = [folded(name) for name in names]
        return [
            number
            for number, (identity, called, _) in enumerate(self.state.senders)
            if identity in names or any(name in folded(called or identity or "") for name in wanted)
        ]

    def seen(self, place: Place, document: Document) -> list[SnapshotId]:
        """Return the snapshots, of those that are kept, that have a document."""
        end = self.state.end_of(place)
        return [
            SnapshotId(self.state.snapshots[number])
            for number in self.state.sources[document.source].present
            if number >= document.first
            and (end is None or number <= end[0])
            and self.state.snapshots[number] in self.kept
        ]

    def hit(self, place: Place, document: Document, seen: list[SnapshotId]) -> Hit:
        conversation = self.state.conversations[document.conversation]
        identity, called, is_own = self.state.senders[document.sender]
        end = self.state.end_of(place)
        return Hit(
            conversation=conversation.title or conversation.key,
            key=conversation.key,
            app=conversation.app,
            source=self.state.sources[document.source].name,
            sender=called or identity or "",
            own=is_own,
            time=time_text(document.at, document.zone, document.precision) if document.has_time else None,
            kind=document.kind,
            text=document.text,
            media=document.names,
            deletion=document.deletion,
            state="present" if end is None else "replaced" if end[1] else "absent",
            first_seen=seen[0],
            last_seen=seen[-1],
            id=document.native_id,
            file=document.file,
            place=document.place,
            places=self.match.places(document.text),
        )


def _collected(
    answers: list[_Answer], question: Question, stop: Callable[[], bool], snapshots: int, lost: tuple[Found, ...]
) -> SearchResult:
    total, streams = 0, []
    for answer in answers:
        for name, segment in answer.segments.items():
            numbers = answer.candidates(name, segment)
            total += len(numbers)
            streams.append(_matching(answer, name, segment, numbers, stop))
    hits: list[Hit] = []
    is_exact = all(answer.is_exact for answer in answers)
    newest_first = heapq.merge(*streams, key=lambda row: -row[1].at)
    for answer, document, place, seen in newest_first:
        if len(hits) >= question.limit:
            break
        hits.append(answer.hit(place, document, seen))
    else:
        # Everything was looked at, so the number is known.
        total, is_exact = len(hits), True
    return SearchResult(
        hits=tuple(hits),
        matches=total,
        is_exact=is_exact,
        messages=sum(sum(answer.state.segments.values()) for answer in answers),
        snapshots=snapshots,
        damaged=lost,
    )


def _matching(
    answer: _Answer, name: str, segment: Segment, numbers: list[int], stop: Callable[[], bool]
) -> Iterator[tuple[_Answer, Document, Place, list[SnapshotId]]]:
    for number in numbers:
        if stop():
            raise KeyboardInterrupt
        document, place = segment.document(number), Place(name, number)
        if answer.match.fits(document) and (seen := answer.seen(place, document)):
            yield answer, document, place, seen


def _pattern(text: str) -> Callable[[str], list[tuple[int, int]]]:
    """Return how to find a pattern, in time that grows with the text only, whatever the pattern is."""
    try:
        import re2  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise PatternsNotAvailable from error
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        compiled = re2.compile(text, options)
    except (re2.error, UnicodeError, ValueError) as error:
        raise PatternInvalid(reason=_reason(error)) from error

    def find(message: str) -> list[tuple[int, int]]:
        safe = message.encode("utf-8", "replace").decode("utf-8")
        return [found.span() for found in compiled.finditer(safe) if found.end() > found.start()]

    return find


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))[:200]


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
