"""Bytes that are no text, in every export that is text: told with their number, and nothing beside them is lost."""

import string
from pathlib import Path

import pytest
from chat_reading import summary_of
from chat_samples import SAMPLES

TEXT = (
    "whatsapp-text", "line-text", "signal-text", "signal-sigtop", "kakaotalk-text", "qq-text", "discord-csv", "discord-package csv",
    "wechat-memotrace whole", "wechat-memotrace one", "wechat-chatlog-csv",
)  # fmt: skip


@pytest.mark.parametrize("sample", [name for name in SAMPLES if name.startswith(TEXT)])
def test_bytes_that_are_no_text_are_told_and_cost_no_message(tmp_path: Path, sample: str) -> None:
    name, data = SAMPLES[sample](tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    whole = summary_of(tmp_path)
    lines = data.split(b"\n")
    last = max(number for number, line in enumerate(lines) if len(line) > 12)
    line = lines[last].rstrip(b"\r")
    # In a table inside a field, else at the end.
    place = (
        len(line)
        if name.endswith(".txt")
        else max(at for at, byte in enumerate(line) if chr(byte) in string.ascii_letters + string.digits)
    )
    lines[last] = line[:place] + b"\xff\xfe" + line[place:]
    path.write_bytes(b"\n".join(lines))

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages) == (whole.format, whole.messages)
    assert [finding.facts for finding in summary.findings if finding.code == "text-not-utf-8"] == [{"count": 1}]
