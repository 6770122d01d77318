"""Counting the chats of a source, and not counting them again while its bytes are the same."""

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit import __version__
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject
from backupkit.errors import Fact
from backupkit.ids import ChunkId
from backupkit.ops.events import Found, Phase, Progress, Severity, Tell
from backupkit.ops.places import write_private
from backupkit.proof.fields import Fields
from backupkit.store.trees.manifest import ChatFacts

if TYPE_CHECKING:
    from backupkit.chats import model
    from backupkit.chats.counting.summary import ChatSummary
    from backupkit.ops.chats.message_ledgers import MessageLedgers
    from backupkit.ops.memory.salts import KnownSalts

EXPORT_DAMAGED = "export-damaged"
_KEPT = 200
_VERSION = 1
_WHAT = "chat-facts"
_MAX_BYTES = 4 << 20
_MAX_TEXT = 16 << 10


class ChatFactsCache:
    """Remembers what was counted, by the tree that was counted. Losing it costs one more reading.

    What another version counted is counted anew: it may have known fewer formats.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self, tree: ChunkId, mark: str = "") -> tuple[bool, ChatFacts | None]:
        """Return whether this tree was counted before, and what came of it. `mark` tells with which keys of its owner."""
        row = self._rows().get(tree.hex() + mark)
        if not isinstance(row, dict):
            return False, None
        if not row:
            return True, None
        try:
            return True, _decoded(Fields(row, what=_WHAT))
        except MalformedObject:
            return False, None

    def remember(self, tree: ChunkId, facts: ChatFacts | None, mark: str = "") -> None:
        """Keep what was counted; only the newest few hundred stay."""
        rows = self._rows()
        rows.pop(tree.hex() + mark, None)
        rows[tree.hex() + mark] = {} if facts is None else asdict(facts)
        newest = dict(list(rows.items())[-_KEPT:])
        # A cache on a full disk must keep nobody from a backup on another one.
        with suppress(OSError):
            write_private(self._path, json.dumps({"v": _VERSION, "by": __version__, "rows": newest}).encode())

    def _rows(self) -> dict[str, object]:
        try:
            kept = decode_json(self._path.read_bytes(), what=_WHAT, max_bytes=_MAX_BYTES)
            return dict(kept["rows"]) if (kept["v"], kept["by"]) == (_VERSION, __version__) else {}
        except (OSError, MalformedObject, ValueError, KeyError, TypeError):
            return {}


def _decoded(row: Fields) -> ChatFacts:
    return ChatFacts(
        format=row.text("format"),
        app=row.optional_text("app"),
        messages=row.optional_count("messages"),
        conversations=row.optional_count("conversations"),
        media=row.optional_count("media"),
        media_missing=row.optional_count("media_missing"),
        oldest=row.optional_text("oldest"),
        newest=row.optional_text("newest"),
        high_water=row.optional_text("high_water", most=_MAX_TEXT),
    )


def count_chats(
    path: Path,
    tree: ChunkId,
    cache: ChatFactsCache,
    tell: Tell,
    *,
    ledgers: "MessageLedgers | None" = None,
    started_ns: int = 0,
    keys: OwnerKeys = NO_KEYS,
    salts: "KnownSalts | None" = None,
) -> ChatFacts | None:
    """Count the chats of a source that was just saved as `tree`; None where it is no chat export known here.

    With `ledgers`, what it holds is kept for the loss preview; `started_ns` is when saving it began. With `salts`, sealed databases
    that were made anew are told.
    """
    mark = keys.mark(b"" if ledgers is None else ledgers.key)
    is_known, facts = cache.known(tree, mark)
    if is_known and (facts is None or ledgers is None or ledgers.has(tree.hex())):
        return facts
    # The readers of all formats, which an unchanged source needs no more.
    from backupkit.ops.chats.counting import summarise_with_ledger  # noqa: PLC0415 - they take a fifth of a run that finds nothing new

    tell(Progress(Phase.READ))
    summary = summarise_with_ledger(path, tree.hex(), ledgers, started_ns, keys, salts, tell)
    if summary is not None and not is_known:
        for finding in summary.findings:
            tell(chat_finding(finding))
    facts = facts_of(summary)
    if summary is None or not any(finding.code == "sealed-not-opened" for finding in summary.findings):
        # What a key did not open is told each time, until there is a right one.
        cache.remember(tree, facts, mark)
    return facts


def facts_of(summary: "ChatSummary | None") -> ChatFacts | None:
    """Return a summary as a manifest keeps it."""
    if summary is None:
        return None
    return ChatFacts(
        format=summary.format,
        app=summary.app,
        messages=summary.messages,
        conversations=summary.conversations,
        media=summary.media,
        media_missing=summary.media_missing,
        oldest=_time(summary.oldest),
        newest=_time(summary.newest),
        high_water=summary.high_water,
    )


def chat_finding(finding: "model.Finding") -> Found:
    """Return a reader's finding as the event that a person is shown."""
    return Found(finding.code, Severity(finding.severity.value), finding.sentence_facts)


def export_damaged(error: MalformedExport) -> Found:
    """Return where the reading of a source ended as the event that a person is shown."""
    where = error.locator
    facts: dict[str, Fact] = {"file": where.file, "place": where.place, "reason": error.reason}
    return Found(EXPORT_DAMAGED, Severity.ERROR, facts)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)
