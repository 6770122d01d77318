"""Which language a person is spoken to in. Pure: the environment comes in as a mapping."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

# The order in which POSIX and gettext look, with our own variable in front.
VARIABLES = ("BACKUPKIT_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def choose_language(flag: str | None, environment: Mapping[str, str]) -> Language:
    """Return the language asked for by a flag, else by the first variable of `VARIABLES` that is set.

    Everything Chinese is answered in zh-CN, everything else in English. `LANGUAGE` may be a list, as gettext has it:
    its first entry that we speak wins.
    """
    asked = flag or next((environment[name] for name in VARIABLES if environment.get(name)), "")
    for entry in asked.split(":"):
        language = spoken(entry)
        if language is not None:
            return language
    return "en"


def spoken(tag: str) -> Language | None:
    """Return the language that is answered to a tag in any of its forms (zh, zh_TW.UTF-8, EN), or None for one not spoken."""
    primary = tag.replace("_", "-").split(".")[0].split("-")[0].strip().lower()
    if primary == "zh":
        return "zh-CN"
    return "en" if primary in {"en", "c", "posix"} else None
