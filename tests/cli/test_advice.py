"""What is advised exists: every command that a sentence names can be run as it stands there."""

import re

import pytest

from backupkit.cli.grammar import command_at
from backupkit.cli.verbs import BY_PATH, below
from backupkit.i18n import LANGUAGES, Language, messages

NAMED = re.compile(r"backupkit ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)((?: --[a-z-]+)*)")

# Where a command stands to be typed and is not only named: at the beginning of a line, behind a colon or a wide gap.
TO_TYPE = re.compile(r"(?:^|[:：] ?| {8})backupkit ([^\n]+)", re.MULTILINE)


def unknown_advice(text: str) -> list[str]:
    wrong = []
    for words, options in NAMED.findall(text):
        first, _, second = words.partition(" ")
        path = f"{first} {second}" if f"{first} {second}" in BY_PATH else first
        # In running text a name is not a call: "backupkit saves chats" has no command in it.
        if path not in BY_PATH:
            if below(first) and second:
                wrong.append(f"backupkit {words}")
            continue
        known = {name for one in command_at(path).params for name in one.opts}
        wrong += [f"backupkit {path} {option}" for option in options.split() if option not in known]
    return wrong


def refused_as_typed(text: str) -> list[str]:
    """Return the commands that stand there to be typed, and would be refused because something is missing."""
    refused = []
    for line in TO_TYPE.findall(text):
        words = re.split(r"  |[。；]", line)[0].rstrip(".").split()
        path = next((some for some in (" ".join(words[:2]), words[0]) if some in BY_PATH), None)
        if path is None:
            continue
        typed = words[len(path.split()) :]
        for needed in command_at(path).params:
            there = (
                any(name in typed for name in needed.opts)
                if needed.param_type_name == "option"
                else any(not word.startswith("-") for word in typed)
            )
            if needed.required and not there:
                refused.append(f"backupkit {path}: {needed.name}")
    return refused


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_a_sentence_advises_exists(language: Language) -> None:
    wrong = {key: found for key, text in messages(language).items() if (found := unknown_advice(text))}

    assert wrong == {}


def test_advice_to_run_what_does_not_exist_is_found() -> None:
    assert unknown_advice("backupkit guard launch") == ["backupkit guard launch"]
    assert unknown_advice("backupkit doctor --selftest") == ["backupkit doctor --selftest"]
    assert unknown_advice("backupkit saves chats") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_is_there_to_be_typed_is_whole(language: Language) -> None:
    refused = {key: found for key, text in messages(language).items() if (found := refused_as_typed(text))}

    assert refused == {}


def test_a_command_that_lacks_something_is_found() -> None:
    assert refused_as_typed("They can be taken back: backupkit undelete") == ["backupkit undelete: snapshots"]
    assert refused_as_typed("Mend it        backupkit restore latest") == ["backupkit restore: to"]
    assert refused_as_typed("backupkit copy --to DIR        to another disk") == []
    assert refused_as_typed("A sweep is run by backupkit undelete") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_to_save_says_that_a_path_belongs_to_it(language: Language) -> None:
    """The command alone saves what the settings list, and fails on a computer where nobody ever wrote any."""
    bare = re.compile(r"backupkit snapshot(?!s| (?:PATH|路径))")

    assert [
        key
        for key, text in messages(language).items()
        if key.endswith(".try") and key != "error.nothing-to-save.try" and bare.search(text)
    ] == []
