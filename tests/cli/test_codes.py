"""`backupkit explain` knows every code that can be shown."""

import pytest
from command_line import Run

from backupkit.cli.codes import every_code, every_error, meaning_of
from backupkit.errors import ExitCode
from backupkit.i18n import LANGUAGES, Catalogue, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_and_exit_code_can_be_explained(language: Language) -> None:
    codes = every_code(Catalogue(language))

    assert {str(int(code)) for code in ExitCode} <= set(codes)
    assert set(every_error()) - set(codes) == set()


def test_an_error_is_explained_with_its_exit_code(run: Run) -> None:
    ran = run("explain", "passphrase-needed", "--json")

    assert ran.code == 0
    assert (ran.last["kind"], ran.last["exit_code"]) == ("error", 12)
    assert "BACKUPKIT_PASSPHRASE_FILE" in ran.last["try"]


def test_what_a_screen_shows_with_its_area_is_understood(run: Run) -> None:
    assert run("explain", "guard/no-verified-backup", "--json").last["kind"] == "reason"


@pytest.mark.parametrize(
    ("word", "language"), [("HOLD", "en"), ("hold", "zh-CN"), ("暂缓", "zh-CN"), ("Undecided", "en")]
)
def test_the_word_that_a_verdict_begins_with_is_explained(run: Run, word: str, language: str) -> None:
    """`explain hold` offered `loss-hint-old`, `own-folder` and `overloaded`."""
    ran = run("explain", word, "--lang", language, "--json")

    assert (ran.last["kind"], ran.last["exit_code"]) == ("exit", 42 if word == "Undecided" else 40)


def test_a_number_is_an_exit_code(run: Run) -> None:
    ran = run("explain", "40", "--lang", "zh-CN")

    assert "暂缓" in ran.out


def test_facts_that_are_not_known_stand_as_names() -> None:
    meaning = meaning_of("no-repository", Catalogue("en"))

    assert meaning is not None
    assert "‹path›" in meaning.what


def test_all_codes_are_listed(run: Run) -> None:
    listed = {entry["code"] for entry in run("explain", "--json").last["codes"]}

    assert {"no-repository", "passphrase-needed", "0", "143"} <= listed
