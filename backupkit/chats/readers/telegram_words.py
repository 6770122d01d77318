"""What Telegram shows of a message: its text, the question of a poll, a card, a place, and what a line of the program is about."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.readers import telegram_rich
from backupkit.chats.records.json_fields import dict_of, list_of, name_of, text_of

_MOST_LINES = 200
# A field of an object, and which of its own it is told by.
_TOLD_BY = (
    ("contact_information", ("first_name", "last_name", "phone_number")),
    ("invoice_information", ("title", "amount", "currency")),
    ("dice", ("emoji", "value")),
    ("giveaway_information", ("quantity", "additional_prize")),
    ("giveaway_results", ("winners_count", "additional_prize")),
)
# What a line of the program is about: who came, how a topic is called now, what was paid, the words with a gift.
_ABOUT = (
    *("title", "new_title", "members", "inviter", "information_text", "gift_text", "cost", "stars", "amount", "currency", "option", "comment"),
    *("emoticon", "new_creator", "bot", "to", "distance", "score", "reason_app_name", "reason_domain", "peer_name", "boost_peer_name"),
)  # fmt: skip


def text_in(value: Any) -> str:
    """Return a text, which may be a list of pieces."""
    if isinstance(value, str):
        return value
    return "".join(
        part if isinstance(part, str) else text_of(dict_of(part).get("text")) or "" for part in list_of(value)
    )


def words_of(record: dict[str, Any]) -> str:
    """Return the words of a message, a line for each thing it says."""
    text = text_in(record.get("text")) or telegram_rich.words_of(record.get("rich_message"))
    lines = [line for line in (text, *_beside(record)) if line]
    return "\n".join(lines or [line for line in _instead(record) if line])


def _beside(record: dict[str, Any]) -> Iterator[str]:
    """Tell what a message says beside its text."""
    for key, head in (("poll", "question"), ("todo_list", "title")):
        listed = dict_of(record.get(key))
        yield text_in(listed.get(head))
        yield from _listed(listed.get("answers"))
    yield from _listed(record.get("items"))
    for key, parts in _TOLD_BY:
        told = dict_of(record.get(key))
        yield " ".join(part for part in (name_of(told.get(name)) for name in parts) if part)
    for key in ("place_name", "address", "game_title"):
        yield text_of(record.get(key)) or ""
    place = dict_of(record.get("location_information"))
    where = [place.get(name) for name in ("latitude", "longitude")]
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in where):
        yield ", ".join(map(str, where))
    paid = name_of(record.get("paid_stars_amount"))
    yield f"⭐ {paid}" if paid else ""


def _listed(answers: Any) -> Iterator[str]:
    for answer in map(dict_of, list_of(answers)[:_MOST_LINES]):
        text = text_in(answer.get("text"))
        yield f"- {text}" if text else ""


def _instead(record: dict[str, Any]) -> Iterator[str]:
    """Tell what a message says that has no words at all."""
    if record.get("type") != "service":
        yield text_of(record.get("sticker_emoji")) or ""
        yield " – ".join(part for part in (text_of(record.get("performer")), text_of(record.get("title"))) if part)
        return
    for key in _ABOUT:
        value = record.get(key)
        if key == "members":
            yield ", ".join(name for name in map(text_of, list_of(value)[:_MOST_LINES]) if name)
        else:
            yield name_of(value) or text_in(value)
