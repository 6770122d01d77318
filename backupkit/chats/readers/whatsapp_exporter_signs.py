"""What tells WhatsApp Chat Exporter's JSON in Telegram's shape from Telegram's own, and its text from an iPhone's.

Telegram writes the seconds of a message as a string; the tool writes a number, and calls the owner of the phone user 00000. In text it
puts the lines of a message under its first words, and a path where the app names a file.
"""

import re
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

OWNER = "You"
"""Who exported, in the tool's text."""

MEDIA_MISSING = "<The media is missing>"
_MEDIA = re.compile(r"<media file in (.{1,1000})>$")
_KINDS = {"calls", "personal_chat", "private_group", "status_broadcast", "broadcast_channel"}


def is_in_telegrams_shape(sample: Any) -> bool:
    """Say whether a file is such an export of one WhatsApp chat."""
    root = dict_of(sample)
    messages = [dict_of(message) for message in list_of(root.get("messages"))]
    return text_of(root.get("type")) in _KINDS and any(
        isinstance(message.get("date_unixtime"), int)
        and message.get("type") == "message"
        and {"text_entities", "from", "from_id"} <= message.keys()
        for message in messages
    )


def media_of_line(line: str) -> str | None:
    """Return the path of the file that stands for a message in the tool's text."""
    match = _MEDIA.match(line)
    return None if match is None else match[1]


def unindented(lines: list[str], columns: int) -> list[str]:
    """Return the lines of a message as they were written: the tool ends all but the last with a space, and indents all but the first."""
    under = [lines[0], *(line.removeprefix(" " * columns) for line in lines[1:])]
    return [*(line.removesuffix(" ") for line in under[:-1]), under[-1]]
