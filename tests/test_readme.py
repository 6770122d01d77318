"""The sessions in the README are what the programs print."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import backupkit

ROOT = Path(backupkit.__file__).parent.parent


@pytest.fixture(scope="module")
def transcripts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "scripts" / "transcripts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_session_in_the_readme_is_what_the_programs_print_today(
    transcripts: ModuleType, tmp_path: Path, language: str
) -> None:
    text = (ROOT / transcripts.FILES[language]).read_text("utf-8")

    printed = transcripts.sessions(tmp_path, language)

    assert {name: transcripts.session_in(text, name)[0] for name in printed} == printed, "run scripts/transcripts.py"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_accident_in_the_tutorial_is_what_the_drill_prints_today(
    transcripts: ModuleType, tmp_path: Path, language: str
) -> None:
    text = (ROOT / transcripts.TUTORIALS[language]).read_text("utf-8")

    printed = transcripts.accident(tmp_path, language)

    assert {name: transcripts.session_in(text, name)[0] for name in printed} == printed, "run scripts/transcripts.py"


@pytest.mark.parametrize("file", ["README.md", "README.zh-CN.md"])
def test_the_contract_in_the_readme_asks_for_given_consent(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")

    assert "`consent.state` " in text
    assert '`"given"`' in text
