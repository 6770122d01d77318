"""Where the process begins and ends: every way out leads through here and has its documented exit code."""

import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import typer

from backupkit.cli.everywhere import Everywhere, HelpWanted, VersionWanted, peeked, spelled
from backupkit.cli.grammar import command_at
from backupkit.cli.session import Process, Session
from backupkit.cli.stopping import Terminated
from backupkit.cli.usage import understood
from backupkit.errors import BackupkitError, ExitCode, Unplugged
from backupkit.ui.output import OutputLost

_UsageError: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "UsageError")
"""The parser's base of everything that is wrong with a command line. It is private in some versions of typer."""


_SQLITE_FULL = 13


class SpaceGone(BackupkitError):
    """A disk is full or a quota is used up. Facts: `path`."""

    code = "space-gone"
    exit_code = ExitCode.NO_SPACE


class MemoryGone(BackupkitError):
    """The process may use no more memory, or start no more threads."""

    code = "memory-gone"
    exit_code = ExitCode.USAGE


class SystemRefused(BackupkitError):
    """The system refused something that no layer expected it to. Facts: `path`, `reason`."""

    code = "system-refused"
    exit_code = ExitCode.USAGE


class SystemFailed(BackupkitError):
    """The same, where the system did not name the file: a read or a write of one that was open. Facts: `reason`, `report`."""

    code = "system-failed"
    exit_code = ExitCode.USAGE


class Bug(BackupkitError):
    """A mistake in backupkit. Facts: `kind`, `report`."""

    code = "bug"
    exit_code = ExitCode.BUG


def run() -> None:
    """Run the command line of this process, and end the process."""
    # A run makes many objects and few cycles: looking for those after every 700 objects costs a fiftieth of all.
    gc.set_threshold(50_000, 20, 20)
    process = Process(os.environ, _stream(sys.stdout), _stream(sys.stderr))
    code = ExitCode.DONE
    try:
        process.stop.listen()
        code = answer(process, sys.argv[1:])
        process.stop.rest()
        with suppress(ValueError):
            process.out.flush()
    except BrokenPipeError:
        _leave_quietly(process)
    except OSError:
        # The disk behind the output is full. That was told where it was written; what is left of it goes nowhere.
        _let_go(process.out)
        code = code or OutputLost.exit_code
    except (KeyboardInterrupt, Terminated):
        # Pressed once more while the first one was being answered.
        process.stop.rest()
        code = process.stop.error().exit_code
    process.ending.close()
    try:
        process.notes.flush()
    except OSError:
        # The terminal was closed: what could not be said there must not change the exit code.
        _let_go(process.notes)
    # Python flushes once more when it ends; a reader who left by then must not turn into a message.
    sys.exit(int(code))


def answer(process: Process, arguments: Sequence[str]) -> ExitCode:
    """Do what the arguments ask for, and return what to exit with. Every failure has been printed then.

    Raises:
        BrokenPipeError: whoever read the output left.
    """
    arguments = spelled(arguments)
    first = peeked(arguments)
    try:
        return _invoke(process, arguments, first)
    except KeyboardInterrupt:
        process.stop.rest()
        process.stop.asked = process.stop.asked or signal.SIGINT
        return _fail(process, first, process.stop.error())
    except Terminated:
        process.stop.rest()
        process.stop.asked = process.stop.asked or signal.SIGTERM
        return _fail(process, first, process.stop.error())
    except BrokenPipeError:
        raise
    except BaseException as problem:  # the last line of defence: nobody is shown a traceback
        if process.stop.at_once:
            # Torn out of whatever it did, code may come to an error of its own, and a library written in Rust to a panic:
            # that is the stop's, and neither damage nor a mistake.
            process.stop.rest()
            return _fail(process, first, process.stop.error())
        if isinstance(problem, Unplugged):
            problem = problem.error
        if isinstance(problem, BackupkitError):
            return _fail(process, first, problem)
        if not isinstance(problem, Exception):
            raise
        return _fail(process, first, _unforeseen(process, first, problem))


def _invoke(process: Process, arguments: Sequence[str], first: Everywhere) -> ExitCode:
    program = command_at("")
    if arguments[:1] == ["help"]:
        # So many programs have it that it is typed without a thought, most of all by who is in trouble.
        arguments = [*arguments[1:], "--help"]
    try:
        # Who types the name alone wants to know what there is.
        context = program.make_context("backupkit", list(arguments) or ["--help"], obj=process)
        with context:
            result = program.invoke(context)
    except HelpWanted as wanted:
        _help(process, first, wanted.context)
        # In a script it is a variable that was never set, and nothing was done.
        return ExitCode.DONE if arguments else ExitCode.USAGE
    except VersionWanted:
        from backupkit import __version__

        session = _session(process, first)
        session.printer.summary({"version": __version__}, [f"backupkit {__version__}"])
        return ExitCode.DONE
    except _UsageError as problem:
        raise understood(problem) from problem
    return result if isinstance(result, ExitCode) else ExitCode.DONE


def _help(process: Process, first: Everywhere, context: typer.Context) -> None:
    from backupkit.cli.help_page import help_lines

    session = _session(process, first)
    path = context.command_path.partition(" ")[2]
    lines = help_lines(context.command, path, session.catalogue, session.terminal)
    session.printer.summary({"command": path, "help": "\n".join(lines)}, lines)


def _fail(process: Process, first: Everywhere, error: BackupkitError) -> ExitCode:
    session = _session(process, first)
    try:
        session.printer.error(error)
    except OutputLost:
        # Not even the error object fits behind the output. Whoever reads the notes is told, and the exit code says it to all.
        from backupkit.ui.error_text import error_lines

        with suppress(OSError, ValueError):
            process.notes.writelines(f"{line}\n" for line in error_lines(error, session.catalogue, session.terminal))
            process.notes.flush()
    return error.exit_code


def _session(process: Process, first: Everywhere) -> Session:
    return process.session or process.begin(first, "")


def _unforeseen(process: Process, first: Everywhere, problem: Exception) -> BackupkitError:
    if isinstance(problem, OSError) and problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SpaceGone(path=None if problem.filename is None else str(problem.filename))
    if getattr(problem, "sqlite_errorcode", None) == _SQLITE_FULL:
        # SQLite, under the search index and an export's order of messages, says it in its own way.
        return SpaceGone(path=None)
    if _is_out_of_memory(problem):
        return MemoryGone()
    from backupkit.cli.crash import write_report

    session = _session(process, first)
    report = write_report(problem, session.verb, session.folders.state / "reports", process.clock.now())
    if session.asked.verbose > 1:
        import traceback

        traceback.print_exception(problem, file=process.notes)
    written = None if report is None else str(report)
    if isinstance(problem, OSError):
        reason = problem.strerror or "unreadable"
        if problem.filename:
            return SystemRefused(path=str(problem.filename), reason=reason)
        return SystemFailed(reason=reason, report=written)
    return Bug(kind=type(problem).__name__, report=written)


def _is_out_of_memory(problem: Exception) -> bool:
    if isinstance(problem, OSError):
        return problem.errno == errno.ENOMEM
    # Python has no type of its own for a thread that the system does not start.
    is_thread = isinstance(problem, RuntimeError) and str(problem) == "can't start new thread"
    return is_thread or isinstance(problem, MemoryError)


def _stream(stream: TextIO | None) -> TextIO:
    """Make a standard stream one that can be written whatever the locale and the terminal are."""
    if stream is None:
        # The shell closed it (`>&-`).
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  -- open as long as the process
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        # A terminal keeps its own encoding, and shows what it cannot as escapes; everything else gets UTF-8.
        encoding = stream.encoding if stream.isatty() else "utf-8"
        reconfigure(encoding=encoding, errors="backslashreplace", newline="\n")
    return stream


def _let_go(stream: TextIO) -> None:
    """Let what is still to be written there go nowhere."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())


def _leave_quietly(process: Process) -> None:
    """End as a program ends whose reader left: by the signal, without a word."""
    process.ending.close()
    _let_go(process.out)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(int(ExitCode.TERMINATED))
