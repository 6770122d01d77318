"""Settings are written as a file that gives the same settings again."""

from datetime import timedelta
from pathlib import Path

from hypothesis import given, strategies as st

from backupkit.config import read_layer, settle
from backupkit.config.settings import Settings
from backupkit.config.writing import settings_as_toml

HOME = Path("/home/ann")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), min_size=1, max_size=20)


def again(settings: Settings) -> Settings:
    return settle([read_layer("\n".join(settings_as_toml(settings)), "again.toml", home=HOME)], profile=None)


def read(text: str) -> Settings:
    return settle([read_layer(text, "again.toml", home=HOME)], profile=None)


def test_what_counts_is_written_as_a_file_that_says_the_same() -> None:
    settings = read(
        "[repository]\npath = '~/备份 \"chats\"'\n[[source]]\nname = 'wechat'\npath = '/a'\napp = 'wechat'\n"
        "[[source]]\nname = 'b'\npath = '/b\\c'\n[guard]\nmax-backup-age = '90m'\nneeds-challenge = true\n"
    )

    assert again(settings) == settings
    assert 'max-backup-age = "90m"' in list(settings_as_toml(settings))


@given(texts, st.timedeltas(timedelta(seconds=1), timedelta(days=1)))
def test_any_path_and_any_length_of_time_survive(name: str, settle_time: timedelta) -> None:
    quoted = "".join(f"\\U{ord(one):08x}" for one in name)
    settings = read(f'[repository]\npath = "/{quoted}"\n[watch]\nsettle = "{int(settle_time.total_seconds())}s"\n')

    assert again(settings) == settings
