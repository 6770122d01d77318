"""Taking a snapshot: capture, store, count, sign, commit. Until the log's head is replaced, nothing has changed."""

import os
import platform
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit import __version__
from backupkit.capture.file_cache import FileCache
from backupkit.capture.scratch import discard_leftovers
from backupkit.chats.counting.shrink import judge_history
from backupkit.chats.owner_keys import ANOTHER_KEY, NO_KEYS, OwnerKeys
from backupkit.clock import Clock, to_rfc3339
from backupkit.crypto.derive import derive
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.ops.apps import package_of
from backupkit.ops.chats.chat_facts import ChatFactsCache, count_chats
from backupkit.ops.chats.message_ledgers import MessageLedgers, trees_to_keep
from backupkit.ops.events import Event, Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.failures import PacksSwept, SourceIsOwn, SourceNotFound
from backupkit.ops.memory.journal import SourceFacts, TakenFacts, facts_of
from backupkit.ops.memory.salts import KnownSalts
from backupkit.ops.places import Places, on_same_disk, shown_path
from backupkit.ops.repository.commit import DomainPart, commit_snapshot
from backupkit.ops.repository.domains import ensure_domain
from backupkit.ops.repository.reach import unwanted_packs
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.saving.save_file import StopAsked
from backupkit.ops.saving.save_source import SourceSaver
from backupkit.store.domains.domain_writer import DEFAULT_PROFILE, FIRST_PROFILE, DomainWriter
from backupkit.store.layout import PackRef
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.trees.manifest import ChatFacts, Manifest, Source, Unreadable, store_manifest

if TYPE_CHECKING:
    from backupkit.ops.checking.coverage import CoverageIssued

PARTIAL_EVERY_SECONDS = 300
PARTIAL_EVERY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What to save: a folder or file, the name it goes by, and whose it is if that is known.

    `keys` are its owner's own. With them sealed backups are counted; they are saved as they are.
    """

    path: Path
    name: str
    app: str | None = None
    package: str | None = None
    keys: OwnerKeys = NO_KEYS


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be read, and the code of the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A snapshot. `state` is saved, verified, damaged, or `partial` after a stop.

    Sizes in bytes: `bytes` of the sources, `stored_bytes` of all packs that the snapshot needs, `new_bytes` of those that
    this run added. Counts are None where nothing was readable as chats. `coverage` are the passes that were issued.
    `wrong_key` is the first sealed backup that was saved and is opened by none of the keys that were given for it.
    """

    snapshot: SnapshotId
    state: str
    complete: bool
    sources: tuple[SourceFacts, ...]
    files: int
    bytes: int
    stored_bytes: int
    new_bytes: int
    unreadable: tuple[Unread, ...]
    same_disk: bool
    coverage: "tuple[CoverageIssued, ...]" = ()
    wrong_key: str | None = None

    @property
    def messages(self) -> int | None:
        """Messages in all sources that are chats."""
        return _sum(source.messages for source in self.sources)

    @property
    def conversations(self) -> int | None:
        """Conversations in all sources that are chats."""
        return _sum(source.conversations for source in self.sources)

    @property
    def media(self) -> int | None:
        """Media files that messages name."""
        return _sum(source.media for source in self.sources)

    @property
    def media_missing(self) -> int | None:
        """Those of them that were not in the source."""
        return _sum(source.media_missing for source in self.sources)


def never() -> bool:
    """Never stop."""
    return False


def take_snapshot(
    places: Places,
    sources: Sequence[SourceSpec],
    *,
    clock: Clock,
    tell: Tell,
    stop: Callable[[], bool] = never,
    tags: Sequence[str] = (),
    verify: bool = False,
    max_age: timedelta | None = None,
) -> SnapshotTaken:
    """Save the sources as one snapshot; with `verify`, read every byte of it back afterwards, unless that is stopped.

    Raises:
        NoRepository, NotAWriter: there is nothing to write to, or no right to.
        SourceNotFound: one of the sources is not there; nothing was saved.
        SourceIsOwn: one of them is the repository, or lies in it; nothing was saved.
        NoSpace: the repository's disk is full; what was stored before is whole.
    """
    for spec in sources:
        require_there(spec.path)
        _require_not_own(spec.path, places)
    sources = [replace(spec, name=shown_path(spec.name)) for spec in sources]
    try:
        taken = _take(places, sources, clock, tell, stop, tags)
    except PacksSwept:
        # A sweep overtook this run, a day after it had said so. What it deletes is known now, and saved again.
        taken = _take(places, sources, clock, tell, stop, tags)
    if not verify or taken.state == "partial":
        return taken
    from backupkit.ops.checking.verify import DEFAULT_MAX_AGE, verify_snapshot  # noqa: PLC0415 - a quarter of all there is to load

    age = DEFAULT_MAX_AGE if max_age is None else max_age
    try:
        verified = verify_snapshot(places, taken.snapshot, clock=clock, tell=tell, max_age=age, stop=stop)
    except KeyboardInterrupt:
        if not stop():
            raise
        # It is saved all the same.
        return taken
    return replace(taken, state=verified.state, coverage=verified.coverage)


def _take(
    places: Places,
    sources: Sequence[SourceSpec],
    clock: Clock,
    tell: Tell,
    stop: Callable[[], bool],
    tags: Sequence[str],
) -> SnapshotTaken:
    repository = open_repository(places, tell)
    repository.config.require("write")
    run = _Run(repository, clock, tell, stop, tuple(tags))
    for spec in sources:
        run.repository, domain = ensure_domain(run.repository, spec.app or spec.name, clock)
        run.of_domain.setdefault(domain, []).append(spec)
    return run.take()


class _Run:
    """One run over all domains."""

    def __init__(
        self, repository: Repository, clock: Clock, tell: Tell, stop: Callable[[], bool], tags: tuple[str, ...]
    ) -> None:
        self.repository = repository
        self.of_domain: dict[DomainId, list[SourceSpec]] = {}
        self._clock = clock
        self._tell = tell
        self._stop = stop
        self._tags = tags
        self._done: list[DomainPart] = []
        self._facts: list[SourceFacts] = []
        self._unreadable: list[Unread] = []
        self._stored_bytes = 0
        self._ledgers = MessageLedgers(repository)
        self._salts = KnownSalts(repository.cache / "salts.json", self._ledgers.key)
        self._since_partial = 0
        self._last_partial = time.monotonic()
        self._since = 0
        self._unwanted: set[PackName] = set()
        self._wrong_key: str | None = None

    def take(self) -> SnapshotTaken:
        cache_folder = self.repository.cache
        discard_leftovers(cache_folder / "scratch")
        entries = self.repository.log.read().entries
        self._since = len(entries)
        self._unwanted = {ref.pack for ref in unwanted_packs(self.repository, entries)}
        was_stopped = False
        with FileCache.open(_made(cache_folder) / "files.sqlite") as cache:
            for domain, specs in self.of_domain.items():
                try:
                    self._save_domain(domain, specs, cache)
                except StopAsked:
                    was_stopped = True
                    break
                cache.commit()
        complete = not was_stopped and not self._unreadable
        return self._commit(complete=complete, state="partial" if was_stopped else "saved")

    def _save_domain(self, domain: DomainId, specs: list[SourceSpec], cache: FileCache) -> None:
        keys = self.repository.require_writer().domains[domain]
        address = Address(self.repository.id, domain)
        backend = self.repository.backend
        index = Index.load(
            backend,
            address,
            keys.index_key,
            lambda found: self._tell(store_finding(found)),
            damaged=self.repository.damaged_packs.known() | self._unwanted,
        )
        before = index.packs()
        saved: list[Source] = []
        packs: set[PackName] = set()
        profile = DEFAULT_PROFILE if before else FIRST_PROFILE
        with DomainWriter(backend, self.repository.id, domain, keys, index, profile=profile) as writer:
            part = _Part(domain, writer, index, before, saved, packs)
            for spec in specs:
                saver = SourceSaver(
                    spec.path,
                    key=f"{domain.hex()}:{shown_path(spec.path.resolve())}",
                    writer=writer,
                    index=index,
                    cache=cache,
                    scratch=self.repository.cache / "scratch",
                    seed=int.from_bytes(derive(keys.id_key, "text-cuts", size=8), "big") | 1,
                    tell=self._tell,
                    stop=self._stop,
                    after_file=partial(self._after_file, part),
                    leave_out=_own_folders(self.repository.places),
                )
                part.saver, part.spec = saver, spec
                try:
                    saver.save()
                except StopAsked:
                    self._finish_part(part, complete=False)
                    raise
                writer.rest()
                saved.append(self._source(spec, saver))
                packs |= saver.packs
                part.savers.append(saver)
                part.saver = None
            self._finish_part(part, complete=True)

    def _source(self, spec: SourceSpec, saver: SourceSaver, *, is_whole: bool = True) -> Source:
        tree = saver.partial_tree()
        counted = None
        if is_whole:
            remembered = ChatFactsCache(self.repository.cache / "chat-facts.json")
            counted = count_chats(
                spec.path, tree, remembered, self._telling_keys, ledgers=self._ledgers, started_ns=saver.started_ns,
                keys=spec.keys, salts=self._salts,
            )  # fmt: skip
        app = spec.app or (counted.app if counted else None)
        source = Source(
            name=spec.name,
            path=bytes(spec.path.resolve()),
            tree=tree,
            files=saver.counts.files,
            bytes=saver.counts.size,
            captured_at=to_rfc3339(self._clock.now()),
            app=app,
            package=spec.package or package_of(_app_vouched_for(spec, counted)),
            unreadable=tuple(saver.counts.unreadable),
            chat=counted,
        )
        if is_whole:
            self._facts.append(facts_of(source))
            self._unreadable += [_shown(spec, one) for one in source.unreadable]
        return source

    def _finish_part(self, part: "_Part", *, complete: bool) -> None:
        """Publish what was stored for a domain and keep its root for the commit."""
        sources, packs = list(part.saved), set(part.packs)
        if part.saver is not None:
            assert part.spec is not None
            sources.append(self._source(part.spec, part.saver, is_whole=False))
            packs |= part.saver.packs
        committed = self._publish(part, sources, packs, complete=complete)
        for saver in part.savers:
            saver.remember_folders()
        self._done.append(committed)
        self._stored_bytes += part.writer.stored_bytes

    def _publish(self, part: "_Part", sources: list[Source], packs: set[PackName], *, complete: bool) -> DomainPart:
        manifest = Manifest(
            domain=part.domain,
            created=to_rfc3339(self._clock.now()),
            host=platform.node()[:64],
            tool={"name": "backupkit", "version": __version__},
            sources=tuple(sources),
            complete=complete,
        )
        root = store_manifest(part.writer, manifest)
        part.writer.flush()
        new = part.index.packs() - part.before
        held = packs | new | {part.writer.pack_of(root)}
        size = sum(source.bytes for source in sources)
        refs = frozenset(PackRef(part.domain, pack) for pack in held)
        return DomainPart(part.domain, root, part.writer.pack_of(root), refs, size)

    def _after_file(self, part: "_Part", size: int) -> None:
        self._since_partial += size
        due = time.monotonic() - self._last_partial >= PARTIAL_EVERY_SECONDS
        if not due and self._since_partial < PARTIAL_EVERY_BYTES:
            return
        self._since_partial, self._last_partial = 0, time.monotonic()
        assert part.saver is not None
        assert part.spec is not None
        sources = [*part.saved, self._source(part.spec, part.saver, is_whole=False)]
        now = self._publish(part, sources, part.packs | part.saver.packs, complete=False)
        commit_snapshot(self.repository, [*self._done, now], complete=False, at=self._clock.now(), since=self._since)
        self._tell(Notice("partial-saved", {"bytes": part.saver.counts.size}))

    def _commit(self, *, complete: bool, state: str) -> SnapshotTaken:
        at = self._clock.now()
        committed = commit_snapshot(self.repository, self._done, complete=complete, at=at, since=self._since)
        snapshot = committed.snapshot
        facts = tuple(self._facts)
        if state == "saved":
            self._tell_empty(facts)
            self._tell_shrinks(facts)
            self.repository.journal.remember(TakenFacts(snapshot, to_rfc3339(at), complete, facts, self._tags))
            self._forget_ledgers()
        self._tell(Progress(Phase.STORE, sum(one.bytes for one in facts), sum(one.bytes for one in facts)))
        return SnapshotTaken(
            snapshot=snapshot,
            state=state,
            complete=complete,
            sources=facts,
            files=sum(one.files for one in facts),
            bytes=sum(one.bytes for one in facts),
            stored_bytes=committed.stored_bytes,
            new_bytes=self._stored_bytes,
            unreadable=tuple(self._unreadable),
            same_disk=any(
                on_same_disk(self.repository.places.repository, Path(spec.path))
                for specs in self.of_domain.values()
                for spec in specs
            ),
            wrong_key=self._wrong_key,
        )

    def _telling_keys(self, event: Event) -> None:
        """Pass an event on, and remember a key that is another backup's: the snapshot is none the worse for it."""
        if isinstance(event, Found) and event.code == "sealed-not-opened" and event.facts.get("reason") == ANOTHER_KEY:
            self._wrong_key = self._wrong_key or str(event.facts.get("file"))
        self._tell(event)

    def _forget_ledgers(self) -> None:
        trees: dict[str, list[str]] = {}
        for taken in self.repository.journal.taken().values():
            for source in taken.sources:
                if source.tree:
                    trees.setdefault(source.path, []).append(source.tree)
        self._ledgers.forget_but(trees_to_keep(trees))

    def _tell_empty(self, facts: tuple[SourceFacts, ...]) -> None:
        """Tell each source that holds nothing: mostly a disk that is not connected, or another folder than was meant."""
        for now in facts:
            if now.is_empty:
                self._tell(Found("source-empty", Severity.WARNING, {"name": now.name, "path": now.path}))

    def _tell_shrinks(self, facts: tuple[SourceFacts, ...]) -> None:
        """Tell each source that holds sharply less than this machine remembers of it."""
        for now in facts:
            shrink = judge_history([*self.repository.journal.held_by(now.path), now.held]).open
            if shrink is not None:
                counts = {
                    "name": now.name,
                    "before": shrink.before.messages,
                    "after": shrink.after.messages,
                    "bytes_before": shrink.before.bytes,
                    "bytes_after": shrink.after.bytes,
                }
                is_counted = None not in (shrink.before.messages, shrink.after.messages)
                code = f"chats-{shrink.kind.value}" + ("" if is_counted else "-bytes")
                self._tell(Found(code, Severity.WARNING, counts))


class _Part:
    """A domain while it is being saved."""

    def __init__(
        self,
        domain: DomainId,
        writer: DomainWriter,
        index: Index,
        before: set[PackName],
        saved: list[Source],
        packs: set[PackName],
    ) -> None:
        self.domain = domain
        self.writer = writer
        self.index = index
        self.before = before
        self.saved = saved
        self.packs = packs
        self.savers: list[SourceSaver] = []
        self.saver: SourceSaver | None = None
        self.spec: SourceSpec | None = None


def _shown(spec: SourceSpec, one: Unreadable) -> Unread:
    return Unread(str(spec.path / os.fsdecode(one.path)), one.reason)


def _app_vouched_for(spec: SourceSpec, counted: ChatFacts | None) -> str | None:
    """Return the app that a pass may speak for.

    A mapping lies in the export, and whoever made the export may have written into it what they like: that an app is covered by it
    is for its owner to say.
    """
    if counted is None or counted.format.startswith("mapping"):
        return spec.app
    return spec.app or counted.app


def require_there(path: Path) -> None:
    """Look whether a source can be read at all.

    Raises:
        SourceNotFound: it is not there, or may not be entered.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        reason = "not-there" if isinstance(error, FileNotFoundError) else "denied"
        raise SourceNotFound(path=str(path), reason=reason) from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise SourceNotFound(path=str(path), reason="special")


def _require_not_own(path: Path, places: Places) -> None:
    """Refuse a source inside our own folders: walking leaves those out only where it meets them from outside.

    Raises:
        SourceIsOwn: it is one of them, or lies in one.
    """
    own = _own_folders(places)
    resolved = path.resolve()
    for folder in (resolved, *resolved.parents):
        with suppress(OSError):
            status = folder.stat()
            if (status.st_dev, status.st_ino) in own:
                raise SourceIsOwn(path=str(path))


def _own_folders(places: Places) -> frozenset[tuple[int, int]]:
    """Identify our own folders: a repository that is saved into itself grows with every snapshot, without end."""
    found = set()
    for folder in (places.repository, places.state, places.cache):
        with suppress(OSError):
            status = folder.stat()
            # Windows may give no inode.
            if status.st_ino:
                found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
