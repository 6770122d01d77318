"""The written list of rules: what it names is there, in both languages."""

import re
from pathlib import Path

import pytest

import backupkit

ROOT = Path(backupkit.__file__).parent
PAGES = [ROOT.parent / "docs" / "reference" / name for name in ("apk-rules.md", "apk-rules.zh-CN.md")]
ROW = re.compile(r"^\| .+ \| `(\w+\.py)` \| `(test_\w+)` \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_rule_of_the_list_has_its_code_and_its_test(page: Path) -> None:
    named = ROW.findall(page.read_text("utf-8"))
    code = {path.name for path in (ROOT / "guard").rglob("*.py")}
    tests = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.parent.rglob("test_*.py"))

    assert len(named) > 30
    assert [file for file, _ in named if file not in code] == []
    assert [test for _, test in named if f"def {test}(" not in tests] == []


def test_both_languages_list_the_same_rules() -> None:
    english, chinese = (ROW.findall(page.read_text("utf-8")) for page in PAGES)

    assert english == chinese
