"""Slack channels as slackdump's dump writes them: a file for each channel or thread, with the answers inside the messages that began them."""

import json
import posixpath
from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import Conversation, ConversationKind, Finding, Locator, Severity
from backupkit.chats.people import People
from backupkit.chats.readers.slack_export import Workspace, is_message
from backupkit.chats.reading.json_records import Record, claim_json, facts_around, records_in
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, list_of, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

_ANSWERS = "slackdump_thread_replies"
_MOST_ANSWERS = 100_000
_KINDS = {"D": ConversationKind.PRIVATE, "G": ConversationKind.GROUP, "C": ConversationKind.GROUP}


class SlackDump:
    """Reads the files of `slackdump dump`."""

    format = "slack-dump"
    app = "slack"
    package = "com.Slack"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a channel's number beside its messages, whose `ts` is an id and a time at once."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the channel of every claimed file."""
        workspace = Workspace(source, map(posixpath.dirname, recognition.files))
        return read_each(recognition.files, lambda name: _read_file(source, name, workspace))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    messages = list_of(root.get("messages"))
    is_known = "channel_id" in root and any(is_message(dict_of(message)) for message in messages)
    return 93 if is_known else 0


def _read_file(source: SourceFiles, name: str, workspace: Workspace) -> Iterator[Told]:
    facts = facts_around(source, name, "messages")
    key = name_of(facts.get("channel_id")) or posixpath.splitext(posixpath.basename(name))[0]
    people = People()

    def conversation() -> Conversation:
        kind = _KINDS.get(key[:1], ConversationKind.UNKNOWN)
        return Conversation(key, text_of(facts.get("name")) or None, kind, people.participants(), locator=Locator(name))

    yield conversation()
    root = posixpath.dirname(name)
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            for record in _with_answers(found):
                if isinstance(record, Finding):
                    yield record
                    continue
                message = workspace.message(record, key, root)
                people.saw(message.sender_id, message.sender_name)
                yield message
    yield conversation()


def _with_answers(record: Record) -> Iterator[Record | Finding]:
    """Tell a message, and below it the answers of its thread, of which the first may be the message itself again."""
    yield record
    for place, answer in enumerate(list_of(record.value.get(_ANSWERS))[:_MOST_ANSWERS]):
        locator = Locator(record.locator.file, f"{record.locator.place}/{_ANSWERS}/{place}")
        if not isinstance(answer, dict):
            yield Finding("record-not-understood", Severity.WARNING, locator)
        elif answer.get("ts") != record.value.get("ts"):
            yield Record(answer, json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass"), locator)
