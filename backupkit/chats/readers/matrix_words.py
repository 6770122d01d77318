"""What a Matrix event says: the words of a message, the question of a poll, a place, the new name of a room, who came or went."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.records.json_fields import dict_of, list_of, text_of

POLLS = frozenset({"m.poll.start", "org.matrix.msc3381.poll.start"})
_TEXTS = ("m.text", "org.matrix.msc1767.text")
_NEWS = {"m.room.name": "name", "m.room.topic": "topic", "m.room.canonical_alias": "alias", "m.room.tombstone": "body"}
_MOST_ANSWERS = 200


def words_of(native_kind: str, content: dict[str, Any], state_key: str | None) -> str:
    """Return the words of an event, a line for each thing it says."""
    if native_kind in POLLS:
        return "\n".join(line for line in _poll(content) if line)
    if native_kind == "m.room.member":
        who = text_of(content.get("displayname")) or state_key
        said = (who, text_of(content.get("membership")), text_of(content.get("reason")))
        return " ".join(word for word in said if word)
    if native_kind in _NEWS:
        return text_of(content.get(_NEWS[native_kind])) or ""
    body = text_of(content.get("body")) or _text_in(content)
    place = text_of(content.get("geo_uri"))
    return body if place is None or place in body else f"{body}\n{place}".lstrip()


def _poll(content: dict[str, Any]) -> Iterator[str]:
    poll = next((found for key in sorted(POLLS) if (found := dict_of(content.get(key)))), {})
    question = dict_of(poll.get("question"))
    if not question:
        yield _text_in(content)
    yield _text_in(question) or text_of(question.get("body")) or ""
    for answer in map(dict_of, list_of(poll.get("answers"))[:_MOST_ANSWERS]):
        text = _text_in(answer)
        yield f"- {text}" if text else ""


def _text_in(value: dict[str, Any]) -> str:
    """Return a text as newer events write it: under either name, whole or as a list of its forms."""
    for key in _TEXTS:
        text = value.get(key)
        forms = [text_of(dict_of(form).get("body")) for form in list_of(text)]
        found = text_of(text) or next((form for form in forms if form), None)
        if found:
            return found
    return ""
