"""What Telegram shows of a message that has no text of its own: the question of a poll, a card, a place, the new title of a group."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, name_of, text_of

_MOST_LINES = 200
# A field of an object, and which of its own it is told by.
_TOLD_BY = (
    ("contact_information", ("first_name", "last_name", "phone_number")),
    ("invoice_information", ("title", "amount", "currency")),
    ("dice", ("emoji", "value")),
)


def text_in(value: Any) -> str:
    """Return a text, which may be a list of pieces."""
    if isinstance(value, str):
        return value
    return "".join(
        part if isinstance(part, str) else text_of(dict_of(part).get("text")) or "" for part in list_of(value)
    )


def words_beside(record: dict[str, Any]) -> str:
    """Return the words of a message without text, a line for each thing it says."""
    return "\n".join(line for line in _lines(record) if line)


def _lines(record: dict[str, Any]) -> Iterator[str]:
    for key, head in (("poll", "question"), ("todo_list", "title")):
        listed = dict_of(record.get(key))
        yield text_in(listed.get(head))
        for answer in map(dict_of, list_of(listed.get("answers"))[:_MOST_LINES]):
            text = text_in(answer.get("text"))
            yield f"- {text}" if text else ""
    for key, parts in _TOLD_BY:
        told = dict_of(record.get(key))
        yield " ".join(part for part in (name_of(told.get(name)) for name in parts) if part)
    for key in ("place_name", "address", "game_title"):
        yield text_of(record.get(key)) or ""
    place = dict_of(record.get("location_information"))
    where = [place.get(name) for name in ("latitude", "longitude")]
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in where):
        yield ", ".join(map(str, where))
    if record.get("type") == "service":
        yield text_in(record.get("title"))
