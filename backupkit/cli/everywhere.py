"""The options that every command takes, before or after its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import typer

from backupkit.i18n import Language, spoken
from backupkit.ui.terminal import ColorChoice, ProgressChoice


class Color(Enum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class ProgressForm(Enum):
    """How to show progress."""

    AUTO = "auto"
    BAR = "bar"
    LINES = "lines"
    NONE = "none"


class Tongue(Enum):
    """Which language to speak."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


class HelpWanted(Exception):
    """Somebody asked for help; carries the parser's context of the command in question."""

    def __init__(self, context: typer.Context) -> None:
        super().__init__()
        self.context = context


class VersionWanted(Exception):
    """Somebody asked for the version."""


def _help(context: typer.Context, value: bool) -> None:
    if value:
        raise HelpWanted(context)


def _version(value: bool) -> None:
    if value:
        raise VersionWanted


PREFIX = "everywhere_"


def prototype(  # its parameters are added to every command; it is never called
    everywhere_repo: Annotated[str | None, typer.Option("--repo", "-r", metavar="DIR")] = None,
    everywhere_profile: Annotated[str | None, typer.Option("--profile", "-P", metavar="NAME")] = None,
    everywhere_config: Annotated[str | None, typer.Option("--config", metavar="FILE")] = None,
    everywhere_json: Annotated[bool, typer.Option("--json")] = False,
    everywhere_plain: Annotated[bool, typer.Option("--plain")] = False,
    everywhere_quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
    everywhere_verbose: Annotated[int, typer.Option("--verbose", "-v", count=True)] = 0,
    everywhere_no_input: Annotated[bool, typer.Option("--no-input")] = False,
    everywhere_color: Annotated[Color | None, typer.Option("--color")] = None,
    everywhere_lang: Annotated[Tongue | None, typer.Option("--lang")] = None,
    everywhere_progress: Annotated[ProgressForm | None, typer.Option("--progress")] = None,
    everywhere_help: Annotated[
        bool, typer.Option("--help", "-h", is_eager=True, expose_value=False, callback=_help)
    ] = False,
) -> None:
    """Hold the options that every command takes."""


def prototype_of_root(
    everywhere_version: Annotated[
        bool, typer.Option("--version", is_eager=True, expose_value=False, callback=_version)
    ] = False,
) -> None:
    """Hold what only the program itself takes."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What was asked for on the command line, wherever it stood."""

    repo: str | None = None
    profile: str | None = None
    config: str | None = None
    json: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: int = 0
    no_input: bool = False
    color: ColorChoice | None = None
    lang: Language | None = None
    progress: ProgressChoice | None = None


def taken_out(values: dict[str, Any]) -> dict[str, Any]:
    """Take the everywhere values out of a command's own, and return them without their prefix."""
    return {name.removeprefix(PREFIX): values.pop(name) for name in list(values) if name.startswith(PREFIX)}


def merged(levels: Sequence[Mapping[str, Any]]) -> Everywhere:
    """Join what stood before and after the verb: the later value wins, switches and counts add up."""
    values: dict[str, Any] = {}
    for level in levels:
        for name, value in level.items():
            if name == "verbose":
                values[name] = values.get(name, 0) + value
            elif value not in {None, False}:
                values[name] = value
    return Everywhere(**values)


def spelled(arguments: Sequence[str]) -> list[str]:
    """Give the languages that `--lang` names the form that the parser knows: people type zh, zh_CN and EN as well."""
    given = list(arguments)
    end = given.index("--") if "--" in given else len(given)
    for place in range(end):
        if given[place].startswith("--lang="):
            tag = given[place].removeprefix("--lang=")
            given[place] = f"--lang={spoken(tag) or tag}"
        elif place and given[place - 1] == "--lang":
            given[place] = spoken(given[place]) or given[place]
    return given


def peeked(arguments: Sequence[str]) -> Everywhere:
    """Guess the options that shape an error message, for when the line as a whole cannot be parsed."""
    asked: dict[str, Any] = {"json": "--json" in arguments}
    for place, argument in enumerate(arguments):
        if argument == "--":
            break
        name, given, value = argument.partition("=")
        if not given and place + 1 < len(arguments):
            value = arguments[place + 1]
        if name == "--lang" and value in {tongue.value for tongue in Tongue}:
            asked["lang"] = value
        if name == "--color" and value in {choice.value for choice in Color}:
            asked["color"] = value
    return Everywhere(**asked)
