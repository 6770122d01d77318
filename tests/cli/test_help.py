"""Help is complete, equal in both languages, and drawn in one of them only."""

import re

import pytest
from command_line import Run

from backupkit.cli.grammar import command_at
from backupkit.cli.help_page import help_lines, option_names, own_parameters, parameter_key, path_key
from backupkit.cli.verbs import BY_PATH, NOUNS, VERBS
from backupkit.i18n import LANGUAGES, Catalogue, Language
from backupkit.text import width
from backupkit.ui.terminal import Terminal

CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH_OF_THE_PARSER = re.compile(r"Usage:|Options:|Arguments|Show this message|\[default|\[required|Commands:|Error:")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_option_says_what_it_is_for(language: Language) -> None:
    catalogue = Catalogue(language)
    missing = []
    for path in ("", *NOUNS, *BY_PATH):
        command = command_at(path)
        keys = [f"command.{path_key(path) or 'backupkit'}.summary"]
        keys += [parameter_key(path, one) for one in command.params]
        missing += [key for key in keys if not catalogue.has(key)]

    assert missing == []


def test_no_text_describes_a_command_that_is_not_there() -> None:
    known = {path_key(path) or "backupkit" for path in ("", *NOUNS, *BY_PATH)}
    wanted = {parameter_key(path, one) for path in ("", *NOUNS, *BY_PATH) for one in command_at(path).params}
    left_over = [
        key
        for key in Catalogue("en").keys()  # noqa: SIM118  -- a catalogue is no dictionary
        if (key.startswith("command.") and key.split(".")[1] not in known)
        or (key.startswith(("option.", "argument.")) and key not in wanted)
    ]

    assert left_over == []


@pytest.mark.parametrize("path", ["", *NOUNS, *BY_PATH])
def test_chinese_help_holds_no_english_of_the_parser(path: str) -> None:
    text = "\n".join(help_lines(command_at(path), path, Catalogue("zh-CN"), Terminal(columns=80)))

    assert CHINESE.search(text)
    assert not ENGLISH_OF_THE_PARSER.search(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["", *NOUNS, *BY_PATH])
@pytest.mark.parametrize("columns", [80, 40])
def test_help_fits_the_terminal(path: str, language: Language, columns: int) -> None:
    lines = help_lines(command_at(path), path, Catalogue(language), Terminal(columns=columns))

    # Examples are typed as they stand, and the choices of an option are one word.
    too_long = [line for line in lines if width(line) > columns and "backupkit " not in line and "|" not in line]
    assert too_long == []


def test_help_is_asked_for_at_every_level(run: Run) -> None:
    program, noun, verb = run("--help"), run("key", "-h"), run("key", "list", "--help")

    assert (program.code, noun.code, verb.code) == (0, 0, 0)
    assert all(verb.path in program.out for verb in VERBS)
    assert "key confirm" in noun.out
    assert "Usage: backupkit key list [OPTIONS]" in verb.out


@pytest.mark.parametrize("path", [(), ("key",), ("key", "list")])
def test_help_may_be_typed_as_a_command(run: Run, path: tuple[str, ...]) -> None:
    assert run("help", *path) == run(*path, "--help")


def test_help_speaks_the_language_of_the_locale(run: Run) -> None:
    chinese = run("snapshot", "--help", environment={"LANG": "zh_CN.UTF-8"})

    assert chinese.code == 0
    assert "用法：backupkit snapshot [选项] [PATH|SOURCE...]" in chinese.out
    assert run("snapshot", "--help", "--lang", "en", environment={"LANG": "zh_CN.UTF-8"}).out.startswith("Save chats")


def test_help_works_where_a_required_option_is_missing(run: Run) -> None:
    assert run("restore", "--help").code == 0


def test_no_command_holds_prose(run: Run) -> None:
    """A docstring is for readers of the code; what people read comes from the catalogues."""
    assert run("status", "--help").out.splitlines()[0] == Catalogue("en").say("command.status.summary")


def test_every_option_that_a_command_has_of_its_own_is_in_its_help() -> None:
    for path in BY_PATH:
        command = command_at(path)
        text = "\n".join(help_lines(command, path, Catalogue("en"), Terminal()))
        for option in own_parameters(command, "option"):
            assert all(name in text for name in option.opts), (path, option.opts)


def test_a_number_is_called_what_its_line_speaks_of_and_choices_are_all_shown() -> None:
    by_name = {
        one.opts[0]: option_names(one)
        for path in ("forget", "search")
        for one in own_parameters(command_at(path), "option")
    }

    assert by_name["--keep-last"] == "--keep-last N"
    assert by_name["--limit"] == "--limit N"
    assert by_name["--has"].endswith("voice|video|file|sticker|link|location|contact|call|payment|poll")


def test_the_name_alone_shows_what_there_is_and_is_no_success(run: Run) -> None:
    """It was answered with an error that listed every command and said what none of them is for."""
    alone, asked = run(), run("--help")

    assert (alone.out, alone.notes) == (asked.out, "")
    assert "Save chats now" in alone.out
    # `backupkit $COMMAND` in a script, with a variable that was never set, has done nothing.
    assert (alone.code, asked.code) == (2, 0)
    assert run("--json").last["code"] == "command-missing"
