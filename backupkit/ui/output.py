"""The standard output, where a write that fails is an error of its own and never mistaken for one of the repository."""

from typing import TextIO

from backupkit.errors import BackupkitError, ExitCode


class OutputLost(BackupkitError):
    """What came out could not be written: the disk behind the output is full or gone. Facts: `reason`."""

    code = "output-lost"
    exit_code = ExitCode.NO_SPACE


class Output:
    """Writes lines at once, so that a reader sees each as it comes.

    A reader who left raises `BrokenPipeError`, which is no error but an end; anything else raises `OutputLost`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write whole lines."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise OutputLost(reason=problem.strerror or "unwritable") from problem
