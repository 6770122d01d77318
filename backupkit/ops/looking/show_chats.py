"""The conversations inside a snapshot: who, from when to when, and what is wrong with them. They are read anew each time.

Names of people and chats are kept nowhere outside the sealed files.
"""

from dataclasses import dataclass, replace

from backupkit.chats.counting.summary import ChatSummary, ConversationSummary, summarise_source
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.clock import Clock
from backupkit.ops.chats.chat_facts import chat_finding, facts_of
from backupkit.ops.chats.snapshot_chats import open_chats
from backupkit.ops.events import Found, Phase, Progress, Tell, tell_nobody
from backupkit.ops.failures import ConversationNotFound
from backupkit.ops.looking.show import Shown, opened_sources, shown_of
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import find_snapshot, known_snapshots
from backupkit.ops.unlock import AskSecret


@dataclass(frozen=True, slots=True)
class ShownChats:
    """The chats of one source. `findings` are about the whole source, or only about the conversation that was asked for."""

    source: str
    conversations: tuple[ConversationSummary, ...]
    findings: tuple[Found, ...]


def show_chats(
    places: Places,
    snapshot: str,
    *,
    conversation: str | None = None,
    secret: AskSecret,
    clock: Clock,
    tell: Tell = tell_nobody,
    keys: KeysOf = no_keys,
) -> tuple[Shown, tuple[ShownChats, ...]]:
    """Open a snapshot and read its chats. With `conversation`, only those whose key or title that is, or begins so.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to show.
        ConversationNotFound: none is called that.
        CannotUnlock: the secret opens nothing.
        ChunkLost: a manifest is lost.
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    repository = open_repository(places, tell)
    known = find_snapshot(known_snapshots(repository, tell), snapshot)
    keyring = repository.unlock(secret)
    opened = list(opened_sources(repository, known, keyring, tell))
    found = []
    for place, (reader, source) in enumerate(opened):
        own = keys(source.name)
        if source.chat is None or (source.chat.messages is None and not own):
            continue
        tell(Progress(Phase.READ))
        try:
            with open_chats(reader, source, repository.cache / "scratch", tell, own) as chats:
                summary = summarise_source(chats.files, chats.recognised, now=clock.now())
        except MalformedExport:
            summary = None
        if summary is not None:
            found.append(_chats(source.name, summary, conversation))
            if source.chat.messages is None:
                # Counted for the first time: it was saved without the key.
                opened[place] = reader, replace(source, chat=facts_of(summary))
    if conversation is not None:
        found = [chats for chats in found if chats.conversations]
        if not found:
            raise ConversationNotFound(conversation=conversation[:200])
    return shown_of(known, [source for _reader, source in opened]), tuple(found)


def _chats(source: str, summary: ChatSummary, wanted: str | None) -> ShownChats:
    conversations = summary.by_conversation
    findings = summary.findings
    if wanted is not None:
        exact = [one for one in conversations if wanted in {one.key, one.title}]
        begun = [one for one in conversations if (one.title or one.key).lower().startswith(wanted.lower())]
        conversations = tuple(exact or begun)
        keys = {one.key for one in conversations}
        findings = tuple(finding for finding in findings if finding.facts.get("key") in keys)
    newest_first = sorted(conversations, key=lambda one: -one.messages)
    return ShownChats(source, tuple(newest_first), tuple(chat_finding(finding) for finding in findings))
