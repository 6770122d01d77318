"""What stands in brackets after a sentence is read by people: every code that fills a reason has words, in both languages."""

import ast
import errno
import os
import re
from enum import StrEnum
from pathlib import Path

import pytest

import backupkit
from backupkit.capture.unreadable import Unreadable
from backupkit.codec.malformed import MalformedObject
from backupkit.errors import reason_of
from backupkit.guard.apk.idsig import IdsigIssue
from backupkit.guard.apk.reasons import Doubt, Reason
from backupkit.guard.apk.source_stamp import StampIssue
from backupkit.guard.candidate_rules import CANDIDATE_RULES
from backupkit.guard.update_rules import UPDATE_RULES
from backupkit.i18n import LANGUAGES, Language
from backupkit.i18n.catalogue import Catalogue, messages

HOUSE = Path(backupkit.__file__).parent
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
KEYWORDS = {"reason", "detail", "doubt"}
# Functions whose plain texts become a reason.
RAISERS = {
    "MalformedExport", "TruncatedExport", "MappingWrong", "RequestMalformed", "DeviceMalformed", "_wrong", "_unusable", "_lose",
}  # fmt: skip
NO_REASONS = {
    # Names of fields and files that stand beside the reason.
    "action", "app", "asked", "candidate", "challenge", "consent", "detail", "device", "envelope", "from", "installed", "loss",
    "mapping", "object", "package", "reason", "request", "retention", "strerror", "type", "v", "version", "what", "keys",
}  # fmt: skip


def codes_in_the_source() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in HOUSE.rglob("*.py"):
        if "i18n" in file.parts:
            continue
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Assign) and [getattr(one, "id", "") for one in call.targets] == ["reason"]:
                if isinstance(call.value, ast.Constant) and CODE.fullmatch(str(call.value.value)):
                    found.setdefault(str(call.value.value), file.name)
                continue
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            values: list[ast.expr] = [keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS]
            values += call.args if name in RAISERS else []
            for value in values:
                for part in ast.walk(value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE.fullmatch(part.value):
                        found.setdefault(part.value, file.name)
    return {code: file for code, file in found.items() if code not in NO_REASONS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_that_is_raised_has_words(language: Language) -> None:
    catalogue, codes = Catalogue(language), codes_in_the_source()

    # The reason of a verdict has sentences of its own and stands in no brackets.
    silent = {
        code: file
        for code, file in codes.items()
        if not catalogue.has(f"why.{code}") and not catalogue.has(f"reason.{code}.what")
    }

    assert silent == {}
    assert len(codes) > 100


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [Reason, Doubt, StampIssue, IdsigIssue, Unreadable])
def test_every_reason_of_a_list_has_words(language: Language, kind: type[StrEnum]) -> None:
    catalogue = Catalogue(language)

    assert [one.value for one in kind if not catalogue.has(f"why.{one.value}")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_that_cannot_be_answered_has_words_for_what_is_not_known(language: Language) -> None:
    catalogue = Catalogue(language)

    assert [rule.reason for rule in CANDIDATE_RULES + UPDATE_RULES if not catalogue.has(f"why.{rule.reason}")] == []


def test_words_take_the_place_of_codes_and_nothing_else_changes() -> None:
    english, chinese = Catalogue("en"), Catalogue("zh-CN")

    assert english.why("nested-too-deeply") == "it is nested too deeply"
    assert chinese.why("archive-cut") == "压缩包被截断"
    # The reason says more than the error that it comes with.
    assert english.why("malformed-object/truncated") == english.why("truncated")
    assert english.why("open-failed/nobody-knows") == english.why("open-failed")
    # What the system said, which speaks English to everybody, and what nobody put into words.
    assert (
        chinese.why(os.strerror(errno.ENOENT))
        == chinese.why("ENOENT")
        == chinese.why("system-enoent")
        != "system-enoent"
    )
    assert english.why("Something that only one system says") == "Something that only one system says"
    assert english.why("entry 7: something") == "entry 7: something"
    assert english.why("\x1b[2J") == r"\x1b[2J"
    assert english.say("error.unanswerable.try", reason="wrong-name") == "backupkit explain wrong-name"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_fit_into_brackets(language: Language) -> None:
    catalogue = Catalogue(language)
    words = {key: catalogue.say(key) for key in catalogue.keys() if key.startswith("why.")}  # noqa: SIM118

    assert [key for key, said in words.items() if said.endswith((".", "。")) or "(" in said or "{" in said] == []
    assert len(words) > 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_shows_the_name_of_a_python_class(language: Language) -> None:
    """`({kind})` was filled with `type(error).__name__`: a reader saw `KeyError`."""
    sentences = messages(language)

    assert [
        key for key, sentence in sentences.items() if key.startswith(("error.", "guard.")) and "{kind}" in sentence
    ] == []


def test_why_something_failed_is_a_code_or_the_systems_word() -> None:
    assert reason_of(PermissionError(errno.EACCES, os.strerror(errno.EACCES))) == os.strerror(errno.EACCES)
    assert reason_of(MalformedObject(what="x", reason="truncated")) == "malformed-object/truncated"
    assert reason_of(KeyError("x")) == reason_of(OSError()) == "unusable"
