"""English and Chinese are complete and equal. New code is found by walking the package."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import backupkit
from backupkit.errors import BackupkitError
from backupkit.i18n import LANGUAGES, Language, fragments, messages, placeholders
from backupkit.i18n.catalogue import _FOLDERS as FOLDERS

HOUSE = Path(backupkit.__file__).parent
CHINESE = re.compile("[\u4e00-\u9fff]")


def every_error() -> dict[str, type[BackupkitError]]:
    for found in pkgutil.walk_packages(backupkit.__path__, "backupkit."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    return {error.__qualname__: error for error in _below(BackupkitError)}


def _below(error: type[BackupkitError]) -> Iterator[type[BackupkitError]]:
    for sub in error.__subclasses__():
        if sub.__module__.startswith("backupkit."):
            yield sub
            yield from _below(sub)


def test_both_languages_have_the_same_fragments_and_keys() -> None:
    assert fragments("en") == fragments("zh-CN")
    assert set(messages("en")) ^ set(messages("zh-CN")) == set()


def test_a_sentence_is_filled_with_the_same_facts_in_both_languages() -> None:
    different = {
        key: (placeholders(sentence), placeholders(messages("zh-CN").get(key, "")))
        for key, sentence in messages("en").items()
        if placeholders(sentence) != placeholders(messages("zh-CN").get(key, ""))
    }

    assert different == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_fragments_define_one_key(language: Language) -> None:
    seen: dict[str, str] = {}
    twice = []
    for fragment in fragments(language):
        for key in importlib.import_module(f"{FOLDERS[language]}.{fragment}").MESSAGES:
            if key in seen:
                twice.append(f"{key}: {seen[key]} and {fragment}")
            seen[key] = fragment

    assert twice == []


def test_every_error_says_what_why_and_what_to_try() -> None:
    missing = [
        f"error.{error.code}.{part}  ({name})"
        for name, error in sorted(every_error().items())
        if not name.startswith("_") and "code" in vars(error)
        for part in ("what", "why", "try")
        if f"error.{error.code}.{part}" not in messages("en")
    ]

    assert missing == []


def test_every_error_is_raised_with_the_facts_that_its_sentences_are_filled_with() -> None:
    """`export --all-snapshots` of an empty repository said "There is no snapshot {snapshot}."."""
    errors = {error.__name__: error for error in every_error().values()}
    lacking = []
    for path in sorted(HOUSE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            error = errors.get(getattr(call.func, "id", ""))
            if error is None or error.__init__ is not BackupkitError.__init__:
                # What has a constructor of its own names its facts there.
                continue
            given = {one.arg for one in call.keywords}
            wanted = {
                fact
                for part in ("what", "why", "try")
                for fact in placeholders(messages("en")[f"error.{error.code}.{part}"])
            }
            if None not in given and wanted - given:
                lacking.append((path.name, error.__name__, wanted - given))

    assert lacking == []


def test_no_sentence_is_empty_and_chinese_is_chinese() -> None:
    assert [key for key, text in messages("en").items() if not text.strip() or CHINESE.search(text)] == []
    untranslated = [
        key
        for key, text in messages("zh-CN").items()
        if key.startswith(("error.", "finding.", "notice.", "command.", "option.", "argument.", "reason."))
        # An example, or advice that is nothing but a command to copy, is the same in every language.
        and not (key.endswith(".example") or text.startswith("backupkit "))
        and not CHINESE.search(text)
    ]
    assert untranslated == []


def test_no_text_says_what_the_accident_of_2018_said() -> None:
    forbidden = ("may lead to data loss", "signature inconsistent", "可能导致数据丢失", "签名不一致")

    assert [key for lang in LANGUAGES for key, text in messages(lang).items() if any(
        words in text.lower() for words in forbidden)] == []  # fmt: skip


# Other words for what has one: a repository is no store, the place where apps come from is a store and no shop.
OTHER_WORDS = {
    "en": re.compile(r"backup store|\bshops?\b|\bpieces? of (?:saved )?data\b", re.IGNORECASE),
    "zh-CN": re.compile("升级守卫|拷贝|钥匙|仓库|(?<!加)密封|沙箱|质询|请升级"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_thing_has_one_word_on_every_screen_and_in_every_guide(language: Language) -> None:
    said = dict(messages(language))
    for page in (
        *HOUSE.parent.glob("README*.md"),
        *(HOUSE.parent / "docs/tutorial").glob("*.md"),
        *(HOUSE.parent / "docs/how-to").glob("*.md"),
    ):
        if page.name.endswith(".zh-CN.md") is (language == "zh-CN"):
            said[page.name] = page.read_text("utf-8")

    assert {key: found for key, text in said.items() if (found := OTHER_WORDS[language].findall(text))} == {}


def codes_told_in_code() -> dict[str, str]:
    """Every code that is written down as a finding or a notice, with the key of its sentence."""
    kinds = {"Found": "finding", "Finding": "finding", "Notice": "notice"}
    keys = {}
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for told in ast.walk(node.args[0]) if name in kinds else ():
                if isinstance(told, ast.Constant) and isinstance(told.value, str):
                    keys[f"{kinds[name]}.{told.value}"] = f"{path.relative_to(HOUSE)}:{node.lineno}"
    return keys


def test_every_finding_and_notice_has_a_sentence() -> None:
    missing = [f"{key}  ({where})" for key, where in codes_told_in_code().items() if key not in messages("en")]

    assert missing == []
