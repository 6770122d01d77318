"""What QQ shows of a message where QQChatExporter's own text has a mark in its place: a card, a text in Markdown, messages forwarded as one."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

_MARKS = {"json": "[JSON消息]", "markdown": "[Markdown消息]"}
_FORWARDED = "[转发消息"
_MOST_ELEMENTS = 1000
_MOST_FORWARDED = 2000


def words_of(content: dict[str, Any]) -> str:
    """Return the text with words in the place of marks, and below it every forwarded message in a line."""
    text = text_of(content.get("text")) or ""
    lines: list[str] = []
    for element in map(dict_of, list_of(content.get("elements"))[:_MOST_ELEMENTS]):
        kind, data = text_of(element.get("type")) or "", dict_of(element.get("data"))
        if kind == "forward":
            lines += _forwarded(data)
        elif kind in _MARKS and (words := _words_in(kind, data)):
            text = text.replace(_MARKS[kind], words, 1)
    if not lines:
        return text
    # The text holds the first three of them, shortened, below its mark.
    above, mark, below = text.partition(_FORWARDED)
    return "\n".join([above + mark + below.partition("\n")[0], *lines])


def answered_by(content: dict[str, Any]) -> str | None:
    """Return the id of the message that this one answers."""
    for element in map(dict_of, list_of(content.get("elements"))[:_MOST_ELEMENTS]):
        if element.get("type") == "reply":
            found = text_of(dict_of(element.get("data")).get("referencedMessageId"))
            return found if found != "0" else None
    return None


def _words_in(kind: str, data: dict[str, Any]) -> str:
    if kind == "markdown":
        return text_of(data.get("content")) or ""
    said = [text_of(data.get(field)) for field in ("title", "description", "url")]
    # Of a card without a title the tool writes the mark's own word.
    return "\n".join(part for part in dict.fromkeys(said) if part and f"[{part}]" != _MARKS["json"])


def _forwarded(data: dict[str, Any]) -> Iterator[str]:
    for message in map(dict_of, list_of(data.get("messages"))[:_MOST_FORWARDED]):
        said = text_of(dict_of(message.get("content")).get("text")) or ""
        name = text_of(dict_of(message.get("sender")).get("name"))
        yield f"{name}: {said}" if name else said
