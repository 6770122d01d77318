"""What Slack shows of a message: names for the ids of people and channels, links by their words, and what an app put into attachments or blocks alone."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

_MARKUP = re.compile(r"<([^<>|\s]{1,4000})(?:\|([^<>\n]{0,4000}))?>")
_DEEPEST = 8
_MOST_WORDS = 2000


def shown(text: str, name_of_person: Callable[[str], str | None]) -> str:
    """Return a text as the app shows it."""

    def words(found: re.Match[str]) -> str:
        what, label = found[1], found[2]
        if what[0] == "@":
            return "@" + (label or name_of_person(what[1:]) or what[1:])
        if what[0] == "#":
            return "#" + (label or what[1:])
        if what[0] == "!":
            return label or "@" + what[1:].partition("^")[0]
        # What only looks like an address is told with the one that it leads to.
        if label and what in {f"mailto:{label}", f"tel:{label}"}:
            return label
        return what if not label or label == what else f"{label} ({what})"

    return html.unescape(_MARKUP.sub(words, text)) if "<" in text or "&" in text else text


def words_beside(record: dict[str, Any]) -> str:
    """Return the words of a message that has no text of its own: those of its blocks, else of its attachments."""
    lines = list(_in_blocks(list_of(record.get("blocks")), 0))
    if not lines:
        for attachment in map(dict_of, list_of(record.get("attachments"))):
            said = [text_of(attachment.get(key)) for key in ("pretext", "title", "text")]
            lines += [line for line in said if line] or [text_of(attachment.get("fallback")) or ""]
            lines += _in_blocks(list_of(attachment.get("blocks")), 0)
    return "\n".join(line for line in lines[:_MOST_WORDS] if line)


def _in_blocks(blocks: list[Any], depth: int) -> Iterator[str]:
    for block in map(dict_of, blocks if depth < _DEEPEST else []):
        inner = list_of(block.get("elements")) + list_of(block.get("fields"))
        text = block.get("text")
        said = text_of(text) or text_of(dict_of(text).get("text"))
        if said:
            yield said
        elif block.get("type") == "rich_text_section":
            yield "".join(map(_piece, map(dict_of, inner)))
            continue
        yield from _in_blocks(inner, depth + 1)


def _piece(element: dict[str, Any]) -> str:
    """Return one piece of a line, in the markup that texts have."""
    match element.get("type"):
        case "user":
            return f"<@{text_of(element.get('user_id'))}>"
        case "channel":
            return f"<#{text_of(element.get('channel_id'))}>"
        case "broadcast":
            return f"<!{text_of(element.get('range'))}>"
        case "emoji":
            return f":{text_of(element.get('name'))}:"
        case "link":
            return f"<{text_of(element.get('url'))}|{text_of(element.get('text')) or ''}>"
    return text_of(element.get("text")) or ""
