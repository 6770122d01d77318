"""The reference is complete in both languages, and is what the code would write today."""

import importlib.util
import json
import re
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import backupkit
from backupkit.cli.codes import every_code, every_error
from backupkit.cli.environment import ENVIRONMENT
from backupkit.cli.grammar import command_at
from backupkit.cli.verbs import BY_PATH
from backupkit.config.keys import KEYS
from backupkit.errors import ExitCode
from backupkit.i18n import LANGUAGES, Catalogue, Language

ROOT = Path(backupkit.__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str, language: Language) -> str:
    return (REFERENCE / (f"{name}.md" if language == "en" else f"{name}.{language}.md")).read_text("utf-8")


def test_the_pages_are_what_the_code_writes_today(reference: ModuleType) -> None:
    old = [
        name
        for name, text in reference.pages().items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text("utf-8") != text
    ]

    assert old == [], "run scripts/reference.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_option_is_in_the_reference(language: Language) -> None:
    text = page("commands", language)
    missing = [path for path in BY_PATH if f"### backupkit {path}\n" not in text]
    missing += [
        f"{path} {name}" for path in BY_PATH for one in command_at(path).params for name in one.opts
        if one.param_type_name == "option" and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
    ]  # fmt: skip

    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_exit_code_key_and_variable_is_in_the_reference(language: Language) -> None:
    exits, settings, variables = (page(name, language) for name in ("exit-codes", "configuration", "environment"))

    assert [int(code) for code in ExitCode if f"\n| {int(code)} |" not in exits] == []
    assert [key.dotted for key in KEYS if f"`{key.dotted}`" not in settings] == []
    assert [name for name in ENVIRONMENT if f"`{name}`" not in variables] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_is_in_the_reference(language: Language) -> None:
    text = page("errors", language)

    assert [code for code in every_error() if f"### {code}\n" not in text] == []
    kinds = {code: meaning.kind for code, meaning in every_code(Catalogue(language)).items()}
    assert [code for code, kind in kinds.items() if kind in {"finding", "notice"} and f"`{code}`" not in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_of_every_schema_is_explained(language: Language) -> None:
    def names(schema: dict[str, Any]) -> set[str]:
        below = [*schema.get("properties", {}).values(), schema.get("items", {})]
        return set(schema.get("properties", {})).union(*(names(one) for one in below if one))

    files = list((resources.files("backupkit") / "ui" / "schemas").iterdir())
    fields = set().union(*(names(json.loads(file.read_text("utf-8"))) for file in files))
    catalogue = Catalogue(language)

    assert sorted(name for name in fields if not catalogue.has(f"field.{name}")) == []
    assert [file.name for file in files if not catalogue.has(f"schema.{file.name.removesuffix('.json')}")] == []


def test_every_variable_that_the_code_names_is_listed() -> None:
    named = set()
    for folder in ("cli", "i18n"):
        for path in (ROOT / "backupkit" / folder).glob("*.py"):
            named |= set(
                re.findall(
                    r'"(BACKUPKIT_[A-Z_]+|XDG_[A-Z_]+|[A-Z]+_COLOR|NOTIFY_SOCKET|LC_[A-Z]+)"', path.read_text("utf-8")
                )
            )

    assert named - set(ENVIRONMENT) == set()
