"""One reading of a source, for its numbers and for the ledger of its messages."""

from contextlib import suppress
from pathlib import Path

from backupkit.chats.ledger_build import LedgerBuilder
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.registry import recognise
from backupkit.chats.source import open_source
from backupkit.chats.summary import ChatSummary, summarise_source
from backupkit.ops.message_ledgers import MessageLedgers, newest_archive


def summarise_with_ledger(
    path: Path, tree: str, ledgers: MessageLedgers | None, started_ns: int, keys: OwnerKeys = NO_KEYS
) -> ChatSummary | None:
    """Count what an export holds, and keep the ledger of it; None where it is no chat export known here."""
    try:
        with open_source(path, keys=keys) as source:
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
