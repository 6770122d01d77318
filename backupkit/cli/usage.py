"""What can be wrong with a command line. Each is exit 2, with the same four parts as any other error."""

import re
from typing import Any

from backupkit.errors import BackupkitError, ExitCode, Fact


class WrongUsage(BackupkitError):
    """The command line cannot be understood. Facts always hold `help`, the command that shows how it is meant."""

    exit_code = ExitCode.USAGE


class CommandMissing(WrongUsage):
    """No command was given, or a noun without its verb. Facts: `command`, `known`, `help`."""

    code = "command-missing"


class CommandUnknown(WrongUsage):
    """There is no such command. Facts: `command`, `nearest`, `help`."""

    code = "command-unknown"


class OptionUnknown(WrongUsage):
    """The command has no such option. Facts: `option`, `nearest`, `help`."""

    code = "option-unknown"


class OptionNeedsValue(WrongUsage):
    """An option that needs a value came without one. Facts: `option`, `expected`, `help`."""

    code = "option-needs-value"


class OptionTakesNoValue(WrongUsage):
    """A switch came with a value. Facts: `option`, `help`."""

    code = "option-takes-no-value"


class ArgumentMissing(WrongUsage):
    """An argument or option that must be there is not. Facts: `name`, `form` as it is typed, `help`."""

    code = "argument-missing"

    def __init__(self, **facts: Fact) -> None:
        super().__init__(**{"form": facts["name"], **facts})


class ArgumentTooMany(WrongUsage):
    """There is more on the line than the command takes. Facts: `found`, `help`."""

    code = "argument-too-many"


class ValueWrong(WrongUsage):
    """An option or argument cannot have this value. Facts: `name`, `found`, `expected`, `help`."""

    code = "value-wrong"


class OptionsClash(WrongUsage):
    """Two options, or an option and the arguments, cannot stand together. Facts: `first`, `second`, `help`."""

    code = "options-clash"


MOST_NAMED = 20


def nearest(name: str, known: list[str]) -> str:
    """Return the known names most like a mistyped one; where none is like it all known ones, unless they are many."""
    import difflib

    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if not close and len(known) > MOST_NAMED:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
    return ", ".join(close or known)


_QUOTED = re.compile(r"^'(.*)' is not|^Value '(.*)'|^(\S+) is not in the range|'([^']*)'", re.DOTALL)


def understood(problem: Exception) -> WrongUsage:
    """Turn what the parser raised into an error with facts only, so that no English half-sentence gets through.

    The parser's classes moved between versions, so they are known by name here.
    """
    context: Any = getattr(problem, "ctx", None)
    command = context.command_path if context else "backupkit"
    help_command = f"{command} --help"
    parameter = getattr(problem, "param", None)
    match type(problem).__name__:
        case "NoSuchOption":
            option = str(getattr(problem, "option_name", ""))
            known = [name for one in context.command.params for name in one.opts] if context else []
            return OptionUnknown(option=option, nearest=nearest(option, known), help=help_command)
        case "BadOptionUsage":
            option = str(getattr(problem, "option_name", ""))
            named = next((one for one in context.command.params if option in one.opts), None) if context else None
            if named is not None and not getattr(named, "is_flag", False):
                return OptionNeedsValue(option=option, expected=expected_value(named), help=help_command)
            return OptionTakesNoValue(option=option, help=help_command)
        case "MissingParameter":
            return ArgumentMissing(name=shown_name(parameter), form=typed_form(parameter), help=help_command)
        case "BadParameter":
            quoted = _QUOTED.search(str(getattr(problem, "message", "")))
            found = next((part for part in quoted.groups() if part is not None), "") if quoted else ""
            expected = expected_value(parameter)
            return ValueWrong(name=shown_name(parameter), found=found, expected=expected, help=help_command)
    noun = command.partition(" ")[2]
    from backupkit.cli.verbs import below

    return CommandMissing(command=command, known=", ".join(below(noun)), help=help_command)


def shown_name(parameter: Any) -> str:
    """Return how a parameter is written: `--to`, or `SNAPSHOT` for an argument."""
    if parameter is None:
        return ""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())


def typed_form(parameter: Any) -> str:
    """Return a parameter with what it takes: `--to DIR`, or `SNAPSHOT` for an argument."""
    name = shown_name(parameter)
    if parameter is None or parameter.param_type_name != "option":
        return name
    has_choices = bool(getattr(parameter.type, "choices", None))
    value = expected_value(parameter).replace(" | ", "|") if has_choices else str(parameter.metavar or "")
    return f"{name} {value}".strip()


def expected_value(parameter: Any) -> str:
    """Return the form of a right value, the same in every language."""
    if parameter is None:
        return ""
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return " | ".join(str(getattr(choice, "value", choice)) for choice in choices)
    least, most = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    if least is not None and most is None:
        return f"{least}, {least + 1}, {least + 2}, ..."
    if least is not None:
        return f"{least}..{most}"
    return str(parameter.metavar or {"integer": "0, 1, 2, ..."}.get(parameter.type.name, parameter.type.name.upper()))
