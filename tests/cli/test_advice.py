"""What is advised exists: every command that a sentence names can be run as it stands there."""

import re

import pytest

from backupkit.cli.grammar import command_at
from backupkit.cli.verbs import BY_PATH, below
from backupkit.i18n import LANGUAGES, Language, messages

NAMED = re.compile(r"backupkit ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)((?: --[a-z-]+)*)")


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_a_sentence_advises_exists(language: Language) -> None:
    wrong = {key: found for key, text in messages(language).items() if (found := unknown_advice(text))}

    assert wrong == {}


def test_advice_to_run_what_does_not_exist_is_found() -> None:
    assert unknown_advice("backupkit guard launch") == ["backupkit guard launch"]
    assert unknown_advice("backupkit doctor --selftest") == ["backupkit doctor --selftest"]
    assert unknown_advice("backupkit saves chats") == []
