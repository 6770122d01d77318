"""What Discord shows of a message: its text, or else the words of the cards that an app sent without any."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

_MOST_CARDS = 100
_MOST_FIELDS = 200


def words_of(message: dict[str, Any]) -> str:
    """Return the words of a message. Beside a text, cards only preview its links, so they count where there is none."""
    text = text_of(message.get("content"))
    if text:
        return text
    cards = map(dict_of, list_of(message.get("embeds"))[:_MOST_CARDS])
    return "\n".join(line for card in cards for line in _lines(card) if line)


def _lines(card: dict[str, Any]) -> Iterator[str | None]:
    yield text_of(dict_of(card.get("author")).get("name"))
    yield text_of(card.get("title"))
    yield text_of(card.get("description"))
    for field in map(dict_of, list_of(card.get("fields"))[:_MOST_FIELDS]):
        yield text_of(field.get("name"))
        yield text_of(field.get("value"))
    yield text_of(dict_of(card.get("footer")).get("text"))
