"""The reference names every format and every finding, and none that is not there."""

import re
from pathlib import Path

import backupkit
from backupkit.chats.readers.registry import READERS
from backupkit.i18n.en import chats as sentences

REFERENCE = Path(backupkit.__file__).parent.parent / "docs" / "reference"
PAGE, CHINESE = REFERENCE / "formats.md", REFERENCE / "formats.zh-CN.md"
SEVERITIES = {"error": "错误", "warning": "警告", "info": "提示", "warning or info": "警告或提示"}


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


def rows(page: Path, *columns: int) -> list[list[str]]:
    """Return cells of every row of every table that begins with code."""
    lines = [line.split(" | ") for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
    return [[re.sub(r"^\| |\|$", "", cells[column]).strip() for column in columns] for cells in lines]


def test_both_languages_have_the_same_rows_and_severities() -> None:
    english, chinese = ([cell.replace("、", ", ") for (cell,) in rows(page, 0)] for page in (PAGE, CHINESE))
    assert english == chinese

    severities = [
        {code: severity for code, severity in rows(page, 0, 1) if severity in words}
        for page, words in ((PAGE, SEVERITIES), (CHINESE, SEVERITIES.values()))
    ]
    assert {code: SEVERITIES[severity] for code, severity in severities[0].items()} == severities[1]


def test_the_evidence_of_each_finding_is_what_its_sentence_tells() -> None:
    for page in (PAGE, CHINESE):
        section = page.read_text("utf-8").partition("| code |" if page is PAGE else "| 代码 |")[2]
        told = {code: set(re.findall("[a-z_]+", evidence)) for code, evidence in rows_of(section, 0, 3)}
        for code, evidence in told.items():
            fields = set(re.findall(r"\{([a-z_]+)", sentences.MESSAGES[f"finding.{code}"])) - {"file", "place"}
            assert fields <= evidence, (page.name, code, fields - evidence)


def rows_of(text: str, *columns: int) -> list[list[str]]:
    """Return cells of the rows that begin with a code, code marks taken off."""
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cells[column].strip("| `") for column in columns] for cells in lines if len(cells) == 6]
