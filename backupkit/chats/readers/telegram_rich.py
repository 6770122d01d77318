"""The words of Telegram's rich messages, which are articles: blocks of headings, paragraphs, lists, quotes and tables instead of one text."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

_DEEPEST = 16
_MOST_LINES = 5000


def words_of(message: Any) -> str:
    """Return the words of such a message, a line for each block, row and item."""
    lines: list[str] = []
    for line in _lines(list_of(dict_of(message).get("blocks")), 0):
        if len(lines) >= _MOST_LINES:
            break
        lines += [line] if line else []
    return "\n".join(lines)


def _lines(blocks: list[Any], depth: int) -> Iterator[str]:
    for block in map(dict_of, blocks if depth < _DEEPEST else []):
        for key in ("title", "author", "text", "formula", "caption", "url"):
            yield _text(block.get(key), 0)
        yield text_of(dict_of(block.get("channel")).get("title")) or ""
        for row in map(dict_of, list_of(block.get("rows"))):
            yield " | ".join(_text(dict_of(cell).get("text"), 0) for cell in list_of(row.get("cells")))
        for line in _lines(list_of(block.get("items")), depth + 1):
            yield f"- {line}" if line else ""
        inner = [*list_of(block.get("blocks")), *list_of(block.get("articles")), block.get("block")]
        yield from _lines(inner, depth + 1)


def _text(value: Any, depth: int) -> str:
    """Return a text, which may be nested in the marks that stand around it."""
    if isinstance(value, str):
        return value
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text(part, depth + 1) for part in value)
    mark = dict_of(value)
    return _text(mark["text"], depth + 1) if "text" in mark else text_of(mark.get("source")) or ""
