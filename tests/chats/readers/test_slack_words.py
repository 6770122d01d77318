"""What people and apps said in Slack, as the app shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_reading import messages_with

from backupkit.chats.readers.slack_export import SlackExport
from backupkit.chats.readers.slack_words import words_beside


def said(tmp_path: Path, **message: Any) -> tuple[str, str | None]:
    day = tmp_path / "general" / "2020-09-13.json"
    day.parent.mkdir(parents=True)
    (tmp_path / "users.json").write_text(json.dumps([{"id": "U2", "profile": {"display_name": "bob"}}]))
    day.write_text(json.dumps([{"type": "message", "user": "U2", "text": "", "ts": "1600000000.000100", **message}]))
    (found,) = messages_with(SlackExport(), tmp_path)
    return found.text, found.text_raw


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("tea &amp; cake &lt;3", "tea & cake <3"),
        ("<@U2> and <@U7|ada> and <@U8>", "@bob and @ada and @U8"),
        ("<#C1|general> <#C2> <!here> <!subteam^S1|@cooks>", "#general #C2 @here @cooks"),
        ("<https://example.invalid> <https://example.invalid|here>", "https://example.invalid here (https://example.invalid)"),
        ("<mailto:a@example.invalid|a@example.invalid>", "a@example.invalid"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ],
)  # fmt: skip
def test_names_and_links_stand_as_the_app_shows_them(tmp_path: Path, written: str, shown: str) -> None:
    assert said(tmp_path, text=written) == (shown, None if written == shown else written)


def test_words_that_stand_in_attachments_alone_are_read(tmp_path: Path) -> None:
    attachments = [
        {"pretext": "build", "title": "main", "text": "passed", "fallback": "x"},
        {"fallback": "for &lt;you&gt;"},
    ]

    assert said(tmp_path, attachments=attachments)[0] == "build\nmain\npassed\nfor <you>"


def test_words_that_stand_in_blocks_alone_are_read(tmp_path: Path) -> None:
    line = [{"type": "text", "text": "hi "}, {"type": "user", "user_id": "U2"}, {"type": "emoji", "name": "tea"}]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "News"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "one"}, {"type": "mrkdwn", "text": "two"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": line}]},
    ]

    assert said(tmp_path, blocks=blocks)[0] == "News\none\ntwo\nhi @bob:tea:"


def test_blocks_within_blocks_end_somewhere() -> None:
    blocks: list[Any] = [{"text": "deep"}]
    for _level in range(100):
        blocks = [{"elements": blocks}]

    assert words_beside({"blocks": blocks}) == ""
