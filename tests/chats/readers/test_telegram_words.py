"""What Telegram shows of messages that have no text of their own."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_reading import messages_with

from backupkit.chats.readers.telegram_json import TelegramJson


def said(tmp_path: Path, **message: Any) -> str:
    common = {"id": 1, "type": "message", "date": "2024-01-01T10:00:00", "date_unixtime": "1704099600", "from": "Zoë", "from_id": "user2"}  # fmt: skip
    chat = {"name": "Li", "type": "personal_chat", "id": 5, "messages": [{**common, "text": "", **message}]}
    (tmp_path / "result.json").write_text(json.dumps(chat), "utf-8")
    (found,) = messages_with(TelegramJson(), tmp_path)
    return found.text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"poll": {"question": "Tea?", "answers": [{"text": "yes", "voters": 1}, {"text": ["n", {"type": "bold", "text": "o"}]}]}}, "Tea?\n- yes\n- no"),
        ({"todo_list": {"title": "List", "answers": [{"text": "bread", "id": 1}]}}, "List\n- bread"),
        ({"contact_information": {"first_name": "Ada", "last_name": "", "phone_number": "+1555"}}, "Ada +1555"),
        ({"location_information": {"latitude": 1.5, "longitude": -2}, "place_name": "Café"}, "Café\n1.5, -2"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "🎲 3"),
        ({"type": "service", "action": "edit_group_title", "actor": "Zoë", "title": "Garden"}, "Garden"),
        ({"poll": {"question": "Tea?", "answers": []}, "text": "look"}, "look\nTea?"),
        ({"paid_stars_amount": 5, "text": "behind a wall"}, "behind a wall\n⭐ 5"),
        ({"file": "stickers/a.webp", "media_type": "sticker", "sticker_emoji": "😀"}, "😀"),
        ({"file": "a.mp3", "media_type": "audio_file", "performer": "Ada", "title": "Tea"}, "Ada – Tea"),
        ({"giveaway_information": {"quantity": 3, "additional_prize": "cups"}}, "3 cups"),
        ({"type": "service", "action": "invite_members", "members": ["Bob", None, "Eve"]}, "Bob, Eve"),
        ({"type": "service", "action": "topic_edit", "new_title": "Cups"}, "Cups"),
        ({"type": "service", "action": "send_star_gift", "stars": 50, "gift_text": ["for ", {"type": "bold", "text": "you"}]}, "for you\n50"),
        ({"type": "service", "action": "todo_append_tasks", "items": [{"text": "bread", "id": 1}]}, "- bread"),
        ({"type": "service", "action": "poll_append_answer", "option": "maybe"}, "maybe"),
        ({"type": "service", "information_text": "Welcome!"}, "Welcome!"),
        ({"text": None, "rich_message": {"blocks": [
            {"type": "heading", "level": 1, "text": {"type": "plain", "text": "Tea"}},
            {"type": "paragraph", "text": {"type": "concat", "text": [{"type": "plain", "text": "hot "}, {"type": "bold", "text": {"type": "plain", "text": "green"}}]}},
            {"type": "list", "kind": "bullet", "items": [{"content": "text", "text": {"type": "plain", "text": "cup"}}, {"content": "blocks", "blocks": [{"type": "paragraph", "text": {"type": "plain", "text": "pot"}}]}]},
            {"type": "table", "title": {"type": "empty"}, "rows": [{"cells": [{"text": {"type": "plain", "text": "a"}}, {"text": {"type": "plain", "text": "b"}}]}]},
            {"type": "math", "formula": "x^2"}, 7,
        ]}}, "Tea\nhot green\n- cup\n- pot\na | b\nx^2"),
        ({"poll": [1], "contact_information": "x", "location_information": {"latitude": True}}, ""),
    ],
)  # fmt: skip
def test_a_message_without_text_says_what_it_shows(tmp_path: Path, message: dict[str, Any], shown: str) -> None:
    assert said(tmp_path, **message) == shown
