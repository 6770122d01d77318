"""Settings are read strictly, and what is wrong is named with its line."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backupkit.config import ConfigProblem, load_config, read_layer, settle
from backupkit.config.failures import (
    ConfigMissingKey,
    ConfigNewerVersion,
    ConfigNotToml,
    ConfigSourceTwice,
    ConfigUnknownKey,
    ConfigWrongValue,
    ProfileNotFound,
)
from backupkit.config.lines import line_of
from backupkit.config.schema import config_schema, template

WHOLE = """\
#:schema https://example.invalid/backupkit/config-1.json
version = 1
[repository]
path = "~/Backups/chats"
passphrase-command = "secret-tool lookup app backupkit"
[[source]]
name = "wechat"
app = "wechat"                     # package com.tencent.mm
path = "~/Exports/wechat"
[[source]]
name = "微信"
path = "relative"
package = "com.tencent.mm"
[keep]
daily = 7
[verify]
after-snapshot = "none"
[guard]
max-backup-age = "2d"
[watch]
settle = "5m"
[profile.travel.repository]
path = "/media/usb/chats"
"""


def read(text: str, profile: str | None = None):  # type: ignore[no-untyped-def]  # Settings; spelled at each use
    return load_config(text, "/etc/x/config.toml", home=Path("/home/lin"), profile=profile)


def test_a_whole_file_becomes_settings() -> None:
    settings = read(WHOLE)

    assert settings.repository.path == Path("/home/lin/Backups/chats")
    assert settings.repository.passphrase_command == "secret-tool lookup app backupkit"
    assert [(s.name, s.path, s.app, s.package) for s in settings.sources] == [
        ("wechat", Path("/home/lin/Exports/wechat"), "wechat", None),
        ("微信", Path("/etc/x/relative"), None, "com.tencent.mm"),
    ]
    assert (settings.keep.daily, settings.keep.monthly) == (7, 24)
    assert settings.verify.after_snapshot == "none"
    assert settings.guard.max_backup_age == timedelta(days=2)
    assert settings.watch.settle == timedelta(minutes=5)
    assert settings.source("微信") is settings.sources[1]


def test_an_empty_file_means_the_defaults() -> None:
    settings = read("")

    assert settings.repository.path is None
    assert settings.guard.max_backup_age == timedelta(hours=24)
    assert (settings.guard.needs, settings.guard.when_unsure) == ("verified", "hold")
    assert settings.sources == ()


def test_a_profile_lies_above_the_rest() -> None:
    settings = read(WHOLE, "travel")

    assert settings.repository.path == Path("/media/usb/chats")
    assert settings.repository.passphrase_command is not None
    assert len(settings.sources) == 2


def test_the_owners_file_lies_above_the_machines() -> None:
    own = read_layer("[guard]\nmax-backup-age = '1h'\n", "/home/lin/c.toml")
    machine = read_layer("[guard]\nmax-backup-age = '9h'\nneeds = 'drilled'\n", "/etc/c.toml")

    settings = settle([own, machine])

    assert (settings.guard.max_backup_age, settings.guard.needs) == (timedelta(hours=1), "drilled")
    assert settings.origins == ("/home/lin/c.toml", "/etc/c.toml")


@pytest.mark.parametrize(
    ("text", "error", "facts"),
    [
        ("version = 1\n[gaurd]\n", ConfigUnknownKey, {"line": 2, "key": "gaurd", "nearest": "guard"}),
        (
            "[guard]\n\nmax-bakup-age = '24h'\n", ConfigUnknownKey,
            {"line": 3, "key": "guard.max-bakup-age", "nearest": "max-backup-age"},
        ),
        ("[[source]]\nname='a'\npath='b'\n[[source]]\nname='c'\npaht='d'\n", ConfigUnknownKey, {"line": 6, "key": "source.paht"}),
        ("[profile.usb.watch]\nsetle='1s'\n", ConfigUnknownKey, {"line": 2, "key": "profile.usb.watch.setle", "nearest": "settle"}),
        ("[guard]\nmax-backup-age = '1 day'\n", ConfigWrongValue, {"line": 2, "found": "1 day", "expected": '"24h" (1s..30d)'}),
        ("[guard]\nwhen-unsure = 'allow'\n", ConfigWrongValue, {"line": 2, "expected": '"hold"'}),
        ("[guard]\nmax-backup-age = '60d'\n", ConfigWrongValue, {"line": 2, "found": "60d"}),
        ("[guard]\nneeds-challenge = 1\n", ConfigWrongValue, {"line": 2, "found": "1"}),
        ("[keep]\ndaily = -1\n", ConfigWrongValue, {"line": 2, "found": "-1"}),
        ("[keep]\ndaily = true\n", ConfigWrongValue, {"line": 2, "found": "True"}),
        ("[keep]\ndaily = [1]\n", ConfigWrongValue, {"line": 2, "found": "list"}),
        ("repository = 'x'\n", ConfigWrongValue, {"line": 1, "key": "repository"}),
        ("[source]\nname = 'x'\n", ConfigWrongValue, {"line": 1, "expected": "[[source]]"}),
        ("[[source]]\nname = 'x'\n", ConfigMissingKey, {"line": 1, "key": "source.path"}),
        ("[[source]]\nname='x'\npath='a'\n[[source]]\nname='x'\npath='b'\n", ConfigSourceTwice, {"line": 5, "name": "x"}),
        ("version = 2\n", ConfigNewerVersion, {"line": 1, "version": 2, "known": 1}),
        ("version = '1'\n", ConfigWrongValue, {"line": 1}),
        ("[repository\n", ConfigNotToml, {"line": 1}),
        ("x = " + "[" * 5000, ConfigNotToml, {"line": 1}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, error: type[ConfigProblem], facts: dict[str, object]) -> None:
    with pytest.raises(error) as caught:
        read(text)

    assert caught.value.exit_code == 2
    assert {name: caught.value.facts[name] for name in facts} == facts
    assert caught.value.facts["file"] == "/etc/x/config.toml"


def test_a_profile_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ProfileNotFound) as caught:
        read(WHOLE, "travle")

    assert caught.value.facts == {"name": "travle", "nearest": "travel"}
    with pytest.raises(ProfileNotFound) as caught:
        read("", "travel")
    assert caught.value.facts == {"name": "travel", "nearest": "–"}


def test_a_key_inside_a_long_text_is_no_key() -> None:
    text = 'a = """\nb = 1\n"""\nb = 2\n'

    assert line_of(text, ("b",)) == 4
    assert line_of(text, ("a",)) == 1


def test_the_template_is_a_valid_file_with_and_without_its_comment_marks() -> None:
    bare = "\n".join(line.removeprefix("# ") for line in template().splitlines() if not line.startswith("#:"))

    assert read(template()).sources == ()
    assert read(bare).source("wechat") is not None


def test_the_schema_knows_every_table() -> None:
    schema = config_schema()

    assert set(schema["$defs"]) == {"repository", "source", "keep", "verify", "guard", "watch"}  # type: ignore[call-overload]  # JSON


@given(st.text())
def test_any_text_is_settings_or_one_typed_error(text: str) -> None:
    with suppress(ConfigProblem):
        load_config(text, "c.toml")


@given(
    st.dictionaries(
        st.sampled_from(["version", "repository", "source", "guard", "profile", "keep", "x"]),
        st.recursive(st.integers() | st.text(max_size=5), lambda below: st.lists(below, max_size=2)),
    )
)
def test_any_values_are_settings_or_one_typed_error(tree: dict[str, object]) -> None:
    from backupkit.config.reading import _Reader

    with suppress(ConfigProblem):
        _Reader("", "c.toml", None).layer(dict(tree))


def test_a_number_of_thousands_of_digits_is_no_bug() -> None:
    with pytest.raises(ConfigNotToml):
        read_layer(f"version = {'9' * 10_000}", "settings")
