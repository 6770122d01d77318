"""Every finding has its sentence in both languages."""

import ast
from pathlib import Path

import backupkit.chats
from backupkit.chats.model import Finding, Locator
from backupkit.i18n import messages

HOUSE = Path(backupkit.chats.__file__).parent


def codes() -> set[str]:
    found = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}: a code is written out"
                found.add(str(node.args[0].value))
    return found


def test_every_finding_has_its_sentence_and_every_sentence_its_finding() -> None:
    for language in ("en", "zh-CN"):
        said = {key.removeprefix("finding.") for key in _fragment(language) if key.startswith("finding.")}

        assert said == codes()


def _fragment(language: str) -> set[str]:
    from backupkit.i18n.en import chats as en
    from backupkit.i18n.zh_cn import chats as zh_cn

    keys = set({"en": en, "zh-CN": zh_cn}[language].MESSAGES)
    assert keys <= set(messages("en"))
    return keys


def test_a_finding_carries_its_place_to_its_sentence() -> None:
    finding = Finding("export-cut", locator=Locator("a.txt", "line 7"), facts={"reason": "x"})

    assert finding.sentence_facts == {"file": "a.txt", "place": "line 7", "reason": "x"}
