"""Help, drawn by ourselves, because the parser's own is half English in every other language.

What a command or an option means stands in the catalogues under keys made from its name, so that a command's file
holds no prose: `command.<path>.summary`, `.about`, `.example`; `option.<path>.<name>`, `argument.<path>.<name>`.
"""

from collections.abc import Iterator
from typing import Any

from backupkit.cli.everywhere import PREFIX
from backupkit.cli.usage import expected_value, shown_name
from backupkit.cli.verbs import BY_PATH, SECTIONS, VERBS, below
from backupkit.i18n import Catalogue
from backupkit.text import width
from backupkit.ui.columns import wrapped
from backupkit.ui.terminal import Terminal

_TWO_COLUMNS = 64
SHARED = frozenset({"chat_key_files", "ask_chat_key"})
"""Options that mean the same in every command that has them."""


def path_key(path: str) -> str:
    """Return a command's path as it stands in catalogue keys: `key list` is `key-list`."""
    return path.replace(" ", "-")


def parameter_key(path: str, parameter: Any) -> str:
    """Return the catalogue key of what an option or argument means."""
    name = str(parameter.name)
    if name.startswith(PREFIX):
        return f"option.everywhere.{name.removeprefix(PREFIX).replace('_', '-')}"
    if name in SHARED:
        return f"option.shared.{name.replace('_', '-')}"
    return f"{parameter.param_type_name}.{path_key(path)}.{name.replace('_', '-')}"


def option_names(parameter: Any) -> str:
    """Return an option as it is typed: `-r, --repo DIR`."""
    names = ", ".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len))
    if parameter.is_flag or parameter.count:
        return names
    if parameter.metavar and not getattr(parameter.type, "choices", None):
        return f"{names} {parameter.metavar}"
    return f"{names} {expected_value(parameter).replace(' | ', '|')}"


def own_parameters(command: Any, kind: str) -> list[Any]:
    """Return a command's own options or arguments, without those that every command takes."""
    return [one for one in command.params if one.param_type_name == kind and not one.name.startswith(PREFIX)]


def usage_line(command: Any, path: str, catalogue: Catalogue) -> str:
    """Return how a command is typed."""
    pieces = ["backupkit", *([path] if path else [])]
    if path not in BY_PATH:
        pieces.append(catalogue.say("help.verb"))
    pieces.append(catalogue.say("help.options-piece"))
    for argument in own_parameters(command, "argument"):
        name = shown_name(argument) + ("..." if argument.nargs == -1 else "")
        pieces.append(name if argument.required else f"[{name}]")
    return " ".join(pieces)


def help_lines(command: Any, path: str, catalogue: Catalogue, terminal: Terminal) -> list[str]:
    """Draw the help of a command, a noun, or the program."""
    columns = min(terminal.columns, 100)
    lines: list[str] = []

    def heading(key: str) -> None:
        lines.extend(["", terminal.paint("strong", catalogue.say(key))])

    def entries(rows: list[tuple[str, str]]) -> None:
        # On a narrow screen two columns would leave no room for the second.
        most = 34 if columns >= _TWO_COLUMNS else 6
        indent = min(max((len(name) for name, _ in rows), default=0) + 4, most)
        for name, text in rows:
            if len(name) + 4 > indent:
                lines.append(f"  {name}")
                name = ""  # noqa: PLW2901  -- a long name has a line of its own
            lines.extend(wrapped(text, columns, indent=indent, first=f"  {name}"))

    name = path_key(path) or "backupkit"
    lines += wrapped(catalogue.say(f"command.{name}.summary"), columns)
    if catalogue.has(f"command.{name}.about"):
        lines.append("")
        for paragraph in catalogue.say(f"command.{name}.about").splitlines():
            lines += wrapped(paragraph, columns)
    label = catalogue.say("help.usage")
    usage = wrapped(usage_line(command, path, catalogue), columns, indent=width(label), first=label)
    lines += ["", terminal.paint("strong", label) + usage[0].removeprefix(label), *usage[1:]]
    if path in BY_PATH:
        for kind in ("argument", "option"):
            rows = [
                (option_names(one) if kind == "option" else shown_name(one), catalogue.say(parameter_key(path, one)))
                for one in own_parameters(command, kind)
            ]
            if rows:
                heading(f"help.{kind}s")
                entries(rows)
    else:
        for key, rows in _commands(path, catalogue):
            heading(key)
            entries(rows)
    heading("help.everywhere")
    everywhere = [one for one in command.params if one.name.startswith(PREFIX)]
    entries([(option_names(one), catalogue.say(parameter_key(path, one))) for one in everywhere])
    if catalogue.has(f"command.{name}.example"):
        heading("help.examples")
        lines += [f"  {line}" for line in catalogue.say(f"command.{name}.example").splitlines()]
    return lines


def _commands(path: str, catalogue: Catalogue) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    if path:
        yield "help.commands", [_row(f"{path} {verb}", catalogue) for verb in below(path)]
        return
    for section in SECTIONS:
        yield f"help.section.{section}", [_row(verb.path, catalogue) for verb in VERBS if verb.section == section]


def _row(path: str, catalogue: Catalogue) -> tuple[str, str]:
    return path, catalogue.say(f"command.{path_key(path)}.summary")
