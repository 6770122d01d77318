"""How a command line is taken apart: typer's parser, with our own lazy tree of commands around it.

Only the parser of typer is used. Its help, its errors and its tracebacks are drawn elsewhere, because they speak
half-translated English, and its traceback box prints source lines that may hold secrets.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from backupkit.cli import everywhere
from backupkit.cli.usage import ArgumentMissing, ArgumentTooMany, CommandUnknown, nearest, shown_name
from backupkit.cli.verbs import BY_PATH, NOUNS, below

_PLACES = frozenset({"DIR", "FILE", "PATH", "SNAPSHOT", "PACKAGE", "SOURCE"})
_WORDS = re.compile("[A-Z]+")

_NO_EXTRAS: dict[str, Any] = {"help_option_names": []}


class LazyGroup(TyperGroup):
    """The program, or a noun such as `key`. Its commands are imported when they are asked for."""

    noun: str = ""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  -- the base class has it
        """Return the names of the commands, in the order of the help."""
        return below(self.noun)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  -- the base class has it
        """Import a command and return it, or None where there is none of that name."""
        return command_at(f"{self.noun} {cmd_name}".strip())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before the command's name."""
        with _placed(ctx):
            _require_named(self, ctx, args)
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with.

        Raises:
            CommandUnknown: there is none.
        """
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            shown = f"{self.noun} {name}".strip()
            close = nearest(name, below(self.noun))
            raise CommandUnknown(command=shown, nearest=close, help=f"{ctx.command_path} --help")
        return name, command, args[1:]


class VerbCommand(TyperCommand):
    """One command. What it takes everywhere is taken out before its function sees the rest."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            ArgumentTooMany: there is more than the command takes.
            ArgumentMissing: what should name a place or a snapshot is empty.
        """
        with _placed(ctx):
            _require_named(self, ctx, args)
            rest = super().parse_args(ctx, args)
        if rest:
            raise ArgumentTooMany(found=" ".join(rest), help=f"{ctx.command_path} --help")
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Begin the session with the options given at every level, and run the command in it."""
        levels: list[dict[str, Any]] = []
        level = ctx
        while level is not None:
            levels.insert(0, everywhere.taken_out(level.params))
            level = level.parent
        ctx.obj = ctx.obj.begin(everywhere.merged(levels), ctx.command_path.partition(" ")[2])
        return super().invoke(ctx)


def _require_named(command: Any, context: Any, args: Sequence[str]) -> None:
    """Refuse an empty name of a place: `--to "$DIR"` with a variable that was never set would mean the folder we stand in."""
    if not any(argument == "" or argument.endswith("=") for argument in args):
        return
    given, _, _ = command.make_parser(context).parse_args(args=list(args))
    for parameter in command.params:
        value = given.get(parameter.name)
        is_empty = "" in value if isinstance(value, list | tuple) else value == ""
        if is_empty and _PLACES.intersection(_WORDS.findall(parameter.metavar or "")):
            raise ArgumentMissing(name=shown_name(parameter), help=f"{context.command_path} --help")


@contextmanager
def _placed(context: Any) -> Iterator[None]:
    """Say where on the line a mistake is, where the parser does not."""
    try:
        yield
    except Exception as problem:
        if getattr(problem, "ctx", context) is None:
            problem.ctx = context  # type: ignore[attr-defined]  # the parser's own attribute
        raise


@cache
def command_at(path: str) -> Any:
    """Return the command or noun that is typed as `path`; None where there is none; the program for an empty path."""
    if not path or path in NOUNS:
        group = LazyGroup(name=path or "backupkit", context_settings=dict(_NO_EXTRAS), rich_markup_mode=None)
        group.noun = path
        group.params.extend(_parameters(everywhere.prototype))
        if not path:
            group.params.extend(_parameters(everywhere.prototype_of_root))
        return group
    if path not in BY_PATH:
        return None
    verb = BY_PATH[path]
    module = importlib.import_module(f"backupkit.cli.commands.{verb.module}")
    command = _typer_command(getattr(module, verb.function), path.rpartition(" ")[2])
    command.params.extend(_parameters(everywhere.prototype))
    return command


def _typer_command(function: Callable[..., Any], name: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {**_NO_EXTRAS, "allow_extra_args": True}
    app.command(name, cls=VerbCommand, add_help_option=False, context_settings=settings)(function)
    return typer.main.get_command(app)


def _parameters(prototype: Callable[..., None]) -> Sequence[Any]:
    return list(_typer_command(prototype, "prototype").params)
