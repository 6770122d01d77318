"""`backupkit` and `python -m backupkit`: the first thing that runs."""

import signal


def run() -> None:
    """Run the command line of this process, and end the process."""
    # Until the command line listens, Ctrl-C ends the process as it ends any other: nothing is at work yet that could
    # be harmed, and a traceback of half an import would help nobody.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from backupkit.cli.main import run as run_command_line  # noqa: PLC0415  not before the line above

    run_command_line()


if __name__ == "__main__":
    run()
