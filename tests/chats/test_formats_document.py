"""The reference names every format and every finding, and none that is not there."""

import re
from pathlib import Path

import backupkit
from backupkit.chats.registry import READERS
from backupkit.i18n.en import chats as sentences

PAGE = Path(backupkit.__file__).parent.parent / "docs" / "reference" / "formats.md"


def test_every_format_has_its_row() -> None:
    text = PAGE.read_text("utf-8").replace(
        "`whatsapp-crypt12`, `-crypt14`, `-crypt15`", "`whatsapp-crypt12` `whatsapp-crypt14` `whatsapp-crypt15`"
    )

    missing = [reader.format for reader in READERS if f"`{reader.format}`" not in text]

    assert missing == []


def test_every_finding_has_its_row() -> None:
    section = PAGE.read_text("utf-8").partition("## Findings")[2].partition("## Bounds")[0]
    listed = set(re.findall(r"^\| `([a-z0-9-]+)`", section, re.MULTILINE))

    assert listed == {key.removeprefix("finding.") for key in sentences.MESSAGES if key.startswith("finding.")}
