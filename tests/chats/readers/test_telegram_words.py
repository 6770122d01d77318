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
        ({"poll": {"question": "Tea?", "answers": []}, "text": "look"}, "look"),
        ({"poll": [1], "contact_information": "x", "location_information": {"latitude": True}}, ""),
    ],
)  # fmt: skip
def test_a_message_without_text_says_what_it_shows(tmp_path: Path, message: dict[str, Any], shown: str) -> None:
    assert said(tmp_path, **message) == shown
