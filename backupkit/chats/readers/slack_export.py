"""Slack's workspace export: a folder for each channel, a file for each day.

`ts` is both the id and the time. Files are links, unless a tool fetched them, and a free plan hides what is older than its limit.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Edit,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.readers.slack_words import shown, words_beside
from backupkit.chats.reading.json_records import Record, claim_json, records_in, small_json
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, name_of, seconds_to_us, text_of, within_time
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.wall_time import day_of
from backupkit.errors import Fact

_TS = re.compile(r"\d{9,10}\.\d{6}$")
_ANY_TS = re.compile(r"(\d{9,10})(?:\.(\d{1,6}))?$")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json$")
_LISTS = {
    "channels.json": ConversationKind.GROUP,
    "groups.json": ConversationKind.GROUP,
    "mpims.json": ConversationKind.GROUP,
    "dms.json": ConversationKind.PRIVATE,
}
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_LATE_US = 7 * 86_400_000_000
_SAID = {"", "bot_message", "file_share", "me_message", "thread_broadcast", "file_comment", "reply_broadcast"}


class SlackExport:
    """Reads the days of every channel of a Slack export."""

    format = "slack-export"
    app = "slack"
    package = "com.Slack"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for lists of messages whose `ts` is an id and a time at once."""
        claims = dict(claim_json(source, _certainty).claims)
        # A day whose first records are of an odd kind is known by the days beside it.
        workspaces = {posixpath.dirname(posixpath.dirname(day)) for day in claims}
        for name in source.of(Content.JSON):
            folder, file = posixpath.split(name)
            if name not in claims and posixpath.dirname(folder) in workspaces and _DAY.match(file):
                records = list_of(source.json_sample(name))
                if records and any(isinstance(dict_of(record).get("ts"), str) for record in records):
                    claims[name] = 80
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream channel after channel, each day by day."""
        workspace = Workspace(source, (posixpath.dirname(posixpath.dirname(day)) for day in recognition.files))
        for folder in dict.fromkeys(map(posixpath.dirname, recognition.files)):
            yield workspace.conversation(folder)
        yield from read_each(recognition.files, workspace.read_day)
        yield from workspace.late_beginnings()


def _certainty(sample: Any) -> int:
    messages = [dict_of(message) for message in list_of(sample)]
    if not messages:
        return 0
    # One of the first may be damaged.
    return 92 if sum(map(is_message, messages)) >= max(len(messages) - 1, 1) else 0


def is_message(record: dict[str, Any]) -> bool:
    """Say whether a record is a message of Slack's."""
    return _TS.match(text_of(record.get("ts")) or "") is not None and record.get("type") == "message"


class Workspace:
    """The channels and people in the folders `roots`, as they name themselves there."""

    def __init__(self, source: SourceFiles, roots: Iterable[str]) -> None:
        self._source = source
        self._channels: dict[tuple[str, str], tuple[dict[str, Any], ConversationKind]] = {}
        self._people: dict[tuple[str, str], str] = {}
        self._created_us: dict[str, int] = {}
        self._oldest_us: dict[str, int] = {}
        for root in dict.fromkeys(roots):
            for name, kind in _LISTS.items():
                for channel in map(dict_of, list_of(small_json(source, posixpath.join(root, name)))):
                    created_us = seconds_to_us(channel.get("created"))
                    if created_us:
                        self._created_us[root] = min(created_us, self._created_us.get(root, created_us))
                    for label in (name_of(channel.get("name")), name_of(channel.get("id"))):
                        if label:
                            self._channels.setdefault((root, label), (channel, kind))
            for person in map(dict_of, list_of(small_json(source, posixpath.join(root, "users.json")))):
                profile = dict_of(person.get("profile"))
                shown = text_of(profile.get("display_name")) or text_of(person.get("real_name"))
                self._people[root, name_of(person.get("id")) or ""] = shown or text_of(person.get("name")) or ""

    def conversation(self, folder: str) -> Conversation:
        """Return the channel that lies in a folder."""
        root, label = posixpath.dirname(folder), posixpath.basename(folder)
        channel, kind = self._channels.get((root, label), ({}, ConversationKind.UNKNOWN))
        members = tuple(
            Participant(member, self._people.get((root, member)))
            for member in map(name_of, list_of(channel.get("members"))[:20_000])
            if member
        )
        key = name_of(channel.get("id")) or label or self._source.label
        return Conversation(key, name_of(channel.get("name")) or label or None, kind, members, locator=Locator(folder))

    def read_day(self, name: str) -> Iterator[Told]:
        """Stream the messages of one day of a channel."""
        folder = posixpath.dirname(name)
        key = self.conversation(folder).key
        root = posixpath.dirname(folder)
        for found in records_in(self._source, name, None):
            if isinstance(found, Finding):
                yield found
            elif isinstance(found, Record):
                message = self.message(found, key, root)
                if message.ts_utc_us is not None:
                    self._oldest_us[root] = min(message.ts_utc_us, self._oldest_us.get(root, message.ts_utc_us))
                yield message

    def late_beginnings(self) -> Iterator[Finding]:
        """Tell of a workspace older than its oldest message: a whole history begins with who made and joined its channels."""
        for root, oldest_us in self._oldest_us.items():
            created_us = self._created_us.get(root, oldest_us)
            if oldest_us > created_us + _LATE_US:
                facts: dict[str, Fact] = {"from": day_of(oldest_us), "created": day_of(created_us)}
                yield Finding("history-limited", Severity.WARNING, Locator(root or self._source.label), facts)

    def message(self, record: Record, key: str, root: str) -> Message:
        """Return a message as its record tells it, with the names that the people of a workspace have."""
        value = record.value
        ts = text_of(value.get("ts")) or ""
        sender = name_of(value.get("user")) or name_of(value.get("bot_id"))
        profile, bot = dict_of(value.get("user_profile")), dict_of(value.get("bot_profile"))
        known = self._people.get((root, sender or "")) or text_of(profile.get("display_name"))
        subtype = text_of(value.get("subtype")) or ""
        thread = text_of(value.get("thread_ts"))
        files = map(dict_of, list_of(value.get("files")) or _one(value.get("file")))
        media = tuple(_media(self._source, record.locator.file, file) for file in files)
        is_deleted = subtype == "tombstone"
        written = text_of(value.get("text")) or words_beside(value)
        text = shown(written, lambda person: self._people.get((root, person)))
        return Message(
            conversation=key,
            locator=record.locator,
            raw=record.raw,
            ts_utc_us=_ts_to_us(ts),
            ts_precision=Precision.MICROSECOND,
            ts_zone=UTC_ZONE,
            ts_raw=ts,
            native_id=ts or None,
            sender_id=sender,
            sender_name=known
            or text_of(value.get("username"))
            or text_of(profile.get("real_name"))
            or text_of(bot.get("name")),
            kind=_kind(subtype, media),
            native_kind=subtype,
            text=text,
            text_raw=written if written != text else None,
            reply_to=thread if thread != ts else None,
            edits=(Edit(_ts_to_us(text_of(dict_of(value["edited"]).get("ts")) or "")),) if value.get("edited") else (),
            deletion=DeletionState.TOMBSTONE if is_deleted else DeletionState.NONE,
            reactions=tuple(_reactions(value.get("reactions"))),
            media=media,
        )


def _one(value: Any) -> list[Any]:
    return [value] if isinstance(value, dict) else []


def _kind(subtype: str, media: tuple[Media, ...]) -> MessageKind:
    if subtype == "tombstone":
        return MessageKind.RECALL
    if subtype not in _SAID:
        return MessageKind.SYSTEM
    return media[0].role if media else MessageKind.TEXT


def _ts_to_us(ts: str) -> int | None:
    found = _ANY_TS.match(ts)
    return None if found is None else within_time(int(found[1] + (found[2] or "").ljust(6, "0")))


def _media(source: SourceFiles, day: str, item: dict[str, Any]) -> Media:
    name = text_of(item.get("name")) or text_of(item.get("title")) or name_of(item.get("id")) or ""
    mode, mime, size_bytes = text_of(item.get("mode")), text_of(item.get("mimetype")), int_of(item.get("size"))
    if mode in {"tombstone", "hidden_by_limit"}:
        return Media(name, MediaState.EXPIRED, role_of_name(name), mime, size_bytes)
    for place in _places(day, name_of(item.get("id")) or "", name):
        found, state = find_media(source, place, posixpath.basename(place))
        if state is not MediaState.MISSING:
            return Media(found, state, role_of_name(name), mime, size_bytes)
    reference = text_of(item.get("url_private")) or ""
    state = MediaState.OMITTED if is_link(reference) else MediaState.MISSING
    return Media(name, state, role_of_name(name), mime, size_bytes)


def _places(day: str, number: str, name: str) -> Iterator[str]:
    """Tell where tools that fetch files put them: in one folder for all, in a channel's own, and with what Windows forbids replaced."""
    folder = posixpath.dirname(day)
    for written in dict.fromkeys((name.replace("/", "_"), _FORBIDDEN.sub("_", name).rstrip(" ."))):
        if number and written:
            yield posixpath.join(posixpath.dirname(folder), "__uploads", number, written)
            yield posixpath.join(folder, "attachments", f"{number}-{written}")
            # A dump's files lie in a folder with the name of its own file, which is the channel's number.
            yield posixpath.join(posixpath.splitext(day)[0], f"{number}-{written}")


def _reactions(value: Any) -> Iterator[Reaction]:
    for reaction in map(dict_of, list_of(value)):
        yield Reaction(text_of(reaction.get("name")) or "", count=int_of(reaction.get("count")) or 1)
