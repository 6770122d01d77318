"""One reading of a source, for its numbers and for the ledger of its messages."""

from contextlib import suppress
from pathlib import Path

from backupkit.chats.counting.summary import ChatSummary, summarise_source
from backupkit.chats.losing.ledger_build import LedgerBuilder
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.readers.registry import recognise
from backupkit.chats.readers.sealed import salts_in
from backupkit.chats.sources.source import open_source
from backupkit.ops.chats.message_ledgers import MessageLedgers, newest_archive
from backupkit.ops.events import Found, Severity, Tell, tell_nobody
from backupkit.ops.memory.salts import KnownSalts


def summarise_with_ledger(
    path: Path,
    tree: str,
    ledgers: MessageLedgers | None,
    started_ns: int,
    keys: OwnerKeys = NO_KEYS,
    salts: KnownSalts | None = None,
    tell: Tell = tell_nobody,
) -> ChatSummary | None:
    """Count what an export holds, and keep the ledger of it; None where it is no chat export known here."""
    try:
        with open_source(path, keys=keys) as source:
            for name in () if salts is None else salts.changed(str(path.resolve()), salts_in(source)):
                tell(Found("salt-changed", Severity.WARNING, {"name": name}))
            recognised = recognise(source)
            if ledgers is None:
                return summarise_source(source, recognised)
            archive = newest_archive(path)
            builder = LedgerBuilder(source, ledgers.key, ledgers.cut, started_ns=started_ns, archive=archive)
            summary = summarise_source(source, recognised, builder.message)
            if summary is not None:
                # A cache: without it the loss is unknown, and the snapshot is as good as it was.
                with suppress(MalformedExport, OSError):
                    ledgers.write(tree, builder.finish(recognised))
            return summary
    except MalformedExport:
        return None
