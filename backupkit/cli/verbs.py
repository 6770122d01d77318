"""Every command: its name, where it stands in the help, and which function does it.

A command's module is imported only when the command runs, so that help and errors come at once.
"""

from dataclasses import dataclass
from typing import Final

SECTIONS: Final = ("everyday", "care", "keys", "guard", "watch", "settings")


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `path` is what is typed, `module` a file in `cli/commands/`, `function` a function in it."""

    path: str
    section: str
    module: str
    function: str


def _verbs(section: str, module: str, *paths: str) -> tuple[Verb, ...]:
    return tuple(Verb(path, section, module, path.replace(" ", "_").replace("-", "_")) for path in paths)


VERBS: Final[tuple[Verb, ...]] = (
    *_verbs("everyday", "snapshot", "snapshot"),
    *_verbs("everyday", "snapshots", "snapshots"),
    *_verbs("everyday", "show", "show"),
    *_verbs("everyday", "verify", "verify"),
    *_verbs("everyday", "restore", "restore"),
    *_verbs("everyday", "diff", "diff"),
    *_verbs("everyday", "search", "search"),
    *_verbs("everyday", "export", "export"),
    *_verbs("everyday", "status", "status"),
    *_verbs("care", "init", "init"),
    *_verbs("care", "drill", "drill"),
    *_verbs("care", "forget", "forget"),
    *_verbs("care", "undelete", "undelete"),
    *_verbs("care", "sweep", "sweep"),
    *_verbs("care", "copy", "copy"),
    *_verbs("care", "repair", "repair"),
    *_verbs("care", "stats", "stats"),
    *_verbs("care", "doctor", "doctor"),
    *_verbs("care", "salvage", "salvage"),
    *_verbs("care", "explain", "explain"),
    *_verbs("care", "completion", "completion"),
    *_verbs("keys", "key", "key list", "key add", "key remove", "key test", "key confirm", "key sheet", "key enrol"),
    *_verbs("keys", "key_public", "key public"),
    *_verbs("guard", "guard_check", "guard check"),
    *_verbs("guard", "guard_phone", "guard phone"),
    *_verbs("guard", "guard_inspect", "guard inspect"),
    *_verbs("guard", "guard_hook", "guard hook"),
    *_verbs("guard", "guard_serve", "guard serve"),
    *_verbs("guard", "guard_install", "guard install", "guard uninstall"),
    *_verbs("guard", "guard_consent", "guard consent"),
    *_verbs("guard", "guard_drill", "guard drill"),
    *_verbs("guard", "guard_log", "guard log", "guard explain"),
    *_verbs("guard", "guard_trust", "guard trust"),
    *_verbs("guard", "guard_pair", "guard pair"),
    *_verbs("guard", "preview_loss", "preview-loss"),
    *_verbs("watch", "watch", "watch"),
    *_verbs("settings", "config", "config show", "config check", "config edit", "config schema"),
)

BY_PATH: Final = {verb.path: verb for verb in VERBS}
NOUNS: Final = tuple(dict.fromkeys(verb.path.split()[0] for verb in VERBS if " " in verb.path))


def below(noun: str) -> list[str]:
    """Return what may follow a noun, or what may come first where `noun` is empty."""
    if noun:
        return [verb.path.split()[1] for verb in VERBS if verb.path.startswith(f"{noun} ")]
    return list(dict.fromkeys(verb.path.split()[0] for verb in VERBS))
