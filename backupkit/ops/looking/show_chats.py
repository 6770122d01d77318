"""The conversations inside a snapshot: who, from when to when, and what is wrong with them. They are read anew each time.

Names of people and chats are kept nowhere outside the sealed files.
"""

from dataclasses import dataclass, replace

from backupkit.chats.counting.summary import ChatSummary, ConversationSummary, summarise_source
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.clock import Clock
from backupkit.ops.chats.chat_facts import chat_finding, export_damaged, facts_of
from backupkit.ops.chats.snapshot_chats import open_chats
from backupkit.ops.events import Found, Losses, Phase, Progress, Tell, tell_nobody
from backupkit.ops.failures import ConversationNotFound
from backupkit.ops.looking.show import Shown, shown_of
from backupkit.ops.places import Places
from backupkit.ops.restoring.elsewhere import Elsewhere, beside_latest
from backupkit.ops.restoring.lookup import open_lookup
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
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    lookup, losses = open_lookup(places, secret, tell), Losses(tell)
    chosen = lookup.choose(snapshot)
    opened = list(lookup.sources(chosen, chosen.known, losses.tell))
    loose = [source for _, source in chosen.loose]
    found = []
    for place, (reader, source) in enumerate(opened):
        own = keys(source.name)
        # A folder of which no more is left than its files was a chat perhaps.
        was_counted = source.chat is not None and source.chat.messages is not None
        if not was_counted and source not in loose and (source.chat is None or not own):
            continue
        tell(Progress(Phase.READ))
        try:
            with open_chats(reader, source, lookup.repository.cache / "scratch", losses.tell, own) as chats:
                summary = summarise_source(chats.files, chats.recognised, now=clock.now())
        except MalformedExport as error:
            summary = None
            losses.tell(export_damaged(error))
        if summary is not None:
            found.append(_chats(source.name, summary, conversation))
            if not was_counted:
                # Counted for the first time: it was saved without the key.
                opened[place] = reader, replace(source, chat=facts_of(summary))
    if conversation is not None:
        found = [chats for chats in found if chats.conversations]
        if not found and not losses.found:
            raise ConversationNotFound(conversation=conversation[:200])
    elsewhere: tuple[Elsewhere, ...] = ()
    if conversation is None:
        elsewhere = beside_latest(lookup, snapshot, chosen, [source.path for _, source in opened])
    return shown_of(chosen, [source for _reader, source in opened], losses, elsewhere), tuple(found)


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
