"""`backupkit` and `python -m backupkit`: the first thing that runs."""


def run() -> None:
    """Run the command line of this process, and end the process."""
    # Until the command line listens, Ctrl-C ends the process as it ends any other: nothing is at work yet that could
    # be harmed, and a traceback of half an import would help nobody. `_signal` lies in the interpreter itself;
    # importing `signal` would run Python code of its own, which is a moment in which Ctrl-C can still arrive.
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415

    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from backupkit.cli.main import run as run_command_line  # noqa: PLC0415  not before the line above

    run_command_line()


if __name__ == "__main__":
    run()
