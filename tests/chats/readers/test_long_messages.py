"""Messages without an end, in every export that is plain text: told before they fill the memory, and nothing before them is lost."""

from pathlib import Path

import pytest
from chat_reading import summary_of
from chat_samples import SAMPLES

TEXT = (
    "whatsapp-text", "line-text", "signal-text", "signal-sigtop", "signal-tools-text", "kakaotalk-text windows", "kakaotalk-text android", "qq-text",
    "discord-text", "imessage-text", "matrix-text",
)  # fmt: skip
LINES = 170_000
"""Less than half a megabyte of text, and as objects more than a message of the greatest length."""


@pytest.mark.parametrize("sample", [name for name in SAMPLES if name.startswith(TEXT)])
def test_a_message_of_endless_short_lines_is_told_before_it_fills_the_memory(tmp_path: Path, sample: str) -> None:
    name, data = SAMPLES[sample](tmp_path)
    path = tmp_path / name
    path.write_bytes(data)
    before = summary_of(path)
    # DiscordChatExporter writes last lines of its own, behind which no message goes on.
    lines = data.rpartition(b"\n\n" + b"=" * 62)[0] or data
    path.write_bytes(lines.rstrip(b"\r\n") + b"\n" + b"x\n" * LINES)

    summary = summary_of(path)

    reasons = [finding.facts["reason"] for finding in summary.findings if finding.code == "export-damaged"]
    assert (summary.format, reasons) == (before.format, ["message-too-long"])
    assert (summary.messages or 0) >= (before.messages or 0) - 1
