"""Messages as rows of a table, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence

from backupkit.chats.export.record import ConversationRecord, MessageRecord, title_of
from backupkit.chats.export.shown import shown

BYTE_ORDER_MARK = "\ufeff"
"""Without it, spreadsheets take UTF-8 for something else."""

COLUMNS = (
    "conversation", "title", "number", "time", "time_zone", "sender", "sender_id", "direction", "kind", "text", "media",
    "media_state", "media_file", "reply_to", "edited", "deletion", "reactions", "id", "app", "source",
    "history",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def header() -> str:
    """Return the first line."""
    return _line(COLUMNS)


def row(conversation: ConversationRecord, message: MessageRecord) -> str:
    """Return a message as one record; line ends inside a text stay inside its quotes."""
    media = message["media"]
    cells = (
        conversation["id"],
        title_of(conversation),
        message["number"],
        message["time"],
        message["time_zone"],
        message["sender"]["name"],
        message["sender"]["id"],
        message["direction"],
        message["kind"],
        message["text"],
        "\n".join(one["name"] for one in media),
        "\n".join(one["state"] for one in media),
        "\n".join(one["file"] or "" for one in media),
        message["reply_to"],
        "yes" if message["edits"] else "",
        "" if message["deletion"] == "none" else message["deletion"],
        "\n".join(f"{one['symbol']} {one['count']}" for one in message["reactions"]),
        message["id"],
        conversation["app"],
        conversation["source"],
        message["history"]["state"] if "history" in message else "",
    )
    return _line(tuple(map(_cell, cells)))


def _cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    if value is None or isinstance(value, int):
        return "" if value is None else str(value)
    text = shown(str(value))
    return "'" + text if text.lstrip().startswith(_FORMULA) or text.startswith("\t") else text


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
