"""Somebody at a real terminal, as far as the process can tell."""

import os
import pty
import select
import shlex
import time

from computer import Computer


class Person:
    """Sits at a terminal, reads what is shown and types."""

    def __init__(self, computer: Computer, *arguments: object, line: str = "{}", encoding: str = "utf-8") -> None:
        """Type a command; `line` is the shell's line around it, `encoding` what the terminal was set to."""
        environment = {name: value for name, value in computer.environment.items() if "PASSPHRASE" not in name}
        environment |= {"TERM": "xterm", "COLUMNS": "100"}
        self.seen = ""
        self.encoding = encoding
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(computer.home)
            typed = line.replace("{}", shlex.join(computer.command(*arguments)))
            command = typed if line != "{}" else f"exec {typed}"
            os.execve("/bin/sh", [b"sh", b"-c", command.encode(encoding)], environment)

    def waits_for(self, text: str, *, seconds: float = 60) -> str:
        """Read until the text appears; return what was shown up to it, and forget it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self._read(), self.seen
        before, _, self.seen = self.seen.partition(text)
        return before

    def types(self, text: str) -> None:
        os.write(self.terminal, text.encode(self.encoding) + b"\n")

    def ends_with(self) -> tuple[int, str]:
        """Wait for the process; return its exit code and the rest of what was shown."""
        while self._read():
            pass
        _, status = os.waitpid(self.process, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status), self.seen

    def _read(self) -> bool:
        try:
            ready, _, _ = select.select([self.terminal], [], [], 60)
            # Waiting for somebody who has nothing more to type would be for ever.
            assert ready, self.seen
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.seen += data.decode(self.encoding, "replace")
        return bool(data)
