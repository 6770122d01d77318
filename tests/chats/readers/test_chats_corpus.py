"""Every file of the judged corpus: the counted numbers, or honestly nothing. Never a wrong format, never a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest

from backupkit.chats.counting.summary import summarise

# The manifest's format names begin with these, and are then counted as the manifest says.
FORMATS = {
    "Google Voice Takeout HTML": "google-voice",
    "SMS Backup & Restore XML": "sms-xml",
    "LINE txt": "line-text",
    "signal-export (sigexport)": "signal-text",
    "DiscordChatExporter JSON": "discord-json",
    "Facebook message_1.json": "facebook-json",
    "Google Chat Takeout messages.json": "google-chat",
    "Instagram message_1.json": "meta-json",
    "Slack workspace export zip": "slack-export",
    "Telegram Desktop result.json": "telegram-json",
    "WhatsApp export txt": "whatsapp-text",
}


def rows(corpus: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (corpus / "chats" / "MANIFEST.jsonl").read_text("utf-8").splitlines()]


# Encrypted files are known, and their messages are not: `test_sealed.py` names the format of each.
SEALED = ("NTQQ", "SQLCipher database", "WhatsApp crypt")


def expected_format(row: dict[str, Any]) -> str | None:
    return next((known for prefix, known in FORMATS.items() if row["format"].startswith(prefix)), None)


@pytest.mark.corpus
@pytest.mark.parametrize("known", sorted(set(FORMATS.values())))
def test_every_file_of_a_format_gives_exactly_the_counted_numbers(corpus: Path, known: Any) -> None:
    wrong = []
    judged = [row for row in rows(corpus) if expected_format(row) == known]
    for row in judged:
        summary = summarise(corpus / "chats" / row["file"])
        found = summary and (summary.format, summary.messages, summary.conversations)
        if found != (known, row["messages"], row["conversations"] or (summary and summary.conversations)):
            wrong.append(f"{row['file']}: {found} instead of {row['messages']} in {row['conversations']}")

    assert judged
    assert not wrong, "\n".join(wrong)


@pytest.mark.corpus
def test_no_other_file_is_taken_for_what_it_is_not(corpus: Path) -> None:
    wrong = []
    for row in rows(corpus):
        summary = summarise(corpus / "chats" / row["file"])
        found = None if summary is None or summary.sealed else summary.format
        assert summary is None or summary.sealed == row["format"].startswith(SEALED)
        if found != expected_format(row):
            wrong.append(f"{row['file']} ({row['format']}): {found}")

    assert not wrong, "\n".join(wrong)
